"""Addresses that the mail server does not know: how long that stands, and what puts it right."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from tenant_apps.notifications.models import Address
from tenant_apps.students.models import Student

STANDS_FOR: Final = timedelta(days=90)
"""Then the address is tried once more: servers are mended, and mailboxes opened again."""


def has_bounced(bounced_at: datetime | None, *, students: Sequence[UUID], now: datetime) -> bool:
    """Say whether an address that bounced then (None: never) is not written to about these students.

    If one of them was saved since, somebody may have put it right, a guardian's too: it is tried again. One statement,
    only for those that bounced.
    """
    if bounced_at is None or bounced_at <= now - STANDS_FOR:
        return False
    return not Student.objects.filter(pk__in=students, updated_at__gt=bounced_at).exists()


def note_bounce(*, address_key: bytes, now: datetime) -> None:
    """Remember that the mail server knows no such address: the last time counts."""
    Address.objects.bulk_create([Address(key=address_key)], ignore_conflicts=True)
    Address.objects.filter(key=address_key).update(bounced_at=now, updated_at=now)


def forget_bounce(*, address_key: bytes, now: datetime) -> None:
    """Remember no more that an address bounced: the mail server took a mail to it."""
    Address.objects.filter(key=address_key).update(bounced_at=None, updated_at=now)
