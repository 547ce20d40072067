"""Fetch the facts that the engine needs, for all students at once: a fixed number of statements."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

from tenant_apps.classes.expectations import enrolment_periods
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
    TrainingRecords,
    enrolled_disciplines,
    rank_histories,
    recorded_facts,
    settings_of_checks,
)
from tenant_apps.ranks.models import RankSystem
from tenant_apps.students.models import Student, StudentFact

_ARCHIVED: Final = "archived"
_ACTIVE: Final = Student.Status.ACTIVE.value


class _InSystem(NamedTuple):
    """A rank system, and what all students share in it."""

    key: str
    training: DisciplineTraining
    sessions: SessionsHeld


class PrefetchedFacts:
    """The facts about some students: fetched in four statements, read by student and rank system.

    `with_sessions`: also the sessions that were held, in the same statements, and the enrolments, in one more. Only
    rules that ask for a rate of attendance need them. `with_disciplines`: also the disciplines of their classes, in one
    more; `systems_of` needs them.
    """

    def __init__(
        self, students: Sequence[Student], *, with_sessions: bool = False, with_disciplines: bool = False
    ) -> None:
        self._keys = {student.id: str(student.id) for student in students}
        ids = self._keys.values()
        self.language, leap_day_birthday = settings_of_checks()
        self._leap_day = LeapDayBirthday(leap_day_birthday)
        self._rank_histories = rank_histories(ids)
        self._training = TrainingRecords(ids, with_sessions=with_sessions)
        self._facts = recorded_facts(ids)
        self._enrolled = enrolled_disciplines(ids) if with_disciplines else {}
        self._enrolments = enrolment_periods(self._keys) if with_sessions else {}
        self._systems: dict[UUID, _InSystem] = {}

    def systems_of(self, student: Student, systems: Sequence[RankSystem]) -> list[RankSystem]:
        """Return the systems in which a student has a rank or an enrolment; if there are none, all of `systems`."""
        key = self._keys[student.id]
        enrolled, ranked = self._enrolled.get(key, ()), self._rank_histories.get(key, {})
        found = [
            system
            for system in systems
            if str(system.pk) in ranked or (system.discipline_id and str(system.discipline_id) in enrolled)
        ]
        return found or list(systems)

    def of(self, student: Student, system: RankSystem) -> StudentFacts:
        """Return the facts about a student in a rank system, as the engine takes them."""
        id_ = student.id
        key, shared = self._keys[id_], self._in(system)
        history = self._rank_histories.get(key, {}).get(shared.key)
        return StudentFacts(
            birth_date=student.birth_date,
            joined_on=student.joined_on,
            active=student.archived_at is None and student.status == _ACTIVE,
            status=_ARCHIVED if student.archived_at else student.status,
            rank_events=history.events() if history else (),
            attendance=shared.training.attendance(key),
            sessions=shared.sessions,
            attended=self._training.attended.get(key, frozenset()),
            enrolments=self._enrolments.get(id_, ()),
            leap_day_birthday=self._leap_day,
            **_facts_by_field(self._facts.get(key, ()), shared.key),
        )

    def _in(self, system: RankSystem) -> _InSystem:
        """Return what students share in a rank system. It is the same object for all students."""
        found = self._systems.get(system.id)
        if found is None:
            key, discipline = str(system.pk), str(system.discipline_id) if system.discipline_id else None
            found = self._systems[system.id] = _InSystem(
                key, self._training.within(discipline), self._training.sessions_within(key, discipline)
            )
        return found


def _facts_by_field(rows: Iterable[FactRow], system: str) -> dict[str, Any]:
    """Return the facts that count in a rank system as the fields of `StudentFacts`."""
    found: dict[str, tuple[Any, ...]] = {}
    for row in rows:
        if row.system is None or row.system == system:
            field, convert = _CONVERTERS[row.kind]
            found[field] = (*found.get(field, ()), convert(row))
    return found


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
