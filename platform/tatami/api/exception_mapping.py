"""Every exception becomes an error response in JSON: `{"error": {"code", "message", "details"}}`.

Exceptions arrive here in three ways: through `exception_handler` (raised on purpose by a view), through
`ErrorMiddleware` (any other exception of a view), and through the urlconf's handlers (raised by the URL resolver and by
other middleware, whose exceptions Django turns into a response before any middleware sees them). All of them call
`map_exception`.
"""

import sys
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

import botocore.exceptions
import psycopg
import redis.exceptions
import structlog
from django.core import exceptions as django_errors
from django.db import DatabaseError, IntegrityError, InterfaceError, OperationalError, connections
from django.db.models import ProtectedError, RestrictedError
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.http.response import HttpResponseBase
from django.utils.translation import gettext
from rest_framework import exceptions as drf
from rest_framework.status import is_server_error

from tatami import errors
from tatami.api import registry
from tatami.api.renderers import JSON, json_bytes
from tatami.errors import DomainError, Invalid, ServerError
from tatami.metrics import ALARMS
from tatami.observability import request_log_fields
from tatami.postgresql.owner.base import OwnerLacksPrivilege

logger: Final = structlog.get_logger("tatami.api")

NON_FIELD: Final = "non_field_errors"
"""The path of a message about the body or the query as a whole."""

HANDLED_EXCEPTIONS: Final = (
    DomainError,
    drf.APIException,
    django_errors.PermissionDenied,
    django_errors.ValidationError,
    django_errors.BadRequest,
    django_errors.SuspiciousOperation,
    MultiPartParserError,
    Http404,
)
"""Exceptions that code raises on purpose to refuse a request. All others propagate and roll the transaction back."""

_CONFLICTS: Final = {"23001", "23503", "23505", "23P01"}
"""Restricted, foreign key, unique, exclusion. A violated CHECK or NOT NULL is a bug, so it stays a 500."""
_OUT_OF_RANGE: Final = {"22001", "22003", "22007", "22008", "22021", "22P02"}
"""Too long, too large, invalid date, invalid character, invalid JSON (NaN): values that no serializer refused."""


_STORAGE_UNREACHABLE: Final = botocore.exceptions.ConnectionError | botocore.exceptions.HTTPClientError


class RowRefused(errors.PermissionDenied):
    """You do not have access to this."""

    def __init__(self, cause: BaseException) -> None:
        """Keep SQLSTATE and message of PostgreSQL for the log. The client does not see them."""
        super().__init__()
        self.sqlstate = getattr(cause, "sqlstate", None)
        self.reason = str(cause).partition("\n")[0]


class DependencyUnavailable(errors.ServiceUnavailable):
    """A service that Tatami depends on is unavailable. Try again in a few seconds."""

    def __init__(self, cause: BaseException) -> None:
        """Keep the first line of the cause for the log."""
        super().__init__()
        self.reason = f"{type(cause).__name__}: {str(cause).partition(chr(10))[0]}"


def map_exception(exc: BaseException) -> DomainError | None:
    """Return the error that the client gets for `exc`, or `None` for an unexpected exception (a 500)."""
    if isinstance(exc, DomainError):
        return exc
    if isinstance(exc, drf.APIException):
        return _from_drf(exc)
    if isinstance(exc, DatabaseError | InterfaceError | psycopg.Error):
        return _from_database(exc)
    if isinstance(exc, redis.exceptions.ConnectionError | redis.exceptions.TimeoutError):
        return DependencyUnavailable(exc)
    if isinstance(exc, _STORAGE_UNREACHABLE | botocore.exceptions.ClientError):
        return _from_storage(exc)
    return _from_django(exc)


def _from_drf(exc: drf.APIException) -> DomainError:
    match exc:
        case drf.ValidationError():
            return Invalid(details=dotted_paths(exc.detail))
        case drf.ParseError():
            return Invalid.field(NON_FIELD, str(exc.detail))
        case drf.Throttled():
            return errors.Throttled(retry_after=int(getattr(exc, "wait", None) or 1))
        case drf.NotAuthenticated():
            return errors.NotAuthenticated()
        case drf.AuthenticationFailed():
            return errors.TokenInvalid()
    by_status: dict[int, type[DomainError]] = {
        403: errors.PermissionDenied,
        404: errors.NotFound,
        405: errors.MethodNotAllowed,
        406: errors.NotAcceptable,
        413: errors.PayloadTooLarge,
        415: errors.UnsupportedMediaType,
        503: errors.ServiceUnavailable,
    }
    return by_status.get(
        exc.status_code, errors.ServerError if is_server_error(exc.status_code) else Invalid
    )()


_DJANGO_ERRORS: Final[
    tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], type[DomainError]], ...]
] = (
    (Http404, errors.NotFound),
    (django_errors.PermissionDenied, errors.PermissionDenied),
    (django_errors.DisallowedHost, errors.TenantNotFound),
    (
        (django_errors.RequestDataTooBig, django_errors.TooManyFieldsSent, django_errors.TooManyFilesSent),
        errors.PayloadTooLarge,
    ),
    ((MultiPartParserError, UnreadablePostError), Invalid),
    ((django_errors.SuspiciousOperation, django_errors.BadRequest), Invalid),
)


def _from_django(exc: BaseException) -> DomainError | None:
    if isinstance(exc, django_errors.ValidationError):
        return Invalid(details=dotted_paths(exc.message_dict if hasattr(exc, "error_dict") else exc.messages))
    return next((error() for kinds, error in _DJANGO_ERRORS if isinstance(exc, kinds)), None)


