"""From when a waiting time runs, which of its days count, and for which students it applies."""

from datetime import date
from typing import Any

import pytest

from tenant_apps.promotions.engine import CriterionResult, DatedFact, Eligibility, NamedFact
from tenant_apps.ranks.definition import RankDefinition, parse_definition
from tenant_apps.ranks.presets import preset
from tests.promotions.engine.factories import (
    awarded,
    converted,
    day,
    days_in_a_row,
    facts,
    imported,
    ladder,
    result_for,
    trained,
)

HELD = awarded("a", "2024-01-31")


def span(on: str, until: str | None = None) -> DatedFact:
    return DatedFact(on=day(on), expires_on=None if until is None else day(until))


def only(rules: RankDefinition, student: Any, as_of: str) -> CriterionResult:
    (criterion,) = result_for(rules, student, as_of, "b").criteria
    return criterion


def wait(months: int, **more: Any) -> RankDefinition:
    return ladder({"kind": "time_in_rank", "months": months, **more})


def step_with(rules: RankDefinition, **settings: str) -> RankDefinition:
    document = rules.as_document()
    document["steps"][1].update(settings)
    return parse_definition(document)


# --- days that count ------------------------------------------------------------------------------------------


def test_a_hold_during_the_wait_changes_nothing_unless_the_rule_says_so() -> None:
    student = facts(HELD, holds=(span("2024-03-01", "2024-03-10"),))
    assert result_for(wait(6), student, "2024-02-01", "b").earliest_on == date(2024, 7, 31)


def test_each_day_on_hold_extends_an_active_wait_by_a_day() -> None:
    student = facts(HELD, holds=(span("2024-03-01", "2024-03-10"),))
    rules = wait(6, active_only="not_on_hold")
    assert result_for(rules, student, "2024-02-01", "b").earliest_on == date(2024, 8, 10)
    short = only(rules, student, "2024-08-09")
    assert (short.status, short.have, short.need) == ("not_met", 5, 6)
    assert short.message == (
        "5 of 6 months of waiting time since A on 31 January 2024 are complete. Time on hold does not count."
        " It is enough from 10 August 2024 on."
    )
    assert only(rules, student, "2024-08-10").status == "met"


def test_with_an_open_ended_hold_there_is_no_date() -> None:
    student = facts(HELD, holds=(span("2024-03-01"),))
    result = result_for(wait(6, active_only="not_on_hold"), student, "2030-01-01", "b")
    assert (result.status, result.earliest_on) == (Eligibility.NOT_ELIGIBLE, None)


def test_a_hold_after_the_wait_changes_nothing() -> None:
    student = facts(HELD, holds=(span("2024-09-01"),))
    assert only(wait(6, active_only="not_on_hold"), student, "2024-10-01").status == "met"


def test_only_days_within_a_membership_count_if_membership_is_required() -> None:
    rules = wait(12, active_only="member")
    student = facts(
        awarded("a", "2024-01-01"), memberships=(span("2024-01-01", "2024-06-30"), span("2024-08-01"))
    )
    assert result_for(rules, student, "2024-02-01", "b").earliest_on == date(2025, 2, 1)
    on_hold_too = facts(
        *student.rank_events, memberships=student.memberships, holds=(span("2024-07-30", "2024-08-02"),)
    )
    assert result_for(rules, on_hold_too, "2024-02-01", "b").earliest_on == date(2025, 2, 3)


def test_membership_that_was_never_recorded_is_unknown() -> None:
    criterion = only(wait(12, active_only="member"), facts(HELD), "2030-01-01")
    assert (criterion.status, criterion.have) == ("unknown", None)


def test_an_ibjjf_degree_counts_affiliated_years_and_requires_a_recent_certificate() -> None:
    certificate = NamedFact(which="Referee certificate", on=day("2022-02-09"))
    student = facts(
        awarded("black", "2020-01-10"),
        memberships=(span("2019-01-01", "2020-12-31"), span("2021-02-01")),
        credentials=(certificate,),
    )
    rules = preset("ibjjf-adult")
    assert (
        result_for(rules, student, "2023-01-15", "black-1").earliest_on is None
    )  # expires before the wait is over
    recent = facts(
        *student.rank_events,
        memberships=student.memberships,
        credentials=(NamedFact(which="referee-certificate", on=day("2023-02-01")),),
    )
    assert result_for(rules, recent, "2023-01-15", "black-1").earliest_on == date(2023, 2, 10)
    assert result_for(rules, recent, "2024-02-01", "black-1").status is Eligibility.ELIGIBLE
    assert result_for(rules, recent, "2024-02-02", "black-1").status is Eligibility.NOT_ELIGIBLE


