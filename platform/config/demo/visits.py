"""Who came when, and writing it down: one statement for tens of thousands of visits."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from heapq import nsmallest
from random import Random
from typing import Final, NamedTuple
from uuid import UUID

from django.db import connection

from config.demo.habits import Habit
from config.demo.people import Group
from config.demo.school import School, Slot
from tatami.ids import uuid7
from tenant_apps.attendance.models import Attendance

LATE_AFTER: Final = timedelta(minutes=10)
"""The default of `DojoSettings.late_after_minutes`."""

_SUITS: Final = {
    Group.KID: {"kids", "mixed"},
    Group.TEEN: {"adults", "mixed"},
    Group.ADULT: {"adults", "mixed"},
    Group.SENIOR: {"adults", "mixed"},
}
_FAVOURITES: Final = 3
_METHODS: Final = (Attendance.Method.QR_ROTATING, Attendance.Method.QR_CARD, Attendance.Method.MANUAL)

# COPY is refused under row-level security; this is nearly as fast. `tenant_id` is the column's own DEFAULT.
_INSERT: Final = """
INSERT INTO attendance_attendance
    (id, student_id, class_session_id, checked_in_at, method, late, recorded_by_id, void_reason, created_at, updated_at)
SELECT id, student, session, at, method, late, %s::uuid, '', at, at
FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::timestamptz[], %s::text[], %s::boolean[])
    AS visit(id, student, session, at, method, late)
"""


class Visit(NamedTuple):
    """A student comes to a session. The smaller `reluctance`, the surer it is that he does; below 1 he does."""

    reluctance: float
    student: UUID
    session: UUID
    starts_at: datetime


def favourites(group: Group, slots: Sequence[Slot], rng: Random) -> list[Slot]:
    """Return the slots of the week that somebody goes to: people are creatures of habit."""
    suitable = [slot for slot in slots if slot.class_type in _SUITS[group]]
    return rng.sample(suitable, min(_FAVOURITES, len(suitable)))


def possible_visits(student: UUID, habit: Habit, slots: Sequence[Slot], rng: Random) -> Iterator[Visit]:
    """Yield a visit for every session that a student could come to, after joining and before leaving."""
    for slot in slots:
        for session, starts_at, on in slot.sessions:
            chance = habit.chance(on)
            if chance > 0:
                yield Visit(rng.random() / chance, student, session, starts_at)


def made_visits(possible: Iterator[Visit], *, quota: int | None) -> list[Visit]:
    """Return the visits that take place: by chance alone, or the `quota` likeliest where a number is asked for."""
    if quota is None:
        return [visit for visit in possible if visit.reluctance < 1]
    return nsmallest(quota, possible)


def record_visits(visits: Sequence[Visit], school: School, rng: Random) -> None:
    """Write the visits down as if students had been scanned at the door. One statement."""
    after_start = [timedelta(minutes=round(rng.triangular(-20, 16, -6))) for _ in visits]
    with connection.cursor() as cursor:
        cursor.execute(
            _INSERT,
            [
                school.assistant.pk,
                [uuid7() for _ in visits],
                [visit.student for visit in visits],
                [visit.session for visit in visits],
                [visit.starts_at + after for visit, after in zip(visits, after_start, strict=True)],
                [method.value for method in rng.choices(_METHODS, weights=(75, 15, 10), k=len(visits))],
                [after >= LATE_AFTER for after in after_start],
            ],
        )
