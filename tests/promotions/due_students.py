"""Students who meet a path's criteria well before a day, but for one that turns on that very day."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, NamedTuple

from dateutil.relativedelta import relativedelta

from tenant_apps.promotions.engine import (
    DatedFact,
    NamedFact,
    OfferedSessions,
    Points,
    RankEvent,
    RankEventKind,
    StudentFacts,
)
from tenant_apps.ranks.criteria import (
    AchievementWon,
    Activity,
    Age,
    AttendanceCount,
    AttendanceRate,
    CredentialHeld,
    Criterion,
    DocumentHandedIn,
    PointsEarned,
    RankHeldBefore,
    RetestGap,
    TimeInRank,
)
from tenant_apps.ranks.definition import Path, RankDefinition, Step
from tests.promotions.engine_facts import trained

DUE = date(2030, 1, 1)
"""When the deciding criterion turns: a New Year's Day, as birth-year ages do."""


class Boundary(NamedTuple):
    """One criterion of one path, and whether it opens the step on DUE or closes it."""

    rules: RankDefinition
    step: Step
    path: Path
    deciding: Criterion
    closes: bool = False


@dataclass
class StudentInTheMaking:
    """Collects the facts; `held_on` is the day of the rank held, or of joining."""

    case: Boundary
    facts: dict[str, Any] = field(default_factory=dict)
    held_on: date = DUE

    def add(self, name: str, *values: object) -> None:
        self.facts[name] = (*self.facts.get(name, ()), *values)

    def decides(self, criterion: Criterion) -> bool:
        return criterion is self.case.deciding

    def when(self, criterion: Criterion) -> date:
        """The day from which a dated fact is there: well after the rank, unless it decides."""
        return (
            DUE
            if self.decides(criterion)
            else max(self.held_on + timedelta(days=1), DUE - timedelta(days=30))
        )


def student_due_on(case: Boundary, *, but: Criterion | None = None) -> StudentFacts:
    """The facts of a student to whom all criteria of a path open, the deciding one on DUE; `but` is left out."""
    student = StudentInTheMaking(case, held_on=_held_on(case))
    student.facts["joined_on"] = student.held_on
    if case.step.origin is not None:
        student.add("rank_events", RankEvent(case.step.origin, RankEventKind.AWARD, student.held_on))
    # Ages first: what must have happened at a certain age is dated by the birth.
    for criterion in sorted(case.path.criteria, key=lambda one: not isinstance(one, Age)):
        if criterion is not but:
            _MEET[type(criterion)](student, criterion)
    return StudentFacts(**student.facts)


def _held_on(case: Boundary) -> date:
    waits = [one for one in case.path.criteria if isinstance(one, TimeInRank)]
    if isinstance(case.deciding, TimeInRank):
        return DUE + timedelta(days=case.deciding.grace_days) - relativedelta(months=case.deciding.months)
    months = sum(wait.months for wait in waits) + sum(
        one.months for one in case.path.criteria if isinstance(one, RetestGap)
    )
    days = sum(one.n for one in case.path.criteria if isinstance(one, AttendanceCount))
    return min(DUE - relativedelta(months=months + 2), DUE - timedelta(days=days + 60))


def _wait(student: StudentInTheMaking, wait: TimeInRank) -> None:
    if wait.active_only is Activity.MEMBER:
        student.add("memberships", DatedFact(on=student.held_on - timedelta(days=100)))
    if wait.applies_if is not None:
        assert wait.applies_if == Age(max=13)
        age = 10 if student.decides(wait) else 30
        student.facts["birth_date"] = DUE - relativedelta(years=age, months=6)


def _age(student: StudentInTheMaking, age: Age) -> None:
    decides = student.decides(age)
    if decides and student.case.closes:
        assert age.max is not None
        student.facts["birth_date"] = DUE - relativedelta(years=age.max + 1)
    elif age.min is not None:
        # Long enough ago not to have been a juvenile with the rank held now, not so long as to need no short cut.
        months = 0 if decides else 30
        student.facts["birth_date"] = DUE - relativedelta(years=age.min, months=months)
    else:
        assert age.max is not None
        student.facts["birth_date"] = DUE - relativedelta(years=age.max)


def _attendance(student: StudentInTheMaking, count: AttendanceCount) -> None:
    last = DUE if student.decides(count) else DUE - timedelta(days=30)
    if isinstance(student.case.deciding, TimeInRank):
        last = student.held_on + timedelta(days=count.n)
    student.add("attendance", *trained([last - timedelta(days=n) for n in range(count.n)], minutes=90))


def _rate(student: StudentInTheMaking, rate: AttendanceRate) -> None:
    """Ten sessions, to the last of which she must come."""
    last = DUE if student.decides(rate) else student.held_on + timedelta(days=20)
    days = [last - timedelta(days=n) for n in range(10)]
    student.add("offered", OfferedSessions(days=sorted(day.toordinal() for day in days)))
    student.add("attendance", *trained(days[: rate.percent // 10]))


def _held_before(student: StudentInTheMaking, held: RankHeldBefore) -> None:
    age = held.registered_at_age
    birth = student.facts.get("birth_date")
    if student.case.step.origin in held.ranks:
        # The rank held itself, received at that age.
        if not isinstance(student.case.deciding, Age):
            assert age is not None
            student.facts["birth_date"] = student.held_on - relativedelta(years=age.max or 0)
        return
    on = student.held_on - relativedelta(months=1)
    if age is not None and birth is not None:
        on = min(on, birth + relativedelta(years=age.min or 0))
    student.add("rank_events", RankEvent(held.ranks[0], RankEventKind.AWARD, on))


def _named(name: str) -> Any:
    def meet(student: StudentInTheMaking, criterion: Any) -> None:
        student.add(name, NamedFact(which=criterion.which, on=student.when(criterion)))

    return meet


def _points(student: StudentInTheMaking, points: PointsEarned) -> None:
    student.add("points", Points(points=points.n, on=student.when(points)))


def _gap(student: StudentInTheMaking, gap: RetestGap) -> None:
    if student.decides(gap):
        student.add("failed_tests", DUE - relativedelta(months=gap.months))


_MEET: dict[type[Criterion], Any] = {
    TimeInRank: _wait,
    Age: _age,
    AttendanceCount: _attendance,
    AttendanceRate: _rate,
    RankHeldBefore: _held_before,
    DocumentHandedIn: _named("documents"),
    CredentialHeld: _named("credentials"),
    AchievementWon: _named("achievements"),
    PointsEarned: _points,
    RetestGap: _gap,
}