# --- which students it applies to -----------------------------------------------------------------------------


def dkv(student: Any, as_of: str) -> Any:
    return result_for(preset("dkv-germany"), student, as_of, "8-kyu")


def test_children_wait_longer_until_they_are_fourteen() -> None:
    held = awarded("9-kyu", "2026-01-10")
    assert dkv(facts(held, born="2000-01-01"), "2026-04-10").status is Eligibility.ELIGIBLE
    child = dkv(facts(held, born="2015-01-01"), "2026-04-10")
    assert (child.status, child.earliest_on) == (Eligibility.NOT_ELIGIBLE, date(2026, 6, 10))
    turns_fourteen = dkv(facts(held, born="2012-05-01"), "2026-04-10")
    assert turns_fourteen.earliest_on == date(2026, 5, 1)


def test_a_wait_that_does_not_apply_says_so() -> None:
    adult = dkv(facts(awarded("9-kyu", "2026-01-10"), born="2000-01-01"), "2026-04-10")
    assert adult.criteria[1].message == (
        "A waiting time of 5 months applies only to students aged under 14. So there is no waiting time here."
    )
    assert (adult.criteria[1].status, adult.criteria[1].need) == ("met", None)


def test_without_a_date_of_birth_the_longer_wait_is_enough_and_before_it_the_answer_is_unknown() -> None:
    student = facts(awarded("9-kyu", "2026-01-10"))
    early = dkv(student, "2026-04-10")
    assert (early.status, early.criteria[1].status) == (Eligibility.UNKNOWN, "unknown")
    assert early.criteria[1].message == (
        "A waiting time of 5 months applies only to students aged under 14."
        " Whether it applies is not known, because the date of birth is not recorded."
    )
    assert dkv(student, "2026-06-10").status is Eligibility.ELIGIBLE


@pytest.mark.parametrize(
    ("condition", "applies"),
    [
        ({"kind": "rank_held_before", "ranks": ["c"]}, True),
        ({"kind": "rank_held_before", "ranks": ["b"]}, False),
        ({"kind": "achievement", "which": "champion"}, True),
        ({"kind": "achievement", "which": "champion", "at_rank": "a"}, False),
    ],
)
def test_a_wait_may_depend_on_earlier_ranks_and_achievements(
    condition: dict[str, Any], applies: bool
) -> None:
    student = facts(
        awarded("c", "2020-01-01"), HELD, achievements=(NamedFact(which="Champion", on=day("2021-01-01")),)
    )
    criterion = only(wait(24, applies_if=condition), student, "2024-06-01")
    assert (criterion.status == "not_met") is applies


# --- the event from which it runs -----------------------------------------------------------------------------


def conversion(clock: str) -> RankDefinition:
    document = ladder(
        {"kind": "time_in_rank", "months": 12},
        {"kind": "attendance_count", "n": 3, "unit": "day"},
    ).as_document()
    document["steps"].append(
        {
            "from": "c",
            "to": "a",
            "type": "convert",
            "clock": clock,
            "paths": [{"name": "regular", "criteria": []}],
        }
    )
    return parse_definition(document)


def test_a_clock_that_carries_keeps_the_training() -> None:
    student = facts(
        awarded("c", "2023-01-01"),
        converted("a", "2024-01-01"),
        attendance=trained(days_in_a_row("2023-05-01", 3)),
    )
    assert result_for(conversion("carries"), student, "2024-01-01", "b").status is Eligibility.ELIGIBLE
    restarted = result_for(conversion("restarts"), student, "2024-01-01", "b")
    assert [c.have for c in restarted.criteria] == [0, 0]


def test_a_conversion_of_a_rank_from_elsewhere_starts_a_new_clock() -> None:
    student = facts(converted("a", "2024-01-01"))
    assert result_for(conversion("carries"), student, "2024-06-01", "b").criteria[0].have == 5


