"""Fetching what the engine asks about, for all students at once: a fixed number of statements."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from tenant_apps.dojo.models import DojoSettings
from tenant_apps.promotions import fact_rows
from tenant_apps.promotions.engine import (
    Approval,
    DatedFact,
    LeapDayBirthday,
    NamedFact,
    OpeningBalance,
    Points,
    StudentFacts,
)
from tenant_apps.promotions.fact_rows import FactRow
from tenant_apps.promotions.visit_rows import Training, TrainingWithin
from tenant_apps.ranks.models import RankSystem
from tenant_apps.students.models import Student, StudentFact


class FactsOfStudents:
    """The facts about some students, fetched in five statements and read per student and rank system."""

    def __init__(self, students: Sequence[Student]) -> None:
        ids = [student.pk for student in students]
        self._leap_day = LeapDayBirthday(DojoSettings.current().leap_day_birthday)
        self._rank_events = fact_rows.rank_events(ids)
        self._training = Training(ids)
        self._facts = fact_rows.facts(ids)
        self._enrolled = fact_rows.enrolled_disciplines(ids)
        self._training_within: dict[UUID, TrainingWithin] = {}

    def concerned(self, student: Student, systems: Sequence[RankSystem]) -> list[RankSystem]:
        """Return the systems in which a student has a rank or an enrolment; if there are none, all of them."""
        enrolled, ranked = self._enrolled[student.pk], self._rank_events[student.pk]
        mine = [
            system
            for system in systems
            if system.pk in ranked or (system.discipline_id and system.discipline_id in enrolled)
        ]
        return mine or list(systems)

    def of(self, student: Student, system: RankSystem) -> StudentFacts:
        """Return what the engine may ask about a student in a rank system."""
        training = self._in(system)
        history = self._rank_events[student.pk].get(system.pk)
        return StudentFacts(
            birth_date=student.birth_date,
            joined_on=student.joined_on,
            active=student.archived_at is None and student.status == Student.Status.ACTIVE,
            rank_events=history.events() if history else (),
            attendance=training.attendance(student.pk),
            offered=training.offered,
            leap_day_birthday=self._leap_day,
            **_recorded(
                row
                for row in self._facts.get(student.pk, ())
                if row.system is None or row.system == system.pk
            ),
        )

    def _in(self, system: RankSystem) -> TrainingWithin:
        """The same for all students, hence made once."""
        if system.pk not in self._training_within:
            self._training_within[system.pk] = self._training.within(system.pk, system.discipline_id)
        return self._training_within[system.pk]


def _recorded(rows: Iterable[FactRow]) -> dict[str, Any]:
    """What is written down about a student in a rank system, as the fields of `StudentFacts`."""
    found: dict[str, list[Any]] = {}
    for row in rows:
        field, read = _READERS[row.kind]
        found.setdefault(field, []).append(read(row))
    return {field: tuple(facts) for field, facts in found.items()}


def _lasting(row: FactRow) -> DatedFact:
    return DatedFact(on=row.on, expires_on=row.expires_on)


def _named(row: FactRow) -> NamedFact:
    return NamedFact(which=row.value, on=row.on, expires_on=row.expires_on)


def _points(row: FactRow) -> Points:
    """A number, or {points, category} where there are several categories."""
    if isinstance(row.value, dict):
        return Points(on=row.on, expires_on=row.expires_on, **row.value)
    return Points(points=row.value, on=row.on, expires_on=row.expires_on)


_Kind = StudentFact.Kind
_READERS: Final[Mapping[str, tuple[str, Callable[[FactRow], object]]]] = {
    _Kind.OPENING_ATTENDANCE: (
        "opening_balances",
        lambda row: OpeningBalance(on=row.on, expires_on=row.expires_on, count=row.value),
    ),
    _Kind.POINTS: ("points", _points),
    _Kind.SKILL: ("skills", _named),
    _Kind.APPROVAL: (
        "approvals",
        lambda row: Approval(which=row.value, on=row.on, expires_on=row.expires_on, by=row.by, role=row.role),
    ),
    _Kind.DOCUMENT: ("documents", _named),
    _Kind.CREDENTIAL: ("credentials", _named),
    _Kind.ACHIEVEMENT: ("achievements", _named),
    _Kind.MEMBERSHIP: ("memberships", _lasting),
    fact_rows.HOLD: ("holds", _lasting),
    fact_rows.FAILED_TEST: ("failed_tests", lambda row: row.on),
}
"""For each kind, the field of `StudentFacts` that it belongs to, and how a row of it is read."""
