"""What is known about e-mail addresses: bounced, unsubscribed, and the link by which an address unsubscribes.

Addresses are stored as hashes, which differ from dojo to dojo. The unsubscribe link contains such a hash, signed with
the tenant's own key: it does not reveal the address, cannot be forged, and is invalid at another dojo.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.signing import BadSignature, Signer
from django.core.validators import validate_email
from django.urls import reverse

from tatami.errors import NotFound
from tatami.keys import tenant_signer
from tatami.tenancy.hosts import origin
from tatami.tenancy.scope import current_tenant_id
from tatami.text import email_key
from tenant_apps.notifications.models import Address, Delivery
from tenant_apps.students.models import Guardian, Student

BOUNCE_VALID_FOR: Final = timedelta(days=90)
"""After this time a bounced address is tried once more: servers get repaired and mailboxes get opened again."""


def is_deliverable(address: str) -> bool:
    """Return whether this is a syntactically valid e-mail address; imported data may contain anything."""
    try:
        validate_email(address)
    except ValidationError:
        return False
    return True


def address_hash(address: str, *, tenant_id: UUID | None = None) -> bytes:
    """Return the 32-byte key of an address at the tenant in scope, or at `tenant_id`. Case does not matter."""
    return hashlib.sha256((tenant_id or current_tenant_id()).bytes + email_key(address).encode()).digest()


# --- bounces ----------------------------------------------------------------------------------------------------------


def has_bounced(bounced_at: datetime | None, *, students: Sequence[UUID], now: datetime) -> bool:
    """Return whether an address that bounced at `bounced_at` (None: never) is skipped for mail about these students.

    It is tried again if one of the students was saved since, because the address, also a guardian's, may have been
    corrected. One statement, only if there is a recent bounce.
    """
    if bounced_at is None or bounced_at <= now - BOUNCE_VALID_FOR:
        return False
    return not Student.objects.filter(pk__in=students, updated_at__gt=bounced_at).exists()


def save_bounce(*, address_key: bytes, now: datetime) -> None:
    """Store that the mail server does not know this address. A later bounce replaces the time."""
    Address.objects.bulk_create([Address(key=address_key)], ignore_conflicts=True)
    Address.objects.filter(key=address_key).update(bounced_at=now, updated_at=now)


def clear_bounce(*, address_key: bytes, now: datetime) -> None:
    """Delete the bounce of an address, because the mail server accepted an e-mail to it."""
    Address.objects.filter(key=address_key).update(bounced_at=None, updated_at=now)


# --- unsubscribing ----------------------------------------------------------------------------------------------------


def unsubscribe(*, address_key: bytes, now: datetime) -> None:
    """Send no more bulk mail to an address. Repeated or concurrent calls keep the first time."""
    Address.objects.bulk_create([Address(key=address_key)], ignore_conflicts=True)
    Address.objects.filter(key=address_key, unsubscribed_at__isnull=True).update(
        unsubscribed_at=now, updated_at=now
    )


def resubscribe(*, address_key: bytes, now: datetime) -> None:
    """Send bulk mail to an address again. Repeating it, or an address that gets such mail, changes nothing.

    Only the owner of an address may ask for it. What was skipped meanwhile is not sent later.
    """
    Address.objects.filter(key=address_key, unsubscribed_at__isnull=False).update(
        unsubscribed_at=None, updated_at=now
    )


def address_state(address: str) -> Address:
    """Return what is known about an address; if nothing is, an unsaved row. One statement."""
    key = address_hash(address)
    return Address.objects.filter(key=key).first() or Address(key=key)


def unsubscribe_url(address_key: bytes) -> str:
    """Return the absolute URL of the page on which the owner of an address unsubscribes."""
    return origin() + reverse("unsubscribe", kwargs={"code": _signer().sign(address_key.hex())})


def address_key_in(code: str) -> bytes:
    """Return the address key in the code of an unsubscribe link. Raises `NotFound` if this tenant did not sign it."""
    try:
        return bytes.fromhex(_signer().unsign(code))
    except BadSignature:
        raise NotFound from None


def _signer() -> Signer:
    return tenant_signer("unsubscribe", current_tenant_id())


# --- restoring --------------------------------------------------------------------------------------------------------


def rehash_addresses(previous_id: UUID, now: datetime, **_: Any) -> None:
    """Replace the keys of a restored dojo's addresses: its id is new, and the hashes depend on it. Five statements.

    Only addresses that some student, guardian or delivery still has can be found. The others stay as they are.
    Running it again changes nothing.
    """
    known = chain.from_iterable(
        model._default_manager.exclude(**{column: ""}).values_list(column, flat=True).distinct()
        for model, column in ((Student, "email"), (Guardian, "email"), (Delivery, "address"))
    )
    new_keys = {address_hash(one, tenant_id=previous_id): address_hash(one) for one in known}
    rows = [row for row in Address.objects.all() if bytes(row.key) in new_keys]
    for row in rows:
        row.key, row.updated_at = new_keys[bytes(row.key)], now
    Address.objects.bulk_update(rows, ["key", "updated_at"], batch_size=1_000)
