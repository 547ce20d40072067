"""Read rank events, facts, enrolments and training for all students at once: four statements. And the settings.

They are prepared: a check of one student takes as many statements as one of all students, and planning them took longer
than running them. Students, rank systems and disciplines are named by the texts of their ids, as statements return
them.
"""

import sys
from array import array
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import date
from typing import Any, Final, NamedTuple, TypeVar
from uuid import UUID

import orjson

from tatami.postgresql.parameters import uuid_array
from tatami.postgresql.statements import Row, Statement, instance
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.promotions.engine import HeldSession, HistoryEvent, RankEventKind, SessionsHeld, Visits
from tenant_apps.students.models import Student, StudentQuerySet

_RANK_EVENTS: Final = Statement(
    "promotions: rank events",
    """
SELECT e.student_id, e.system_id, array_agg(r.code), array_agg(e.kind), array_agg(e.effective_on)
FROM students_rankevent e
JOIN ranks_rank r ON r.id = e.rank_id
WHERE e.voided_at IS NULL AND e.student_id = ANY($1::uuid[])
GROUP BY e.student_id, e.system_id
""",
)

_ENROLMENTS: Final = Statement(
    "promotions: disciplines of enrolments",
    """
SELECT DISTINCT e.student_id, c.discipline_id
FROM classes_enrolment e
JOIN classes_trainingclass c ON c.id = e.training_class_id
WHERE c.discipline_id IS NOT NULL AND e.student_id = ANY($1::uuid[])
""",
)

_FACTS: Final = Statement(
    "promotions: facts",
    """
SELECT f.student_id, f.kind, f.rank_system_id, f.value::text, f."on", f.expires_on, f.recorded_by_id, u.role
FROM students_studentfact f
LEFT JOIN accounts_user u ON u.id = f.recorded_by_id
WHERE f.voided_at IS NULL AND f.student_id = ANY($1::uuid[]) AND NOT (
    f.kind = 'approval' AND EXISTS (
        SELECT FROM students_studentuser l WHERE l.student_id = f.student_id AND l.user_id = f.recorded_by_id
    )
)
UNION ALL
SELECT h.student_id, 'hold', NULL, NULL, h.starts_on, h.until, NULL, NULL
FROM students_studenthold h
WHERE h.student_id = ANY($1::uuid[])
UNION ALL
SELECT c.student_id, k.kind, e.rank_system_id, NULL, e.date, NULL, NULL, NULL
FROM promotions_candidate c
JOIN promotions_exam e ON e.id = c.exam_id
JOIN (VALUES ('failed_test', 'failed'), ('exam', 'failed'), ('exam', 'passed')) k (kind, outcome)
    ON k.outcome = c.outcome
WHERE e.finished_at IS NOT NULL AND c.student_id = ANY($1::uuid[])
""",
)

HOLD: Final = "hold"
"""The kind that holds have among the fact rows."""

FAILED_TEST: Final = "failed_test"
"""The kind that failed exams have among the fact rows."""

EXAM: Final = "exam"
"""The kind that exams have among the fact rows, failed and passed."""

_KINDS: Final = {kind.value: kind for kind in RankEventKind}

Key = TypeVar("Key")
Value = TypeVar("Value")


class FactRow(NamedTuple):
    """One recorded fact, with the user who recorded it (`by`, an id) and the role that this user has now."""

    kind: str
    system: str | None
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
        kinds = [_KINDS[kind] for kind in self.kinds]
        return tuple(map(HistoryEvent, self.ranks, kinds, self.dates))


_SETTINGS: Final = Statement(
    "promotions: settings", "SELECT language, leap_day_birthday FROM dojo_dojosettings"
)


def settings_of_checks() -> tuple[str, str]:
    """Return the language of messages, and when those who were born on a leap day have their birthday."""
    found = _SETTINGS.row()
    if found is None:
        defaults = DojoSettings()
        return defaults.language, defaults.leap_day_birthday
    language, leap_day_birthday = found
    return language, leap_day_birthday


_STUDENT_FIELDS: Final = (
    "id",
    "first_name",
    "last_name",
    "family_first",
    "birth_date",
    "joined_on",
    "status",
    "archived_at",
    "erased_at",
)


def students_to_check(students: StudentQuerySet) -> list[Student]:
    """Return the students with the fields that a check and its response read; others are deferred. One statement."""
    return [instance(Student, _STUDENT_FIELDS, row) for row in students.values_list(*_STUDENT_FIELDS)]


def rank_histories(ids: Iterable[str]) -> dict[str, dict[str, RankHistory]]:
    """Return the rank events that are not voided, by student and rank system. A student without any has no entry."""
    found: dict[str, dict[str, RankHistory]] = {}
    for student, system, *columns in _RANK_EVENTS.rows(uuid_array(ids)):
        found.setdefault(student, {})[system] = RankHistory(*columns)
    return found


