"""Which error of ours each exception of Django, DRF, PostgreSQL and Valkey means."""

from collections.abc import Mapping
from typing import Any, Final

import psycopg
import redis.exceptions
from django.core import exceptions as django_errors
from django.db import DatabaseError, IntegrityError, InterfaceError, OperationalError
from django.db.models import ProtectedError, RestrictedError
from django.http import Http404, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from rest_framework import exceptions as drf
from rest_framework.status import is_server_error

from tatami import errors
from tatami.errors import DomainError, Invalid

NON_FIELD: Final = "non_field_errors"
"""The path of a message about the body or the query as a whole."""

EXPECTED: Final = (
    DomainError,
    drf.APIException,
    django_errors.PermissionDenied,
    django_errors.ValidationError,
    django_errors.BadRequest,
    django_errors.SuspiciousOperation,
    MultiPartParserError,
    Http404,
)
"""What code raises on purpose to refuse a request. All else passes the view and rolls back by itself."""

_CONFLICTS: Final = {"23001", "23503", "23505", "23P01"}
"""Restricted, foreign key, unique, exclusion. A CHECK or NOT NULL that is violated is a fault of ours."""
_OUT_OF_RANGE: Final = {"22001", "22003", "22007", "22008", "22021", "22P02"}
"""Too long, too large, no such date, no such character, no JSON (NaN): values that no serializer foresaw."""


class RowRefused(errors.PermissionDenied):
    """This is not yours to touch."""

    def __init__(self, cause: BaseException) -> None:
        """Keep what PostgreSQL said for the log; it is not for the client."""
        super().__init__()
        self.sqlstate = getattr(cause, "sqlstate", None)
        self.reason = str(cause).partition("\n")[0]


class DependencyAway(errors.ServiceUnavailable):
    """A part we depend on is away. Try again shortly."""

    def __init__(self, cause: BaseException) -> None:
        """Keep the first line of the cause for the log."""
        super().__init__()
        self.reason = f"{type(cause).__name__}: {str(cause).partition(chr(10))[0]}"


def translate(exc: BaseException) -> DomainError | None:
    """Return the error that `exc` means to a client, or None for one that nobody foresaw."""
    if isinstance(exc, DomainError):
        return exc
    if isinstance(exc, drf.APIException):
        return _of_drf(exc)
    if isinstance(exc, DatabaseError | InterfaceError | psycopg.Error):
        return _of_database(exc)
    if isinstance(exc, redis.exceptions.ConnectionError | redis.exceptions.TimeoutError):
        return DependencyAway(exc)
    return _of_django(exc)


def _of_drf(exc: drf.APIException) -> DomainError:
    match exc:
        case drf.ValidationError():
            return Invalid(details=dotted(exc.detail))
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


_OF_DJANGO: Final[
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


def _of_django(exc: BaseException) -> DomainError | None:
    if isinstance(exc, django_errors.ValidationError):
        return Invalid(details=dotted(exc.message_dict if hasattr(exc, "error_dict") else exc.messages))
    return next((error() for kinds, error in _OF_DJANGO if isinstance(exc, kinds)), None)


def _of_database(exc: BaseException) -> DomainError | None:
    cause = exc if isinstance(exc, psycopg.Error) else exc.__cause__ or exc
    sqlstate = getattr(cause, "sqlstate", None)
    if sqlstate == "42501":
        return RowRefused(cause)
    if sqlstate in _CONFLICTS or isinstance(exc, ProtectedError | RestrictedError):
        return DomainError()
    if isinstance(exc, IntegrityError | psycopg.IntegrityError):
        return None
    if sqlstate in _OUT_OF_RANGE:
        return Invalid.field(NON_FIELD, "A value is out of range.")
    if isinstance(exc, OperationalError | InterfaceError | psycopg.OperationalError | psycopg.InterfaceError):
        return DependencyAway(cause)
    return None


def dotted(detail: Any, path: str = "") -> dict[str, list[str]]:
    """Return nested messages as a mapping of dotted paths (`guardians.0.email`) to lists of messages."""
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
        for place, messages in dotted(value, ".".join(filter(None, (path, step)))).items():
            found.setdefault(place, []).extend(messages)
    return found
