"""Read rank events, facts, enrolments and training for all students at once: four statements, and one about the
sessions that were held, if the rules ask for a rate of attendance.

Rows are read one at a time and stored under the caller's own ids. With thousands of students, the garbage collector
would otherwise spend more time on duplicate rows and keys than the reading takes.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, Final, NamedTuple, TypeVar
from uuid import UUID

import orjson
from django.contrib.postgres.aggregates import ArrayAgg
from django.db import connection

from tenant_apps.classes.models import Enrolment
from tenant_apps.promotions.engine import HeldSession, HistoryEvent, RankEventKind, SessionsHeld, Visits
from tenant_apps.students import models

_FACTS: Final = """
SELECT f.student_id, f.kind, f.rank_system_id, f.value, f."on", f.expires_on, f.recorded_by_id, u.role
FROM students_studentfact f
LEFT JOIN accounts_user u ON u.id = f.recorded_by_id
WHERE f.voided_at IS NULL AND f.student_id = ANY(%s) AND NOT (
    f.kind = 'approval' AND EXISTS (
        SELECT FROM students_studentuser l WHERE l.student_id = f.student_id AND l.user_id = f.recorded_by_id
    )
)
UNION ALL
SELECT h.student_id, 'hold', NULL, NULL, h.starts_on, h.until, NULL, NULL
FROM students_studenthold h
WHERE h.student_id = ANY(%s)
UNION ALL
SELECT c.student_id, k.kind, e.rank_system_id, NULL, e.date, NULL, NULL, NULL
FROM promotions_candidate c
JOIN promotions_exam e ON e.id = c.exam_id
JOIN (VALUES ('failed_test', 'failed'), ('exam', 'failed'), ('exam', 'passed')) k (kind, outcome)
    ON k.outcome = c.outcome
WHERE e.finished_at IS NOT NULL AND c.student_id = ANY(%s)
"""

HOLD: Final = "hold"
"""The kind that holds have among the fact rows."""

FAILED_TEST: Final = "failed_test"
"""The kind that failed exams have among the fact rows."""

EXAM: Final = "exam"
"""The kind that exams have among the fact rows, failed and passed."""

_KINDS: Final = {kind.value: kind for kind in RankEventKind}

Key = TypeVar("Key")
Row = TypeVar("Row")


class FactRow(NamedTuple):
    """One recorded fact, with the user who recorded it (`by`, an id) and the role that this user has now."""

    kind: str
    system: UUID | None
    value: Any
    on: date
    expires_on: date | None
    by: str
    role: str


class RankHistory(NamedTuple):
    """A student's rank events in a rank system, as columns.

    `events()` creates the event objects when they are needed. All events of a dojo at once would take most of the
    memory of a check.
    """

    ranks: list[str]
    kinds: list[str]
    dates: list[date]

    def events(self) -> tuple[HistoryEvent, ...]:
        return tuple(
            HistoryEvent(rank, _KINDS[kind], on)
            for rank, kind, on in zip(self.ranks, self.kinds, self.dates, strict=True)
        )


def rank_histories(ids: Sequence[UUID]) -> dict[UUID, dict[UUID, RankHistory]]:
    """Return the rank events that are not voided, by student and rank system."""
    found: dict[UUID, dict[UUID, RankHistory]] = {student: {} for student in ids}
    histories = (
        models.RankEvent.objects.not_voided()
        .filter(student__in=ids)
        .order_by()
        .values_list("student", "system")
        .annotate(ranks=ArrayAgg("rank__code"), kinds=ArrayAgg("kind"), dates=ArrayAgg("effective_on"))
    )
    for student, system, *columns in histories.iterator():
        found[student][system] = RankHistory(*columns)
    return found


def recorded_facts(ids: Sequence[UUID]) -> dict[UUID, list[FactRow]]:
    """Return the recorded facts by student, with holds and exams. A student without facts has no entry.

    Approvals that a person gave to themselves or to their own child are left out, as an award would be refused.
    """
    with connection.cursor() as cursor:
        cursor.execute(_FACTS, [list(ids)] * 3)
        return grouped(
            (
                student,
                FactRow(kind, system, value and orjson.loads(value), on, until, str(by or ""), role or ""),
            )
            for student, kind, system, value, on, until, by, role in cursor
        )


def enrolled_disciplines(ids: Sequence[UUID]) -> dict[UUID, list[UUID]]:
    """Return the disciplines of each student's classes, each discipline once."""
    found: dict[UUID, list[UUID]] = {student: [] for student in ids}
    enrolments = Enrolment.objects.filter(
        student__in=ids, training_class__discipline__isnull=False
    ).order_by()
    rows = enrolments.values_list("student", "training_class__discipline").distinct()
    for student, discipline in rows.iterator():
        found[student].append(discipline)
    return found


