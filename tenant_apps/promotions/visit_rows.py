"""Attendance and what was offered, for all students at once: two statements."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple
from uuid import UUID

from django.db import connection

from tenant_apps.promotions.engine import Offered
from tenant_apps.promotions.fact_rows import grouped

# Alike in all but their date are one row, with the dates as an array: half a million visits are not as many
# objects. A date is sent as its ordinal in Python's calendar.
_ORDINALS: Final = "array_agg(s.local_date - DATE '0001-01-01' + 1 ORDER BY s.local_date)"

_VISITS: Final = """
SELECT v.student_id, v.discipline_id, v.class_type, v.minutes, r.system_id, r.position, v.days
FROM (
    SELECT a.student_id, s.discipline_id, s.class_type, s.min_rank_id,
           (extract(epoch FROM s.ends_at - s.starts_at) / 60)::int AS minutes,
           array_agg(s.local_date - DATE '0001-01-01' + 1) AS days
    FROM attendance_attendance a
    JOIN classes_classsession s ON s.id = a.class_session_id
    WHERE a.voided_at IS NULL AND s.counts_toward_promotion AND a.student_id = ANY(%s)
    GROUP BY a.student_id, s.discipline_id, s.class_type, s.min_rank_id, minutes
) v
LEFT JOIN ranks_rank r ON r.id = v.min_rank_id
"""

_OFFERED: Final = f"""
SELECT o.discipline_id, r.system_id, r.position, o.days
FROM (
    SELECT s.discipline_id, s.min_rank_id, {_ORDINALS} AS days
    FROM classes_classsession s
    WHERE s.status = 'scheduled' AND s.counts_toward_promotion
    GROUP BY s.discipline_id, s.min_rank_id
) o
LEFT JOIN ranks_rank r ON r.id = o.min_rank_id
"""  # noqa: S608

_OF_ANOTHER_LADDER: Final = 1_000_000
"""The level of sessions that ask for a rank of another system: for nobody's level in this one."""


class Level(NamedTuple):
    """The rank that a session asks for: its system and its place there; None for sessions open to all."""

    system: UUID | None
    position: int | None

    def within(self, system: UUID) -> int:
        """As a place in a rank system."""
        if self.position is None:
            return 0
        return self.position if self.system == system else _OF_ANOTHER_LADDER


class VisitRow(NamedTuple):
    """A student's visits that are alike in all but their date."""

    discipline: UUID | None
    class_type: str
    minutes: int
    level: Level
    days: list[int]


def visits(ids: Sequence[UUID]) -> dict[UUID, list[VisitRow]]:
    """By student."""
    with connection.cursor() as cursor:
        cursor.execute(_VISITS, [list(ids)])
        return grouped(
            (student, VisitRow(discipline, class_type, minutes, Level(system, position), days))
            for student, discipline, class_type, minutes, system, position, days in cursor.fetchall()
        )


def offered() -> list[tuple[UUID | None, Level, list[int]]]:
    """The discipline, level and days, in order, of all sessions that count and were not cancelled."""
    with connection.cursor() as cursor:
        cursor.execute(_OFFERED)
        return [
            (discipline, Level(system, position), days)
            for discipline, system, position, days in cursor.fetchall()
        ]


def offered_in(
    rows: Iterable[tuple[UUID | None, Level, list[int]]], *, discipline: UUID | None, system: UUID
) -> tuple[Offered, ...]:
    """Those of a rank system's discipline; of all where it has none."""
    return tuple(
        Offered(days=days, level=level.within(system))
        for found, level, days in rows
        if discipline is None or found == discipline
    )
