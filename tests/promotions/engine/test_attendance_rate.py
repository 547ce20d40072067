"""The rate of the sessions that were offered to the student."""

from datetime import date
from typing import Any

import pytest

from tenant_apps.promotions.engine import (
    CriterionResult,
    DatedFact,
    Eligibility,
    EnrolmentPeriod,
    HeldSession,
    SessionsHeld,
)
from tenant_apps.ranks.presets import preset
from tests.promotions.engine.factories import (
    awarded,
    day,
    days_in_a_row,
    facts,
    held,
    imported,
    ladder,
    result_for,
    trained,
)

HELD = awarded("a", "2026-01-10")
TEN = days_in_a_row("2026-01-11", 10)


def rate(percent: int = 60, **more: Any) -> dict[str, Any]:
    return {"kind": "attendance_rate", "percent": percent, **more}


def enrolled(training_class: str, first: str = "2020-01-01", last: str = "2030-12-31") -> EnrolmentPeriod:
    return EnrolmentPeriod(training_class, day(first).toordinal(), day(last).toordinal())


def check_criterion(
    criterion: dict[str, Any],
    *sessions: list[HeldSession],
    attended: int | set[int] = 0,
    as_of: str = "2026-01-20",
    **recorded: Any,
) -> CriterionResult:
    """Check a student who attended the first sessions, or those with these numbers."""
    events = recorded.pop("events", (HELD,))
    numbers = frozenset(range(1, attended + 1)) if isinstance(attended, int) else frozenset(attended)
    offered = SessionsHeld(one for several in sessions or (held(TEN),) for one in several)
    student = facts(*events, sessions=offered, attended=numbers, **recorded)
    (result,) = result_for(ladder(criterion), student, as_of, "b").criteria
    return result


@pytest.mark.parametrize(
    ("visits", "have", "status"), [(5, 50, "not_met"), (6, 60, "met"), (0, 0, "not_met")]
)
def test_the_rate_is_the_percentage_of_the_sessions_since_the_rank(
    visits: int, have: int, status: str
) -> None:
    result = check_criterion(rate(), attended=visits)
    assert (result.have, result.status) == (have, status)


def test_a_rate_is_rounded_down() -> None:
    assert check_criterion(rate(67), held(TEN[:3]), attended=2).have == 66


def test_the_day_of_the_rank_and_future_days_do_not_count() -> None:
    sessions = held([HELD.on, *TEN])
    assert check_criterion(rate(), sessions, attended={2}, as_of="2026-01-12").have == 50


def test_a_rate_falls_with_missed_sessions_until_it_is_not_met() -> None:
    early = check_criterion(rate(), attended=4, as_of="2026-01-14")
    assert (early.status, early.earliest_on) == ("met", date(2026, 1, 11))
    assert check_criterion(rate(), attended=4, as_of="2026-01-16").status == "met"
    assert check_criterion(rate(), attended=4, as_of="2026-01-17").status == "not_met"


def test_sessions_for_a_higher_rank_are_neither_offered_nor_counted() -> None:
    higher = held(TEN, first=11, at=20, level=2)
    assert check_criterion(rate(), held(TEN), higher, attended={*range(1, 6), *range(11, 16)}).have == 50


def test_sessions_for_the_lowest_rank_are_offered_to_those_who_hold_it() -> None:
    lowest = held(TEN, first=11, at=20, level=1)
    assert check_criterion(rate(), held(TEN), lowest, attended={*range(1, 6), *range(11, 16)}).have == 50
    assert check_criterion(rate(), held(TEN), lowest, attended=5).have == 25


def test_sessions_for_the_lowest_rank_are_not_offered_to_beginners() -> None:
    sessions = SessionsHeld([*held(TEN), *held(TEN, first=11, at=20, level=1)])
    beginner = facts(joined="2026-01-10", sessions=sessions, attended=frozenset(range(1, 7)))
    assert result_for(preset("kmg-scotland"), beginner, "2026-05-31", "p1").criteria[1].have == 60


@pytest.mark.parametrize("of", ["enrolled", "discipline"])
def test_sessions_at_the_same_time_count_once(of: str) -> None:
    halls = held(TEN, training_class="hall 1"), held(TEN, first=11, training_class="hall 2")
    enrolments = (enrolled("hall 1"), enrolled("hall 2"))
    both = {1, 11, 2, 13, 14, 15, 16}
    result = check_criterion(rate(of=of), *halls, attended=both, enrolments=enrolments)
    assert (result.have, result.status) == (60, "met")


