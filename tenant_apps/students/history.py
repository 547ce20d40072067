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
from tenant_apps.students.errors import (
    AlreadyRecorded,
    AlreadyVoided,
    HoldOverlaps,
    OwnApproval,
    OwnRankChange,
    RanksStandOnIt,
)
from tenant_apps.students.models import (
    EligibilitySnapshot,
    RankEvent,
    RankEventQuerySet,
    Student,
    StudentFact,
    StudentHold,
    StudentNote,
    StudentUser,
)
from tenant_apps.students.queries import lock_student
from tenant_apps.students.rank_history import (
    birth_error,
    conversions_in_force,
    event_data,
    history_errors,
    standing_on,
)

_BATCH: Final = 5_000


@transaction.atomic
def add_note(*, student: Student, author: User, text: str) -> StudentNote:
    """Add a note about a student. Raises `NotFound` if the student was erased."""
    lock_student(student.pk)
    return StudentNote.objects.create(student=student, author=author, text=text)


@transaction.atomic
def record_fact(*, student: Student, recorded_by: User, values: Mapping[str, Any]) -> StudentFact:
    """Record a fact about a student. Raises `NotFound` if the student was erased.

    Raises `OwnApproval` for an approval if the user is linked with the student.
    """
    lock_student(student.pk)
    if values["kind"] == StudentFact.Kind.APPROVAL and StudentUser.objects.student_ids_of(
        recorded_by, among=[student.pk]
    ):
        raise OwnApproval
    return StudentFact.objects.create(student=student, recorded_by=recorded_by, **values)


@transaction.atomic
def void_fact(*, fact: StudentFact, reason: str, by: User, now: datetime) -> None:
    """Void a fact, with a reason; it can still be read. Raises `AlreadyVoided`."""
    if not StudentFact.objects.filter(pk=fact.pk).void(reason=reason, by=by, now=now):
        raise AlreadyVoided
    fact.refresh_from_db()


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

    Raises `OwnRankChange`; `AlreadyRecorded` if the event is already there; `NotFound` if the student was erased;
    `Invalid` for a date before the student's birth; `RankOutOfOrder`, `NothingToDemote` or `NoSuchConversion` if the
    event does not fit into the history. A `note` is the reason for a conversion that the rules do not have.
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
    if error := birth_error(student, effective_on):
        raise error
    history = RankEvent.objects.not_voided().filter(student=student, system=rank.system)
    existing = list(history.select_related("rank", "student"))
    if any((one.rank_id, one.kind, one.effective_on) == (rank.pk, kind, effective_on) for one in existing):
        raise AlreadyRecorded
    conversions = conversions_in_force() if kind == RankEvent.Kind.CONVERT else ()
    for reason in history_errors([event], existing, conversions).values():
        raise reason
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
def void_rank_event(
    *, event: RankEvent, reason: str, by: User, now: datetime, cascade: bool = False
) -> list[RankEvent]:
    """Void a rank event, with a reason; it can still be read. Return the later ranks that stand on it.

    Those stay valid: a student with 3 kyu keeps it, even if the 4 kyu before it was a mistake. With `cascade` they are
    voided too. Raises `AlreadyVoided`, `OwnRankChange`, `NotFound`.
    """
    _lock_history(event.student_id, by)
    event.refresh_from_db()
    if event.voided_at is not None:
        raise AlreadyVoided
    events = RankEvent.objects.filter(pk=event.pk)
    later = void_rank_events(events, reason=reason, by=by, now=now, cascade=cascade, keep_later=not cascade)
    event.refresh_from_db()
    return later


def void_rank_events(
    events: RankEventQuerySet, *, reason: str, by: User, now: datetime, cascade: bool, keep_later: bool
) -> list[RankEvent]:
    """Void rank events, and forget the snapshots that depend on them. Four statements, however many.

    Call this in a transaction, with the students locked. Returns the later ranks that stand on these events
    (`standing_on`): with `cascade` they are voided too, with `keep_later` they stay. Otherwise raises `RanksStandOnIt`,
    which names them.
    """
    voided = list(events.not_voided())
    students, systems = {one.student_id for one in voided}, {one.system_id for one in voided}
    rows = RankEvent.objects.not_voided().filter(student__in=students, system__in=systems)
    later = standing_on(voided, list(rows.select_related("rank", "student")))
    if later and not cascade and not keep_later:
        raise RanksStandOnIt(details={"rank_events": [event_data(one) for one in later]})
    gone = [*voided, *(later if cascade else ())]
    RankEvent.objects.filter(pk__in=[one.pk for one in gone]).void(reason=reason, by=by, now=now)
    delete_snapshots(students, systems)
    if gone:
        publish("rank_event.voided", [{"id": one.pk, "student": one.student_id} for one in gone], now=now)
    return later


def delete_snapshots(students: Collection[UUID], systems: Collection[UUID]) -> None:
    """Delete the results of the nightly check for students in rank systems, because their history has changed."""
    EligibilitySnapshot.objects.filter(student__in=students, system__in=systems).delete()


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
