"""Students who meet all criteria of a path well before a day, except one that changes on exactly that day."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, NamedTuple

from dateutil.relativedelta import relativedelta

from tenant_apps.promotions.engine import (
    Approval,
    DatedFact,
    HistoryEvent,
    NamedFact,
    Points,
    RankEventKind,
    SessionsHeld,
    StudentFacts,
)
from tenant_apps.ranks.criteria import (
    AchievementWon,
    Activity,
    Age,
    Approved,
    AttendanceCount,
    AttendanceRate,
    CredentialHeld,
    Criterion,
    DocumentHandedIn,
    GoodStanding,
    PointsEarned,
    RankHeldBefore,
    RetestGap,
    SubRanks,
    TimeInRank,
)
from tenant_apps.ranks.definition import Path, RankDefinition, Step
from tests.promotions.engine.factories import held, trained

DUE = date(2030, 1, 1)
"""The day on which the deciding criterion changes: a New Year's Day, as birth-year ages require."""


class Boundary(NamedTuple):
    """One criterion of one path, and whether it opens the step on DUE or closes it."""

    rules: RankDefinition
    step: Step
    path: Path
    deciding: Criterion
    closes: bool = False


@dataclass
class StudentBuilder:
    """Collects the facts of a student; `held_on` is the day of the rank held, or of joining."""

    case: Boundary
    facts: dict[str, Any] = field(default_factory=dict)
    held_on: date = DUE

    def add(self, name: str, *values: object) -> None:
        self.facts[name] = (*self.facts.get(name, ()), *values)

    def decides(self, criterion: Criterion) -> bool:
        return criterion is self.case.deciding

    def when(self, criterion: Criterion) -> date:
        """Return the date of a fact: well after the rank, or DUE for the deciding criterion."""
        return (
            DUE
            if self.decides(criterion)
            else max(self.held_on + timedelta(days=1), DUE - timedelta(days=30))
        )


def student_due_on(case: Boundary, *, but: Criterion | None = None) -> StudentFacts:
    """Return the facts of a student who meets all criteria of a path, the deciding one on DUE; `but` is not met."""
    student = StudentBuilder(case, held_on=_held_on(case))
    student.facts["joined_on"] = student.held_on
    if case.step.origin is not None:
        student.add("rank_events", HistoryEvent(case.step.origin, RankEventKind.AWARD, student.held_on))
    # Ages first: facts that require a certain age are dated by the birth date.
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
    # Received at 16 or 17, the rank was held for more than a year when an age of 18 counts by the calendar year.
    before = [one for one in case.path.criteria if isinstance(one, RankHeldBefore)]
    more = (
        14
        if isinstance(case.deciding, GoodStanding) and any(case.step.origin in one.ranks for one in before)
        else 2
    )
    return min(DUE - relativedelta(months=months + more), DUE - timedelta(days=days + 60))


def _wait(student: StudentBuilder, wait: TimeInRank) -> None:
    if wait.active_only is Activity.MEMBER:
        student.add("memberships", DatedFact(on=student.held_on - timedelta(days=100)))
    if wait.applies_if is not None:
        assert wait.applies_if == Age(max=13)
        age = 10 if student.decides(wait) else 30
        student.facts["birth_date"] = DUE - relativedelta(years=age, months=6)


def _age(student: StudentBuilder, age: Age) -> None:
    decides = student.decides(age)
    if decides and student.case.closes:
        assert age.max is not None
        student.facts["birth_date"] = DUE - relativedelta(years=age.max + 1)
    elif age.min is not None:
        # Old enough not to be a juvenile at the rank held now, young enough to need the shorter path.
        longest = 30 if age.max is None else min(30, 12 * (age.max - age.min))
        months = 0 if decides else longest
        student.facts["birth_date"] = DUE - relativedelta(years=age.min, months=months)
    else:
        assert age.max is not None
        student.facts["birth_date"] = DUE - relativedelta(years=age.max)


def _attendance(student: StudentBuilder, count: AttendanceCount) -> None:
    last = DUE if student.decides(count) else DUE - timedelta(days=30)
    if isinstance(student.case.deciding, TimeInRank):
        last = student.held_on + timedelta(days=count.n)
    student.add("attendance", *trained([last - timedelta(days=n) for n in range(count.n)], minutes=90))


def _rate(student: StudentBuilder, rate: AttendanceRate) -> None:
    """Add twenty sessions. The student must attend the last one to reach the rate."""
    last = DUE if student.decides(rate) else student.held_on + timedelta(days=20)
    days = [last - timedelta(days=n) for n in range(20)]
    student.facts["sessions"] = SessionsHeld(held(days))
    student.facts["attended"] = frozenset(range(1, -(-rate.percent // 5) + 1))


def _held_before(student: StudentBuilder, before: RankHeldBefore) -> None:
    age = before.registered_at_age
    birth = student.facts.get("birth_date")
    if student.case.step.origin in before.ranks:
        # The rank held now is the required one, received at that age.
        if not isinstance(student.case.deciding, Age):
            assert age is not None
            student.facts["birth_date"] = student.held_on - relativedelta(years=age.max or 0)
        return
    on = student.held_on - relativedelta(months=1)
    if age is not None and birth is not None:
        on = min(on, birth + relativedelta(years=age.min or 0))
    student.add("rank_events", HistoryEvent(before.ranks[0], RankEventKind.AWARD, on))


def _named(name: str) -> Any:
    def meet(student: StudentBuilder, criterion: Any) -> None:
        student.add(name, NamedFact(which=criterion.which, on=student.when(criterion)))

    return meet


def _standing(student: StudentBuilder, standing: GoodStanding) -> None:
    if student.decides(standing):
        student.add("holds", DatedFact(on=DUE - timedelta(days=9), expires_on=DUE - timedelta(days=1)))


def _points(student: StudentBuilder, points: PointsEarned) -> None:
    student.add("points", Points(points=points.n, on=student.when(points)))


def _gap(student: StudentBuilder, gap: RetestGap) -> None:
    if student.decides(gap):
        student.add("failed_tests", DUE - relativedelta(months=gap.months))


def _approved(student: StudentBuilder, approved: Approved) -> None:
    for number in range(approved.count):
        on, role = student.when(approved), approved.by or "instructor"
        student.add("approvals", Approval(which=approved.which, on=on, by=f"approver {number}", role=role))


def _stripes(student: StudentBuilder, stripes: SubRanks) -> None:
    held = student.case.step.origin
    for code, sub_rank in student.case.rules.sub_ranks.items():
        if sub_rank.of == held and sub_rank.number <= stripes.n:
            last = student.decides(stripes) and sub_rank.number == stripes.n
            on = DUE if last else student.held_on + timedelta(days=sub_rank.number)
            student.add("rank_events", HistoryEvent(code, RankEventKind.AWARD, on))


_MEET: dict[type[Criterion], Any] = {
    TimeInRank: _wait,
    Age: _age,
    SubRanks: _stripes,
    AttendanceCount: _attendance,
    AttendanceRate: _rate,
    RankHeldBefore: _held_before,
    DocumentHandedIn: _named("documents"),
    CredentialHeld: _named("credentials"),
    AchievementWon: _named("achievements"),
    PointsEarned: _points,
    Approved: _approved,
    GoodStanding: _standing,
    RetestGap: _gap,
}
