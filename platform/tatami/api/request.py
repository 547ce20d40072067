"""The request as views see it, and who asks."""

from datetime import datetime
from typing import Any, ClassVar, Final, Protocol
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request

from tatami.api.rules import Reach

READS: Final = frozenset({"GET", "HEAD"})
WRITES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Caller(Protocol):
    """Who asks: a user or a device, as authentication found them."""

    id: UUID
    role: str

    @property
    def is_authenticated(self) -> bool: ...


class Anonymous:
    """Nobody in particular. Django's AnonymousUser would bring its permission tables along."""

    id: ClassVar[None] = None
    pk: ClassVar[None] = None
    role: ClassVar[None] = None
    is_authenticated: ClassVar[bool] = False
    is_anonymous: ClassVar[bool] = True
    is_active: ClassVar[bool] = False


class ApiRequest(Request):
    """DRF's request with the moment it arrived and how far the caller's role reaches."""

    now: datetime
    """The present of this whole request: services take it as their `now`."""
    reach: Reach
    """Set by `AccessTable`; reading it on a request that was not let in raises `AttributeError`."""

    def __init__(self, *args: Any, now: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.now = now


def role_of(request: Request) -> str | None:
    """Return the caller's role, None for nobody."""
    role: str | None = getattr(request.user, "role", None)
    return role


def caller_address(request: HttpRequest | Request) -> str:
    """Return the network address that asked, or an empty string.

    Behind a trusted proxy it is what that proxy added last to `X-Forwarded-For`; otherwise the header says nothing.
    """
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip()
    if settings.USE_X_FORWARDED_HOST and forwarded:
        return str(forwarded)
    return str(request.META.get("REMOTE_ADDR") or "")
