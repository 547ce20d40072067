"""Rate limits per account and per network address, counted atomically in PostgreSQL.

The count is increased before the attempt is made, so that concurrent guesses cannot exceed the limit. It is stored with
the accounts, so that it does not get lost with Valkey.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection

from shared_apps.accounts.models import AttemptCount
from tatami.api.request import network_of
from tatami.errors import Throttled
from tatami.ids import uuid7
from tatami.tenancy.scope import current_tenant_id


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `attempts` within `window` for each key."""

    name: str
    attempts: int
    window: timedelta


PER_ADDRESS: Final = Limit("sign-in address", attempts=100, window=timedelta(minutes=15))
PER_ACCOUNT_AND_ADDRESS: Final = Limit("sign-in account, address", attempts=10, window=timedelta(minutes=15))
PER_ACCOUNT: Final = Limit("sign-in account", attempts=100, window=timedelta(minutes=15))
"""Ten times the limit per account and address, so that no single address can lock out the owner of the account."""
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

    A network address in the key is replaced by its network (see `network_of`).
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


def clear_attempts(limit: Limit, *key: str) -> None:
    """Reset the count of `key`, because the attempt succeeded."""
    AttemptCount.objects.filter(key_hash=_key_hash(limit, *key)).delete()


def count_sign_in_attempt(account: str, address: str, *, now: datetime) -> None:
    """Count one attempt to sign in. Raises `Throttled`.

    An attempt that exceeds the limit of its address is not counted for the account, so that no single address uses up
    the limit of the account.
    """
    count_attempt(PER_ADDRESS, address, now=now)
    count_attempt(PER_ACCOUNT_AND_ADDRESS, account, address, now=now)
    count_attempt(PER_ACCOUNT, account, now=now)


def clear_sign_in_attempts(account: str, address: str) -> None:
    """Reset the counts of an account and this address, because the owner has signed in."""
    clear_attempts(PER_ACCOUNT_AND_ADDRESS, account, address)
    clear_attempts(PER_ACCOUNT, account)


def _key_hash(limit: Limit, *key: str) -> bytes:
    return hashlib.sha256("\0".join((limit.name, *map(network_of, key))).encode()).digest()
