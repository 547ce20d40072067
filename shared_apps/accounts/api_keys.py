"""API keys: the credentials of programs that integrate with a dojo or with the platform.

A key is random, is shown once and is stored as an HMAC with a key of the installation, so a copy of the database does
not help to guess or to forge one. It is valid in its own dojo only. Each key has a user of its own, with the key's role
and name, so that rows and the audit name it as they name people. That user cannot sign in.

When JWT_SECRET has been replaced, the next use of a key stores its hash under the new secret. A key that is not used at
all while the previous secret is configured has to be created again.
"""

import secrets
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Final
from uuid import UUID

from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.utils.translation import gettext

from shared_apps.accounts.models import STAFF_ROLES, USER_COLUMNS, ApiKey, Role, User, user_from_row
from tatami.api.authentication import API_KEY_PREFIX
from tatami.clock import local_date
from tatami.errors import DomainError, Invalid, TokenExpired, TokenInvalid
from tatami.ids import uuid7
from tatami.keys import tenant_hashes
from tatami.postgresql.statements import Statement
from tatami.tenancy.scope import TenantScope, current_tenant_id, required_scope

LAST_USED_PRECISION: Final = timedelta(minutes=1)
"""`last_used_at` is written at most this often, so that most requests write nothing to the key."""
MAX_KEY_LENGTH: Final = 100
SHOWN_LENGTH: Final = len(API_KEY_PREFIX) + 6

STAFF_KEY_ROLES: Final = tuple(role.value for role in STAFF_ROLES)
PLATFORM_KEY_ROLES: Final = (Role.ADMIN.value,)

FIND_KEY: Final = Statement(
    "user of an API key",
    "SELECT k.id, k.name, k.prefix, k.read_only, k.expires_on::text, k.allowed_addresses, k.last_used_at,"  # noqa: S608 - the names of our own columns
    " k.key_hash = $1, "
    + ", ".join(f"u.{column}" for column in USER_COLUMNS)
    + " FROM accounts_apikey k JOIN accounts_user u ON u.id = k.user_id"
    " WHERE k.key_hash IN ($1, $2) AND k.revoked_at IS NULL AND u.archived_at IS NULL",
)

# SKIP LOCKED: if another request is just writing the same row, this one leaves it to that request.
UPDATE_LAST_USED: Final = Statement(
    "API key was used",
    """
UPDATE accounts_apikey SET last_used_at = $2, last_used_address = $3, key_hash = $4 WHERE id IN (
    SELECT id FROM accounts_apikey WHERE id = $1 AND revoked_at IS NULL FOR NO KEY UPDATE SKIP LOCKED
)
RETURNING id
""",
)


class AddressNotAllowed(DomainError):
    """This API key may not be used from this network address."""

    code = "address_not_allowed"
    status = 403


def find_api_key_user(key: str, address: str, now: datetime) -> User:
    """Return the user of an API key in the current scope, with `used_key`.

    One statement, and once a minute another, which writes when and from where the key was used. Raises `TokenInvalid`
    for an unknown or revoked key, `TokenExpired`, and `AddressNotAllowed`.
    """
    if len(key) > MAX_KEY_LENGTH:
        raise TokenInvalid
    current, *previous = _hashes(key)
    row = FIND_KEY.row(current, previous[0] if previous else current)
    if row is None:
        raise TokenInvalid
    key_id, name, prefix, read_only, expires_on, allowed, last_used_at, has_current_hash, *columns = row
    if expires_on and today(now) > date.fromisoformat(expires_on):
        raise TokenExpired(gettext("This API key has expired."))
    if allowed and not is_allowed(address, allowed):
        raise AddressNotAllowed
    if not has_current_hash or last_used_at is None or last_used_at <= now - LAST_USED_PRECISION:
        UPDATE_LAST_USED.rows(UUID(key_id), now, address[:64], current)
    user = user_from_row(columns)
    user.used_key = ApiKey(id=UUID(key_id), name=name, prefix=prefix, read_only=read_only)
    return user


@transaction.atomic
def create_api_key(
    *,
    name: str,
    role: str,
    read_only: bool = False,
    expires_on: date | None = None,
    allowed_addresses: Sequence[str] = (),
    now: datetime,
) -> tuple[ApiKey, str]:
    """Create a key with its user; return it and the key itself, which cannot be read again.

    Calling it twice makes two keys. Raises `Invalid` for a role that has no use without linked students or that the
    platform does not have, and for an expiry in the past.
    """
    roles = STAFF_KEY_ROLES if isinstance(required_scope(), TenantScope) else PLATFORM_KEY_ROLES
    if role not in roles:
        message = gettext("An API key has one of these roles here: {roles}.")
        raise Invalid.field("role", message.format(roles=", ".join(roles)))
    if expires_on and expires_on < today(now):
        raise Invalid.field("expires_on", gettext("This date is in the past."))
    key = API_KEY_PREFIX + secrets.token_hex(24)
    user_id = uuid7()
    user = User.objects.create(
        id=user_id,
        name=name,
        email="",
        email_key=f"api-key:{user_id}",
        role=role,
        is_active=False,
        password=make_password(None),
    )
    made = ApiKey.objects.create(
        user=user,
        name=name,
        prefix=key[:SHOWN_LENGTH],
        key_hash=_hashes(key)[0],
        read_only=read_only,
        expires_on=expires_on,
        allowed_addresses=list(allowed_addresses),
    )
    return made, key


def revoke_api_key(*, key: ApiKey, now: datetime) -> None:
    """Revoke a key: its next request is refused. Repeating has no effect."""
    ApiKey.objects.filter(pk=key.pk, revoked_at__isnull=True).update(revoked_at=now, updated_at=now)


def today(now: datetime) -> date:
    """Return the date in the dojo's time zone; on the platform in UTC."""
    scope = required_scope()
    return local_date(now, scope.timezone if isinstance(scope, TenantScope) else "UTC")


def normalised_network(text: str) -> str:
    """Return an address or network as it is stored: `203.0.113.7`, `203.0.113.0/24`. Raises `ValueError`."""
    network = ip_network(text, strict=False)
    return str(network.network_address) if network.num_addresses == 1 else str(network)


def is_allowed(address: str, networks: Sequence[str]) -> bool:
    """Return whether a client's address is in one of the networks. An address that cannot be read is in none."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    found = getattr(found, "ipv4_mapped", None) or found
    return any(found in ip_network(network) for network in networks)


def _hashes(key: str) -> list[bytes]:
    """Return the keyed hashes of an API key, the one of the present secret first."""
    return tenant_hashes("api key", current_tenant_id(), key)