def _from_database(exc: BaseException) -> DomainError | None:
    cause = exc if isinstance(exc, psycopg.Error) else exc.__cause__ or exc
    sqlstate = getattr(cause, "sqlstate", None)
    if sqlstate == "42501" and not isinstance(exc, OwnerLacksPrivilege):
        return RowRefused(cause)
    if sqlstate in _CONFLICTS or isinstance(exc, ProtectedError | RestrictedError):
        return DomainError()
    if isinstance(exc, IntegrityError | psycopg.IntegrityError):
        return None
    if sqlstate in _OUT_OF_RANGE:
        return Invalid.field(NON_FIELD, gettext("A value is out of range."))
    if isinstance(exc, OperationalError | InterfaceError | psycopg.OperationalError | psycopg.InterfaceError):
        return DependencyUnavailable(cause)
    return None


def _from_storage(exc: BaseException) -> DomainError | None:
    """Return that the file storage is unavailable: it cannot be reached, does not answer in time, or answers 5xx."""
    if isinstance(exc, botocore.exceptions.ClientError):
        status = exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return DependencyUnavailable(exc) if status >= HTTPStatus.INTERNAL_SERVER_ERROR else None
    return DependencyUnavailable(exc)


def dotted_paths(detail: Any, path: str = "") -> dict[str, list[str]]:
    """Return nested messages as a flat mapping: dotted path (`guardians.0.email`) → list of messages."""
    found: dict[str, list[str]] = {}
    if isinstance(detail, Mapping):
        members = [("" if key == NON_FIELD else str(key), value) for key, value in detail.items()]
    elif isinstance(detail, list | tuple):
        members = [
            (str(index) if isinstance(value, Mapping | list | tuple) else "", value)
            for index, value in enumerate(detail)
        ]
    else:
        return {path or NON_FIELD: [str(detail)]}
    for step, value in members:
        for place, messages in dotted_paths(value, ".".join(filter(None, (path, step)))).items():
            found.setdefault(place, []).extend(messages)
    return found


def error_response(error: DomainError, request: HttpRequest | None = None) -> HttpResponse:
    """Return `error` as JSON with the headers of its status; as a page to a browser that did not ask for the API."""
    if request is not None and wants_page(request):
        return registry.error_page.get()(error, request)
    response = HttpResponse(json_bytes(error.envelope()), status=error.status, content_type=JSON)
    response["Cache-Control"] = "no-store"
    if error.status == HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = "Bearer"
    retry_after = getattr(error, "retry_after", None)
    if retry_after is not None:
        response["Retry-After"] = str(retry_after)
    return response


def wants_page(request: HttpRequest) -> bool:
    """Return whether a browser asks for something that is not a route of the API: a page, or an unknown path."""
    match = request.resolver_match
    view = getattr(match.func, "cls", None) if match else None
    is_api = isinstance(view, type) and not getattr(view, "opened_by_browsers", False)
    return not is_api and "text/html" in request.META.get("HTTP_ACCEPT", "")


def exception_handler(exc: Exception, context: Mapping[str, Any]) -> HttpResponse | None:
    """Return the response to an exception of a view, and roll its transaction back. DRF's EXCEPTION_HANDLER."""
    error = map_exception(exc)
    if error is None:
        return None
    view = context.get("view")
    if getattr(view, "atomic", True):
        set_rollback()
    response = error_response(error, view.request._request if view is not None else None)
    if error.status == HTTPStatus.METHOD_NOT_ALLOWED:
        response["Allow"] = ", ".join(getattr(view, "allowed_methods", []))
    return response


def set_rollback() -> None:
    """Mark the transactions that ATOMIC_REQUESTS opened, so that they roll back when the view returns."""
    for connection in connections.all(initialized_only=True):
        if connection.settings_dict["ATOMIC_REQUESTS"] and connection.in_atomic_block:
            connection.set_rollback(True)


def respond_to_exception(exc: BaseException | None, request: HttpRequest) -> HttpResponse:
    """Return the response to any exception. Log what an operator must see, with the request's id."""
    error = map_exception(exc) if exc is not None else None
    facts = request_log_fields(request)
    if isinstance(error, RowRefused):
        ALARMS.labels("security.row_refused").inc()
        logger.error(
            "security.row_refused", sqlstate=error.sqlstate, reason=error.reason, exc_info=exc, **facts
        )
    elif isinstance(error, DependencyUnavailable):
        logger.error("dependency_away", reason=error.reason, **facts)
    elif error is None:
        ALARMS.labels("unhandled_exception").inc()
        logger.error("unhandled_exception", exc_info=exc, **facts)
    return error_response(error or ServerError(), request)


class ErrorMiddleware:
    """The outermost handler of exceptions: no exception reaches the client as an HTML page."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Pass the request on. Exceptions arrive at `process_exception` or at the urlconf's handlers."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse:
        """Respond to an exception of a view, of its commit, or of the rendering of its response."""
        return respond_to_exception(exception, request)


def error_handler(request: HttpRequest, exception: BaseException | None = None) -> HttpResponse:
    """Respond to an exception of the URL resolver or of a middleware: the urlconfs' `handler400` to `handler500`.

    Django passes no exception to a `handler500`.
    """
    return respond_to_exception(exception or sys.exc_info()[1], request)
