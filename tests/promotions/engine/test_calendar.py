"""Calendar months, month ends, leap days, ages (C2, C3, C4)."""

from datetime import date

import pytest

from tenant_apps.promotions.engine import Eligibility, LeapDayBirthday
from tenant_apps.ranks.definition import parse_definition
from tests.promotions.engine.factories import awarded, facts, ladder, result_for


def wait(months: int, grace_days: int = 0) -> dict[str, object]:
    return {"kind": "time_in_rank", "months": months, "grace_days": grace_days}


@pytest.mark.parametrize(
    ("held_on", "months", "due"),
    [
        ("2024-01-31", 1, "2024-02-29"),
        ("2023-01-31", 1, "2023-02-28"),
        ("2024-02-29", 12, "2025-02-28"),
        ("2024-02-29", 48, "2028-02-29"),
        ("2023-02-28", 12, "2024-02-28"),
        ("2024-08-31", 18, "2026-02-28"),
        ("2024-05-31", 6, "2024-11-30"),
        ("2024-12-15", 1, "2025-01-15"),
        ("2024-05-05", 0, "2024-05-05"),
    ],
)
def test_a_wait_is_counted_in_calendar_months_and_ends_no_later_than_the_month(
    held_on: str, months: int, due: str
) -> None:
    student = facts(awarded("a", held_on))
    assert result_for(ladder(wait(months)), student, due, "b").earliest_on == date.fromisoformat(due)
    (criterion,) = result_for(ladder(wait(months)), student, due, "b").criteria
    assert (criterion.status, criterion.have) == ("met", months)


def test_complete_months_and_the_date_on_which_they_are_enough_are_reported() -> None:
    (criterion,) = result_for(ladder(wait(6)), facts(awarded("a", "2024-08-31")), "2025-02-27", "b").criteria
    assert (criterion.have, criterion.need, criterion.earliest_on) == (5, 6, date(2025, 2, 28))
    assert criterion.message == (
        "5 of 6 months of waiting time since A on 31 August 2024 are complete. It is enough from 28 February 2025 on."
    )


def test_a_wait_is_met_thirty_days_early_if_the_rule_says_so() -> None:
    student = facts(awarded("a", "2020-06-30"))
    assert result_for(ladder(wait(60, 30)), student, "2025-05-30", "b").status is Eligibility.NOT_ELIGIBLE
    early = result_for(ladder(wait(60, 30)), student, "2025-05-31", "b")
    assert (early.status, early.earliest_on) == (Eligibility.ELIGIBLE, date(2025, 5, 31))
    assert early.criteria[0].message == (
        "59 of 60 months of waiting time since A on 30 June 2020 are complete. It may be up to 30 days shorter."
    )


def test_a_wait_is_never_over_before_the_rank_is_held() -> None:
    result = result_for(ladder(wait(0, 30)), facts(awarded("a", "2025-05-31")), "2025-06-05", "b")
    assert result.earliest_on == date(2025, 5, 31)
    assert result.criteria[0].earliest_on == date(2025, 5, 31)


def test_a_wait_beyond_the_end_of_the_calendar_never_ends() -> None:
    result = result_for(ladder(wait(1200)), facts(awarded("a", "9990-01-01")), "9991-01-01", "b")
    assert (result.status, result.earliest_on) == (Eligibility.NOT_ELIGIBLE, None)


@pytest.mark.parametrize(
    ("setting", "birthday"),
    [(LeapDayBirthday.MARCH_1, date(2025, 3, 1)), (LeapDayBirthday.FEBRUARY_28, date(2025, 2, 28))],
)
def test_a_birthday_on_a_leap_day_follows_the_setting_of_the_dojo(
    setting: LeapDayBirthday, birthday: date
) -> None:
    student = facts(awarded("a", "2020-01-01"), born="2008-02-29", leap_day_birthday=setting)
    result = result_for(ladder({"kind": "age", "min": 17}), student, "2025-02-01", "b")
    assert result.earliest_on == birthday
    assert (
        result_for(ladder({"kind": "age", "min": 17}), student, birthday, "b").status is Eligibility.ELIGIBLE
    )


def test_in_a_leap_year_a_leap_day_birthday_is_on_the_leap_day() -> None:
    student = facts(awarded("a", "2020-01-01"), born="2008-02-29")
    assert result_for(ladder({"kind": "age", "min": 16}), student, "2024-02-01", "b").earliest_on == date(
        2024, 2, 29
    )


def test_the_birth_year_age_changes_on_new_years_day() -> None:
    student = facts(awarded("a", "2020-01-01"), born="2010-12-31")
    rules = ladder({"kind": "age", "min": 16, "basis": "birth_year"})
    early = result_for(rules, student, "2025-12-31", "b")
    assert (early.criteria[0].have, early.earliest_on) == (15, date(2026, 1, 1))
    assert result_for(rules, student, "2026-01-01", "b").status is Eligibility.ELIGIBLE


def test_an_upper_bound_includes_the_last_day_before_the_next_birthday() -> None:
    student = facts(awarded("a", "2020-01-01"), born="2010-07-07")
    rules = ladder({"kind": "age", "min": 10, "max": 14})
    assert result_for(rules, student, "2025-07-06", "b").status is Eligibility.ELIGIBLE
    too_old = result_for(rules, student, "2025-07-07", "b")
    assert (too_old.status, too_old.earliest_on) == (Eligibility.NOT_ELIGIBLE, None)
    assert (too_old.criteria[0].have, too_old.criteria[0].need) == (15, 14)


def test_age_without_a_date_of_birth_is_unknown() -> None:
    result = result_for(
        ladder({"kind": "age", "min": 16}), facts(awarded("a", "2020-01-01")), "2025-01-01", "b"
    )
    assert result.status is Eligibility.UNKNOWN
    assert result.criteria[0].message == (
        "The date of birth is not recorded; for this rank, the age must be 16 or more."
    )


def test_without_a_rank_the_wait_runs_from_the_day_of_joining() -> None:
    rules = ladder(wait(3))
    first_step = rules.as_document() | {
        "steps": [{"from": None, "to": "a", "paths": [{"name": "regular", "criteria": [wait(3)]}]}]
    }
    joined = result_for(parse_definition(first_step), facts(joined="2025-01-31"), "2025-02-01", "a")
    assert joined.earliest_on == date(2025, 4, 30)
    assert joined.criteria[0].message == (
        "0 of 3 months of waiting time since joining on 31 January 2025 are complete."
        " It is enough from 30 April 2025 on."
    )
    assert result_for(parse_definition(first_step), facts(), "2025-02-01", "a").status is Eligibility.UNKNOWN
