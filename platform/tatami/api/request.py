"""The request as API views see it, and its caller."""

from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv6Network, ip_address
from typing import Any, ClassVar, Final, Protocol
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request

from tatami.api.permissions import Visibility
from tatami.tenancy.hosts import normalised_host

READS: Final = frozenset({"GET", "HEAD"})
WRITES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
MOST_USER_AGENT_CHARACTERS: Final = 200


class Caller(Protocol):
    """The user or the device that authentication found."""

    @property
    def id(self) -> UUID: ...

    @property
    def role(self) -> str: ...

    @property
    def is_authenticated(self) -> bool: ...


class AnonymousCaller:
    """The caller of an unauthenticated request. Django's AnonymousUser would need its permission tables."""

    id: ClassVar[None] = None
    pk: ClassVar[None] = None
    role: ClassVar[None] = None
    is_authenticated: ClassVar[bool] = False
    is_anonymous: ClassVar[bool] = True
    is_active: ClassVar[bool] = False


class ApiRequest(Request):
    """DRF's request, with the instant it arrived and what the caller may see."""

    now: datetime
    """The current instant for the whole request (UTC). Services receive it as `now`."""
    visibility: Visibility
    """Set by `AccessTablePermission`. Reading it before the permission check raises `AttributeError`."""

    def __init__(self, request: HttpRequest, *args: Any, now: datetime, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        self.now = now
        # DRF finds these by `__getattr__`, after looking for them in vain, at each use.
        self.META = request.META
        self.method = request.method
        self.resolver_match = request.resolver_match


@dataclass(frozen=True, slots=True)
class Client:
    """From where, and with which program, a request is sent. Users recognise their sessions by it."""

    address: str = ""
    user_agent: str = ""
    """The header `User-Agent`, without control characters and cut to `MOST_USER_AGENT_CHARACTERS`."""


def client_of(request: HttpRequest | Request) -> Client:
    """Return what is known of the client that sends a request."""
    stated = request.META.get("HTTP_USER_AGENT", "")[: 4 * MOST_USER_AGENT_CHARACTERS]
    shown = "".join(letter for letter in stated if letter.isprintable())
    return Client(client_address(request), shown[:MOST_USER_AGENT_CHARACTERS])


def client_address(request: HttpRequest | Request) -> str:
    """Return the network address of the client, or an empty string if it is unknown.

    Behind a trusted proxy (TATAMI_TRUSTED_PROXY) this is the last address in `X-Forwarded-For`, which the proxy added.
    Without one the header is ignored.
    """
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip()
    if settings.USE_X_FORWARDED_HOST and forwarded:
        return str(forwarded)
    return str(request.META.get("REMOTE_ADDR") or "")


def is_from_inside(request: HttpRequest | Request) -> bool:
    """Return whether a request comes from this machine or an internal network, and no proxy passed it on from outside.

    The last address in `X-Forwarded-For` can only make it a request from outside. So it counts even if no proxy is
    trusted, and the client has set it.
    """
    addresses = [str(request.META.get("REMOTE_ADDR") or "")]
    if "HTTP_X_FORWARDED_FOR" in request.META:
        addresses.append(request.META["HTTP_X_FORWARDED_FOR"].rpartition(",")[2].strip())
    return all(_is_internal(address) for address in addresses)


def _is_internal(address: str) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return not (getattr(found, "ipv4_mapped", None) or found).is_global


def requested_host(request: HttpRequest | Request) -> str:
    """Return the host of a request that a dojo or the platform serves: in lower case, without the port."""
    return normalised_host(request.get_host())


def network_of(address: str) -> str:
    """Return what counts as one network address: an IPv4 address, or the /64 of an IPv6 address (one household).

    A text that is not an address is returned unchanged.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or IPv6Network((found.packed, 64), strict=False))
