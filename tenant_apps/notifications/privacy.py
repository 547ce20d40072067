"""Personal data in the log of e-mails: exporting it, erasing a student, and the retention time."""

from datetime import datetime
from typing import Any, Final

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, OuterRef, Q, QuerySet

from tatami import retention
from tenant_apps.notifications.models import Delivery, DeliveryQuerySet, Notification
from tenant_apps.students import privacy
from tenant_apps.students.guardians import delete_in_one_statement
from tenant_apps.students.merging import Merge
from tenant_apps.students.models import Guardian, Student

PERSONAL_DATA_DELETED: Final = "forgotten"
TOO_OLD: Final = "too_old"

RETENTION: Final = "TATAMI_MAIL_BODY_DAYS"

State = Delivery.State


def register() -> None:
    """Register what this app stores about a student."""
    privacy.register("notifications", collect=collect, erase=erase)


def collect(student: Student) -> Any:
    """Return the e-mails about the student: to which address, when, and with which result."""
    rows = _about(student).select_related("notification").order_by("created_at", "pk")
    return [
        {
            "id": row.pk,
            "kind": row.notification.kind,
            "address": row.address,
            "state": row.state,
            "reason": row.reason,
            "created_at": row.created_at,
            "sent_at": row.sent_at,
        }
        for row in rows
    ]


def erase(student: Student, now: datetime) -> None:
    """Delete addresses, names and texts about the student; the log keeps that an e-mail was sent.

    From an e-mail that is also about siblings, only the student's part is removed.
    """
    about = _about(student)
    shared = list(about.exclude(student_ids=[student.pk]).order_by("pk").select_for_update())
    for row in shared:
        others = [one for one in row.values.get("students", ()) if one["id"] != str(student.pk)]
        row.values = {**row.values, "students": others} if others else {}
        row.student_ids = [one for one in row.student_ids if one != student.pk]
        row.updated_at = now
    Delivery.objects.bulk_update(shared, ["values", "student_ids", "updated_at"], batch_size=500)
    alone = about.filter(student_ids=[student.pk])
    alone.queued().update(state=State.SKIPPED)
    _clear_texts(alone, now)
    _delete_personal_data(alone, now)


def merge(of: Merge) -> None:
    """Replace the duplicate by the student who is kept, in the log. Two statements."""
    old, new = str(of.duplicate.pk), str(of.kept.pk)
    rows = list(_about(of.duplicate).order_by("pk").select_for_update())
    for row in rows:
        row.student_ids = list(
            dict.fromkeys(of.kept.pk if one == of.duplicate.pk else one for one in row.student_ids)
        )
        named = [{**one, "id": new} if one["id"] == old else one for one in row.values.get("students", ())]
        if named:
            row.values = {**row.values, "students": list({one["id"]: one for one in named}.values())}
        row.updated_at = of.now
    Delivery.objects.bulk_update(rows, ["student_ids", "values", "updated_at"], batch_size=500)
    of.moved["mails"] += len(rows)


def empty_old_mail(*, now: datetime, dry_run: bool = False) -> int:
    """Delete the content of e-mails beyond the retention time, and all of old tests. Eight statements.

    The log keeps address, students, kind, times and result. Old deliveries that are still queued are skipped.
    Deliveries to guardians who were deleted, and about students who were all erased, lose their personal data too.

    Returns how many deliveries still had content. With `dry_run` it only counts them.
    """
    until = now - retention.retention_period(RETENTION)
    old = Delivery.objects.filter(created_at__lt=until)
    found = old.exclude(values={}).count()
    if dry_run:
        return found
    tests = Notification.objects.filter(is_test=True, created_at__lt=until)
    delete_in_one_statement(Delivery.objects.filter(notification__in=tests))
    delete_in_one_statement(tests)
    old.queued().update(state=State.SKIPPED, reason=TOO_OLD, updated_at=now)
    old.exclude(values={}).update(values={}, updated_at=now)
    texts = Notification.objects.filter(created_at__lt=until).exclude(body="")
    texts.update(subject="", body="", audience=None, updated_at=now)
    without_recipient = _without_recipient()
    without_recipient.queued().update(state=State.SKIPPED)
    _delete_personal_data(without_recipient, now)
    return found


def _about(student: Student) -> DeliveryQuerySet:
    return Delivery.objects.filter(student_ids__contains=[student.pk])


def _without_recipient() -> DeliveryQuerySet:
    """Return deliveries to guardians who do not exist any more, and those about students who were all erased."""
    guardian = Guardian.objects.filter(pk=OuterRef("guardian_id"))
    erased = Student._base_manager.filter(erased_at__isnull=False).values("pk")
    return Delivery.objects.exclude(reason=PERSONAL_DATA_DELETED).filter(
        Q(guardian_id__isnull=False) & ~Exists(guardian)
        | Q(student_ids__0__in=erased, student_ids__contained_by=ArraySubquery(erased))
    )


def _delete_personal_data(deliveries: DeliveryQuerySet, now: datetime) -> None:
    """Delete who the deliveries went to and what they contained. One statement."""
    deliveries.update(
        address="",
        address_key=None,
        guardian_id=None,
        values={},
        reason=PERSONAL_DATA_DELETED,
        updated_at=now,
    )


def _clear_texts(alone: QuerySet[Delivery], now: datetime) -> None:
    """Clear the text of notifications that went to this student only: such a text may contain anything."""
    others = Delivery.objects.filter(notification=OuterRef("pk")).exclude(pk__in=alone.values("pk"))
    Notification.objects.filter(~Exists(others), pk__in=alone.values("notification")).update(
        subject="", body="", audience=None, updated_at=now
    )
