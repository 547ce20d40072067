"""Two steps to one rank, from a stripe and from the belt it is on, have one result."""

from datetime import date
from typing import Any, Final

import pytest

from tatami import clock
from tatami.jobs import DONE, JobRun
from tatami.tenancy.scope import tenant_scope
from tenant_apps.promotions.batches import run_batches
from tenant_apps.promotions.engine import Eligibility, evaluate
from tenant_apps.promotions.snapshot import take_snapshot
from tenant_apps.ranks.definition import parse_definition
from tenant_apps.students.models import EligibilitySnapshot
from tests.promotions.engine.factories import awarded, day, facts, imported, result_for
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.responses import ok


def step(origin: str, to: str, months: int, **more: Any) -> dict[str, Any]:
    path = {"name": f"{months} months", "criteria": [{"kind": "time_in_rank", "months": months}]}
    return {"from": origin, "to": to, "paths": [path], **more}


BELTS: dict[str, Any] = {
    "format": 1,
    "name": "Belts with a short cut",
    "art": "Brazilian jiu-jitsu",
    "source": "Our own",
    "confidence": "C",
    "ranks": [
        {"code": "blue", "name": "Blue"},
        {"code": "blue-4", "name": "Blue, 4th stripe", "kind": "sub_rank"},
        {"code": "purple", "name": "Purple"},
    ],
    "steps": [step("blue", "purple", 24), step("blue-4", "purple", 12)],
}
RULES = parse_definition(BELTS)
BLUE, STRIPED = awarded("blue", "2024-01-10"), awarded("blue-4", "2024-06-01")


# --- one result -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["purple", None])
def test_a_path_of_one_of_the_two_steps_is_enough(target: str | None) -> None:
    student = facts(BLUE, STRIPED)
    targets = [target] if target else None
    (by_stripe,) = evaluate(RULES, student, day("2025-06-01"), targets=targets)
    assert (by_stripe.status, by_stripe.path) == (Eligibility.ELIGIBLE, "12 months")
    late = facts(BLUE, awarded("blue-4", "2025-12-01"))
    (by_belt,) = evaluate(RULES, late, day("2026-01-10"), targets=targets)
    assert (by_belt.status, by_belt.path, by_belt.earliest_on) == (
        Eligibility.ELIGIBLE,
        "24 months",
        date(2026, 1, 10),
    )


def test_if_no_path_is_met_the_path_of_either_step_that_is_met_first_is_named() -> None:
    result = result_for(RULES, facts(BLUE, STRIPED), "2025-01-01", "purple")
    assert (result.status, result.path, result.earliest_on) == (
        Eligibility.NOT_ELIGIBLE,
        "12 months",
        date(2025, 6, 1),
    )
    assert result.criteria[0].message == (
        "7 of 12 months of waiting time since Blue, 4th stripe on 1 June 2024 are complete."
        " It is enough from 1 June 2025 on."
    )
    late = result_for(RULES, facts(BLUE, awarded("blue-4", "2025-12-01")), "2025-12-31", "purple")
    assert (late.path, late.earliest_on) == ("24 months", date(2026, 1, 10))


def test_paths_of_both_steps_form_one_run_of_eligible_days() -> None:
    result = result_for(RULES, facts(BLUE, STRIPED), "2026-06-01", "purple")
    assert (result.status, result.earliest_on) == (Eligibility.ELIGIBLE, date(2025, 6, 1))


def test_a_stripe_that_is_recorded_twice_does_not_restart_the_run() -> None:
    """The shorter path was met within the first record of the stripe; the wait of the second record is not over."""
    twice = facts(BLUE, STRIPED, imported("blue-4", "2026-02-01"))
    result = result_for(RULES, twice, "2026-06-01", "purple")
    assert (result.status, result.path, result.earliest_on) == (
        Eligibility.ELIGIBLE,
        "24 months",
        date(2025, 6, 1),
    )


