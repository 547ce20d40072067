"""Checks on every request before any view sees it: path, charset, query string."""

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import unquote_to_bytes

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from tatami.api.exception_mapping import NON_FIELD, error_response
from tatami.api.parsers import UNSTORABLE
from tatami.errors import DomainError, Invalid, NotFound, UnsupportedMediaType

_CONTROL: Final = re.compile("[\x00-\x1f\x7f]")


class InputMiddleware:
    """Refuses malformed requests."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Return an error response, or pass the request on."""
        try:
            _check_path(request)
            _check_charset(request)
            _check_query(request)
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
        if parameter and not label:
            raise Invalid.field(NON_FIELD, "A query parameter has no name.")
        if text is None or UNSTORABLE.search(text):
            raise Invalid.field(label, "This is not UTF-8 text without NUL.")


def _decoded(text: str) -> str | None:
    try:
        # WSGI passes bytes as latin-1
        return unquote_to_bytes(text.replace("+", " ").encode("latin-1")).decode("utf-8")
    except UnicodeError:
        return None
