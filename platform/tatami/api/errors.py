"""The one gate for errors: whatever went wrong, in whichever layer, becomes the envelope of the contract.

Three ways lead here: `exception_handler` (what a view raises on purpose), `ErrorEnvelope` (what escapes a
view) and the urlconfs' handlers (what the URL resolver and other middleware raise; Django turns those into
a response before any middleware could see them). All of them ask `translate`.
"""

import sys
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

import structlog
from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from tatami.api.renderers import JSON, json_bytes
from tatami.api.translation import EXPECTED, NON_FIELD, DependencyAway, RowRefused, translate
from tatami.errors import DomainError, ServerError
from tatami.observability import request_facts

__all__ = ["EXPECTED", "NON_FIELD", "ErrorEnvelope", "error_response", "exception_handler", "translate"]

logger: Final = structlog.get_logger("tatami.api")


def error_response(error: DomainError, _request: HttpRequest | None = None) -> HttpResponse:
    """Return `error` as the contract's JSON, whatever the client accepts, with the headers of its status."""
    response = HttpResponse(json_bytes(error.envelope()), status=error.status, content_type=JSON)
    response["Cache-Control"] = "no-store"
    if error.status == HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = "Bearer"
    retry_after = getattr(error, "retry_after", None)
    if retry_after is not None:
        response["Retry-After"] = str(retry_after)
    return response


def exception_handler(exc: Exception, context: Mapping[str, Any]) -> HttpResponse | None:
    """Answer what a view raised on purpose, and roll its transaction back. DRF's EXCEPTION_HANDLER."""
    error = translate(exc)
    if error is None:
        return None
    view = context.get("view")
    if getattr(view, "atomic", True):
        set_rollback()
    response = error_response(error)
    if error.status == HTTPStatus.METHOD_NOT_ALLOWED:
        response["Allow"] = ", ".join(getattr(view, "allowed_methods", []))
    return response


def set_rollback() -> None:
    """Have the transactions that ATOMIC_REQUESTS opened roll back when the view returns."""
    for connection in connections.all(initialized_only=True):
        if connection.settings_dict["ATOMIC_REQUESTS"] and connection.in_atomic_block:
            connection.set_rollback(True)


def answer(exc: BaseException | None, request: HttpRequest) -> HttpResponse:
    """Answer any exception; log what an operator must hear of, under the request's id."""
    error = translate(exc) if exc is not None else None
    facts = request_facts(request)
    if isinstance(error, RowRefused):
        logger.error(
            "security.row_refused", sqlstate=error.sqlstate, reason=error.reason, exc_info=exc, **facts
        )
    elif isinstance(error, DependencyAway):
        logger.error("dependency_away", reason=error.reason, **facts)
    elif error is None:
        logger.error("unhandled_exception", exc_info=exc, **facts)
    return error_response(error or ServerError(), request)


class ErrorEnvelope:
    """Middleware: the outermost boundary. Nothing that a view lets through reaches the client as HTML."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Pass the request on: exceptions arrive at `process_exception` or at the urlconf's handlers."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse:
        """Answer what a view, the end of its transaction or the rendering of its answer raised."""
        return answer(exception, request)


def handler(request: HttpRequest, exception: BaseException | None = None) -> HttpResponse:
    """Answer for the URL resolver and for middleware. Django gives no exception to a handler500."""
    return answer(exception or sys.exc_info()[1], request)


bad_request = permission_denied = not_found = server_error = handler
