"""Attempts that are counted: per account and per network address, atomically, in PostgreSQL.

A count is raised before the attempt is made, so parallel guesses cannot slip under the limit, and it lives where the
accounts live, so it does not vanish with Valkey.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Network, ip_address
from typing import Any, Final

from django.db import connection

from shared_apps.accounts.models import AttemptCount
from tatami.errors import Throttled
from tatami.ids import uuid7
from tatami.tenancy.scope import current_tenant_id


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `attempts` within `window`, for each key of `name`."""

    name: str
    attempts: int
    window: timedelta


PER_ADDRESS: Final = Limit("sign-in address", attempts=100, window=timedelta(minutes=15))
PER_ACCOUNT_AND_ADDRESS: Final = Limit("sign-in account, address", attempts=10, window=timedelta(minutes=15))
PER_ACCOUNT: Final = Limit("sign-in account", attempts=100, window=timedelta(minutes=15))
"""Much wider than from one address, so that no single one can lock the account's owner out."""
OWN_PASSWORD: Final = Limit("own password", attempts=10, window=timedelta(minutes=15))
RESET_PER_ACCOUNT: Final = Limit("reset account", attempts=3, window=timedelta(hours=1))
RESET_PER_ADDRESS: Final = Limit("reset address", attempts=30, window=timedelta(hours=1))

_COUNT: Final = """
INSERT INTO accounts_attemptcount AS a (id, tenant_id, created_at, updated_at, key_hash, window_started_at, count)
VALUES (%(id)s, %(tenant)s, %(now)s, %(now)s, %(key)s, %(now)s, 1)
ON CONFLICT (key_hash) DO UPDATE SET
    count = CASE WHEN a.window_started_at <= %(past)s THEN 1 ELSE a.count + 1 END,
    window_started_at = CASE WHEN a.window_started_at <= %(past)s THEN %(now)s ELSE a.window_started_at END,
    updated_at = %(now)s
RETURNING count, window_started_at
"""


def count_attempt(limit: Limit, *key: str, now: datetime) -> None:
    """Count one attempt by `key`. Raises `Throttled`, with the seconds to wait, beyond the limit.

    A network address in the key stands for its network (see `network_of`).
    """
    values: dict[str, Any] = {
        "id": uuid7(),
        "tenant": current_tenant_id(),
        "now": now,
        "past": now - limit.window,
        "key": _key_hash(limit, *key),
    }
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, values)
        count, started_at = cursor.fetchone()
    if count > limit.attempts:
        raise Throttled(retry_after=int((started_at + limit.window - now).total_seconds()) + 1)


def forget_attempts(limit: Limit, *key: str) -> None:
    """Begin anew for `key`: the attempt succeeded."""
    AttemptCount.objects.filter(key_hash=_key_hash(limit, *key)).delete()


def count_sign_in(account: str, address: str, *, now: datetime) -> None:
    """Count one attempt to sign in. Raises `Throttled`.

    What is refused for its address goes no further, so that no single address uses up the account's own limit.
    """
    count_attempt(PER_ADDRESS, address, now=now)
    count_attempt(PER_ACCOUNT_AND_ADDRESS, account, address, now=now)
    count_attempt(PER_ACCOUNT, account, now=now)


def forget_sign_ins(account: str, address: str) -> None:
    """Begin anew for an account, from this address: its owner has shown that he is there."""
    forget_attempts(PER_ACCOUNT_AND_ADDRESS, account, address)
    forget_attempts(PER_ACCOUNT, account)


def network_of(address: str) -> str:
    """Return what is counted as one network address: of IPv6 the /64, all of which one household has.

    What is no address is returned as it is.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or IPv6Network((found.packed, 64), strict=False))


def _key_hash(limit: Limit, *key: str) -> bytes:
    return hashlib.sha256("\0".join((limit.name, *map(network_of, key))).encode()).digest()
