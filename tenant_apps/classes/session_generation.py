"""Generating sessions from classes: ahead of time, and again if a recurrence or the dojo's time zone changes.

A session is identified by its slot (class, date and time on the wall clock). Existing sessions keep their ids, so that
printed codes and calendar entries stay valid. Concurrent runs wait for each other: each locks its classes first, in key
order, then their sessions. A run that is killed has changed nothing; a repeated run changes nothing more.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, TypeAlias
from uuid import UUID

from django.db import transaction
from django.db.models import Q, Value
from django.db.models.functions import Greatest

from tatami.clock import tenant_date
from tatami.postgresql.compiled import CompiledQuery
from tatami.tenancy.models import ArchivableQuerySet
from tatami.tenancy.scope import current_tenant
from tenant_apps.classes.closed_sessions import CANCELLATION_FIELDS, apply_closures
from tenant_apps.classes.models import ClassInstructor, ClassSession, TrainingClass
from tenant_apps.classes.recurrence import Occurrence, occurrences, read_recurrence

HORIZON: Final = timedelta(days=92)
"""How far ahead sessions are generated without a request for them. Calendar feeds show less."""
INHERITED_FIELDS: Final = (
    "name",
    "class_type",
    "discipline_id",
    "location",
    "capacity",
    "min_rank_id",
    "counts_toward_promotion",
    "opens_minutes_before",
    "closes_minutes_after",
    "late_after_minutes",
)
"""The fields that a session copies from its class."""
_GENERATED_FIELDS: Final = (*INHERITED_FIELDS, "instructor_ids", "starts_at", "ends_at", "local_date")

InstructorIds: TypeAlias = Mapping[UUID, list[UUID]]
"""Class id → the ids of its instructors."""


def horizon(now: datetime) -> date:
    """Return the local date up to which sessions exist without a request for them."""
    return tenant_date(now) + HORIZON


def _due_classes(until: date, zone: str) -> ArchivableQuerySet[TrainingClass]:
    """Return the classes whose sessions do not yet reach the local date `until`, or are those of another time zone."""
    is_due = Q(materialised_until__isnull=True) | Q(materialised_until__lt=until) | ~Q(materialised_zone=zone)
    due: ArchivableQuerySet[TrainingClass] = TrainingClass.objects.not_archived().filter(is_due)
    return due


DUE_CLASSES: Final = CompiledQuery("classes.due", _due_classes, columns=("id",), until=date, zone=str)


@transaction.atomic
def generate_sessions(*, until: date, now: datetime, only: Sequence[TrainingClass] | None = None) -> int:
    """Generate the sessions that are missing up to the local date `until`; return the number of classes that were due.

    A class is due if it was not generated up to `until`, or in another time zone; it may turn out to lack no session.

    For a new class, sessions start with the first day of its recurrence, also in the past. Otherwise none are generated
    for the past: while a class was archived, or its dojo suspended, no sessions took place. One statement if nothing is
    missing, else a fixed number.
    """
    zone = current_tenant().timezone
    due = _due_classes(until, zone)
    if only is not None:
        due = due.filter(pk__in=[one.pk for one in only])
    classes = list(due.select_for_update(no_key=True).order_by("pk"))
    if not classes:
        return 0
    in_other_zone = [one for one in classes if one.materialised_until and one.materialised_zone != zone]
    if in_other_zone:
        regenerate_sessions(in_other_zone, first=tenant_date(now) - timedelta(days=1), after=now)
    instructors = instructor_ids_of(classes)
    _insert(
        _session(one, occurrence, instructors)
        for one in classes
        for occurrence in _occurrences(one, first=_first_missing(one, today=tenant_date(now)), last=until)
    )
    TrainingClass.objects.filter(pk__in=[one.pk for one in classes]).update(
        materialised_until=Greatest("materialised_until", Value(until)), materialised_zone=zone
    )
    return len(classes)


def sessions_are_missing(*, until: date) -> bool:
    """Return whether `generate_sessions` would find a class with missing sessions. Locks nothing. One statement."""
    return bool(DUE_CLASSES.rows(until=until, zone=current_tenant().timezone))


def generate_to_horizon(*, now: datetime) -> int:
    """Generate sessions up to the horizon, and set the local dates of future sessions in the dojo's zone. Runs hourly.

    Returns the number of classes that were due.
    """
    count = generate_sessions(until=horizon(now), now=now)
    _update_local_dates(now=now)
    return count


@dataclass(frozen=True, slots=True)
class RetimedSession:
    """A session whose instant or local date changed because the rules of its time zone did."""

    id: UUID
    name: str
    starts_at: datetime
    """Before."""
    local_date: date
    new_starts_at: datetime
    new_local_date: date


@transaction.atomic
def retime_sessions(*, now: datetime) -> list[RetimedSession]:
    """Give future sessions the times that the present time-zone data say; return those that moved, by their start.

    Run it after a renewal of tzdata: a class at 18:30 is at 18:30 again. Sessions that were made or moved by hand keep
    their instant, since they were given as an instant. Attendance keeps a session where it was. Repeated, it changes
    nothing more. A fixed number of statements; the caller may roll back to see only what would move.
    """
    generated = TrainingClass.objects.not_archived().filter(materialised_until__isnull=False)
    classes = list(generated.select_for_update(no_key=True).order_by("pk"))
    before = _future_times(now)
    regenerate_sessions(classes, first=tenant_date(now) - timedelta(days=1), after=now)
    _update_local_dates(now=now)
    after = _future_times(now)
    moved = [
        RetimedSession(key, name, starts_at, local_date, *after[key][1:])
        for key, (name, starts_at, local_date) in before.items()
        if key in after and after[key][1:] != (starts_at, local_date)
    ]
    return sorted(moved, key=lambda one: (one.starts_at, one.id))


def _future_times(now: datetime) -> dict[UUID, tuple[str, datetime, date]]:
    """Return name, start and local date of the sessions that have not begun, by id. A day of margin, for moves."""
    future = ClassSession.objects.filter(starts_at__gt=now - timedelta(days=1))
    rows = future.values_list("pk", "name", "starts_at", "local_date")
    return {key: (name, starts_at, local_date) for key, name, starts_at, local_date in rows}


def _update_local_dates(*, now: datetime) -> None:
    """Set the local dates of future sessions in the dojo's zone, and what closures follow from them.

    One statement if they are right, else four.
    """
    future = ClassSession.objects.filter(starts_at__gt=now)
    wrong = [
        key
        for key, starts_at, local_date in future.values_list("pk", "starts_at", "local_date")
        if tenant_date(starts_at) != local_date
    ]
    if not wrong:
        return
    rows = list(future.filter(pk__in=wrong).select_for_update(no_key=True).order_by("pk"))
    for row in rows:
        row.set_times(row.starts_at, row.duration)
        row.updated_at = now
    _save_times(rows)


def regenerate_sessions(
    classes: Collection[TrainingClass], *, first: date, after: datetime | None = None
) -> None:
    """Make the sessions of `classes` follow their recurrences from the slot date `first` on.

    The caller has locked the classes. Sessions with attendance stay unchanged and, with `after`, also sessions that
    began by then. The others keep what was set for them alone. A session whose slot no longer exists is deleted, unless
    it was moved or cancelled; a session that stays without a slot replaces the nearest new one of its day. A fixed
    number of statements.
    """
    rows = list(
        ClassSession.objects.filter(training_class__in=[one.pk for one in classes], slot_date__gte=first)
        .select_for_update()
        .order_by("pk")
    )
    keys = [row.pk for row in rows]
    attended = set(ClassSession.objects.with_attendance().filter(pk__in=keys).values_list("pk", flat=True))
    fixed = attended | {row.pk for row in rows if after is not None and row.starts_at <= after}
    by_slot = {(row.training_class_id, row.slot_date, row.slot_time): row for row in rows}
    instructors = instructor_ids_of(classes)
    missing, changed = [], []
    for one in classes:
        for occurrence in _occurrences(one, first=first, last=one.materialised_until or first):
            row = by_slot.pop((one.pk, occurrence.slot_date, occurrence.slot_time), None)
            if row is None:
                if after is None or occurrence.starts_at > after:
                    missing.append(_session(one, occurrence, instructors))
            elif row.pk not in fixed and _update(row, _session(one, occurrence, instructors)):
                changed.append(row)
    to_delete = []
    for row in by_slot.values():
        if row.pk in fixed or not row.is_as_planned:
            _remove_replaced(row, missing)
        else:
            to_delete.append(row.pk)
    if to_delete:
        ClassSession.objects.filter(pk__in=to_delete).delete()
    if changed:
        _save_times(changed)
    _insert(missing)


def inherited_values(training_class: TrainingClass, instructors: InstructorIds) -> dict[str, Any]:
    """Return the values that a session copies from its class."""
    own = {field: getattr(training_class, field) for field in INHERITED_FIELDS}
    return {**own, "instructor_ids": instructors.get(training_class.pk, [])}


def instructor_ids_of(classes: Iterable[TrainingClass]) -> InstructorIds:
    """Return the ids of the instructors of each class. One statement."""
    found: dict[UUID, list[UUID]] = defaultdict(list)
    links = ClassInstructor.objects.filter(training_class__in=[one.pk for one in classes]).order_by("pk")
    for class_id, user_id in links.values_list("training_class_id", "user_id"):
        found[class_id].append(user_id)
    return found


def _session(
    training_class: TrainingClass, occurrence: Occurrence, instructors: InstructorIds
) -> ClassSession:
    """Return the session of a class at one occurrence, unsaved."""
    return ClassSession(
        training_class=training_class,
        slot_date=occurrence.slot_date,
        slot_time=occurrence.slot_time,
        starts_at=occurrence.starts_at,
        ends_at=occurrence.ends_at,
        local_date=occurrence.local_date,
        **inherited_values(training_class, instructors),
    )


def _occurrences(training_class: TrainingClass, *, first: date, last: date) -> Iterable[Occurrence]:
    recurrence = read_recurrence(training_class.recurrence)
    return occurrences(recurrence, timezone=current_tenant().timezone, first=first, last=last)


def _first_missing(training_class: TrainingClass, *, today: date) -> date:
    if training_class.materialised_until is None:
        return read_recurrence(training_class.recurrence).first
    return max(training_class.materialised_until + timedelta(days=1), today)


def _save_times(sessions: Sequence[ClassSession]) -> None:
    """Save sessions that exist, with what closures say about their days. At most three statements."""
    apply_closures(sessions)
    ClassSession.objects.bulk_create(
        sessions,
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=[*_GENERATED_FIELDS, *CANCELLATION_FIELDS, "updated_at"],
    )


def _insert(sessions: Iterable[ClassSession]) -> None:
    """Insert sessions, except at instants where the class has one already: one made by hand, or moved there.

    Those that a closure covers are inserted as cancelled.
    """
    # Of two sessions at one instant the first stays.
    rows = {(one.training_class_id, one.starts_at): one for one in reversed(list(sessions))}
    if not rows:
        return
    instants = [starts_at for _, starts_at in rows]
    existing = ClassSession.objects.filter(
        training_class__in={class_id for class_id, _ in rows},
        starts_at__gte=min(instants),
        starts_at__lte=max(instants),
    )
    for class_id, starts_at in existing.values_list("training_class_id", "starts_at"):
        rows.pop((class_id, starts_at), None)
    new = list(reversed(rows.values()))
    apply_closures(new)
    ClassSession.objects.bulk_create(new, ignore_conflicts=True)


def _remove_replaced(row: ClassSession, missing: list[ClassSession]) -> None:
    """Remove from `missing` the session of the same day that `row`, which has no slot any more, replaces."""
    same_day = [
        one
        for one in missing
        if one.training_class_id == row.training_class_id and one.slot_date == row.slot_date
    ]
    if same_day:
        missing.remove(min(same_day, key=lambda one: abs(_slot_minutes(one) - _slot_minutes(row))))


def _slot_minutes(session: ClassSession) -> int:
    assert session.slot_time is not None
    return session.slot_time.hour * 60 + session.slot_time.minute


def _update(row: ClassSession, generated: ClassSession) -> bool:
    """Copy the generated values to `row`, except what was set for it alone; return whether anything changed."""
    before = [getattr(row, field) for field in _GENERATED_FIELDS]
    duration = row.duration if "duration_minutes" in row.set_by_hand else generated.duration
    for field in (*INHERITED_FIELDS, "instructor_ids", "starts_at"):
        if field not in row.set_by_hand:
            setattr(row, field, getattr(generated, field))
    row.set_times(row.starts_at, duration)
    return before != [getattr(row, field) for field in _GENERATED_FIELDS]
