"""Records about a student: notes, facts, holds and rank events.

Every function locks the row of the student first. So no record outlives an erasure, and decisions about ranks read the
latest history. Facts and rank events are never changed, only voided with a reason. A change of the rank history
deletes the results of the nightly check, which were computed from the old history.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError, transaction

from shared_apps.accounts.models import User
from shared_apps.webhooks.events import publish
from tenant_apps.ranks.models import Rank
from tenant_apps.students.errors import AlreadyRecorded, AlreadyVoided, HoldOverlaps, OwnRankChange
from tenant_apps.students.models import (
    EligibilitySnapshot,
    RankEvent,
    Student,
    StudentFact,
    StudentHold,
    StudentNote,
    StudentUser,
)
from tenant_apps.students.queries import lock_student

_BATCH: Final = 5_000


@transaction.atomic
def add_note(*, student: Student, author: User, text: str) -> StudentNote:
    """Add a note about a student. Raises `NotFound` if the student was erased."""
    lock_student(student.pk)
    return StudentNote.objects.create(student=student, author=author, text=text)


@transaction.atomic
def record_fact(*, student: Student, recorded_by: User, values: Mapping[str, Any]) -> StudentFact:
    """Record a fact about a student. Raises `NotFound` if the student was erased."""
    lock_student(student.pk)
    return StudentFact.objects.create(student=student, recorded_by=recorded_by, **values)


@transaction.atomic
def void_fact(*, fact: StudentFact, reason: str, by: User, now: datetime) -> None:
    """Void a fact, with a reason; it can still be read. Raises `AlreadyVoided`."""
    _void(fact, reason=reason, by=by, now=now)


@transaction.atomic
def add_hold(
    *, student: Student, starts_on: date, until: date | None = None, reason: str = ""
) -> StudentHold:
    """Put a student on hold from one local date until another, both included; `until` None: without an end.

    Raises `HoldOverlaps` if another hold shares a day, also when the call is repeated. If two callers add overlapping
    holds at the same time, one is refused. Raises `NotFound` if the student was erased.
    """
    _refuse_overlap(StudentHold(student=student, starts_on=starts_on, until=until))
    return StudentHold.objects.create(student=student, starts_on=starts_on, until=until, reason=reason)


@transaction.atomic
def change_hold(*, hold: StudentHold, changes: Mapping[str, Any]) -> StudentHold:
    """Change the days or the reason of a hold; set `until` to end it early. Raises `HoldOverlaps`, `NotFound`."""
    for field, value in changes.items():
        setattr(hold, field, value)
    _refuse_overlap(hold)
    hold.save()
    return hold


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
    """Add an event to the rank history of a student.

    Raises `OwnRankChange`; `AlreadyRecorded` if the event is already there; `NotFound` if the student was erased.
    """
    _lock_history(student.pk, recorded_by)
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
    """Add events to rank histories, and delete the results of the nightly check. Three statements; none for no events.

    Call this in a transaction, with the students locked.
    """
    if events:
        RankEvent.objects.bulk_create(events, batch_size=_BATCH)
        delete_snapshots({event.student_id for event in events}, {event.system_id for event in events})
        publish_rank_events(events)


def publish_rank_events(events: Iterable[RankEvent]) -> None:
    """Tell webhooks about new rank events."""
    publish("rank_event.created", [{"id": event.pk, "student": event.student_id} for event in events])


@transaction.atomic
def void_rank_event(*, event: RankEvent, reason: str, by: User, now: datetime) -> None:
    """Void a rank event, with a reason; it can still be read. Raises `AlreadyVoided`, `OwnRankChange`, `NotFound`.

    Later events stay valid: a student with 3 kyu keeps it, even if the 4 kyu before it was a mistake.
    """
    _lock_history(event.student_id, by)
    _void(event, reason=reason, by=by, now=now)
    delete_snapshots([event.student_id], [event.system_id])
    publish("rank_event.voided", [{"id": event.pk, "student": event.student_id}], now=now)


def delete_snapshots(students: Collection[UUID], systems: Collection[UUID]) -> None:
    """Delete the results of the nightly check for students in rank systems, because their history has changed."""
    EligibilitySnapshot.objects.filter(student__in=students, system__in=systems).delete()


def _void(row: RankEvent | StudentFact, *, reason: str, by: User, now: datetime) -> None:
    if not type(row).objects.filter(pk=row.pk).void(reason=reason, by=by, now=now):
        raise AlreadyVoided
    row.refresh_from_db()


def _lock_history(student: UUID, by: User) -> None:
    lock_student(student)
    if StudentUser.objects.student_ids_of(by, among=[student]):
        raise OwnRankChange


def _refuse_overlap(hold: StudentHold) -> None:
    """Lock the student, then look for holds: a statement after the lock sees what others committed before it."""
    lock_student(hold.student_id)
    others = StudentHold.objects.filter(student=hold.student_id).exclude(pk=hold.pk)
    overlapping = others.overlapping(hold.starts_on, hold.until).order_by("starts_on")
    shared = [{"id": one.pk, "from": one.starts_on, "until": one.until} for one in overlapping]
    if shared:
        raise HoldOverlaps(details={"holds": shared})
