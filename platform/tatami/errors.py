"""The hierarchy of domain errors, with their codes and HTTP statuses.

The code that knows a rule raises the error that is named after the rule. The handler in
`tatami.api.exception_mapping` turns it into the response: `{"error": {"code", "message", "details"?}}`.
"""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, ClassVar, Final

from django.utils.translation import gettext, gettext_noop

MAX_FAULTS: Final = 50
"""How many faults of one request are listed. Enough to correct a form; more would only cost time and bandwidth."""
UNKNOWN_FIELD: Final = gettext_noop("There is no such field.")


class DomainError(Exception):
    """The request conflicts with the present state."""

    code: ClassVar[str] = "conflict"
    status: ClassVar[int] = 409

    def __init__(self, message: str | None = None, *, details: Mapping[str, Any] | None = None) -> None:
        """`message` is for users, in their language. Its default is the first line of the docstring, translated."""
        self.message = message or gettext((type(self).__doc__ or "").strip().partition("\n")[0])
        self.details = dict(details) if details else None
        super().__init__(self.message)

    def envelope(self) -> dict[str, Any]:
        """Return the response body; `details` is left out if empty."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.details:
            error["details"] = self.details
        return {"error": error}


class Invalid(DomainError):
    """The request contains values that are not accepted."""

    code = "validation_error"
    status = 400

    def __init__(
        self, message: str | None = None, *, details: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        """`details` maps dotted paths to messages. The first `MAX_FAULTS` messages are kept."""
        kept: dict[str, Sequence[str]] = {}
        left = MAX_FAULTS
        for path, messages in islice((details or {}).items(), MAX_FAULTS):
            if left > 0:
                kept[path] = messages[:left]
                left -= len(kept[path])
        super().__init__(message, details=kept)

    @classmethod
    def field(cls, path: str, message: str) -> "Invalid":
        """Return the error of one field, given as a dotted path such as `guardians.0.email`."""
        return cls(details={path: [message]})


class MalformedJson(DomainError):
    """The body is not valid JSON."""

    code = "malformed_json"
    status = 400


class NotAuthenticated(DomainError):
    """Authentication is required."""

    code = "not_authenticated"
    status = 401


class TokenInvalid(DomainError):
    """The token is not valid here."""

    code = "token_invalid"
    status = 401


class TokenExpired(DomainError):
    """The token has expired."""

    code = "token_expired"
    status = 401


class InvalidCredentials(DomainError):
    """The e-mail address or the password is wrong."""

    code = "invalid_credentials"
    status = 401


class PermissionDenied(DomainError):
    """Your role does not allow this."""

    code = "permission_denied"
    status = 403


class TenantSuspended(DomainError):
    """This dojo is suspended."""

    code = "tenant_suspended"
    status = 403


class NotFound(DomainError):
    """There is nothing here, or nothing that you may see."""

    code = "not_found"
    status = 404


class TenantNotFound(DomainError):
    """No dojo answers at this address."""

    code = "tenant_not_found"
    status = 404


class MethodNotAllowed(DomainError):
    """This method is not supported here."""

    code = "method_not_allowed"
    status = 405


class NotAcceptable(DomainError):
    """None of the accepted media types can be produced."""

    code = "not_acceptable"
    status = 406


class PayloadTooLarge(DomainError):
    """The body is larger than allowed."""

    code = "payload_too_large"
    status = 413


class UnsupportedMediaType(DomainError):
    """The media type of the body is not supported."""

    code = "unsupported_media_type"
    status = 415


class Throttled(DomainError):
    """Too many attempts: wait before the next one."""

    code = "throttled"
    status = 429

    def __init__(self, *, retry_after: int) -> None:
        """`retry_after` is in seconds; it is at least 1."""
        self.retry_after = max(1, retry_after)
        super().__init__()


class ServerError(DomainError):
    """Something went wrong on our side. The request id helps us to find the cause."""

    code = "server_error"
    status = 500


class ServiceUnavailable(DomainError):
    """A service that Tatami depends on is unavailable. Try again in a few seconds."""

    code = "service_unavailable"
    status = 503
    retry_after: ClassVar[int] = 5
