"""Which dojo a host name means: exact, cached, and forgotten within half a second of any change.

Every change to a dojo or a domain raises a one-row epoch in `public`. A process reads it at most twice a second
and drops what it knew when it moved, so a suspension acts everywhere within a second, with or without Valkey.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from django.http.request import split_domain_port

from tatami.errors import DomainError, ServiceUnavailable, TenantNotFound, TenantSuspended
from tatami.tenancy.scope import PLATFORM, Scope, TenantScope

EPOCH_IS_FRESH_FOR: Final = 0.5
"""Seconds for which the epoch last read is trusted."""
REMEMBERED_HOSTS: Final = 20_000
"""How many host names a process remembers, known and unknown together; the longest unused goes first."""

FindTenant = Callable[[str], TenantScope | None]
ReadEpoch = Callable[[], int]


def normalised_host(raw: str) -> str:
    """Return the host in lower case, without port and without one trailing dot; empty if it is malformed."""
    host, _port = split_domain_port(raw)
    return host


class HostResolver:
    """Answers what a host name means. One per process; safe in threads."""

    def __init__(
        self,
        *,
        base_domain: str,
        find_tenant: FindTenant,
        read_epoch: ReadEpoch,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._base_domain = base_domain.lower()
        self._find_tenant = find_tenant
        self._read_epoch = read_epoch
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._known: OrderedDict[str, TenantScope | None] = OrderedDict()
        self._epoch: int | None = None
        self._epoch_read_at = float("-inf")

    def resolve(self, raw_host: str) -> Scope:
        """Return the scope of the host.

        Raises `TenantNotFound` for an unknown host and for a dojo that is not serving yet or no more,
        `TenantSuspended`, and `ServiceUnavailable` for one that is too far behind this code.
        Database errors pass through: not knowing is not the same as not found.
        """
        host = normalised_host(raw_host)
        if host == self._base_domain:
            return PLATFORM
        if not host:
            raise TenantNotFound
        return serving(self._lookup(host))

    def _lookup(self, host: str) -> TenantScope | None:
        epoch = self._fresh_epoch()
        with self._lock:
            if host in self._known:
                self._known.move_to_end(host)
                return self._known[host]
        found = self._find_tenant(host)
        with self._lock:
            # What was found may be older than an epoch that another thread has read meanwhile: do not keep it then.
            if self._epoch == epoch:
                self._known[host] = found
                while len(self._known) > REMEMBERED_HOSTS:
                    self._known.popitem(last=False)
        return found

    def _fresh_epoch(self) -> int | None:
        with self._lock:
            if self._monotonic() - self._epoch_read_at < EPOCH_IS_FRESH_FOR:
                return self._epoch
            read_at = self._monotonic()
        epoch = self._read_epoch()
        with self._lock:
            if epoch != self._epoch:
                self._known.clear()
                self._epoch = epoch
            self._epoch_read_at = max(self._epoch_read_at, read_at)
            return self._epoch


def serving(tenant: TenantScope | None) -> TenantScope:
    """Return the dojo if it serves now.

    Raises `TenantNotFound`, `TenantSuspended`, or `ServiceUnavailable` while it is too far behind this code.
    """
    refusals: dict[str, type[DomainError]] = {"suspended": TenantSuspended}
    if tenant is None or tenant.status != "active":
        raise refusals.get(tenant.status if tenant else "", TenantNotFound)
    if tenant.is_behind:
        raise ServiceUnavailable("This dojo is being brought up to date. Try again shortly.")
    return tenant
