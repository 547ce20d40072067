"""Devices: kiosks and scanners, known by an opaque token, revoked at any time.

A token means something in its own dojo alone, because only that dojo's schema holds its hash.
"""

from datetime import datetime, timedelta
from typing import ClassVar, Final

from django.db import models

from tatami.keys import secret_hash
from tatami.tenancy.models import TenantModel
from tatami.tenancy.scope import TenantScope, current_scope

SEEN_AGAIN_AFTER: Final = timedelta(minutes=1)
"""`last_seen_at` is written this often at most, so that a scan writes nothing about its device."""
DEVICE: Final = "device"
"""The role of a device in the table of access."""


class Device(TenantModel):
    """A kiosk or scanner. As a caller it has the role `device`; it belongs to no user."""

    name = models.CharField(max_length=120)
    location = models.CharField(max_length=120, blank=True)
    pairing_hash = models.BinaryField(max_length=32)
    pairing_expires_at = models.DateTimeField()
    paired_at = models.DateTimeField(null=True)
    token_hash = models.BinaryField(max_length=32, null=True)
    last_seen_at = models.DateTimeField(null=True)
    last_seq = models.BigIntegerField(null=True)
    revoked_at = models.DateTimeField(null=True)

    role: ClassVar[str] = DEVICE
    is_authenticated: ClassVar[bool] = True

    class Meta:
        ordering = ("name", "id")
        constraints = [
            models.UniqueConstraint(fields=["pairing_hash"], name="device_pairing_once"),
            models.UniqueConstraint(fields=["token_hash"], name="device_token_once"),
        ]

    def __str__(self) -> str:
        return self.name


# Whose token it is, in one statement. A row that another request is just marking as seen is left to that one.
_FIND: Final = """
WITH stale AS (
    SELECT id FROM attendance_device
    WHERE token_hash = %(token)s AND revoked_at IS NULL AND (last_seen_at IS NULL OR last_seen_at < %(before)s)
    FOR NO KEY UPDATE SKIP LOCKED
), seen AS (
    UPDATE attendance_device SET last_seen_at = %(now)s WHERE id IN (SELECT id FROM stale)
)
SELECT id, tenant_id, name, location FROM attendance_device WHERE token_hash = %(token)s AND revoked_at IS NULL
"""


def revoke(*, device: Device, now: datetime) -> None:
    """End a device's token, and its code; its next request is refused. Twice changes nothing."""
    Device.objects.filter(pk=device.pk, revoked_at__isnull=True).update(revoked_at=now, updated_at=now)


def find_device(token: str, now: datetime) -> Device | None:
    """Return the device that bears this token in the dojo in force, or None. One statement (TATAMI_DEVICES)."""
    if not isinstance(current_scope(), TenantScope):
        return None
    params = {"token": secret_hash(token), "now": now, "before": now - SEEN_AGAIN_AFTER}
    return next(iter(Device.objects.raw(_FIND, params)), None)