def grouped(rows: Iterable[tuple[Key, Row]]) -> dict[Key, list[Row]]:
    """Return the rows by key."""
    found: defaultdict[Key, list[Row]] = defaultdict(list)
    for key, row in rows:
        found[key].append(row)
    return dict(found)


# Sessions that differ only in their date form a kind. Kinds are numbered within this statement, so that half a million
# visits are grouped by a number and arrive as few rows. A date is sent as its ordinal in Python's calendar. Rows
# without a student describe the kinds.
#
# The inner part of a full join is taken; OFFSET keeps the planner from turning it into an inner join. A full join
# cannot run as a nested loop: with row counts from before a large import, the planner would take a million visits for
# one, and compare each of them with each session.
TRAINING_SQL: Final = """
WITH session AS MATERIALIZED (
    SELECT s.id, s.discipline_id, s.class_type,
           s.local_date - DATE '0001-01-01' + 1 AS day,
           (extract(epoch FROM s.ends_at - s.starts_at) / 60)::int AS minutes,
           dense_rank() OVER (ORDER BY s.discipline_id, s.class_type, s.ends_at - s.starts_at)::int AS kind
    FROM classes_classsession s
    WHERE s.counts_toward_promotion
)
SELECT DISTINCT NULL::uuid AS student_id, k.kind, NULL::int[] AS days, k.discipline_id, k.class_type, k.minutes
FROM session k
UNION ALL
SELECT v.student_id, v.kind, array_agg(v.day), NULL, NULL, NULL
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

# The sessions that were held or are planned, and which of them each student attended. Sessions are numbered within
# this statement. Those that share all but the time arrive as one row, with arrays.
SESSIONS_SQL: Final = """
WITH session AS MATERIALIZED (
    SELECT s.id, s.discipline_id, s.training_class_id, s.class_type, s.min_rank_id,
           s.local_date - DATE '0001-01-01' + 1 AS day,
           (extract(epoch FROM s.starts_at) / 60)::int AS starts,
           (extract(epoch FROM s.ends_at) / 60)::int AS ends,
           row_number() OVER ()::int AS number
    FROM classes_classsession s
    WHERE s.counts_toward_promotion AND s.status = 'scheduled'
)
SELECT NULL::uuid AS student_id, array_agg(s.number ORDER BY s.number), array_agg(s.day ORDER BY s.number),
       array_agg(s.starts ORDER BY s.number), array_agg(s.ends ORDER BY s.number),
       s.discipline_id, s.training_class_id, s.class_type, r.system_id, r.position
