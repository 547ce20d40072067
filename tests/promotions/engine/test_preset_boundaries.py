"""For every criterion of every step of every preset: one day short, and exactly due."""

from collections.abc import Iterator
from datetime import date, timedelta

import pytest

from tenant_apps.promotions.engine import Eligibility
from tenant_apps.ranks.criteria import Age, AgeBasis, Approved, GoodStanding, RankHeldBefore
from tenant_apps.ranks.presets import presets
from tests.promotions.engine.boundary_students import DUE, Boundary, student_due_on
from tests.promotions.engine.factories import awarded, facts, result_for

THE_DAY_BEFORE = DUE - timedelta(days=1)


def boundaries() -> Iterator[Boundary]:
    for rules in presets().values():
        for step in rules.steps:
            for path in step.paths:
                for deciding in path.criteria:
                    case = Boundary(rules, step, path, deciding)
                    if not isinstance(deciding, Age):
                        yield case
                        continue
                    if deciding.min is not None:
                        yield case
                    if deciding.max is not None:
                        yield case._replace(closes=True)


def name_of(case: Boundary) -> str:
    edge = "closes" if case.closes else "opens"
    return (
        f"{case.rules.name}-{case.step.origin}-to-{case.step.to}-{case.path.name}-{case.deciding.kind}-{edge}"
    )


DATED = [case for case in boundaries() if not isinstance(case.deciding, RankHeldBefore)]
PAST_RANKS = [case for case in boundaries() if isinstance(case.deciding, RankHeldBefore)]


@pytest.mark.parametrize("case", DATED, ids=name_of)
def test_a_step_opens_or_closes_on_exactly_the_due_day(case: Boundary) -> None:
    student = student_due_on(case)
    days = (DUE, THE_DAY_BEFORE) if case.closes else (THE_DAY_BEFORE, DUE)
    short, due = (result_for(case.rules, student, day, case.step.to) for day in days)

    assert due.status is Eligibility.ELIGIBLE
    assert due.path == case.path.name
    assert short.status is Eligibility.NOT_ELIGIBLE
    if short.path == case.path.name:
        assert {c.kind for c in short.criteria if c.status != "met"} == {case.deciding.kind}
    assert short.earliest_on == (None if case.closes else DUE)


@pytest.mark.parametrize("case", PAST_RANKS, ids=name_of)
def test_a_path_that_requires_an_earlier_rank_is_closed_without_it(case: Boundary) -> None:
    """This criterion does not change on a day: the earlier rank was held, or it was not."""
    with_it = result_for(case.rules, student_due_on(case), DUE, case.step.to)
    assert (with_it.status, with_it.path) == (Eligibility.ELIGIBLE, case.path.name)
    if case.step.origin not in case.deciding.ranks:  # type: ignore[attr-defined]
        without = result_for(case.rules, student_due_on(case, but=case.deciding), DUE, case.step.to)
        assert without.status is Eligibility.NOT_ELIGIBLE


def test_every_path_asks_for_standing_and_all_but_the_first_belt_for_something_else() -> None:
    """Where a rule book gives no number, a person decides: the preset asks for an approval."""
    paths = [
        (rules, step, path) for rules in presets().values() for step in rules.steps for path in step.paths
    ]
    assert all(GoodStanding() in path.criteria for _, _, path in paths)
    nothing_else = [(rules.name, step.to) for rules, step, path in paths if len(path.criteria) == 1]
    assert nothing_else == [("IBJJF belts, adults and kids", "white")]
    decided = {
        step.to for rules, step, path in paths if any(isinstance(one, Approved) for one in path.criteria)
    }
    assert {"grey", "green-black", "blue"} < decided


def test_every_path_has_a_boundary() -> None:
    opened = {(case.rules.name, case.step.origin, case.step.to, case.path.name) for case in boundaries()}
    every = {
        (rules.name, step.origin, step.to, path.name)
        for rules in presets().values()
        for step in rules.steps
        for path in step.paths
        if path.criteria
    }
    assert opened == every


def test_only_these_presets_use_the_birth_year_age() -> None:
    by_birth_year = {
        case.rules.name
        for case in boundaries()
        if isinstance(case.deciding, Age) and case.deciding.basis is AgeBasis.BIRTH_YEAR
    }
    assert by_birth_year == {
        "IBJJF belts, adults and kids",
        "IBJJF kids, quarterly stripes",
        "DJB kyu grades",
    }


@pytest.mark.parametrize(("received", "born", "opens"), [
    ("2029-06-01", 2014, False), ("2029-06-01", 2013, True), ("2029-06-01", 2012, True), ("2029-06-01", 2011, False),
])  # fmt: skip
def test_a_juvenile_blue_belt_is_one_received_in_the_years_of_sixteen_and_seventeen(
    received: str, born: int, opens: bool
) -> None:
    student = facts(awarded("blue", received), born=date(born, 12, 31).isoformat())
    result = result_for(presets()["ibjjf-adult"], student, received, "purple")
    assert (result.status is Eligibility.ELIGIBLE) is opens
