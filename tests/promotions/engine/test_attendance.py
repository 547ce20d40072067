"""What counts as attendance, from when, and when it is not known (C5, C6)."""

from datetime import date
from typing import Any

import pytest

from tenant_apps.promotions.engine import CriterionResult, Eligibility, OpeningBalance, StudentFacts
from tests.promotions.engine.factories import (
    awarded,
    balance,
    converted,
    day,
    days_in_a_row,
    facts,
    imported,
    ladder,
    result_for,
    trained,
)

HELD = awarded("a", "2026-01-01")


def count(n: int, unit: str = "day", **more: Any) -> dict[str, Any]:
    return {"kind": "attendance_count", "n": n, "unit": unit, **more}


def check_criterion(
    criterion: dict[str, Any], student: StudentFacts, as_of: str = "2026-06-01"
) -> CriterionResult:
    (result,) = result_for(ladder(criterion), student, as_of, "b").criteria
    return result


def test_the_as_of_date_counts_and_the_day_after_it_does_not() -> None:
    student = facts(HELD, attendance=trained([day("2026-06-01"), day("2026-06-02")]))
    assert check_criterion(count(2), student, "2026-06-01").have == 1
    assert check_criterion(count(2), student, "2026-06-02").have == 2


def test_future_attendance_that_completes_the_count_gives_the_earliest_date() -> None:
    student = facts(HELD, attendance=trained(days_in_a_row("2026-02-01", 3)))
    assert check_criterion(count(3), student, "2026-02-01").earliest_on == date(2026, 2, 3)
    assert check_criterion(count(4), student, "2026-02-01").earliest_on is None


def test_every_session_counts_and_a_day_counts_once() -> None:
    student = facts(HELD, attendance=trained([day("2026-02-01")] * 3 + [day("2026-02-02")]))
    assert check_criterion(count(9, "session"), student).have == 4
    assert check_criterion(count(9), student).have == 2


def test_at_most_max_per_day_sessions_of_a_day_count() -> None:
    student = facts(HELD, attendance=trained([day("2026-02-01")] * 3 + [day("2026-02-02")]))
    assert check_criterion(count(9, "session", max_per_day=2), student).have == 3


def test_hours_are_minutes_by_sixty_rounded_down() -> None:
    student = facts(HELD, attendance=trained(days_in_a_row("2026-02-01", 4), minutes=45))
    assert check_criterion(count(3, "hour"), student).status == "met"
    short = check_criterion(count(3, "hour"), student, "2026-02-03")
    assert (short.have, short.status) == (2.25, "not_met")
    almost = facts(HELD, attendance=trained([day("2026-02-01")], minutes=59))
    assert check_criterion(count(1, "hour"), almost).have == 0.98
    more_than_nine_tenths = facts(HELD, attendance=trained([day("2026-02-01")], minutes=55))
    assert check_criterion(count(1, "hour"), more_than_nine_tenths).have == 0.91


def test_of_the_hours_of_a_day_the_longest_sessions_count() -> None:
    sessions = trained([day("2026-02-01")], minutes=60) + trained([day("2026-02-01")] * 2, minutes=90)
    student = facts(HELD, attendance=sessions)
    assert check_criterion(count(9, "hour", max_per_day=2), student).have == 3


def test_sessions_that_are_too_short_do_not_count() -> None:
    sessions = trained([day("2026-02-01")], minutes=60) + trained([day("2026-02-02")], minutes=59)
    for unit in ("day", "session"):
        assert check_criterion(count(9, unit, min_minutes=60), facts(HELD, attendance=sessions)).have == 1


def test_only_the_named_class_types_count() -> None:
    sessions = trained([day("2026-02-01")], class_type="sparring") + trained([day("2026-02-02")])
    student = facts(HELD, attendance=sessions, opening_balances=(balance("2026-03-01", 50),))
    result = check_criterion(count(9, class_types=["sparring"]), student)
    assert result.have == 1
    assert result.message == (
        "1 of 9 days of training since A on 1 January 2026. 8 more are needed."
        " Only classes of this type count: sparring."
    )


def test_other_disciplines_count_only_if_the_criterion_says_so() -> None:
    sessions = trained([day("2026-02-01")], in_discipline=False) + trained([day("2026-02-02")])
    student = facts(HELD, attendance=sessions)
    assert check_criterion(count(9), student).have == 1
    assert check_criterion(count(9, any_discipline=True), student).have == 2


def test_attendance_since_ever_includes_the_time_before_the_rank() -> None:
    student = facts(HELD, attendance=trained(days_in_a_row("2025-12-31", 3)))
    assert check_criterion(count(9, since="ever"), student).have == 3
    assert check_criterion(count(9), student).have == 1


def test_an_opening_balance_is_added_from_its_date_on() -> None:
    student = facts(
        HELD,
        attendance=trained(days_in_a_row("2026-02-01", 5)),
        opening_balances=(balance("2026-02-03", 10),),
    )
    assert check_criterion(count(99), student, "2026-02-02").have == 2
    assert check_criterion(count(99), student, "2026-02-03").have == 13
    assert check_criterion(count(13), student, "2026-02-01").earliest_on == date(2026, 2, 3)


