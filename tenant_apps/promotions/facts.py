"""Fetch the facts that the engine needs, for all students at once: a fixed number of statements."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from tenant_apps.classes.expectations import enrolment_periods
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.promotions.engine import (
    Approval,
    AttendanceUnit,
    DatedFact,
    LeapDayBirthday,
    NamedFact,
    OpeningBalance,
    Points,
    SessionsHeld,
    StudentFacts,
)
from tenant_apps.promotions.queries import (
    EXAM,
    FAILED_TEST,
    HOLD,
    DisciplineTraining,
    FactRow,
    SessionRecords,
    TrainingRecords,
    enrolled_disciplines,
    rank_histories,
    recorded_facts,
)
from tenant_apps.ranks.models import RankSystem
from tenant_apps.students.models import Student, StudentFact

_ARCHIVED: Final = "archived"


class PrefetchedFacts:
    """The facts about some students: fetched in five statements, read by student and rank system.

    `with_sessions`: also the sessions that were held and the enrolments, in two more statements. Only rules that ask
    for a rate of attendance need them.
    """

    def __init__(self, students: Sequence[Student], *, with_sessions: bool = False) -> None:
        ids = [student.pk for student in students]
        settings = DojoSettings.current()
        self.language = settings.language_code
        self._leap_day = LeapDayBirthday(settings.leap_day_birthday)
        self._rank_histories = rank_histories(ids)
        self._training = TrainingRecords(ids)
        self._facts = recorded_facts(ids)
        self._enrolled = enrolled_disciplines(ids)
        self._training_by_discipline: dict[UUID | None, DisciplineTraining] = {}
        self._sessions = SessionRecords(ids) if with_sessions else None
        self._sessions_by_system: dict[UUID, SessionsHeld] = {}
        self._enrolments = enrolment_periods(ids) if with_sessions else {}

    def systems_of(self, student: Student, systems: Sequence[RankSystem]) -> list[RankSystem]:
        """Return the systems in which a student has a rank or an enrolment; if there are none, all of `systems`."""
        enrolled, ranked = self._enrolled[student.pk], self._rank_histories[student.pk]
        found = [
            system
            for system in systems
            if system.pk in ranked or (system.discipline_id and system.discipline_id in enrolled)
        ]
        return found or list(systems)

    def of(self, student: Student, system: RankSystem) -> StudentFacts:
        """Return the facts about a student in a rank system, as the engine takes them."""
        history = self._rank_histories[student.pk].get(system.pk)
        facts = _facts_by_field(
            row for row in self._facts.get(student.pk, ()) if row.system is None or row.system == system.pk
        )
        if self._sessions is not None:
            facts["sessions"] = self._sessions_in(system, self._sessions)
            facts["attended"] = self._sessions.attended.get(student.pk, frozenset())
            facts["enrolments"] = self._enrolments.get(student.pk, ())
        return StudentFacts(
            birth_date=student.birth_date,
            joined_on=student.joined_on,
            active=student.archived_at is None and student.status == Student.Status.ACTIVE,
            status=_ARCHIVED if student.archived_at else student.status,
            rank_events=history.events() if history else (),
            attendance=self._training_in(system).attendance(student.pk),
            leap_day_birthday=self._leap_day,
            **facts,
        )

    def _training_in(self, system: RankSystem) -> DisciplineTraining:
        """Return the training as a rank system counts it. It is the same object for all students."""
        discipline = system.discipline_id
        if discipline not in self._training_by_discipline:
            self._training_by_discipline[discipline] = self._training.within(discipline)
        return self._training_by_discipline[discipline]

    def _sessions_in(self, system: RankSystem, sessions: SessionRecords) -> SessionsHeld:
        """Return the sessions as a rank system counts them. It is the same object for all students."""
        if system.pk not in self._sessions_by_system:
            self._sessions_by_system[system.pk] = sessions.within(system.pk, system.discipline_id)
        return self._sessions_by_system[system.pk]


def _facts_by_field(rows: Iterable[FactRow]) -> dict[str, Any]:
    """Return the recorded facts as the fields of `StudentFacts`."""
    found: dict[str, list[Any]] = {}
    for row in rows:
        field, convert = _CONVERTERS[row.kind]
        found.setdefault(field, []).append(convert(row))
    return {field: tuple(facts) for field, facts in found.items()}


def _to_dated_fact(row: FactRow) -> DatedFact:
    return DatedFact(on=row.on, expires_on=row.expires_on)


def _to_named_fact(row: FactRow) -> NamedFact:
    return NamedFact(which=row.value, on=row.on, expires_on=row.expires_on)


def _to_balance(row: FactRow) -> OpeningBalance:
    """Convert an opening balance. The value is a number of visits, or `{count, unit}`."""
    given = row.value if isinstance(row.value, dict) else {"count": row.value}
    unit = AttendanceUnit(given["unit"]) if "unit" in given else None
    return OpeningBalance(on=row.on, expires_on=row.expires_on, count=given["count"], unit=unit)


def _to_points(row: FactRow) -> Points:
    """Convert points. The value is a number, or `{points, category}` where there are several categories."""
    if isinstance(row.value, dict):
        return Points(on=row.on, expires_on=row.expires_on, **row.value)
    return Points(points=row.value, on=row.on, expires_on=row.expires_on)


_Kind = StudentFact.Kind
_CONVERTERS: Final[Mapping[str, tuple[str, Callable[[FactRow], object]]]] = {
    _Kind.OPENING_ATTENDANCE: ("opening_balances", _to_balance),
    _Kind.POINTS: ("points", _to_points),
    _Kind.SKILL: ("skills", _to_named_fact),
    _Kind.APPROVAL: (
        "approvals",
        lambda row: Approval(which=row.value, on=row.on, expires_on=row.expires_on, by=row.by, role=row.role),
    ),
    _Kind.DOCUMENT: ("documents", _to_named_fact),
    _Kind.CREDENTIAL: ("credentials", _to_named_fact),
    _Kind.ACHIEVEMENT: ("achievements", _to_named_fact),
    _Kind.MEMBERSHIP: ("memberships", _to_dated_fact),
    HOLD: ("holds", _to_dated_fact),
    FAILED_TEST: ("failed_tests", lambda row: row.on),
    EXAM: ("exams", lambda row: row.on),
}
"""For each kind of fact: the field of `StudentFacts` that it belongs to, and the function that converts a row."""
