"""For every criterion of every step of every preset: one day short, and exactly due."""

from datetime import date, timedelta
from typing import NamedTuple

import pytest
from dateutil.relativedelta import relativedelta

from tenant_apps.promotions.engine import DocumentFact, Eligibility, RankEvent, RankEventKind, StudentFacts
from tenant_apps.ranks.criteria import Age, AgeBasis, AttendanceCount, Criterion, DocumentHandedIn, TimeInRank
from tenant_apps.ranks.definition import Path, RankDefinition, Step
from tenant_apps.ranks.presets import presets
from tests.promotions.engine_facts import ask, trained


class Boundary(NamedTuple):
    rules: RankDefinition
    step: Step
    path: Path
    deciding: Criterion


BOUNDARIES = [
    pytest.param(
        Boundary(rules, step, path, deciding),
        id=f"{key}-{step.origin}-to-{step.to}-{path.name}-{deciding.kind}",
    )
    for key, rules in presets().items()
    for step in rules.steps
    for path in step.paths
    for deciding in path.criteria
]

DUE = date(2030, 1, 1)
"""When the deciding criterion turns: a New Year's Day, as birth-year ages do."""


def student_due_on(case: Boundary) -> StudentFacts:
    """All criteria of the path are met well before DUE but the deciding one, which turns on that very day."""
    months = sum(criterion.months for criterion in case.path.criteria if isinstance(criterion, TimeInRank))
    days = sum(criterion.n for criterion in case.path.criteria if isinstance(criterion, AttendanceCount))
    if isinstance(case.deciding, TimeInRank):
        held_on = DUE - relativedelta(months=months)
    else:
        held_on = min(DUE - relativedelta(months=months + 2), DUE - timedelta(days=days + 60))
    events = () if case.step.origin is None else (RankEvent(case.step.origin, RankEventKind.AWARD, held_on),)
    birth_date, attendance, documents = None, [], []
    for criterion in case.path.criteria:
        decides = criterion is case.deciding
        match criterion:
            case Age(min=int(least)):
                birth_date = DUE - relativedelta(years=least, months=0 if decides else 6)
            case Age(max=int(most)):
                birth_date = DUE - relativedelta(years=most + 1 if decides else most)
            case AttendanceCount(n=count):
                last = DUE if decides else DUE - timedelta(days=30)
                if isinstance(case.deciding, TimeInRank):
                    last = held_on + timedelta(days=count)
                attendance = [last - timedelta(days=number) for number in range(count)]
            case DocumentHandedIn(which=which):
                documents = [DocumentFact(which, DUE if decides else held_on + timedelta(days=1))]
    return StudentFacts(
        birth_date=birth_date,
        rank_events=events,
        attendance=trained(attendance),
        documents=tuple(documents),
    )


def is_upper_bound(criterion: Criterion) -> bool:
    return isinstance(criterion, Age) and criterion.min is None


@pytest.mark.parametrize("case", BOUNDARIES)
def test_a_step_opens_or_closes_on_the_very_day(case: Boundary) -> None:
    student = student_due_on(case)
    day_before = ask(case.rules, student, DUE - timedelta(days=1), case.step.to)
    on_the_day = ask(case.rules, student, DUE, case.step.to)
    short, due = (on_the_day, day_before) if is_upper_bound(case.deciding) else (day_before, on_the_day)

    assert due.status is Eligibility.ELIGIBLE
    assert due.path == case.path.name
    assert short.status is Eligibility.NOT_ELIGIBLE
    assert [c.kind for c in short.criteria if c.status != "met"] == [case.deciding.kind]
    assert short.earliest_on == (None if is_upper_bound(case.deciding) else DUE)


def test_the_boundaries_cover_every_step_that_asks_for_anything() -> None:
    asked = {(boundary.values[0].rules.name, boundary.values[0].step) for boundary in BOUNDARIES}
    unasked = {(rules.name, s) for rules in presets().values() for s in rules.steps} - asked
    assert [(name, step.to) for name, step in unasked] == [("IBJJF adult belts", "white")]


def test_birth_year_age_is_used_by_ibjjf_alone() -> None:
    by_birth_year = {
        rules.name
        for rules in presets().values()
        for step in rules.steps
        for path in step.paths
        for criterion in path.criteria
        if isinstance(criterion, Age) and criterion.basis is AgeBasis.BIRTH_YEAR
    }
    assert by_birth_year == {"IBJJF adult belts"}
