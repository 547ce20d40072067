"""Which rank is held, and for how long, in any order of entry."""

from datetime import date
from itertools import permutations

from tenant_apps.promotions.engine import Eligibility, HistoryEvent, evaluate, rank_held
from tests.promotions.engine.factories import awarded, day, demoted, facts, imported, ladder, result_for

RULES = ladder({"kind": "time_in_rank", "months": 1})


def held(*events: HistoryEvent, as_of: str = "2026-06-01") -> set[str | None]:
    """Return the ranks held for every order of entry: a set of one if the order does not matter."""
    return {rank_held(RULES, facts(*entered), day(as_of)) for entered in permutations(events)}


def test_a_rank_is_held_from_its_date_until_the_next_event() -> None:
    events = awarded("a", "2026-01-01"), awarded("b", "2026-03-01")
    assert held(*events, as_of="2025-12-31") == {None}
    assert held(*events, as_of="2026-01-01") == {"a"}
    assert held(*events, as_of="2026-02-28") == {"a"}
    assert held(*events, as_of="2026-03-01") == {"b"}


def test_of_two_promotions_on_a_day_the_higher_rank_is_held() -> None:
    assert held(awarded("b", "2026-01-01"), awarded("a", "2026-01-01"), awarded("c", "2026-01-01")) == {"c"}


def test_a_demotion_comes_last_on_its_day_and_of_two_the_lower_rank_is_held() -> None:
    assert held(demoted("a", "2026-01-01"), awarded("c", "2026-01-01")) == {"a"}
    assert held(demoted("b", "2026-01-01"), demoted("a", "2026-01-01"), awarded("c", "2026-01-01")) == {"a"}


def test_a_demotion_starts_the_clock_of_the_lower_rank() -> None:
    student = facts(awarded("a", "2020-01-01"), awarded("b", "2021-01-01"), demoted("a", "2026-05-15"))
    assert result_for(RULES, student, "2026-06-01", "b").earliest_on == date(2026, 6, 15)


def test_a_rank_that_the_rules_no_longer_have_is_still_held_but_has_no_steps() -> None:
    student = facts(awarded("a", "2020-01-01"), awarded("old", "2021-01-01"))
    assert rank_held(RULES, student, day("2026-01-01")) == "old"
    assert evaluate(RULES, student, day("2026-01-01")) == ()
    assert (
        result_for(RULES, student, "2026-01-01", "b").criteria[0].message
        == "The rules have no step from old to B."
    )


def test_a_check_for_the_rank_held_says_so() -> None:
    result = result_for(RULES, facts(awarded("a", "2020-01-01")), "2026-01-01", "a")
    assert (result.status, result.step_type) == (Eligibility.NOT_ELIGIBLE, None)
    assert result.criteria[0].message == "Already holds A."


def test_there_is_no_date_after_the_rank_is_left() -> None:
    student = facts(awarded("a", "2026-01-15"), awarded("c", "2026-02-01"))
    assert result_for(RULES, student, "2026-01-20", "b").earliest_on is None


def test_a_check_as_of_a_past_date_uses_the_rank_held_then() -> None:
    student = facts(awarded("a", "2026-01-15"), awarded("b", "2026-04-01"))
    result = result_for(RULES, student, "2026-03-01", "b")
    assert (result.current_rank, result.status, result.earliest_on) == (
        "a",
        Eligibility.ELIGIBLE,
        date(2026, 2, 15),
    )


def test_a_rank_imported_twice_does_not_restart_a_run_of_eligible_days() -> None:
    rules = ladder({"kind": "age", "min": 18})
    student = facts(imported("a", "2020-01-01"), imported("a", "2024-01-01"), born="2004-05-05")
    assert result_for(rules, student, "2025-01-01", "b").earliest_on == date(2022, 5, 5)