def test_a_session_that_begins_before_another_one_ends_is_at_the_same_time() -> None:
    early, late = held(TEN, at=18), held(TEN, first=11, at=19)
    half_past = [one._replace(starts=one.starts - 30, ends=one.ends - 30) for one in late]
    assert check_criterion(rate(), early, half_past, attended=10).have == 100
    assert check_criterion(rate(), early, late, attended=10).have == 50


def test_only_classes_in_which_the_student_is_enrolled_are_offered() -> None:
    adults, kids = held(TEN, training_class="adults"), held(TEN, first=11, at=16, training_class="kids")
    of_adults = {"attended": 6, "enrolments": (enrolled("adults"),)}
    assert check_criterion(rate(), adults, kids, **of_adults).have == 60
    assert check_criterion(rate(of="discipline"), adults, kids, **of_adults).have == 30
    assert check_criterion(rate(), adults, kids, attended=6).have == 30, "enrolled nowhere: all are offered"
    elsewhere = (enrolled("judo"),)
    assert check_criterion(rate(), adults, kids, attended=6, enrolments=elsewhere).have == 30


def test_enrolments_are_periods() -> None:
    adults, kids = held(TEN, training_class="adults"), held(TEN, first=11, at=16, training_class="kids")
    moved = (enrolled("kids", last="2026-01-13"), enrolled("adults", "2026-01-16"))
    # Three times the kids' class, no one on the 14th and 15th, then five times that of the adults.
    result = check_criterion(rate(), adults, kids, attended={6, 7, 8, 11, 1}, enrolments=moved)
    assert (result.have, result.message.partition(" since")[0]) == (
        50,
        "Attended 4 of the 8 classes offered",
    )


def test_class_types_are_offered_to_those_who_are_enrolled_elsewhere_too() -> None:
    adults = held(TEN, training_class="adults", class_type="adults")
    seminars = held(TEN[:2], first=11, at=10, training_class="seminar", class_type="seminar")
    asked = rate(of="class_types", class_types=["seminar"])
    result = check_criterion(asked, adults, seminars, attended={11}, enrolments=(enrolled("adults"),))
    assert result.have == 50


@pytest.mark.parametrize("of", ["enrolled", "discipline"])
def test_nothing_is_offered_before_the_enrolment_before_joining_and_on_hold(of: str) -> None:
    adults = held(TEN, training_class="adults")
    about = {"criterion": rate(of=of), "attended": {10}}
    since = (enrolled("adults", "2026-01-16"),)
    assert check_criterion(about["criterion"], adults, attended={10}, enrolments=since).have == 20
    joined = check_criterion(
        rate(of=of), adults, attended={10}, enrolments=(enrolled("adults"),), joined="2026-01-17"
    )
    assert joined.have == 25
    hold = (DatedFact(on=day("2026-01-12"), expires_on=day("2026-01-19")),)
    on_hold = check_criterion(
        rate(of=of), adults, attended={10}, enrolments=(enrolled("adults"),), holds=hold
    )
    assert on_hold.have == 50


def test_a_window_counts_the_last_months_only() -> None:
    sessions = held([*days_in_a_row("2025-11-01", 10), *TEN])
    assert check_criterion(rate(window_months=1), sessions, attended=10).have == 0
    assert check_criterion(rate(window_months=3), sessions, attended=10).have == 50
    before_the_rank = check_criterion(rate(window_months=3), sessions, attended=10, as_of="2026-01-11")
    assert (before_the_rank.status, before_the_rank.have) == ("met", 90)


def test_the_rate_is_unknown_if_nothing_was_offered_or_the_training_was_elsewhere() -> None:
    nothing = check_criterion(rate(), [])
    elsewhere = check_criterion(rate(), events=(imported("a", "2026-01-10"),))
    assert [(one.status, one.have) for one in (nothing, elsewhere)] == [("unknown", None)] * 2


def test_a_beginner_counts_from_the_day_of_joining() -> None:
    sessions = held(days_in_a_row("2026-01-30", 22))
    beginner = facts(
        joined="2026-01-31",
        sessions=SessionsHeld(sessions),
        attended=frozenset(range(1, 14)),
        attendance=trained(days_in_a_row("2026-01-30", 13)),
    )
    result = result_for(preset("kmg-scotland"), beginner, "2026-05-31", "p1")
    assert (result.status, result.criteria[1].have) == (Eligibility.NOT_ELIGIBLE, 57)
    assert result.criteria[1].message == (
        "Attended 12 of the 21 classes offered since joining on 31 January 2026: 57%. Needed: 60%."
    )
    assert result_for(preset("kmg-scotland"), facts(), "2026-05-31", "p1").status is Eligibility.UNKNOWN
