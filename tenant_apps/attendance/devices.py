"""Devices: pairing, authentication by token, revocation.

A short pairing code is valid for ten minutes and for one device, which exchanges it for a token. The code is stored as
a keyed hash, because it is short; the token, which is random, as a plain hash. A token is valid in its own dojo only,
because only the schema of that dojo holds its hash.
"""

import secrets
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import connection, transaction

from shared_apps.accounts.throttling import Limit, count_attempt
from tatami.api.authentication import DEVICE_TOKEN_PREFIX
from tatami.keys import secret_hash, tenant_hashes
from tatami.postgresql.statements import Statement
from tatami.tenancy.scope import TenantScope, current_scope, current_tenant
from tenant_apps.attendance.errors import AlreadyPaired, DeviceRevoked, PairingCodeExpired, PairingCodeInvalid
from tenant_apps.attendance.models import Device

LAST_SEEN_PRECISION: Final = timedelta(minutes=1)
"""`last_seen_at` is written at most this often, so that most scans write nothing to the device."""
PAIRING_CODE_LIFETIME: Final = timedelta(minutes=10)
ATTEMPTS_PER_ADDRESS: Final = Limit("pairing address", attempts=20, window=timedelta(minutes=15))
ATTEMPTS_PER_DOJO: Final = Limit("pairing dojo", attempts=300, window=timedelta(hours=1))

_ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""Without characters that are easily confused: 0 and O, 1, I and L."""
_CODE_LENGTH: Final = 8

FIND_DEVICE: Final = Statement(
    "device of a token",
    "SELECT last_seen_at, id, tenant_id, name, location FROM attendance_device"
    " WHERE token_hash = $1 AND revoked_at IS NULL",
)

# SKIP LOCKED: if another request is just updating `last_seen_at`, this one leaves the row to it.
UPDATE_LAST_SEEN: Final = Statement(
    "device was seen",
    """
UPDATE attendance_device SET last_seen_at = $2 WHERE id IN (
    SELECT id FROM attendance_device
    WHERE id = $1 AND revoked_at IS NULL AND (last_seen_at IS NULL OR last_seen_at < $3)
    FOR NO KEY UPDATE SKIP LOCKED
)
RETURNING id
""",
)


def find_device(token: str, now: datetime) -> Device | None:
    """Return the device with this token in the current dojo, `None` if there is none.

    One statement, and once a minute another, which writes `last_seen_at`.
    """
    if not isinstance(current_scope(), TenantScope):
        return None
    row = FIND_DEVICE.row(secret_hash(token))
    if row is None:
        return None
    last_seen_at, device, tenant, *shown = row
    before = now - LAST_SEEN_PRECISION
    if last_seen_at is None or last_seen_at < before:
        UPDATE_LAST_SEEN.rows(device, now, before)
    return Device.from_db(
        connection.alias, ["id", "tenant_id", "name", "location"], [UUID(device), UUID(tenant), *shown]
    )


def add_device(*, name: str, location: str, now: datetime) -> tuple[Device, str]:
    """Add a device that waits to be paired; return it and its pairing code, which cannot be read again."""
    code = "".join(secrets.choice(_ALPHABET) for _ in range(_CODE_LENGTH))
    device = Device.objects.create(
        name=name,
        location=location,
        pairing_hash=_pairing_hashes(code)[0],
        pairing_expires_at=now + PAIRING_CODE_LIFETIME,
    )
    return device, f"{code[:4]}-{code[4:]}"


def pair_device(*, code: str, address: str, now: datetime) -> tuple[Device, str]:
    """Pair the device that a code was made for; return it and its token, which cannot be read again.

    `address` is the network address of the caller, whose attempts are limited. Call it outside a transaction, so that a
    failed attempt counts. If two devices use one code at the same time, one of them is paired. Raises `Throttled`,
    `PairingCodeInvalid`, `DeviceRevoked`, `AlreadyPaired`, `PairingCodeExpired`.
    """
    count_attempt(ATTEMPTS_PER_ADDRESS, address, now=now)
    count_attempt(ATTEMPTS_PER_DOJO, "", now=now)
    token = DEVICE_TOKEN_PREFIX + secrets.token_urlsafe(32)
    with transaction.atomic():
        device = Device.objects.select_for_update().filter(pairing_hash__in=_pairing_hashes(code)).first()
        if device is None:
            raise PairingCodeInvalid
        if device.revoked_at is not None:
            raise DeviceRevoked
        if device.paired_at is not None:
            raise AlreadyPaired
        if now >= device.pairing_expires_at:
            raise PairingCodeExpired
        device.paired_at, device.token_hash = now, secret_hash(token)
        device.save(update_fields=["paired_at", "token_hash", "updated_at"])
    return device, token


def revoke_device(*, device: Device, now: datetime) -> None:
    """Revoke a device: its token and its pairing code are invalid from the next request on. Repeating has no effect."""
    Device.objects.filter(pk=device.pk, revoked_at__isnull=True).update(revoked_at=now, updated_at=now)


def _pairing_hashes(code: str) -> list[bytes]:
    """Return the keyed hashes of a code, the present key's first. Case and separators of `code` do not matter."""
    normalised = "".join(letter for letter in code.upper() if letter.isalnum())
    return tenant_hashes("device pairing", current_tenant().tenant_id, normalised)
