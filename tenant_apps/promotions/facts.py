"""Fetch the facts that the engine needs, for all students at once: a fixed number of statements."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from tenant_apps.dojo.models import DojoSettings
from tenant_apps.promotions.engine import (
    Approval,
    DatedFact,
    LeapDayBirthday,
    NamedFact,
    OpeningBalance,
    Points,
    StudentFacts,
)
from tenant_apps.promotions.queries import (
    FAILED_TEST,
    HOLD,
    FactRow,
    SystemTraining,
    TrainingRecords,
    enrolled_disciplines,
    rank_histories,
    recorded_facts,
)
from tenant_apps.ranks.models import RankSystem
from tenant_apps.students.models import Student, StudentFact


class PrefetchedFacts:
    """The facts about some students: fetched in five statements, read by student and rank system."""

    def __init__(self, students: Sequence[Student]) -> None:
        ids = [student.pk for student in students]
        self._leap_day = LeapDayBirthday(DojoSettings.current().leap_day_birthday)
        self._rank_histories = rank_histories(ids)
        self._training = TrainingRecords(ids)
        self._facts = recorded_facts(ids)
        self._enrolled = enrolled_disciplines(ids)
        self._training_by_system: dict[UUID, SystemTraining] = {}

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
        training = self._training_in(system)
        history = self._rank_histories[student.pk].get(system.pk)
        return StudentFacts(
            birth_date=student.birth_date,
            joined_on=student.joined_on,
            active=student.archived_at is None and student.status == Student.Status.ACTIVE,
            rank_events=history.events() if history else (),
            attendance=training.attendance(student.pk),
            offered=training.offered,
            leap_day_birthday=self._leap_day,
            **_facts_by_field(
                row
                for row in self._facts.get(student.pk, ())
                if row.system is None or row.system == system.pk
            ),
        )

    def _training_in(self, system: RankSystem) -> SystemTraining:
        """Return the training as a rank system counts it. It is the same object for all students."""
        if system.pk not in self._training_by_system:
            self._training_by_system[system.pk] = self._training.within(system.pk, system.discipline_id)
        return self._training_by_system[system.pk]


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


def _to_points(row: FactRow) -> Points:
    """Convert points. The value is a number, or `{points, category}` where there are several categories."""
    if isinstance(row.value, dict):
        return Points(on=row.on, expires_on=row.expires_on, **row.value)
    return Points(points=row.value, on=row.on, expires_on=row.expires_on)


_Kind = StudentFact.Kind
_CONVERTERS: Final[Mapping[str, tuple[str, Callable[[FactRow], object]]]] = {
    _Kind.OPENING_ATTENDANCE: (
        "opening_balances",
        lambda row: OpeningBalance(on=row.on, expires_on=row.expires_on, count=row.value),
    ),
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
}
"""For each kind of fact: the field of `StudentFacts` that it belongs to, and the function that converts a row."""