@pytest.mark.parametrize("unit", ["day", "session", "hour"])
def test_an_opening_balance_counts_until_it_expires(unit: str) -> None:
    student = facts(
        HELD,
        attendance=trained(days_in_a_row("2026-02-01", 5)),
        opening_balances=(balance("2026-01-10", 10, "2026-02-03", unit=unit),),
    )
    have = [check_criterion(count(99, unit), student, f"2026-02-0{on}").have for on in (2, 3, 4, 9)]
    assert have == [12, 13, 4, 5]
    early, late = (check_criterion(count(12, unit), student, on) for on in ("2026-01-31", "2026-02-04"))
    assert (early.status, early.earliest_on) == ("not_met", date(2026, 2, 2))
    assert (late.status, late.earliest_on) == ("not_met", None)
    assert check_criterion(count(12, unit), student, "2026-02-03").status == "met"
    assert check_criterion(count(5, unit), student, "2026-02-04").earliest_on == date(2026, 2, 5)


def test_a_balance_that_expires_between_visits_is_subtracted() -> None:
    student = facts(
        HELD,
        attendance=trained([day("2026-03-01"), day("2026-03-02")]),
        opening_balances=(balance("2026-01-10", 2, "2026-02-01"), balance("2026-01-11", 1)),
    )
    assert [check_criterion(count(3), student, on).have for on in ("2026-02-01", "2026-02-02")] == [3, 1]
    assert check_criterion(count(3), student, "2026-02-02").earliest_on == date(2026, 3, 2)
    assert check_criterion(count(3), student, "2026-01-20").earliest_on == date(2026, 1, 11)


def test_an_expired_balance_still_makes_the_count_known() -> None:
    student = facts(imported("a", "2026-01-01"), opening_balances=(balance("2026-01-02", 9, "2026-02-01"),))
    expired = check_criterion(count(9), student, "2026-02-02")
    assert (expired.status, expired.have, expired.earliest_on) == ("not_met", 0, None)


def test_a_balance_on_the_day_of_an_import_counts_but_on_the_day_of_an_award_it_does_not() -> None:
    balances = (balance("2026-01-01", 10),)
    with_import = facts(imported("a", "2026-01-01"), opening_balances=balances)
    assert check_criterion(count(99), with_import, "2026-01-01").have == 10
    assert check_criterion(count(99), facts(HELD, opening_balances=balances)).have == 0
    assert check_criterion(count(99, since="ever"), facts(HELD, opening_balances=balances)).have == 10


@pytest.mark.parametrize(("unit", "have"), [("day", 11), ("session", 12), ("hour", 12)])
def test_the_day_of_the_rank_does_not_count_beside_a_balance_either(unit: str, have: int) -> None:
    sessions = trained([day("2026-01-01")] * 3 + [day("2026-01-02")] * 2)
    student = facts(HELD, attendance=sessions, opening_balances=(balance("2026-01-05", 10, unit=unit),))
    assert check_criterion(count(99, unit), student).have == have


def test_a_balance_from_before_the_rank_does_not_count() -> None:
    student = facts(imported("a", "2026-01-01"), opening_balances=(balance("2025-12-31", 10),))
    assert check_criterion(count(99), student).status == "unknown"


@pytest.mark.parametrize("brought", [imported("a", "2026-01-01"), converted("a", "2026-01-01")])
def test_after_a_rank_from_elsewhere_a_visit_does_not_make_the_record_complete(brought: Any) -> None:
    assert check_criterion(count(9), facts(brought)).status == "unknown"
    once = check_criterion(count(9), facts(brought, attendance=trained([day("2026-03-01")])))
    assert (once.status, once.have) == ("unknown", None)
    enough = facts(brought, attendance=trained(days_in_a_row("2026-03-01", 9)))
    assert check_criterion(count(9), enough, "2026-03-09").status == "met", "enough is enough"
    assert check_criterion(count(9), enough, "2026-03-08").status == "unknown"
    complete = facts(
        brought,
        attendance=trained([day("2026-03-01")]),
        opening_balances=(balance("2026-02-28", 0),),
    )
    result = check_criterion(count(9), complete)
    assert (result.status, result.have) == ("not_met", 1)


@pytest.mark.parametrize(
    ("first_visit", "status", "have"),
    [("2025-11-11", "not_met", 0), ("2026-01-01", "not_met", 0), ("2026-01-02", "not_met", 1)],
)
def test_a_record_that_reaches_back_to_the_rank_is_complete(first_visit: str, status: str, have: int) -> None:
    student = facts(imported("a", "2026-01-01"), attendance=trained([day(first_visit)]))
    result = check_criterion(count(9), student)
    assert (result.status, result.have) == (status, have)


def test_attendance_in_another_discipline_does_not_make_the_count_known() -> None:
    student = facts(imported("a", "2026-01-01"), attendance=trained([day("2026-03-01")], in_discipline=False))
    assert check_criterion(count(9), student).status == "unknown"


def test_a_balance_of_zero_makes_the_count_known() -> None:
    student = facts(imported("a", "2026-01-01"), opening_balances=(balance("2026-01-02", 0),))
    assert (check_criterion(count(9), student).status, check_criterion(count(9), student).have) == (
        "not_met",
        0,
    )


def test_a_rank_awarded_here_without_attendance_is_a_known_zero() -> None:
    result = check_criterion(count(40), facts(HELD))
    assert (result.status, result.have) == ("not_met", 0)


def test_unknown_attendance_beside_an_unmet_age_is_not_eligible_and_both_are_reported() -> None:
    rules = ladder(count(9), {"kind": "age", "min": 99})
    result = result_for(rules, facts(imported("a", "2026-01-01"), born="2000-01-01"), "2026-06-01", "b")
    assert result.status is Eligibility.NOT_ELIGIBLE
    assert [c.status for c in result.criteria] == ["unknown", "not_met"]
    assert result.earliest_on is None


def test_a_negative_balance_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        OpeningBalance(on=date(2026, 1, 1), count=-1)