FROM session s
LEFT JOIN ranks_rank r ON r.id = s.min_rank_id
GROUP BY s.discipline_id, s.training_class_id, s.class_type, r.system_id, r.position
UNION ALL
SELECT v.student_id, array_agg(v.number), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM (
    SELECT a.student_id, s.number
    FROM (
        SELECT student_id, class_session_id FROM attendance_attendance
        WHERE voided_at IS NULL AND student_id = ANY(%s)
    ) a
    FULL JOIN session s ON s.id = a.class_session_id
    OFFSET 0
) v
WHERE v.student_id IS NOT NULL AND v.number IS NOT NULL
GROUP BY v.student_id
"""

_OTHER_SYSTEM_LEVEL: Final = 1_000_000
"""The level of sessions that require a rank of another system. No level in this system is as high."""


class SessionKind(NamedTuple):
    """What sessions share that differ only in their date. `minutes` is the length of a session."""

    discipline: UUID | None
    class_type: str
    minutes: int


class TrainingRecords:
    """The sessions that some students attended. One statement."""

    def __init__(self, ids: Sequence[UUID]) -> None:
        self._kinds: dict[int, SessionKind] = {}
        self._visits: dict[UUID, dict[int, list[int]]] = {student: {} for student in ids}
        """Student → number of the kind → days."""
        with connection.cursor() as cursor:
            cursor.execute(TRAINING_SQL, [list(ids)])
            self._read(cursor)

    def _read(self, rows: Iterable[tuple[Any, ...]]) -> None:
        for student, kind, days, *shared in rows:
            if student is None:
                self._kinds[kind] = SessionKind(*shared)
            else:
                self._visits[student][kind] = days

    def within(self, discipline: UUID | None) -> "DisciplineTraining":
        """Return the training as a rank system of this discipline (None: of all disciplines) counts it."""
        return DisciplineTraining(self._kinds, self._visits, discipline)


class DisciplineTraining:
    """Training as the rank systems of one discipline count it: in the discipline or not."""

    def __init__(
        self,
        kinds: dict[int, SessionKind],
        visits: dict[UUID, dict[int, list[int]]],
        discipline: UUID | None,
    ) -> None:
        self._visits = visits
        self._kinds = {
            number: (kind.class_type, _counts_in(kind.discipline, discipline), kind.minutes)
            for number, kind in kinds.items()
        }

    def attendance(self, student: UUID) -> tuple[Visits, ...]:
        """Return a student's visits."""
        return tuple(Visits(*self._kinds[number], days) for number, days in self._visits[student].items())


class SessionKey(NamedTuple):
    """What sessions share that differ only in their times. `system` and `position` are those of the rank required."""

    discipline: UUID | None
    training_class: UUID | None
    class_type: str
    system: UUID | None
    position: int | None

    def level_within(self, system: UUID) -> int:
        """Return the required rank as a level of a rank system: 1 is the lowest rank, 0 is open to all."""
        if self.position is None:
            return 0
        return self.position + 1 if self.system == system else _OTHER_SYSTEM_LEVEL


class SessionRecords:
    """The sessions that were held, and which of them some students attended. One statement."""

    def __init__(self, ids: Sequence[UUID]) -> None:
        self.attended: dict[UUID, frozenset[int]] = {}
        """Student → numbers of sessions. A student who attended none has no entry."""
        self._times: list[tuple[SessionKey, tuple[list[int], ...]]] = []
        with connection.cursor() as cursor:
            cursor.execute(SESSIONS_SQL, [list(ids)])
            for student, numbers, days, starts, ends, *shared in cursor:
                if student is None:
                    self._times.append((SessionKey(*shared), (days, starts, ends, numbers)))
                else:
                    self.attended[student] = frozenset(numbers)

    def within(self, system: UUID, discipline: UUID | None) -> SessionsHeld:
        """Return the sessions as a rank system of this discipline (None: of all disciplines) counts them."""
        return SessionsHeld(
            HeldSession(
                day, starts, ends, number, key.training_class, key.class_type, key.level_within(system)
            )
            for key, columns in self._times
            if _counts_in(key.discipline, discipline)
            for day, starts, ends, number in zip(*columns, strict=True)
        )


def _counts_in(discipline: UUID | None, wanted: UUID | None) -> bool:
    """Return whether sessions of a discipline count in `wanted`. For None (no discipline to distinguish), all count."""
    return wanted is None or discipline == wanted
