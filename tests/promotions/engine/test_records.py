"""Recorded facts: points, achievements, skills, approvals, credentials, events and holds."""

from datetime import date
from typing import Any

import pytest

from tenant_apps.promotions.engine import Approval, CriterionResult, DatedFact, NamedFact, Points
from tests.promotions.engine.factories import awarded, day, facts, handed_in, ladder, result_for, trained

HELD = awarded("a", "2026-01-10")


def check_criterion(criterion: dict[str, Any], as_of: str = "2026-06-01", **recorded: Any) -> CriterionResult:
    events = recorded.pop("events", (HELD,))
    (result,) = result_for(ladder(criterion), facts(*events, **recorded), as_of, "b").criteria
    return result


def named(which: str, on: str, expires_on: str | None = None) -> NamedFact:
    return NamedFact(which=which, on=day(on), expires_on=None if expires_on is None else day(expires_on))


def points(on: str, number: float, category: str = "", expires_on: str | None = None) -> Points:
    until = None if expires_on is None else day(expires_on)
    return Points(on=day(on), points=number, category=category, expires_on=until)


def approval(on: str, by: str = "Ono", role: str = "instructor", which: str = "exam") -> Approval:
    return Approval(which=which, on=day(on), by=by, role=role)


def test_points_are_added_up_from_the_day_after_the_rank_until_they_expire() -> None:
    earned = (
        points("2026-01-10", 5),
        points("2026-01-11", 2),
        points("2026-03-01", 1.5, expires_on="2026-04-30"),
    )
    criterion = {"kind": "points", "n": 3}
    assert check_criterion(criterion, "2026-02-01", points=earned).earliest_on == date(2026, 3, 1)
    met = check_criterion(criterion, "2026-04-30", points=earned)
    assert (met.status, met.have, met.message) == (
        "met",
        3.5,
        "Points since A on 10 January 2026: 3.5. Needed: 3.",
    )
    expired = check_criterion(criterion, "2026-05-01", points=earned)
    assert (expired.status, expired.have, expired.earliest_on) == ("not_met", 2, None)


def test_points_of_another_category_do_not_count_where_one_is_named() -> None:
    earned = (points("2026-02-01", 4, "shiai"), points("2026-02-01", 4, "Kata"), points("2026-02-02", 9))
    assert check_criterion({"kind": "points", "n": 5, "category": "kata"}, points=earned).have == 4
    assert check_criterion({"kind": "points", "n": 5}, points=earned).have == 17


@pytest.mark.parametrize("written", ["Adult World Champion", "adult-world-champion", "ADULT_WORLD  champion"])
def test_an_achievement_is_recognised_in_any_spelling(written: str) -> None:
    criterion = {"kind": "achievement", "which": "adult-world-champion"}
    assert check_criterion(criterion, achievements=(named(written, "2020-01-01"),)).status == "met"
    assert (
        check_criterion(criterion, achievements=(named("world champion", "2020-01-01"),)).status == "not_met"
    )


def test_an_achievement_may_have_to_be_won_at_a_rank() -> None:
    criterion = {"kind": "achievement", "which": "champion", "at_rank": "a"}
    on_the_day = check_criterion(criterion, achievements=(named("champion", "2026-01-10"),))
    assert (on_the_day.status, on_the_day.message) == ("met", "Champion: achieved as A.")
    before = check_criterion(criterion, achievements=(named("champion", "2026-01-09"),))
    assert (before.status, before.message) == ("not_met", "Champion: not achieved as A.")


def test_all_skills_are_needed_and_those_shown_are_counted() -> None:
    criterion = {"kind": "skills", "which": ["ukemi", "kata"]}
    one = check_criterion(criterion, skills=(named("Ukemi", "2020-01-01"), named("ukemi", "2021-01-01")))
    assert (one.status, one.have, one.need) == ("not_met", 1, 2)
    both = (named("ukemi", "2020-01-01"), named("kata", "2026-05-01", "2026-06-30"))
    assert check_criterion(criterion, skills=both).earliest_on == date(2026, 5, 1)
    assert check_criterion(criterion, "2026-07-01", skills=both).status == "not_met"


def test_an_approval_counts_after_the_day_of_the_rank() -> None:
    criterion = {"kind": "approval", "which": "exam"}
    assert check_criterion(criterion, approvals=(approval("2026-01-10"),)).status == "not_met"
    assert check_criterion(criterion, approvals=(approval("2026-01-11"),)).status == "met"
    assert (
        check_criterion(criterion, approvals=(approval("2026-01-11", which="seminar"),)).status == "not_met"
    )


