"""One HTTP request to an address that a user chose: only to addresses of the public internet, bounded, no redirects.

The name is resolved once, every address of the answer is checked, and the connection goes to a checked address. So a
name server that answers differently the next time (DNS rebinding) changes nothing. The certificate is checked for the
name. `TATAMI_WEBHOOK_NETWORKS` allows networks inside, and plain HTTP to them. Webhooks and the identity providers of
dojos are reached this way.
"""

import http.client
import re
import socket
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from threading import Timer
from time import monotonic
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

import idna
from django.conf import settings
from django.utils.translation import gettext
from dns.exception import DNSException
from dns.resolver import NXDOMAIN, NoAnswer, Resolver

LOOKUP_SECONDS: Final = 2.0
CONNECT_SECONDS: Final = 3.0
REQUEST_SECONDS: Final = 5.0
"""Of `post`, from the connection to the status line. The body of the response is not read."""
HTTPS_PORT: Final = 443
HTTP_PORT: Final = 80
_NOT_IN_URL: Final = re.compile(r"[^\x21-\x7e]|\\")
NAT64: Final = IPv6Network("64:ff9b::/96")

Address = IPv4Address | IPv6Address


class RequestFailed(Exception):
    """The request got no response. The text says why, for a log."""


class InvalidUrl(ValueError):
    """The URL cannot be used. The text is for users."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that was checked: the parts that a request needs. `host` is in ASCII."""

    is_https: bool
    host: str
    port: int
    path: str

    @property
    def host_header(self) -> str:
        default = HTTPS_PORT if self.is_https else HTTP_PORT
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == default else f"{host}:{self.port}"


