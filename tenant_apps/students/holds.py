"""Breaks from training: written down so that no two of a student share a day."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.db import transaction

from tenant_apps.students.errors import HoldOverlaps
from tenant_apps.students.locking import lock_student
from tenant_apps.students.models import Student, StudentHold


@transaction.atomic
def add_hold(
    *, student: Student, starts_on: date, until: date | None = None, reason: str = ""
) -> StudentHold:
    """Put a student on hold from a local date until another, both included; None: without an end.

    Twice is refused the second time, and of two at once that share a day one is: the student's row is the lock. Raises
    `HoldOverlaps`; `NotFound` if she was erased meanwhile.
    """
    _refuse_overlap(StudentHold(student=student, starts_on=starts_on, until=until))
    return StudentHold.objects.create(student=student, starts_on=starts_on, until=until, reason=reason)


@transaction.atomic
def change_hold(*, hold: StudentHold, changes: Mapping[str, Any]) -> StudentHold:
    """Change the days or the reason of a hold; ending it early is an `until`. Raises `HoldOverlaps`, `NotFound`."""
    for field, value in changes.items():
        setattr(hold, field, value)
    _refuse_overlap(hold)
    hold.save()
    return hold


def _refuse_overlap(hold: StudentHold) -> None:
    """Hold the student's row, then ask: the next statement sees what the one before us committed."""
    lock_student(hold.student_id)
    others = StudentHold.objects.filter(student=hold.student_id).exclude(pk=hold.pk)
    taken = others.overlapping(hold.starts_on, hold.until).order_by("starts_on")
    shared = [{"id": one.pk, "from": one.starts_on, "until": one.until} for one in taken]
    if shared:
        raise HoldOverlaps(details={"holds": shared})
