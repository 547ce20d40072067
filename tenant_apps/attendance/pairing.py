"""Pairing a device: a short code, good for minutes and for one device, is exchanged for a token.

What is stored of the code is a keyed hash, since it is short; of the token, which is random, its hash.
"""

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from shared_apps.accounts.throttling import Limit, count_attempt
from tatami.api.authentication import DEVICE_TOKEN_PREFIX
from tatami.errors import DomainError
from tatami.keys import secret_hash, tenant_keys
from tatami.tenancy.scope import current_tenant
from tenant_apps.attendance.devices import Device

CODE_LIVES: Final = timedelta(minutes=10)
PER_ADDRESS: Final = Limit("pairing address", attempts=20, window=timedelta(minutes=15))
PER_DOJO: Final = Limit("pairing dojo", attempts=300, window=timedelta(hours=1))

_ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""Without what is read as something else: 0 O, 1 I L."""
_LENGTH: Final = 8


class PairingCodeInvalid(DomainError):
    """There is no such pairing code here."""

    code = "pairing_code_invalid"
    status = 400


class PairingCodeExpired(DomainError):
    """This pairing code has expired. Ask for a new one."""

    code = "pairing_code_expired"
    status = 400


class AlreadyPaired(DomainError):
    """A device was paired with this code already."""

    code = "already_paired"


class DeviceRevoked(DomainError):
    """This device has been revoked."""

    code = "device_revoked"


def add_device(*, name: str, location: str, now: datetime) -> tuple[Device, str]:
    """Add a device that waits to be paired; return it and its code, which nobody can read again."""
    code = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
    device = Device.objects.create(
        name=name,
        location=location,
        pairing_hash=_code_hashes(code)[0],
        pairing_expires_at=now + CODE_LIVES,
    )
    return device, f"{code[:4]}-{code[4:]}"


def pair(*, code: str, address: str, now: datetime) -> tuple[Device, str]:
    """Pair the device that this code was made for; return it and its token, which nobody can read again.

    Call it outside a transaction: the attempt counts even if it fails. Of two at once one succeeds. Raises
    `Throttled`, `PairingCodeInvalid`, `PairingCodeExpired`, `AlreadyPaired`, `DeviceRevoked`.
    """
    count_attempt(PER_ADDRESS, address, now=now)
    count_attempt(PER_DOJO, "", now=now)
    token = DEVICE_TOKEN_PREFIX + secrets.token_urlsafe(32)
    with transaction.atomic():
        device = Device.objects.select_for_update().filter(pairing_hash__in=_code_hashes(code)).first()
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


def _code_hashes(code: str) -> list[bytes]:
    """Return the keyed hashes of a code as typed (case and separators aside), the present key's first."""
    plain = "".join(letter for letter in code.upper() if letter.isalnum())
    keys = tenant_keys("device pairing", current_tenant().tenant_id)
    return [hmac.digest(key, plain.encode(), hashlib.sha256) for key in keys]
