"""The dojo of a host name, cached until at most half a second after any change; and the address of a dojo.

Every change to a dojo or a domain increments a one-row epoch in `public`. A process reads the epoch at most twice a
second and clears its cache when it has changed. So a suspension takes effect everywhere within a second, with or
without Valkey.
"""

import threading
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from cachetools import LRUCache
from django.conf import settings
from django.http.request import split_domain_port

from tatami.errors import DomainError, ServiceUnavailable, TenantNotFound, TenantSuspended
from tatami.tenancy.scope import PLATFORM, Scope, TenantScope, required_scope

EPOCH_TTL_SECONDS: Final = 0.5
"""Seconds until the epoch is read again."""
NOTICED_SECONDS = EPOCH_TTL_SECONDS
"""Seconds after which every process has read the epoch again. Tests that run in one process set it to 0."""
HOST_CACHE_SIZE: Final = 20_000
"""How many host names, known and unknown, a process caches. The least recently used is evicted first."""

MAX_HOST_LENGTH: Final = 300
"""A host name has at most 253 characters; a dot and a port may follow."""

FindTenant = Callable[[str], TenantScope | None]
ReadEpoch = Callable[[], int]


def normalised_host(raw: str) -> str:
    """Return the host in lower case, without port and one trailing dot; an empty string if it is malformed."""
    return _normalised(raw) if len(raw) <= MAX_HOST_LENGTH else ""


@lru_cache(HOST_CACHE_SIZE)
def _normalised(raw: str) -> str:
    host, _port = split_domain_port(raw)
    return host


class HostResolver:
    """Finds the scope of a host name. One per process; thread-safe."""

    def __init__(
        self,
        *,
        base_domain: str,
        find_tenant: FindTenant,
        read_epoch: ReadEpoch,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        cache_size: int = HOST_CACHE_SIZE,
    ) -> None:
        self._base_domain = base_domain.lower()
        self._find_tenant = find_tenant
        self._read_epoch = read_epoch
        self._monotonic = monotonic
        self._sleep = sleep
        self._lock = threading.Lock()
        self._cache: LRUCache[str, TenantScope | None] = LRUCache(cache_size)
        self._epoch: int | None = None
        self._epoch_read_at = float("-inf")
        self._shares: dict[str, str] = {}

    def share_of(self, host: str) -> str:
        """Return what stands for all hosts of a dojo: its schema, if the host was looked up before, else the host.

        No statement and no lock, because each request asks. A dojo's answer stays when its routing changes, until the
        host is looked up again.
        """
        return self._shares.get(host, host)

    def resolve(self, raw_host: str) -> Scope:
        """Return the scope of the host.

        Raises `TenantNotFound` for an unknown host and for a dojo that is being created or deleted, `TenantSuspended`,
        and `ServiceUnavailable` for a dojo whose schema is outdated. Database errors propagate, because an unreachable
        database does not mean that the host is unknown.
        """
        host = normalised_host(raw_host)
        if host == self._base_domain:
            return PLATFORM
        if not host:
            raise TenantNotFound
        return require_serving(self._lookup(host))

    def wait_until_noticed(self) -> None:
        """Return when every process uses what is committed now about dojos and domains: after half a second.

        So a client that changes the name or the time zone of a dojo reads the change, in whichever process it is
        answered next.
        """
        self._sleep(NOTICED_SECONDS)
        self.read_epoch_again()

    def read_epoch_again(self) -> None:
        """Make the next request read the epoch, so that this process knows its own change at once."""
        with self._lock:
            self._epoch_read_at = float("-inf")

    def fresh_epoch(self) -> int | None:
        """Return the routing epoch as it was at most `EPOCH_TTL_SECONDS` ago. Database errors propagate."""
        with self._lock:
            if self._monotonic() - self._epoch_read_at < EPOCH_TTL_SECONDS:
                return self._epoch
            read_at = self._monotonic()
        epoch = self._read_epoch()
        with self._lock:
            if epoch != self._epoch:
                self._cache.clear()
                self._epoch = epoch
            self._epoch_read_at = max(self._epoch_read_at, read_at)
            return self._epoch

    def _lookup(self, host: str) -> TenantScope | None:
        epoch = self.fresh_epoch()
        with self._lock:
            if host in self._cache:
                return self._cache[host]
        found = self._find_tenant(host)
        with self._lock:
            self._note_share(host, found)
            # Another thread may have read a newer epoch in the meantime. Then `found` may be outdated: do not cache it.
            if self._epoch == epoch:
                self._cache[host] = found
        return found

    def _note_share(self, host: str, tenant: TenantScope | None) -> None:
        if tenant is None:
            self._shares.pop(host, None)
            return
        if len(self._shares) >= self._cache.maxsize:
            self._shares.clear()
        self._shares[host] = tenant.schema_name


def require_serving(tenant: TenantScope | None) -> TenantScope:
    """Return the dojo if it serves requests now.

    Raises `TenantNotFound`, `TenantSuspended`, or `ServiceUnavailable` while its schema is outdated.
    """
    errors: dict[str, type[DomainError]] = {"suspended": TenantSuspended}
    if tenant is None or tenant.status != "active":
        raise errors.get(tenant.status if tenant else "", TenantNotFound)
    if tenant.is_behind:
        raise ServiceUnavailable("This dojo is being brought up to date. Try again shortly.")
    return tenant


def origin(host: str | None = None) -> str:
    """Return scheme and authority of the current scope, for addresses that are mailed and printed.

    The host is the stored primary domain of the dojo, never the Host header of a request. With `host`, a domain of the
    dojo that was requested (see `normalised_host`), it is the address at which a browser shows that host.
    """
    if host is None:
        scope = required_scope()
        host = scope.primary_domain if isinstance(scope, TenantScope) else settings.TATAMI_BASE_DOMAIN
    port = settings.TATAMI_PUBLIC_PORT
    is_default = (settings.TATAMI_PUBLIC_SCHEME, port) in {("http", 80), ("https", 443)}
    return f"{settings.TATAMI_PUBLIC_SCHEME}://{host}" + ("" if is_default else f":{port}")