def test_a_failed_test_restarts_a_count_that_runs_from_the_last_test() -> None:
    rules = preset("us-aikido-federation")
    days = days_in_a_row("2026-01-11", 45)
    student = facts(imported("6-kyu", "2026-01-10"), attendance=trained(days))
    assert result_for(rules, student, "2026-03-01", "5-kyu").status is Eligibility.ELIGIBLE
    failed = facts(*student.rank_events, attendance=student.attendance, failed_tests=(day("2026-02-20"),))
    on_the_day = result_for(rules, failed, "2026-02-20", "5-kyu")
    assert (on_the_day.criteria[0].have, on_the_day.status) == (41, Eligibility.ELIGIBLE)
    after = result_for(rules, failed, "2026-03-01", "5-kyu")
    assert (after.criteria[0].have, after.status, after.earliest_on) == (4, Eligibility.NOT_ELIGIBLE, None)


def test_a_waiting_time_may_run_from_the_last_test_too() -> None:
    rules = step_with(wait(3), anchor="last_test")
    student = facts(HELD, failed_tests=(day("2024-04-10"),))
    assert result_for(rules, facts(HELD), "2024-02-01", "b").earliest_on == date(2024, 4, 30)
    assert result_for(rules, student, "2024-02-01", "b").earliest_on == date(2024, 7, 10)
    assert result_for(rules, student, "2024-04-11", "b").earliest_on == date(2024, 7, 10)


@pytest.mark.parametrize(("since", "have"), [("rank", 4), ("last_test", 2), ("enrolment", 5), ("ever", 6)])
def test_attendance_counts_from_the_event_that_is_named(since: str, have: int) -> None:
    rules = ladder({"kind": "attendance_count", "n": 9, "unit": "day", "since": since})
    days = ["2023-12-01", "2024-01-30", "2024-02-01", "2024-03-01", "2024-05-01", "2024-05-02"]
    student = facts(
        HELD, joined="2024-01-01", attendance=trained(map(day, days)), failed_tests=(day("2024-04-10"),)
    )
    assert only(rules, student, "2024-06-01").have == have


def test_attendance_since_joining_is_unknown_without_the_day_of_joining() -> None:
    rules = ladder({"kind": "attendance_count", "n": 9, "unit": "day", "since": "enrolment"})
    assert only(rules, facts(HELD), "2024-06-01").status == "unknown"


# --- other waits ----------------------------------------------------------------------------------------------


def test_a_failed_test_can_be_repeated_after_three_months() -> None:
    rules = ladder({"kind": "retest_gap", "months": 3})
    student = facts(HELD, failed_tests=(day("2024-01-15"), day("2024-03-31")))
    assert only(rules, student, "2024-03-31").status == "met"
    blocked = only(rules, student, "2024-04-01")
    assert (blocked.status, blocked.have, blocked.earliest_on) == ("not_met", 0, date(2024, 6, 30))
    assert blocked.message == (
        "A test was failed on 31 March 2024; there is a waiting time of 3 months."
        " The next one is possible from 30 June 2024 on."
    )
    assert only(rules, student, "2024-06-30").status == "met"
    assert only(rules, facts(HELD), "2024-04-01").message == (
        "There is no failed test, so there is no waiting time after one."
    )


def test_total_training_time_runs_from_joining_or_from_the_first_rank() -> None:
    rules = ladder({"kind": "total_training_time", "months": 24})
    assert only(rules, facts(HELD, joined="2023-01-31"), "2024-02-01").earliest_on == date(2025, 1, 31)
    assert only(rules, facts(HELD, joined="2024-05-01"), "2024-06-01").earliest_on == date(2026, 1, 31)
    first = parse_definition(
        rules.as_document()
        | {"steps": [{"from": None, "to": "a", "paths": rules.as_document()["steps"][1]["paths"]}]}
    )
    assert result_for(first, facts(), "2024-06-01", "a").status is Eligibility.UNKNOWN


@pytest.mark.parametrize(
    ("left_on", "met"), [("2021-06-30", False), ("2021-07-01", False), ("2021-07-02", True)]
)
def test_an_earlier_rank_may_have_to_be_held_for_some_months(left_on: str, met: bool) -> None:
    rules = ladder({"kind": "rank_held_before", "ranks": ["c"], "min_months": 6})
    student = facts(awarded("c", "2021-01-01"), awarded("a", left_on))
    assert (only(rules, student, "2024-01-01").status == "met") is met
