"""Queueing mail in the transaction of the event it is about. The job `notifications.outbox`, in `sending`, sends it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import orjson
from django.db import connection, transaction

from shared_apps.accounts.models import User
from tatami import clock
from tatami.clock import tenant_date
from tatami.errors import DomainError
from tatami.ids import uuid7
from tatami.tenancy.scope import current_tenant_id
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.notifications.addresses import address_hash
from tenant_apps.notifications.models import Delivery, Notification, NotificationKind
from tenant_apps.notifications.recipients import NewDelivery, deliveries_for
from tenant_apps.notifications.sending import send_outbox
from tenant_apps.notifications.templates import SAMPLE_STUDENT, MessageText, sample_values, template_for
from tenant_apps.students.events import Notice

NO_ADDRESS: Final = "no_address"
CANCELLED: Final = "cancelled"

State = Delivery.State

_SETTINGS: Final[Mapping[NotificationKind, str]] = {
    NotificationKind.PROMOTION: "notify_promotion",
    NotificationKind.EXAM_INVITATION: "notify_exam_invitation",
    NotificationKind.CLASS_CANCELLED: "notify_class_cancelled",
    NotificationKind.CLOSURE: "notify_class_cancelled",
}
"""Kind of event → the dojo's setting that turns its mail on. Mail that staff ask for in the request needs none."""

# One statement for any number of rows. `bulk_create` would spend most of its time on building SQL. Without RETURNING,
# Citus would run it as COPY, which row-level security refuses.
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
RETURNING id
"""


def is_sent(kind: NotificationKind, settings: DojoSettings) -> bool:
    """Return whether the dojo sends mail about events of this kind."""
    setting = _SETTINGS.get(kind)
    return setting is None or bool(getattr(settings, setting))


def queue_notices(*, kind: str, notices: Sequence[Notice], **_: Any) -> None:
    """Queue the mail of an event in its transaction, unless the dojo turned mail of this kind off.

    Raises `ValueError` for an unknown kind, which rolls the event back.
    """
    known, settings = NotificationKind(kind), DojoSettings.current()
    if is_sent(known, settings):
        text = template_for(known, settings.language).text
        queue_notification(kind=known, text=text, notices=notices, settings=settings, is_bulk=False)


@transaction.atomic(savepoint=False)  # an error here must roll the event back, too
def queue_notification(
    *,
    kind: NotificationKind,
    text: MessageText,
    notices: Sequence[Notice],
    settings: DojoSettings,
    is_bulk: bool,
    audience: Any = None,
    guardians_only: bool = False,
    by: User | None = None,
) -> Notification:
    """Store a notification and its deliveries and request sending. The number of statements is constant.

    The text is stored as it is now. Calling it twice makes two notifications.
    """
    # Before the students are locked: the row refers to its author, and an erasure locks users before the student.
    notification = Notification.objects.create(
        kind=kind,
        is_bulk=is_bulk,
        language=settings.language,
        subject=text.subject,
        body=text.body,
        audience=audience,
        requested_by=by,
    )
    deliveries = deliveries_for(notices, settings=settings, on=tenant_date(), guardians_only=guardians_only)
    _insert(notification, deliveries, now=clock.now())
    return notification


@transaction.atomic
def queue_test(*, kind: NotificationKind, text: MessageText, language: str, by: User) -> Notification:
    """Queue a test mail to the user who asks for it, about a made-up student."""
    notification = Notification.objects.create(
        kind=kind,
        is_bulk=False,
        is_test=True,
        language=language,
        subject=text.subject,
        body=text.body,
        requested_by=by,
    )
    values = sample_values(kind, [SAMPLE_STUDENT], language, recipient=by.name or by.email)
    delivery = NewDelivery(values["recipient"], by.email, students=values["students"])
    _insert(notification, [delivery], now=clock.now())
    return notification


@transaction.atomic
def cancel(*, notification: Notification, now: datetime) -> None:
    """Skip all queued deliveries. Cancelling again changes nothing. Raises `NotificationEnded` if none is queued."""
    notification = Notification.objects.select_for_update(no_key=True).get(pk=notification.pk)
    if notification.cancelled_at:
        return
    queued = Delivery.objects.queued().filter(notification=notification)
    if not queued.update(state=State.SKIPPED, reason=CANCELLED, values={}, updated_at=now):
        raise NotificationEnded
    Notification.objects.filter(pk=notification.pk).update(cancelled_at=now, updated_at=now)


def _insert(notification: Notification, deliveries: Sequence[NewDelivery], *, now: datetime) -> None:
    params: dict[str, Any] = {
        "notification": notification.pk,
        "tenant": current_tenant_id(),
        "now": now,
        "rows": orjson.dumps([_row(one) for one in deliveries]).decode(),
    }
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, params)
    send_outbox.request()


def _row(delivery: NewDelivery) -> dict[str, Any]:
    return {
        "id": uuid7(),
        "student_ids": delivery.student_ids,
        "guardian_id": delivery.guardian_id,
        "address": delivery.address,
        "address_key": address_hash(delivery.address).hex() if delivery.address else None,
        "values": {"recipient": delivery.recipient, "students": delivery.students},
        "state": State.QUEUED.value if delivery.address else State.SKIPPED.value,
        "reason": "" if delivery.address else NO_ADDRESS,
    }


class NotificationEnded(DomainError):
    """All mails of this notification are sent, or it is already cancelled."""

    code = "notification_ended"