def recorded_facts(ids: Iterable[str]) -> dict[str, list[FactRow]]:
    """Return the recorded facts by student, with holds and exams. A student without facts has no entry.

    Approvals that a person gave to themselves or to their own child are left out, as an award would be refused.
    """
    return grouped(
        (
            student,
            FactRow(kind, system, value and orjson.loads(value), on, until, by or "", role or ""),
        )
        for student, kind, system, value, on, until, by, role in _FACTS.rows(uuid_array(ids))
    )


def enrolled_disciplines(ids: Iterable[str]) -> dict[str, list[str]]:
    """Return the disciplines of each student's classes, each once. A student without any has no entry."""
    return grouped((student, discipline) for student, discipline in _ENROLMENTS.rows(uuid_array(ids)))


def grouped(rows: Iterable[tuple[Key, Value]]) -> dict[Key, list[Value]]:
    """Return the rows by key."""
    found: defaultdict[Key, list[Value]] = defaultdict(list)
    for key, row in rows:
        found[key].append(row)
    return dict(found)


# Sessions that differ only in their date form a kind. Kinds and sessions are numbered within this statement, so that
# half a million visits are grouped by a number and arrive as few rows. A date is sent as its ordinal in Python's
# calendar, and the dates of a row as the bytes of these numbers, which is a tenth of the work of an array for Python.
# Rows without a student describe the kinds.
#
# The inner part of a full join is taken; OFFSET keeps the planner from turning it into an inner join. A full join
# cannot run as a nested loop: with row counts from before a large import, the planner would take a million visits for
# one, and compare each of them with each session.
_TRAINING: Final = """
WITH session AS MATERIALIZED (
    SELECT s.id, s.discipline_id, s.class_type,
           s.local_date - DATE '0001-01-01' + 1 AS day,
           (extract(epoch FROM s.ends_at - s.starts_at) / 60)::int AS minutes,
           dense_rank() OVER (ORDER BY s.discipline_id, s.class_type, s.ends_at - s.starts_at)::int AS kind{columns}
    FROM classes_classsession s
    WHERE s.counts_toward_promotion
)
SELECT DISTINCT NULL::uuid AS student_id, k.kind, NULL::bytea AS days, NULL::int[] AS numbers,
       k.discipline_id, k.class_type, k.minutes{empty}
FROM session k
UNION ALL
SELECT v.student_id, v.kind, string_agg(int4send(v.day), ''), {numbers}, NULL, NULL, NULL{empty}
FROM (
    SELECT a.student_id, s.*
    FROM (
        SELECT student_id, class_session_id FROM attendance_attendance
        WHERE voided_at IS NULL AND student_id = ANY($1::uuid[])
    ) a
    FULL JOIN session s ON s.id = a.class_session_id
    OFFSET 0
) v
WHERE v.student_id IS NOT NULL AND v.kind IS NOT NULL
GROUP BY v.student_id, v.kind
"""
TRAINING: Final = Statement("promotions: training", _TRAINING.format(columns="", numbers="NULL", empty=""))

# The same for a few students, who attended few of the sessions: numbering all sessions of years took nearly all of the
# time of a check of one student. Each visit looks up its session by the primary key.
TRAINING_OF_FEW: Final = Statement(
    "promotions: training of a few",
    """
SELECT a.student_id, string_agg(int4send(s.local_date - DATE '0001-01-01' + 1), ''),
       s.discipline_id, s.class_type, (extract(epoch FROM s.ends_at - s.starts_at) / 60)::int AS minutes
FROM attendance_attendance a
JOIN classes_classsession s ON s.id = a.class_session_id
WHERE a.voided_at IS NULL AND a.student_id = ANY($1::uuid[]) AND s.counts_toward_promotion
GROUP BY a.student_id, s.discipline_id, s.class_type, minutes
""",
)

MOST_OF_FEW: Final = 50
"""How many students are a few: a page of the promotions board. For more, one pass over all sessions is cheaper."""

# The same, with the sessions that were held or are planned, and the numbers of those that each student attended.
# Sessions that share all but the time arrive as one row, with arrays, and without a kind.
TRAINING_AND_SESSIONS: Final = Statement(
    "promotions: training and sessions",
    _TRAINING.format(
        columns=""",
           s.training_class_id, s.min_rank_id,
           (extract(epoch FROM s.starts_at) / 60)::int AS starts,
           (extract(epoch FROM s.ends_at) / 60)::int AS ends,
           CASE WHEN s.status = 'scheduled' THEN row_number() OVER ()::int END AS number""",
        numbers="array_agg(v.number) FILTER (WHERE v.number IS NOT NULL)",
        empty=", NULL::int[], NULL::int[], NULL::uuid, NULL::uuid, NULL::int",
    )
    + """
UNION ALL
SELECT NULL, NULL, string_agg(int4send(s.day), '' ORDER BY s.number), array_agg(s.number ORDER BY s.number),
       s.discipline_id, s.class_type, NULL,
       array_agg(s.starts ORDER BY s.number), array_agg(s.ends ORDER BY s.number),
       s.training_class_id, r.system_id, r.position
FROM session s
LEFT JOIN ranks_rank r ON r.id = s.min_rank_id
WHERE s.number IS NOT NULL
GROUP BY s.discipline_id, s.training_class_id, s.class_type, r.system_id, r.position
""",
)

