"""Sessions from classes: made ahead, made again when the rule or the dojo's time zone changes, and never made twice.

A session is known by its slot (class, date and time on the wall clock). What exists keeps its id, so that codes on the
wall and entries in calendars stay good. Whatever runs at once takes turns: each locks its classes first, in key order,
then their sessions. Killed in between, nothing has happened; run twice, nothing more does.
"""

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Q, Value
from django.db.models.functions import Greatest, TruncDate

from tatami.tenancy.scope import current_tenant
from tenant_apps.classes.from_class import COPIED, insert, local, session_of, slots, teachers_of
from tenant_apps.classes.models import ClassSession, TrainingClass
from tenant_apps.classes.schedule import read_recurrence

HORIZON: Final = timedelta(days=92)
"""How far ahead sessions are made without being asked for: beyond what calendar feeds show."""

_RULED: Final = (*COPIED, "instructor_ids", "starts_at", "ends_at", "local_date")


def horizon(now: datetime) -> date:
    """Return the local date up to which sessions are there without being asked for."""
    return local(now) + HORIZON


@transaction.atomic
def materialise(*, until: date, now: datetime, only: Sequence[TrainingClass] | None = None) -> int:
    """Make the sessions that are missing up to the local date `until`; return for how many classes any were due.

    A new class starts with its rule's first day, in the past too. Later on nothing is made for the past: a class that
    was archived, or a dojo that was suspended, held none. One statement where nothing is due, else a fixed number.
    """
    zone = current_tenant().timezone
    is_due = Q(materialised_until__isnull=True) | Q(materialised_until__lt=until) | ~Q(materialised_zone=zone)
    due = TrainingClass.objects.live().filter(is_due)
    if only is not None:
        due = due.filter(pk__in=[one.pk for one in only])
    classes = list(due.select_for_update(no_key=True).order_by("pk"))
    if not classes:
        return 0
    moved = [one for one in classes if one.materialised_until and one.materialised_zone != zone]
    if moved:
        remake(moved, first=local(now) - timedelta(days=1), after=now)
    teachers = teachers_of(classes)
    insert(
        session_of(one, found, teachers)
        for one in classes
        for found in slots(one, first=_first_missing(one, today=local(now)), last=until)
    )
    TrainingClass.objects.filter(pk__in=[one.pk for one in classes]).update(
        materialised_until=Greatest("materialised_until", Value(until)), materialised_zone=zone
    )
    return len(classes)


def materialise_ahead(*, now: datetime) -> int:
    """Make the sessions up to the horizon, and give all to come their date in the dojo's zone; done every hour."""
    made = materialise(until=horizon(now), now=now)
    own_date = TruncDate("starts_at", tzinfo=ZoneInfo(current_tenant().timezone))
    ClassSession.objects.filter(starts_at__gt=now).exclude(local_date=own_date).update(
        local_date=own_date, updated_at=now
    )
    return made


def remake(classes: Collection[TrainingClass], *, first: date, after: datetime | None = None) -> None:
    """Make the sessions of `classes`, which the caller has locked, what their rules say from the slot date `first` on.

    What was attended, and with `after` what began by then, stays as it is. Of the others each keeps what was set for it
    alone; one whose slot is gone is deleted unless it was moved or cancelled. What stays without a slot in the rule
    stands in for the nearest new one of its day. A fixed number of statements.
    """
    rows = list(
        ClassSession.objects.filter(training_class__in=[one.pk for one in classes], slot_date__gte=first)
        .select_for_update()
        .order_by("pk")
    )
    # `attendances` is the name by which attendance, which we may not import, refers to sessions.
    keys = [row.pk for row in rows]
    attended = set(
        ClassSession.objects.filter(pk__in=keys, attendances__isnull=False).values_list("pk", flat=True)
    )
    fixed = attended | {row.pk for row in rows if after is not None and row.starts_at <= after}
    standing = {(row.training_class_id, row.slot_date, row.slot_time): row for row in rows}
    teachers = teachers_of(classes)
    missing, rewritten = [], []
    for one in classes:
        for found in slots(one, first=first, last=one.materialised_until or first):
            row = standing.pop((one.pk, found.slot_date, found.slot_time), None)
            if row is None:
                if after is None or found.starts_at > after:
                    missing.append(session_of(one, found, teachers))
            elif row.pk not in fixed and _follow(row, session_of(one, found, teachers)):
                rewritten.append(row)
    gone = []
    for row in standing.values():
        if row.pk in fixed or row.is_cancelled or "starts_at" in row.set_by_hand:
            _stand_in(row, missing)
        else:
            gone.append(row.pk)
    if gone:
        ClassSession.objects.filter(pk__in=gone).delete()
    if rewritten:
        ClassSession.objects.bulk_create(
            rewritten, update_conflicts=True, unique_fields=["id"], update_fields=[*_RULED, "updated_at"]
        )
    insert(missing)


def _first_missing(training_class: TrainingClass, *, today: date) -> date:
    if training_class.materialised_until is None:
        return read_recurrence(training_class.recurrence).first
    return max(training_class.materialised_until + timedelta(days=1), today)


def _stand_in(row: ClassSession, missing: list[ClassSession]) -> None:
    """Take out of `missing` the session that `row`, whose slot the rule no longer has, stands in for."""
    of_its_day = [
        one
        for one in missing
        if one.training_class_id == row.training_class_id and one.slot_date == row.slot_date
    ]
    if of_its_day:
        missing.remove(min(of_its_day, key=lambda one: abs(_minutes(one) - _minutes(row))))


def _minutes(session: ClassSession) -> int:
    assert session.slot_time is not None
    return session.slot_time.hour * 60 + session.slot_time.minute


def _follow(row: ClassSession, ruled: ClassSession) -> bool:
    """Make `row` what the rule says, but for what was set for it alone; say whether anything changed."""
    before = [getattr(row, field) for field in _RULED]
    length = row.duration if "duration_minutes" in row.set_by_hand else ruled.duration
    for field in (*COPIED, "instructor_ids", "starts_at"):
        if field not in row.set_by_hand:
            setattr(row, field, getattr(ruled, field))
    row.ends_at, row.local_date = row.starts_at + length, local(row.starts_at)
    return before != [getattr(row, field) for field in _RULED]
