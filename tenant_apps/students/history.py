"""Notes, and lines of a student's history: added, and struck out with a reason; never changed.

All are added with the student's row locked, so that nothing outlives her erasure, and whoever decides about a rank
decides on the history as it is. What last night's check said about the student goes with a change of her ranks.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError, transaction

from shared_apps.accounts.models import User
from tenant_apps.ranks.models import Rank
from tenant_apps.students.errors import AlreadyRecorded, AlreadyVoided, NotForOneself
from tenant_apps.students.locking import lock_student
from tenant_apps.students.models import (
    EligibilitySnapshot,
    RankEvent,
    Student,
    StudentFact,
    StudentNote,
    StudentUser,
)

_BATCH: Final = 5_000


@transaction.atomic
def add_note(*, student: Student, author: User, text: str) -> StudentNote:
    """Write something down about a student. Raises `NotFound` if she was erased meanwhile."""
    lock_student(student.pk)
    return StudentNote.objects.create(student=student, author=author, text=text)


@transaction.atomic
def record_fact(*, student: Student, recorded_by: User, values: Mapping[str, Any]) -> StudentFact:
    """Write a fact down. Raises `NotFound` if the student was erased meanwhile."""
    lock_student(student.pk)
    return StudentFact.objects.create(student=student, recorded_by=recorded_by, **values)


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
    """Add a line to a student's rank history.

    Raises `NotForOneself`; `AlreadyRecorded` for the same line twice; `NotFound` if she was erased meanwhile.
    """
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
            add_rank_events([event])
    except IntegrityError as violation:
        if "rank_event_once" in str(violation):
            raise AlreadyRecorded from None
        raise
    return event


def add_rank_events(events: Sequence[RankEvent]) -> None:
    """Add lines to rank histories; what last night's check said is forgotten. Two statements, none for no lines.

    Call it in a transaction, with the students locked.
    """
    if events:
        RankEvent.objects.bulk_create(events, batch_size=_BATCH)
        forget_snapshot({event.student_id for event in events}, {event.system_id for event in events})


@transaction.atomic
def void_rank_event(*, event: RankEvent, reason: str, by: User, now: datetime) -> None:
    """Strike a line out, with a reason; it stays readable. Raises `AlreadyVoided`, `NotForOneself`, `NotFound`.

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
    lock_student(student)
    if StudentUser.objects.filter(student=student, user=by).exists():
        raise NotForOneself
