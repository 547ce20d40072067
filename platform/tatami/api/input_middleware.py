"""Checks on every request before any view sees it: path, charset, query string, body size."""

import re
from collections.abc import Callable
from io import BytesIO
from typing import Final
from urllib.parse import unquote_to_bytes

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from tatami.api.exception_mapping import NON_FIELD, error_response
from tatami.api.parsers import UNSTORABLE
from tatami.api.request import READS
from tatami.errors import DomainError, Invalid, NotFound, PayloadTooLarge, UnsupportedMediaType

MAX_BODY_BYTES: Final = 1024 * 1024
"""The default limit of a view (`ApiView.max_body_bytes`)."""
ABSOLUTE_MAX_BODY_BYTES: Final = 10 * MAX_BODY_BYTES
"""The limit for every request, on every route."""
_CONTROL: Final = re.compile("[\x00-\x1f\x7f]")


def check_body_size(request: HttpRequest, limit: int) -> None:
    """Raises `PayloadTooLarge` if the `Content-Length` is more than `limit` bytes."""
    announced = request.META.get("CONTENT_LENGTH") or "0"
    if int(announced) > limit:
        raise PayloadTooLarge(f"The body is larger than {limit} bytes.")


class InputMiddleware:
    """Refuses malformed requests. It checks the absolute size limit; views have lower ones."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Return an error response, or pass the request on."""
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
    # Django would decode the query string with the body's charset, even UTF-16 or rot13.
    charset = (request.content_params or {}).get("charset", "utf-8")
    if str(charset).lower() not in {"utf-8", "utf8"}:
        raise UnsupportedMediaType("Only UTF-8 is supported.")


def _check_query(request: HttpRequest) -> None:
    raw = request.META.get("QUERY_STRING") or ""
    limit = settings.DATA_UPLOAD_MAX_NUMBER_FIELDS
    if limit is not None and raw.count("&") >= limit:
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
        # WSGI passes bytes as latin-1
        return unquote_to_bytes(text.replace("+", " ").encode("latin-1")).decode("utf-8")
    except UnicodeError:
        return None


def _check_length(request: HttpRequest) -> None:
    announced = str(request.META.get("CONTENT_LENGTH") or "")
    if not announced:
        _read_body_without_length(request)
    elif not re.fullmatch(r"[0-9]{1,18}", announced):
        raise Invalid.field("Content-Length", "This is not a length in bytes.")
    check_body_size(request, ABSOLUTE_MAX_BODY_BYTES)


def _read_body_without_length(request: HttpRequest) -> None:
    """Read a body without a `Content-Length` (chunked, or HTTP/2). Django would treat it as empty."""
    chunked = "chunked" in str(request.META.get("HTTP_TRANSFER_ENCODING", "")).lower()
    if request.method in READS and not chunked:
        return
    if not request.META.get("wsgi.input_terminated"):
        if chunked:
            raise Invalid.field("Content-Length", "Send the length of the body in Content-Length.")
        return
    body = request.META["wsgi.input"].read(ABSOLUTE_MAX_BODY_BYTES + 1)
    request.META["CONTENT_LENGTH"] = str(len(body))
    request._stream = BytesIO(body)
