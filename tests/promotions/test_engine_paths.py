"""Alternative paths, documents, and which path and which reasons an answer names (C6, C7)."""

from datetime import date

from tenant_apps.promotions.engine import Eligibility
from tenant_apps.ranks.presets import preset
from tests.promotions.engine_facts import (
    ask,
    awarded,
    days_in_a_row,
    facts,
    handed_in,
    imported,
    ladder,
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
    assert ask(rules, student, "2026-01-20", "b").path == "quicker"
    assert ask(rules, student, "2026-02-20", "b").path == "quick"
    assert ask(rules, student, "2026-07-20", "b").path == "slow"


def test_a_run_of_eligible_days_begins_with_the_first_path_that_opened_it() -> None:
    rules = ladder(slow=[wait(6)], quick=[wait(1), ARTICLE])
    student = facts(HELD, documents=(handed_in("article", "2026-01-10"),))
    result = ask(rules, student, "2026-08-01", "b")
    assert (result.path, result.earliest_on) == ("slow", date(2026, 2, 1))


def test_when_no_path_is_met_the_one_that_is_due_first_is_named() -> None:
    rules = ladder(slow=[wait(12)], quick=[wait(6)])
    result = ask(rules, facts(HELD), "2026-02-01", "b")
    assert (result.path, result.earliest_on) == ("quick", date(2026, 7, 1))


def test_when_no_path_has_a_date_the_one_with_the_fewest_reasons_is_named() -> None:
    rules = ladder(
        both=[ARTICLE, {"kind": "document", "which": "essay"}],
        one=[ARTICLE],
        other=[{**ARTICLE, "since": "ever"}],
    )
    assert ask(rules, facts(HELD), "2026-02-01", "b").path == "one"


def test_a_path_of_which_a_fact_is_missing_does_not_hide_one_with_a_date() -> None:
    student = facts(awarded("5-dan", "2024-01-01"))
    result = ask(preset("fik-kendo"), student, "2026-06-01", "6-dan")
    assert (result.status, result.path) == (Eligibility.NOT_ELIGIBLE, "regular")
    assert result.earliest_on == date(2029, 1, 1)


def test_training_recorded_after_the_day_asked_about_makes_no_date_wrong() -> None:
    """Unknown on the day asked, since the rank was imported; yet what follows is recorded, and is sooner."""
    rules = ladder(trained=[{"kind": "attendance_count", "n": 2, "unit": "day"}], slow=[wait(12)])
    student = facts(imported("a", "2026-01-01"), attendance=trained(days_in_a_row("2026-04-01", 2)))
    result = ask(rules, student, "2026-03-01", "b")
    assert (result.status, result.path) == (Eligibility.NOT_ELIGIBLE, "slow")
    assert result.earliest_on == date(2026, 4, 2)
    alone = ask(ladder({"kind": "attendance_count", "n": 2, "unit": "day"}), student, "2026-03-01", "b")
    assert (alone.status, alone.earliest_on) == (Eligibility.UNKNOWN, None)


def test_the_senior_path_opens_sooner() -> None:
    student = facts(awarded("5-dan", "2024-01-01"), born="1960-01-01")
    result = ask(preset("fik-kendo"), student, "2026-06-01", "6-dan")
    assert (result.status, result.path, result.earliest_on) == (
        Eligibility.ELIGIBLE,
        "senior",
        date(2024 + 2, 1, 1),
    )


def test_every_criterion_of_the_path_is_listed_met_or_not() -> None:
    rules = ladder(
        wait(12), {"kind": "age", "min": 18}, ARTICLE, {"kind": "attendance_count", "n": 5, "unit": "day"}
    )
    result = ask(rules, facts(HELD, born="2000-01-01"), "2026-02-01", "b")
    assert statuses(result) == {
        "time_in_rank": "not_met",
        "age": "met",
        "document": "not_met",
        "attendance_count": "not_met",
    }


def test_only_missing_facts_make_unknown() -> None:
    rules = ladder(wait(1), {"kind": "age", "min": 18})
    assert ask(rules, facts(HELD), "2026-06-01", "b").status is Eligibility.UNKNOWN
    assert ask(rules, facts(HELD), "2026-01-15", "b").status is Eligibility.NOT_ELIGIBLE


def test_a_document_counts_after_the_day_of_the_rank_and_while_it_is_valid() -> None:
    rules = ladder(ARTICLE)
    on_the_day = facts(HELD, documents=(handed_in("article", "2026-01-01"),))
    assert ask(rules, on_the_day, "2026-06-01", "b").status is Eligibility.NOT_ELIGIBLE
    ever = ladder({**ARTICLE, "since": "ever"})
    assert ask(ever, on_the_day, "2026-06-01", "b").status is Eligibility.ELIGIBLE
    expiring = facts(HELD, documents=(handed_in("article", "2026-02-01", "2026-03-01"),))
    assert ask(rules, expiring, "2026-01-31", "b").earliest_on == date(2026, 2, 1)
    assert ask(rules, expiring, "2026-03-01", "b").status is Eligibility.ELIGIBLE
    assert ask(rules, expiring, "2026-03-02", "b").status is Eligibility.NOT_ELIGIBLE


def test_a_document_renewed_without_a_gap_is_one_run() -> None:
    renewed = (
        handed_in("article", "2026-03-02", "2026-04-01"),
        handed_in("article", "2026-02-01", "2026-03-01"),
    )
    assert ask(ladder(ARTICLE), facts(HELD, documents=renewed), "2026-03-20", "b").earliest_on == date(
        2026, 2, 1
    )


def test_another_document_does_not_stand_in() -> None:
    essay = (handed_in("essay", "2026-02-01"),)
    (criterion,) = ask(
        ladder(ARTICLE), facts(imported("a", "2026-01-01"), documents=essay), "2026-06-01", "b"
    ).criteria
    assert (criterion.status, criterion.have, criterion.need) == ("not_met", 0, 1)
    assert criterion.message == "Article: not handed in since A, or no longer valid."
