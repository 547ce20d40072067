"""Attendance and what was offered, for all students at once: one statement."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db import connection

from tenant_apps.promotions.engine import OfferedSessions, Visits

# Sessions are of a kind where they are alike in all but their date, and kinds are numbered, for this statement alone:
# half a million visits are then grouped by a number, and are not as many objects. A date is sent as its ordinal in
# Python's calendar. Lines without a student say what the kinds are, and when such sessions took place.
#
# A full join, of which the inner part is taken (OFFSET keeps the planner from seeing that): there is no way to do it
# row by row. With counts of rows from before a large import the planner takes a million visits for one, and would
# compare each of them with each session.
TRAINING: Final = """
WITH session AS MATERIALIZED (
    SELECT s.id, s.discipline_id, s.class_type, s.min_rank_id,
           s.status = 'scheduled' AS scheduled,
           s.local_date - DATE '0001-01-01' + 1 AS day,
           (extract(epoch FROM s.ends_at - s.starts_at) / 60)::int AS minutes,
           dense_rank() OVER (
               ORDER BY s.discipline_id, s.class_type, s.min_rank_id, s.ends_at - s.starts_at
           )::int AS kind
    FROM classes_classsession s
    WHERE s.counts_toward_promotion
), kind AS (
    SELECT s.kind, s.discipline_id, s.class_type, s.minutes, s.min_rank_id,
           coalesce(array_agg(s.day ORDER BY s.day) FILTER (WHERE s.scheduled), '{}') AS days
    FROM session s
    GROUP BY s.kind, s.discipline_id, s.class_type, s.minutes, s.min_rank_id
)
SELECT NULL AS student_id, k.kind, k.days, k.discipline_id, k.class_type, k.minutes, r.system_id, r.position
FROM kind k
LEFT JOIN ranks_rank r ON r.id = k.min_rank_id
UNION ALL
SELECT v.student_id, v.kind, array_agg(v.day), NULL, NULL, NULL, NULL, NULL
FROM (
    SELECT a.student_id, s.kind, s.day
    FROM (
        SELECT student_id, class_session_id FROM attendance_attendance
        WHERE voided_at IS NULL AND student_id = ANY(%s)
    ) a
    FULL JOIN session s ON s.id = a.class_session_id
    OFFSET 0
) v
WHERE v.student_id IS NOT NULL AND v.kind IS NOT NULL
GROUP BY v.student_id, v.kind
"""

_OF_ANOTHER_LADDER: Final = 1_000_000
"""The level of sessions that ask for a rank of another system: for nobody's level in this one."""


class SessionKind(NamedTuple):
    """What sessions have in common that are alike in all but their date; the days of those that took place, in order.

    `system` and `position` are those of the rank that they ask for; None where they are open to all.
    """

    offered: list[int]
    discipline: UUID | None
    class_type: str
    minutes: int
    system: UUID | None
    position: int | None

    def level_within(self, system: UUID) -> int:
        """The rank asked for, as a level of a rank system: 1 is the lowest, 0 is open to all."""
        if self.position is None:
            return 0
        return self.position + 1 if self.system == system else _OF_ANOTHER_LADDER

    def is_of(self, discipline: UUID | None) -> bool:
        """Whether they count in a discipline. Without one all do: there is no other to tell them from."""
        return discipline is None or self.discipline == discipline


class Training:
    """What some students took part in, and what was offered to everybody, read as a rank system sees it."""

    def __init__(self, ids: Sequence[UUID]) -> None:
        self._kinds: dict[int, SessionKind] = {}
        # By student and kind.
        self._visits: dict[UUID, dict[int, list[int]]] = {student: {} for student in ids}
        with connection.cursor() as cursor:
            cursor.execute(TRAINING, [list(ids)])
            self._read(cursor)

    def _read(self, rows: Iterable[tuple[Any, ...]]) -> None:
        for student, kind, days, *alike in rows:
            if student is None:
                self._kinds[kind] = SessionKind(days, *alike)
            else:
                self._visits[student][kind] = days

    def within(self, system: UUID, discipline: UUID | None) -> "TrainingWithin":
        """As a rank system of this discipline (None: of all) sees it."""
        return TrainingWithin(self._kinds, self._visits, system, discipline)


class TrainingWithin:
    """Training as one rank system sees it: its own discipline or not, and at which place of its ladder."""

    def __init__(
        self,
        kinds: dict[int, SessionKind],
        visits: dict[UUID, dict[int, list[int]]],
        system: UUID,
        discipline: UUID | None,
    ) -> None:
        self._visits = visits
        self._seen = {
            number: (kind.class_type, kind.is_of(discipline), kind.minutes, kind.level_within(system))
            for number, kind in kinds.items()
        }
        self.offered = tuple(
            OfferedSessions(days=kind.offered, level=kind.level_within(system))
            for kind in kinds.values()
            if kind.offered and kind.is_of(discipline)
        )

    def attendance(self, student: UUID) -> tuple[Visits, ...]:
        """A student's visits."""
        found = []
        for number, days in self._visits[student].items():
            class_type, in_discipline, minutes, level = self._seen[number]
            found.append(Visits(class_type, in_discipline, minutes, days, level))
        return tuple(found)
