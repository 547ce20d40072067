"""The domains for which the proxy may obtain a TLS certificate: those that lead to the platform or to a dojo.

A proxy with certificates on demand asks this for every unknown name that a client sends, so anyone can make it ask. All
names are kept in memory: a name that leads nowhere costs no statement of its own, however many of them are asked for.
"""

import threading
from datetime import datetime
from functools import cache

from django.conf import settings

from shared_apps.tenants.models import Domain, Tenant
from tatami.tenancy.middleware import host_resolver
from tatami.tenancy.scope import platform_scope

SERVED_STATUSES = (Tenant.Status.ACTIVE, Tenant.Status.SUSPENDED)
"""A suspended dojo answers that it is suspended, and a browser shows that only with a valid certificate."""


class TlsDomains:
    """The verified domains of all dojos, read again after a change of the routing epoch. One per process; thread-safe.

    It sends at most two statements in half a second: one reads the epoch, the other all names (about 0.1 KB each).
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read_at_epoch: int | None = None
        self._served_until: dict[str, datetime | None] = {}

    def includes(self, name: str, *, now: datetime) -> bool:
        """Return whether requests for this host name are served at `now`, in any spelling of it.

        Database errors propagate, because an unreachable database does not mean that the name is unknown.
        """
        domain = name.lower().removesuffix(".")
        if domain == settings.TATAMI_BASE_DOMAIN:
            return True
        epoch = host_resolver().fresh_epoch()
        with self._lock:  # threads that ask meanwhile wait for this one to read
            if epoch != self._read_at_epoch:
                self._served_until = read_domains()
                self._read_at_epoch = epoch
            served_until = self._served_until
        if domain not in served_until:
            return False
        until = served_until[domain]
        return until is None or until > now


def read_domains() -> dict[str, datetime | None]:
    """Return each verified domain of a dojo that is served, and until when (`None`: no end). One statement."""
    with platform_scope():
        rows = Domain.objects.filter(
            verified_at__isnull=False, tenant__status__in=SERVED_STATUSES
        ).values_list("domain", "served_until")
        return dict(rows.order_by())


@cache
def tls_domains() -> TlsDomains:
    """Return the names of this process."""
    return TlsDomains()
