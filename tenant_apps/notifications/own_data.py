"""What this app holds about a student: the mails about her."""

from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from tenant_apps.notifications.models import Delivery, Notification
from tenant_apps.students import personal_data
from tenant_apps.students.models import Student

State = Delivery.State
FORGOTTEN = "forgotten"


def collect(student: Student) -> Any:
    """Return to whom something was written about the student, when, and with what outcome."""
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
    """Forget addresses, names and words; that something was sent stays. A mail about siblings too forgets her part."""
    mine = _about(student)
    shared = list(mine.exclude(student_ids=[student.pk]).order_by("pk").select_for_update())
    for row in shared:
        others = [one for one in row.values.get("students", ()) if one["id"] != str(student.pk)]
        row.values = {**row.values, "students": others} if others else {}
        row.student_ids = [one for one in row.student_ids if one != student.pk]
        row.updated_at = now
    Delivery.objects.bulk_update(shared, ["values", "student_ids", "updated_at"], batch_size=500)
    alone = mine.filter(student_ids=[student.pk])
    alone.queued().update(state=State.SKIPPED)
    _forget_texts(alone, now)
    alone.update(address="", address_key=None, guardian_id=None, values={}, reason=FORGOTTEN, updated_at=now)


def _forget_texts(alone: QuerySet[Delivery], now: datetime) -> None:
    """Blank what was written about her alone: a letter of somebody's to one person may say anything."""
    others = Delivery.objects.filter(notification=OuterRef("pk")).exclude(pk__in=alone.values("pk"))
    Notification.objects.filter(~Exists(others), pk__in=alone.values("notification")).update(
        subject="", body="", audience=None, updated_at=now
    )


def _about(student: Student) -> Any:
    return Delivery.objects.filter(student_ids__contains=[student.pk])


def register() -> None:
    """Register what this app holds."""
    personal_data.register("notifications", collect=collect, erase=erase)