def test_a_skip_from_the_belt_has_its_own_result_unless_the_rank_is_named() -> None:
    document = {**BELTS, "steps": [step("blue", "purple", 12, type="skip"), step("blue-4", "purple", 24)]}
    rules, student = parse_definition(document), facts(BLUE, STRIPED)
    unasked = evaluate(rules, student, day("2025-02-01"))
    assert [(one.step_type, one.status) for one in unasked] == [
        ("promote", Eligibility.NOT_ELIGIBLE),
        ("skip", Eligibility.ELIGIBLE),
    ]
    named = result_for(rules, student, "2025-02-01", "purple")
    assert (named.status, named.path, named.step_type) == (Eligibility.ELIGIBLE, "12 months", "skip")


# --- over HTTP, in batches and exams --------------------------------------------------------------------------


OPEN: Final = {
    "by the belt": ("2024-06-01", "2026-01-01"),
    "by the stripe": ("2025-01-01", "2025-06-01"),
    "by both": ("2024-01-01", "2025-06-01"),
}
"""Since when the belt and the stripe are held: the student is eligible for purple today."""


class StripedStudent:
    """A student with four stripes who is eligible for purple."""

    def __init__(self, dojo: Dojo, way: str) -> None:
        self.dojo = dojo
        self.system = dojo.create("/rank-systems", BELTS)
        self.student = factories.student(dojo)
        for code, since in zip(("blue", "blue-4"), OPEN[way], strict=True):
            factories.rank_event(dojo, self.student, self.rank(code), since)

    def rank(self, code: str) -> str:
        return factories.rank_id(self.system, code)

    def check(self, **more: Any) -> list[dict[str, Any]]:
        body = {"students": [self.student["id"]], **more}
        return list(ok(self.dojo.admin.post("/promotions/check", body))["results"])

    def held(self) -> str:
        (rank,) = ok(self.dojo.admin.get(f"/students/{self.student['id']}"))["ranks"]
        return str(rank["code"])


@pytest.fixture(params=OPEN)
def striped(dojo: Dojo, request: pytest.FixtureRequest) -> StripedStudent:
    return StripedStudent(dojo, request.param)


def test_a_check_has_one_result_with_and_without_the_rank_named(striped: StripedStudent) -> None:
    (unasked,) = striped.check()
    (named,) = striped.check(target_rank=striped.rank("purple"))
    assert unasked == named
    assert named["status"] == "eligible"


def test_the_snapshot_contains_the_rank_once(striped: StripedStudent) -> None:
    with tenant_scope(striped.dojo.tenant):
        for _ in range(2):
            assert take_snapshot(JobRun(now=clock.now())) is DONE
        assert [one.status for one in EligibilitySnapshot.objects.all()] == ["eligible"]


def test_a_batch_finds_one_rank_to_award(striped: StripedStudent) -> None:
    factories.batch(striped.dojo, striped.student)
    with tenant_scope(striped.dojo.tenant):
        while run_batches(JobRun(now=clock.now())) is not DONE:
            pass
    assert striped.held() == "purple"


def test_an_award_takes_the_step_that_is_open(striped: StripedStudent) -> None:
    (asked,) = striped.check()
    body = {"student": striped.student["id"], "target_rank": striped.rank("purple")}
    event = ok(striped.dojo.admin.post("/promotions", body), 201)
    decision = ok(striped.dojo.admin.get(f"/rank-events/{event['id']}/decision"))
    assert (decision["status"], decision["path"], decision["criteria"]) == (
        "eligible",
        asked["path"],
        asked["criteria"],
    )


def test_an_exam_awards_the_student_that_a_check_finds_eligible(striped: StripedStudent) -> None:
    exam = factories.exam(striped.dojo, striped.system, "2026-06-15")
    (one,) = striped.dojo.create(f"/exams/{exam['id']}/candidates", {"filter": {}})["results"]
    body = {"results": [{"candidate": one["id"], "outcome": "passed"}]}
    ok(striped.dojo.admin.post(f"/exams/{exam['id']}/results", body))
    ok(striped.dojo.admin.post(f"/exams/{exam['id']}/finish"))
    assert striped.held() == "purple"
