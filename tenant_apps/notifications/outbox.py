"""Writing mail down: with the deed it tells of, in its transaction. Workers send it (`sending`)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import orjson
from django.db import connection, transaction

from shared_apps.accounts.models import User
from tatami import clock
from tatami.errors import DomainError
from tatami.ids import uuid7
from tatami.tenancy.scope import current_tenant_id
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.notifications.addressing import Mail, address_hash, mails_for
from tenant_apps.notifications.kinds import Kind, is_wanted
from tenant_apps.notifications.letters import Letter, sample_values, text_for
from tenant_apps.notifications.models import Delivery, Notification
from tenant_apps.notifications.sending import send_outbox
from tenant_apps.students.dates import dojo_today
from tenant_apps.students.notices import Notice

NO_ADDRESS: Final = "no_address"
CANCELLED: Final = "cancelled"

State = Delivery.State

# One statement, be it for ten thousand mails; most of the time that `bulk_create` takes goes into making its own.
_INSERT: Final = """
INSERT INTO notifications_delivery (
    id, tenant_id, created_at, updated_at, notification_id, student_ids, guardian_id, address, address_key,
    "values", state, reason, attempts, next_try_at
)
SELECT r.id, %(tenant)s, %(now)s, %(now)s, %(notification)s, r.student_ids, r.guardian_id, r.address,
       decode(r.address_key, 'hex'), r."values", r.state, r.reason, 0, %(now)s
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(
    id uuid, student_ids uuid[], guardian_id uuid, address text, address_key text, "values" jsonb, state text,
    reason text
)
"""


class NotificationEnded(DomainError):
    """All of its mails are sent, or it was cancelled before."""

    code = "notification_ended"


def on_notice(*, kind: str, notices: Sequence[Notice], **_: Any) -> None:
    """Write down what a deed has to tell, in its transaction, if the dojo sends word of such deeds."""
    about, settings = Kind(kind), DojoSettings.current()
    if is_wanted(about, settings):
        text = text_for(about, settings.language)
        queue(kind=about, letter=text.letter, notices=notices, settings=settings, is_bulk=False)


@transaction.atomic(savepoint=False)  # what fails here undoes the deed as well
def queue(
    *,
    kind: Kind,
    letter: Letter,
    notices: Sequence[Notice],
    settings: DojoSettings,
    is_bulk: bool,
    audience: Any = None,
    by: User | None = None,
) -> Notification:
    """Write a notification and its mails down and have workers send them. Statements do not depend on the size.

    The text is kept as it is now. Sent twice it is two notifications.
    """
    # Before students are locked: it refers to its author, and an erasure locks users first, then a student.
    notification = Notification.objects.create(
        kind=kind,
        is_bulk=is_bulk,
        language=settings.language,
        subject=letter.subject,
        body=letter.body,
        audience=audience,
        requested_by=by,
    )
    mails = mails_for(notices, settings=settings, on=dojo_today())
    _write(notification, mails, now=clock.now())
    return notification


@transaction.atomic
def queue_test(*, kind: Kind, letter: Letter, language: str, by: User) -> Notification:
    """Have a letter sent to whoever asks for it, about a student who does not exist."""
    notification = Notification.objects.create(
        kind=kind,
        is_bulk=False,
        is_test=True,
        language=language,
        subject=letter.subject,
        body=letter.body,
        requested_by=by,
    )
    values = sample_values(kind, ["Mika Sato"], recipient=by.name or by.email)
    _write(notification, [Mail(values["recipient"], by.email, students=values["students"])], now=clock.now())
    return notification


@transaction.atomic
def cancel(*, notification: Notification, now: datetime) -> None:
    """Leave unsent what is not sent yet. Twice changes nothing. Raises `NotificationEnded`."""
    notification = Notification.objects.select_for_update(no_key=True).get(pk=notification.pk)
    if notification.cancelled_at:
        return
    waiting = Delivery.objects.queued().filter(notification=notification)
    if not waiting.update(state=State.SKIPPED, reason=CANCELLED, values={}, updated_at=now):
        raise NotificationEnded
    Notification.objects.filter(pk=notification.pk).update(cancelled_at=now, updated_at=now)


def _write(notification: Notification, mails: Sequence[Mail], *, now: datetime) -> None:
    given: dict[str, Any] = {
        "notification": notification.pk,
        "tenant": current_tenant_id(),
        "now": now,
        "rows": orjson.dumps([_row(mail) for mail in mails]).decode(),
    }
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, given)
    send_outbox.request()


def _row(mail: Mail) -> dict[str, Any]:
    return {
        "id": uuid7(),
        "student_ids": mail.student_ids,
        "guardian_id": mail.guardian,
        "address": mail.address,
        "address_key": address_hash(mail.address).hex() if mail.address else None,
        "values": {"recipient": mail.recipient, "students": mail.students},
        "state": State.QUEUED.value if mail.address else State.SKIPPED.value,
        "reason": "" if mail.address else NO_ADDRESS,
    }
