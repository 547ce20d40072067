"""The one strict gate for input, before any view sees it: size, path, query string, charset."""

import re
from collections.abc import Callable
from io import BytesIO
from typing import Final
from urllib.parse import unquote_to_bytes

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from tatami.api.errors import NON_FIELD, error_response
from tatami.api.request import READS
from tatami.api.strict_json import UNSTORABLE
from tatami.errors import DomainError, Invalid, NotFound, PayloadTooLarge, UnsupportedMediaType

MAX_BODY_BYTES: Final = 1024 * 1024
ABSOLUTE_MAX_BODY_BYTES: Final = 10 * MAX_BODY_BYTES
_CONTROL: Final = re.compile("[\x00-\x1f\x7f]")


def refuse_larger_body(request: HttpRequest, limit: int) -> None:
    """Raise `PayloadTooLarge` for a body of more than `limit` bytes, by its announced length."""
    announced = request.META.get("CONTENT_LENGTH") or "0"
    if int(announced) > limit:
        raise PayloadTooLarge(f"The body is larger than {limit} bytes.")


class InputGate:
    """Middleware: refuse what no view may see. The size here is the absolute one; views lower it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer the refusal, or pass the request on."""
        try:
            _check_path(request)
            _check_charset(request)
            _check_query(request)
            _check_length(request)
        except DomainError as error:
            return error_response(error, request)
        return self.get_response(request)


def _check_path(request: HttpRequest) -> None:
    if _CONTROL.search(request.path_info) or UNSTORABLE.search(request.path_info):
        raise NotFound


def _check_charset(request: HttpRequest) -> None:
    # Django would decode the query string with the body's charset, be it UTF-16 or rot13.
    charset = (request.content_params or {}).get("charset", "utf-8")
    if str(charset).lower() not in {"utf-8", "utf8"}:
        raise UnsupportedMediaType("Only UTF-8 is supported.")


def _check_query(request: HttpRequest) -> None:
    raw = request.META.get("QUERY_STRING") or ""
    fields = settings.DATA_UPLOAD_MAX_NUMBER_FIELDS
    if fields is not None and raw.count("&") >= fields:
        raise Invalid.field(NON_FIELD, "The query string has too many parameters.")
    for parameter in raw.split("&"):
        name, _, value = parameter.partition("=")
        label = _decoded(name)
        if label is None or UNSTORABLE.search(label):
            raise Invalid.field(NON_FIELD, "The name of a query parameter is not UTF-8 text.")
        text = _decoded(value)
        if text is None or UNSTORABLE.search(text):
            raise Invalid.field(label or NON_FIELD, "This is not UTF-8 text without NUL.")


def _decoded(text: str) -> str | None:
    try:
        # WSGI hands over bytes as latin-1
        return unquote_to_bytes(text.replace("+", " ").encode("latin-1")).decode("utf-8")
    except UnicodeError:
        return None


def _check_length(request: HttpRequest) -> None:
    announced = str(request.META.get("CONTENT_LENGTH") or "")
    if not announced:
        _read_unannounced(request)
    elif not re.fullmatch(r"[0-9]{1,18}", announced):
        raise Invalid.field("Content-Length", "This is not a length in bytes.")
    refuse_larger_body(request, ABSOLUTE_MAX_BODY_BYTES)


def _read_unannounced(request: HttpRequest) -> None:
    """Take in a body without a length (chunked, or HTTP/2), which Django would treat as empty."""
    chunked = "chunked" in str(request.META.get("HTTP_TRANSFER_ENCODING", "")).lower()
    if request.method in READS and not chunked:
        return
    if not request.META.get("wsgi.input_terminated"):
        if chunked:
            raise Invalid.field("Content-Length", "Announce the length of the body.")
        return
    body = request.META["wsgi.input"].read(ABSOLUTE_MAX_BODY_BYTES + 1)
    request.META["CONTENT_LENGTH"] = str(len(body))
    request._stream = BytesIO(body)
