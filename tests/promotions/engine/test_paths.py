"""Alternative paths, documents, and the path and criteria that a result names (C6, C7)."""

from datetime import date

from tenant_apps.promotions.engine import Eligibility
from tenant_apps.ranks.presets import preset
from tests.promotions.engine.factories import (
    awarded,
    days_in_a_row,
    facts,
    handed_in,
    imported,
    ladder,
    result_for,
    statuses,
    trained,
)

HELD = awarded("a", "2026-01-01")


def wait(months: int) -> dict[str, object]:
    return {"kind": "time_in_rank", "months": months}


ARTICLE = {"kind": "document", "which": "article"}


def test_the_first_path_that_is_met_is_named() -> None:
    rules = ladder(slow=[wait(6)], quick=[wait(1), ARTICLE], quicker=[wait(0), ARTICLE])
    student = facts(HELD, documents=(handed_in("article", "2026-01-10"),))
    assert result_for(rules, student, "2026-01-20", "b").path == "quicker"
    assert result_for(rules, student, "2026-02-20", "b").path == "quick"
    assert result_for(rules, student, "2026-07-20", "b").path == "slow"


def test_a_run_of_eligible_days_starts_with_the_first_path_that_is_met() -> None:
    rules = ladder(slow=[wait(6)], quick=[wait(1), ARTICLE])
    student = facts(HELD, documents=(handed_in("article", "2026-01-10"),))
    result = result_for(rules, student, "2026-08-01", "b")
    assert (result.path, result.earliest_on) == ("slow", date(2026, 2, 1))


def test_if_no_path_is_met_the_path_that_is_met_first_is_named() -> None:
    rules = ladder(slow=[wait(12)], quick=[wait(6)])
    result = result_for(rules, facts(HELD), "2026-02-01", "b")
    assert (result.path, result.earliest_on) == ("quick", date(2026, 7, 1))


def test_if_no_path_has_a_date_the_path_with_the_fewest_unmet_criteria_is_named() -> None:
    rules = ladder(
        both=[ARTICLE, {"kind": "document", "which": "essay"}],
        one=[ARTICLE],
        other=[{**ARTICLE, "since": "ever"}],
    )
    assert result_for(rules, facts(HELD), "2026-02-01", "b").path == "one"


def test_a_path_with_an_unknown_criterion_does_not_hide_a_path_with_a_date() -> None:
    student = facts(awarded("5-dan", "2024-01-01"))
    result = result_for(preset("fik-kendo"), student, "2026-06-01", "6-dan")
    assert (result.status, result.path) == (Eligibility.NOT_ELIGIBLE, "regular")
    assert result.earliest_on == date(2029, 1, 1)


def test_training_recorded_after_the_as_of_date_is_part_of_the_earliest_date() -> None:
    """The count is unknown as of the date, because the rank was imported; later attendance is recorded."""
    rules = ladder(trained=[{"kind": "attendance_count", "n": 2, "unit": "day"}], slow=[wait(12)])
    student = facts(imported("a", "2026-01-01"), attendance=trained(days_in_a_row("2026-04-01", 2)))
    result = result_for(rules, student, "2026-03-01", "b")
    assert (result.status, result.path) == (Eligibility.NOT_ELIGIBLE, "slow")
    assert result.earliest_on == date(2026, 4, 2)
    alone = result_for(
        ladder({"kind": "attendance_count", "n": 2, "unit": "day"}), student, "2026-03-01", "b"
    )
    assert (alone.status, alone.earliest_on) == (Eligibility.UNKNOWN, None)


def test_the_senior_path_is_met_sooner() -> None:
    student = facts(awarded("5-dan", "2024-01-01"), born="1960-01-01")
    result = result_for(preset("fik-kendo"), student, "2026-06-01", "6-dan")
    assert (result.status, result.path, result.earliest_on) == (
        Eligibility.ELIGIBLE,
        "senior",
        date(2024 + 2, 1, 1),
    )


def test_every_criterion_of_the_path_is_listed_met_or_not() -> None:
    rules = ladder(
        wait(12), {"kind": "age", "min": 18}, ARTICLE, {"kind": "attendance_count", "n": 5, "unit": "day"}
    )
    result = result_for(rules, facts(HELD, born="2000-01-01"), "2026-02-01", "b")
    assert statuses(result) == {
        "time_in_rank": "not_met",
        "age": "met",
        "document": "not_met",
        "attendance_count": "not_met",
    }


def test_a_result_is_unknown_only_if_facts_are_missing() -> None:
    rules = ladder(wait(1), {"kind": "age", "min": 18})
    assert result_for(rules, facts(HELD), "2026-06-01", "b").status is Eligibility.UNKNOWN
    assert result_for(rules, facts(HELD), "2026-01-15", "b").status is Eligibility.NOT_ELIGIBLE


def test_a_document_counts_after_the_day_of_the_rank_and_while_it_is_valid() -> None:
    rules = ladder(ARTICLE)
    on_the_day = facts(HELD, documents=(handed_in("article", "2026-01-01"),))
    assert result_for(rules, on_the_day, "2026-06-01", "b").status is Eligibility.NOT_ELIGIBLE
    ever = ladder({**ARTICLE, "since": "ever"})
    assert result_for(ever, on_the_day, "2026-06-01", "b").status is Eligibility.ELIGIBLE
    expiring = facts(HELD, documents=(handed_in("article", "2026-02-01", "2026-03-01"),))
    assert result_for(rules, expiring, "2026-01-31", "b").earliest_on == date(2026, 2, 1)
    assert result_for(rules, expiring, "2026-03-01", "b").status is Eligibility.ELIGIBLE
    assert result_for(rules, expiring, "2026-03-02", "b").status is Eligibility.NOT_ELIGIBLE


def test_a_document_renewed_without_a_gap_is_one_run() -> None:
    renewed = (
        handed_in("article", "2026-03-02", "2026-04-01"),
        handed_in("article", "2026-02-01", "2026-03-01"),
    )
    assert result_for(ladder(ARTICLE), facts(HELD, documents=renewed), "2026-03-20", "b").earliest_on == date(
        2026, 2, 1
    )


def test_another_document_does_not_count() -> None:
    essay = (handed_in("essay", "2026-02-01"),)
    (criterion,) = result_for(
        ladder(ARTICLE), facts(imported("a", "2026-01-01"), documents=essay), "2026-06-01", "b"
    ).criteria
    assert (criterion.status, criterion.have, criterion.need) == ("not_met", 0, 1)
    assert criterion.message == "Article: not handed in."
