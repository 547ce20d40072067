"""The rate of the sessions offered for the student's level."""

from datetime import date
from typing import Any

import pytest

from tenant_apps.promotions.engine import CriterionResult, Eligibility, OfferedSessions, Visits
from tenant_apps.ranks.presets import preset
from tests.promotions.engine.factories import (
    awarded,
    days_in_a_row,
    facts,
    imported,
    ladder,
    result_for,
    trained,
)

HELD = awarded("a", "2026-01-10")
TEN = tuple(on.toordinal() for on in days_in_a_row("2026-01-11", 10))


def rate(percent: int = 60, **more: Any) -> dict[str, Any]:
    return {"kind": "attendance_rate", "percent": percent, **more}


def came(number: int, first: str = "2026-01-11", level: int = 0) -> tuple[Visits, ...]:
    days = tuple(on.toordinal() for on in days_in_a_row(first, number))
    return (Visits("regular", in_discipline=True, minutes=60, days=days, level=level),)


def check_criterion(criterion: dict[str, Any], as_of: str = "2026-01-20", **recorded: Any) -> CriterionResult:
    events = recorded.pop("events", (HELD,))
    recorded.setdefault("offered", (OfferedSessions(days=TEN),))
    (result,) = result_for(ladder(criterion), facts(*events, **recorded), as_of, "b").criteria
    return result


@pytest.mark.parametrize(
    ("visits", "have", "status"), [(5, 50, "not_met"), (6, 60, "met"), (0, 0, "not_met")]
)
def test_the_rate_is_the_percentage_of_the_sessions_since_the_rank(
    visits: int, have: int, status: str
) -> None:
    result = check_criterion(rate(), attendance=came(visits))
    assert (result.have, result.status) == (have, status)


def test_a_rate_is_rounded_down() -> None:
    three = (OfferedSessions(days=TEN[:3]),)
    assert check_criterion(rate(67), offered=three, attendance=came(2)).have == 66


def test_the_day_of_the_rank_and_future_days_do_not_count() -> None:
    on_the_day = (OfferedSessions(days=(HELD.on.toordinal(), *TEN)),)
    assert check_criterion(rate(), "2026-01-12", offered=on_the_day, attendance=came(1)).have == 50


def test_a_rate_falls_with_missed_sessions_until_it_is_not_met() -> None:
    early = check_criterion(rate(), "2026-01-14", attendance=came(4))
    assert (early.status, early.earliest_on) == ("met", date(2026, 1, 11))
    assert check_criterion(rate(), "2026-01-16", attendance=came(4)).status == "met"
    assert check_criterion(rate(), "2026-01-17", attendance=came(4)).status == "not_met"


def test_sessions_for_a_higher_rank_are_neither_offered_nor_counted() -> None:
    higher = (OfferedSessions(days=TEN), OfferedSessions(days=TEN, level=2))
    assert check_criterion(rate(), offered=higher, attendance=came(5) + came(5, level=2)).have == 50


def test_sessions_for_the_lowest_rank_are_offered_to_those_who_hold_it() -> None:
    both = (OfferedSessions(days=TEN), OfferedSessions(days=TEN, level=1))
    assert check_criterion(rate(), offered=both, attendance=came(5) + came(5, level=1)).have == 50
    assert check_criterion(rate(), offered=both, attendance=came(5)).have == 25


def test_sessions_for_the_lowest_rank_are_not_offered_to_beginners() -> None:
    rules = preset("kmg-scotland")
    lowest = (OfferedSessions(days=TEN), OfferedSessions(days=TEN, level=1))
    beginner = facts(joined="2026-01-10", offered=lowest, attendance=came(6))
    assert result_for(rules, beginner, "2026-05-31", "p1").criteria[1].have == 60


def test_another_discipline_does_not_count() -> None:
    judo = trained(days_in_a_row("2026-01-11", 10), in_discipline=False)
    assert check_criterion(rate(), attendance=judo).have == 0


def test_a_window_counts_the_last_months_only() -> None:
    earlier = tuple(on.toordinal() for on in days_in_a_row("2025-11-01", 10))
    sessions = (OfferedSessions(days=(*earlier, *TEN)),)
    visits = came(10, "2025-11-01")
    assert check_criterion(rate(window_months=1), offered=sessions, attendance=visits).have == 0
    assert check_criterion(rate(window_months=3), offered=sessions, attendance=visits).have == 50
    before_the_rank = check_criterion(
        rate(window_months=3), "2026-01-11", offered=sessions, attendance=visits
    )
    assert (before_the_rank.status, before_the_rank.have) == ("met", 90)


@pytest.mark.parametrize("recorded", [{"offered": ()}, {"events": (imported("a", "2026-01-10"),)}])
def test_the_rate_is_unknown_if_nothing_was_offered_or_the_training_was_elsewhere(recorded: Any) -> None:
    result = check_criterion(rate(), **recorded)
    assert (result.status, result.have) == ("unknown", None)


def test_a_beginner_counts_from_the_day_of_joining() -> None:
    days = days_in_a_row("2026-02-01", 20)
    offered = (OfferedSessions(days=tuple(on.toordinal() for on in days)),)
    beginner = facts(joined="2026-01-31", offered=offered, attendance=trained(days[:12]))
    result = result_for(preset("kmg-scotland"), beginner, "2026-05-31", "p1")
    assert (result.status, result.earliest_on) == (Eligibility.ELIGIBLE, date(2026, 5, 31))
    assert (
        result.criteria[1].message == "Attended 60 % of the classes offered for this level; 60 % are needed."
    )
    assert result_for(preset("kmg-scotland"), facts(), "2026-05-31", "p1").status is Eligibility.UNKNOWN