def test_several_different_people_of_a_role_may_have_to_approve() -> None:
    criterion = {"kind": "approval", "which": "exam", "by": "admin", "count": 2}
    twice_one = (approval("2026-02-01", "Ono", "admin"), approval("2026-02-02", "Ono", "admin"))
    assert check_criterion(criterion, approvals=twice_one).have == 1
    other_role = (*twice_one, approval("2026-02-03", "Abe"))
    assert check_criterion(criterion, approvals=other_role).have == 1
    two = check_criterion(criterion, approvals=(*other_role, approval("2026-02-04", "Ito", "admin")))
    assert (two.status, two.have, two.earliest_on) == ("met", 2, date(2026, 2, 4))


@pytest.mark.parametrize(("as_of", "status"), [("2026-02-28", "met"), ("2026-03-01", "not_met")])
def test_a_credential_must_not_be_older_than_its_maximum_age(as_of: str, status: str) -> None:
    criterion = {"kind": "credential", "which": "first-aid", "max_age_months": 12}
    assert check_criterion(criterion, as_of, credentials=(named("First aid", "2025-02-28"),)).status == status


def test_a_credential_of_any_age_counts_until_it_expires() -> None:
    criterion = {"kind": "credential", "which": "first-aid"}
    held = (named("first-aid", "2001-01-01", "2026-06-01"),)
    assert check_criterion(criterion, "2026-06-01", credentials=held).status == "met"
    assert check_criterion(criterion, "2026-06-02", credentials=held).status == "not_met"


def test_events_are_sessions_of_that_type_and_achievements_of_that_name_one_a_day() -> None:
    criterion = {"kind": "event_count", "event": "seminar", "n": 3}
    sessions = trained(
        [day("2026-01-10"), day("2026-02-01"), day("2026-02-01")], class_type="Seminar", in_discipline=False
    )
    elsewhere = (
        named("seminar", "2026-02-01"),
        named("seminar", "2026-03-01"),
        named("champion", "2026-03-02"),
    )
    assert check_criterion(criterion, attendance=sessions, achievements=elsewhere).have == 2


def test_events_per_year_count_for_twelve_months() -> None:
    criterion = {"kind": "event_count", "event": "seminar", "n": 2, "window_months": 12}
    attended = (named("seminar", "2025-02-28"), named("seminar", "2025-12-01"))
    assert check_criterion(criterion, "2026-02-27", achievements=attended).status == "met"
    later = check_criterion(criterion, "2026-02-28", achievements=attended)
    assert (later.status, later.have, later.earliest_on) == ("not_met", 1, None)
    assert later.message == "Seminar: 1 in the last 12 months. Needed: 2."


@pytest.mark.parametrize("window", [{}, {"window_months": 12}])
def test_an_event_counts_until_its_record_expires(window: dict[str, int]) -> None:
    criterion = {"kind": "event_count", "event": "seminar", "n": 2, **window}
    attended = (named("seminar", "2026-02-01", "2026-03-01"), named("seminar", "2026-02-10"))
    on_it, after = (
        check_criterion(criterion, on, achievements=attended) for on in ("2026-03-01", "2026-03-02")
    )
    assert (on_it.status, on_it.earliest_on) == ("met", date(2026, 2, 10))
    assert (after.status, after.have, after.earliest_on) == ("not_met", 1, None)


def test_an_event_recorded_twice_counts_until_the_later_record_expires() -> None:
    criterion = {"kind": "event_count", "event": "seminar", "n": 1}
    twice = (named("seminar", "2026-02-01", "2026-03-01"), named("seminar", "2026-02-01", "2026-02-20"))
    assert check_criterion(criterion, "2026-03-01", achievements=twice).have == 1
    assert check_criterion(criterion, "2026-03-02", achievements=twice).have == 0
    visited = trained([day("2026-02-01")], class_type="seminar")
    assert check_criterion(criterion, "2026-03-02", achievements=twice, attendance=visited).have == 1


def test_good_standing_is_being_active_and_not_on_hold() -> None:
    criterion = {"kind": "standing"}
    hold = (DatedFact(on=day("2026-05-01"), expires_on=day("2026-06-30")),)
    assert check_criterion(criterion, active=True).status == "met"
    assert check_criterion(criterion, active=False).status == "not_met"
    held = check_criterion(criterion, active=True, holds=hold)
    assert (held.status, held.earliest_on) == ("not_met", date(2026, 7, 1))
    assert check_criterion(criterion, "2026-04-30", active=True, holds=hold).status == "met"


def test_a_document_is_recognised_in_any_spelling() -> None:
    criterion = {"kind": "document", "which": "medical_certificate"}
    assert (
        check_criterion(criterion, documents=(handed_in("Medical certificate", "2026-02-01"),)).status
        == "met"
    )