def target_of(url: str) -> Target:
    """Return the parts of a URL. Raises `InvalidUrl` for what is not an HTTPS URL of a host.

    A literal address inside is refused here, a name only when it is resolved.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidUrl(gettext("This is not a URL.")) from None
    if _NOT_IN_URL.search(url):
        raise InvalidUrl(gettext("Encode spaces and characters that are not ASCII."))
    schemes = ("https", "http") if settings.TATAMI_WEBHOOK_NETWORKS else ("https",)
    if parts.scheme not in schemes or not parts.hostname:
        raise InvalidUrl(gettext("This must be a URL that begins with https://."))
    if "@" in parts.netloc or parts.fragment:
        raise InvalidUrl(gettext("A URL with a user, a password or a fragment is not accepted."))
    is_https = parts.scheme == "https"
    host = _host(parts)
    literal = _literal(host)
    if literal is not None and not is_reachable(literal, is_https=is_https):
        raise InvalidUrl(gettext("This address is not on the public internet."))
    if literal is None and not settings.TATAMI_WEBHOOK_NETWORKS and _is_local_name(host):
        raise InvalidUrl(gettext("This name is not on the public internet."))
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(is_https, host, port or (HTTPS_PORT if is_https else HTTP_PORT), path)


@dataclass(frozen=True, slots=True)
class Reply:
    """A response: its status, and its body as far as it was asked for."""

    status: int
    body: bytes


def post(url: str, body: bytes, headers: Mapping[str, str]) -> int:
    """Send a POST; return the status of the response. Takes at most `LOOKUP_SECONDS` + `REQUEST_SECONDS`.

    Raises `RequestFailed` if there is no response, or an address of the host is inside.
    """
    target, address = _resolve(url, lookup_seconds=LOOKUP_SECONDS)
    return _send(
        target, address, "POST", body, headers, monotonic() + REQUEST_SECONDS, most_bytes=None
    ).status


def request(
    method: str, url: str, *, body: bytes = b"", headers: Mapping[str, str], seconds: float, most_bytes: int
) -> Reply:
    """Send a request; return status and body of the response. It takes at most `seconds`, the lookup included.

    Raises `RequestFailed` if there is no response, its body is longer than `most_bytes`, or an address of the host is
    inside.
    """
    deadline = monotonic() + seconds
    target, address = _resolve(url, lookup_seconds=min(LOOKUP_SECONDS, seconds))
    return _send(target, address, method, body, headers, deadline, most_bytes=most_bytes)


def _resolve(url: str, *, lookup_seconds: float) -> tuple[Target, Address]:
    """Return the parts of a URL and a checked address of its host. Raises `RequestFailed`."""
    try:
        target = target_of(url)
    except InvalidUrl as error:
        raise RequestFailed(str(error)) from None
    addresses = resolver.addresses(target.host, seconds=lookup_seconds)
    inside = [one for one in addresses if not is_reachable(one, is_https=target.is_https)]
    if inside:
        raise RequestFailed("inside_address: the name leads to an address that is not on the public internet")
    return target, addresses[0]


def _send(
    target: Target,
    address: Address,
    method: str,
    body: bytes,
    headers: Mapping[str, str],
    deadline: float,
    *,
    most_bytes: int | None,
) -> Reply:
    """Send a request until `deadline`, on the monotonic clock. Raises `RequestFailed`."""
    try:
        return _exchange(target, address, method, body, headers, deadline, most_bytes)
    except TimeoutError:
        raise RequestFailed("timeout") from None
    except ssl.SSLError as error:
        raise RequestFailed(
            f"tls: {getattr(error, 'verify_message', '') or error.reason or 'failed'}"
        ) from None
    except (OSError, http.client.HTTPException) as error:
        raise RequestFailed(f"connection: {type(error).__name__}") from None


def _exchange(
    target: Target,
    address: Address,
    method: str,
    body: bytes,
    headers: Mapping[str, str],
    deadline: float,
    most_bytes: int | None,
) -> Reply:
    expired = False

    def expire() -> None:
        nonlocal expired  # and `link`, which is the TLS socket from the handshake on
        expired = True
        with suppress(OSError):
            link.shutdown(socket.SHUT_RDWR)

    left = deadline - monotonic()
    if left <= 0:
        raise TimeoutError
    link = socket.create_connection((str(address), target.port), timeout=min(CONNECT_SECONDS, left))
    timer = Timer(max(0.0, deadline - monotonic()), expire)
    timer.daemon = True
    connection = http.client.HTTPConnection(target.host, target.port)
    content = b""
    try:
        # A deadline for all of it: a timeout of the socket alone would begin anew with every byte.
        timer.start()
        if target.is_https:
            context = ssl.create_default_context()
            link = context.wrap_socket(link, server_hostname=target.host, do_handshake_on_connect=False)
            link.do_handshake()
        connection.sock = link
        connection.request(method, target.path, body, {**headers, "Host": target.host_header})
        response = connection.getresponse()
        if most_bytes is not None:
            content = response.read(most_bytes + 1)
    except (OSError, http.client.HTTPException):
        if expired:
            raise TimeoutError from None
        raise
    finally:
        timer.cancel()
        link.close()
        connection.close()
    if expired:  # an end within the headers or the body looks as if they were complete
        raise TimeoutError
    if most_bytes is not None and len(content) > most_bytes:
        raise RequestFailed(f"the response is longer than {most_bytes} bytes")
    return Reply(response.status, content)


def is_reachable(address: Address, *, is_https: bool) -> bool:
    """Return whether we may send to an address: it is public, or in a network that the operator has allowed."""
    if any(address in ip_network(network) for network in settings.TATAMI_WEBHOOK_NETWORKS):
        return True
    return is_https and all(_is_public(one) for one in _destinations(address))


def _is_public(address: Address) -> bool:
    return address.is_global and not (
        address.is_multicast or address.is_reserved or getattr(address, "is_site_local", False)
    )


def _destinations(address: Address) -> list[Address]:
    """Return where an address leads: itself, and the IPv4 address in it if a gateway translates it (NAT64, 6to4, …)."""
    if isinstance(address, IPv4Address):
        return [address]
    low = IPv4Address(int(address) & 0xFFFFFFFF)
    if address in NAT64:
        return [low]
    embedded = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    return [address, *(one for one in embedded if one is not None)]


def _is_local_name(host: str) -> bool:
    return "." not in host or host.rpartition(".")[2] in {"localhost", "local", "internal"}


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _host(parts: SplitResult) -> str:
    host = (parts.hostname or "").removesuffix(".")
    if _literal(host) is not None:
        return host
    try:
        return idna.encode(host, uts46=True, std3_rules=True).decode("ascii").lower()
    except idna.IDNAError:
        raise InvalidUrl(gettext("This is not the name of a host.")) from None


@dataclass(frozen=True)
class HostResolver:
    """Looks hosts up in the DNS, by the system's name servers or by the given ones; never in files of the machine."""

    nameservers: Sequence[str] = field(default=())
    port: int = 53

    def addresses(self, host: str, *, seconds: float = LOOKUP_SECONDS) -> list[Address]:
        """Return all addresses of a host, at least one; IPv4 first, after at most `seconds`. Raises `RequestFailed`."""
        literal = _literal(host)
        if literal is not None:
            return [literal]
        found: list[Address] = []
        try:
            lookup = self._resolver()
            for kind in ("A", "AAAA"):
                with suppress(NoAnswer):
                    answer: Any = lookup.resolve(f"{host}.", kind, lifetime=seconds / 2)
                    found += [ip_address(record.address) for record in answer]
        except NXDOMAIN:
            raise RequestFailed("dns: there is no such name") from None
        except DNSException:
            if not found:
                raise RequestFailed("dns: no answer") from None
        if not found:
            raise RequestFailed("dns: the name has no address")
        return found

    def _resolver(self) -> Resolver:
        made = Resolver(configure=not self.nameservers)
        made.cache = None
        if self.nameservers:
            made.nameservers = list(self.nameservers)
            made.port = self.port
        return made


resolver = HostResolver()
