"""Lines of a student's history: added, and struck out with a reason; never changed.

A rank history is changed with the student's row locked, so that whoever decides about a rank decides on the history as
it is. What last night's check said about the student goes with the change.
"""

from collections.abc import Collection
from datetime import date, datetime
from uuid import UUID

from django.db import IntegrityError, transaction

from shared_apps.accounts.models import User
from tenant_apps.ranks.models import Rank
from tenant_apps.students.errors import AlreadyRecorded, AlreadyVoided, NotForOneself
from tenant_apps.students.models import EligibilitySnapshot, RankEvent, Student, StudentFact, StudentUser


@transaction.atomic
def record_rank_event(
    *,
    student: Student,
    rank: Rank,
    kind: str,
    effective_on: date,
    recorded_by: User,
    note: str = "",
) -> RankEvent:
    """Add a line to a student's rank history. Raises `NotForOneself`; `AlreadyRecorded` for the same line twice."""
    _open_history(student.pk, recorded_by)
    event = RankEvent(
        student=student,
        system=rank.system,
        rank=rank,
        kind=kind,
        effective_on=effective_on,
        recorded_by=recorded_by,
        note=note,
    )
    try:
        with transaction.atomic():
            event.save()
    except IntegrityError as violation:
        if "rank_event_once" in str(violation):
            raise AlreadyRecorded from None
        raise
    forget_snapshot([student.pk], [rank.system_id])
    return event


@transaction.atomic
def void_rank_event(*, event: RankEvent, reason: str, by: User, now: datetime) -> None:
    """Strike a line out, with a reason; it stays readable. Raises `AlreadyVoided`, `NotForOneself`.

    Lines after it stand: who was awarded 3 kyu holds it, also when the 4 kyu before it turns out to be a mistake.
    """
    _open_history(event.student_id, by)
    _void(event, reason=reason, by=by, now=now)
    forget_snapshot([event.student_id], [event.system_id])


@transaction.atomic
def void_fact(*, fact: StudentFact, reason: str, by: User, now: datetime) -> None:
    """Strike a fact out, with a reason; it stays readable. Raises `AlreadyVoided`."""
    _void(fact, reason=reason, by=by, now=now)


def forget_snapshot(students: Collection[UUID], systems: Collection[UUID]) -> None:
    """Forget what last night's check said about students in rank systems: it is about another history."""
    EligibilitySnapshot.objects.filter(student__in=students, system__in=systems).delete()


def _void(row: RankEvent | StudentFact, *, reason: str, by: User, now: datetime) -> None:
    values = {"voided_at": now, "voided_by": by, "void_reason": reason, "updated_at": now}
    # Of two at once one finds the row standing.
    if not type(row).objects.filter(pk=row.pk, voided_at__isnull=True).update(**values):
        raise AlreadyVoided
    row.refresh_from_db()


def _open_history(student: UUID, by: User) -> None:
    list(Student.objects.filter(pk=student).locked().values_list("pk"))
    if StudentUser.objects.filter(student=student, user=by).exists():
        raise NotForOneself