_OTHER_SYSTEM_LEVEL: Final = 1_000_000
"""The level of sessions that require a rank of another system. No level in this system is as high."""


class SessionKind(NamedTuple):
    """What sessions share that differ only in their date. `minutes` is the length of a session."""

    discipline: str | None
    class_type: str
    minutes: int


class SessionKey(NamedTuple):
    """What sessions share that differ only in their times. `system` and `position` are those of the rank required."""

    discipline: str | None
    class_type: str
    training_class: UUID | None
    """As `EnrolmentPeriod` names it."""
    system: str | None
    position: int | None

    def level_within(self, system: str) -> int:
        """Return the required rank as a level of a rank system: 1 is the lowest rank, 0 is open to all."""
        if self.position is None:
            return 0
        return self.position + 1 if self.system == system else _OTHER_SYSTEM_LEVEL


class SessionTimes(NamedTuple):
    """The sessions of one key, as columns (see `HeldSession`)."""

    days: Sequence[int]
    starts: list[int]
    ends: list[int]
    numbers: list[int]


class TrainingRecords:
    """The sessions that some students attended; with `with_sessions` also all that were held. One statement."""

    def __init__(self, ids: Collection[str], *, with_sessions: bool = False) -> None:
        self.attended: dict[str, set[int]] = {}
        """Student → numbers of sessions, if `with_sessions`. A student who attended none has no entry."""
        self._kinds: dict[int, SessionKind] = {}
        self._visits: dict[str, dict[int, Sequence[int]]] = {}
        """Student → number of the kind → days. A student without any has no entry."""
        self._times: list[tuple[SessionKey, SessionTimes]] = []
        if with_sessions:
            self._read(TRAINING_AND_SESSIONS.rows(uuid_array(ids)))
        elif len(ids) > MOST_OF_FEW:
            self._read(TRAINING.rows(uuid_array(ids)))
        else:
            self._read_of_few(TRAINING_OF_FEW.rows(uuid_array(ids)))

    def _read_of_few(self, rows: Iterable[Row]) -> None:
        numbers: dict[SessionKind, int] = {}
        for student, days, *kind in rows:
            number = numbers.setdefault(SessionKind(*kind), len(numbers))
            self._visits.setdefault(student, {})[number] = _numbers(days)
        self._kinds = {number: kind for kind, number in numbers.items()}

    def _read(self, rows: Iterable[Row]) -> None:
        for student, kind, days, numbers, discipline, class_type, minutes, *times in rows:
            if student is not None:
                self._visits.setdefault(student, {})[kind] = _numbers(days)
                if numbers:
                    self.attended.setdefault(student, set()).update(numbers)
            elif kind is not None:
                self._kinds[kind] = SessionKind(discipline, class_type, minutes)
            else:
                starts, ends, group, *required = times
                key = SessionKey(discipline, class_type, group and UUID(group), *required)
                self._times.append((key, SessionTimes(_numbers(days), starts, ends, numbers)))

    def within(self, discipline: str | None) -> "DisciplineTraining":
        """Return the training as a rank system of this discipline (None: of all disciplines) counts it."""
        return DisciplineTraining(self._kinds, self._visits, discipline)

    def sessions_within(self, system: str, discipline: str | None) -> SessionsHeld:
        """Return the sessions as a rank system of this discipline (None: of all disciplines) counts them.

        There are none without `with_sessions`.
        """
        return SessionsHeld(
            HeldSession(
                day, starts, ends, number, key.training_class, key.class_type, key.level_within(system)
            )
            for key, times in self._times
            if _counts_in(key.discipline, discipline)
            for day, starts, ends, number in zip(*times, strict=True)
        )


class DisciplineTraining:
    """Training as the rank systems of one discipline count it: in the discipline or not."""

    def __init__(
        self,
        kinds: dict[int, SessionKind],
        visits: dict[str, dict[int, Sequence[int]]],
        discipline: str | None,
    ) -> None:
        self._visits = visits
        self._kinds = {
            number: (kind.class_type, _counts_in(kind.discipline, discipline), kind.minutes)
            for number, kind in kinds.items()
        }

    def attendance(self, student: str) -> tuple[Visits, ...]:
        """Return a student's visits."""
        kinds, visits = self._kinds, self._visits.get(student, {})
        return tuple([Visits(*kinds[number], days) for number, days in visits.items()])


def _numbers(sent: bytes) -> Sequence[int]:
    """Return the numbers that `int4send` made bytes of: four for each, the most significant first."""
    numbers = array("i", sent)
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers


def _counts_in(discipline: str | None, wanted: str | None) -> bool:
    """Return whether sessions of a discipline count in `wanted`. For None (no discipline to distinguish), all count."""
    return wanted is None or discipline == wanted
