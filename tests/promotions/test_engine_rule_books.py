"""The cases of rank-rules.md that the first presets cover, by their numbers there."""

from datetime import date

from tenant_apps.promotions.engine import Eligibility, evaluate
from tenant_apps.ranks.presets import preset
from tests.promotions.engine_facts import (
    ask,
    awarded,
    balance,
    day,
    days_in_a_row,
    facts,
    handed_in,
    imported,
    statuses,
    trained,
)

ELIGIBLE, NOT_ELIGIBLE, UNKNOWN = Eligibility.ELIGIBLE, Eligibility.NOT_ELIGIBLE, Eligibility.UNKNOWN


def test_case_1_blue_becomes_purple_after_24_calendar_months_not_730_days() -> None:
    student = facts(awarded("blue", "2023-03-15"), born="1990-01-01")
    early = ask(preset("ibjjf-adult"), student, "2025-03-14", "purple")
    assert (day("2025-03-14") - day("2023-03-15")).days == 730
    assert early.status is NOT_ELIGIBLE
    assert early.earliest_on == date(2025, 3, 15)
    assert ask(preset("ibjjf-adult"), student, "2025-03-15", "purple").status is ELIGIBLE


def test_case_2_purple_of_31_august_becomes_brown_at_the_end_of_february() -> None:
    student = facts(awarded("purple", "2024-08-31"), born="1990-06-15")
    assert ask(preset("ibjjf-adult"), student, "2026-02-27", "brown").status is NOT_ELIGIBLE
    assert ask(preset("ibjjf-adult"), student, "2026-02-28", "brown").status is ELIGIBLE


def test_case_5_in_part_there_is_no_step_from_white_to_purple() -> None:
    result = ask(
        preset("ibjjf-adult"),
        facts(awarded("white", "2020-01-01"), born="1990-01-01"),
        "2026-01-01",
        "purple",
    )
    assert result.status is NOT_ELIGIBLE
    assert result.path is None
    assert [(c.kind, c.message) for c in result.criteria] == [
        ("step", "There is no step from White belt to Purple belt.")
    ]


def test_case_7_in_part_a_brown_belt_who_is_too_young_and_too_early_gets_both_reasons() -> None:
    student = facts(awarded("brown", "2026-01-10"), born="2008-05-05")
    result = ask(preset("ibjjf-adult"), student, "2026-06-15", "black")
    assert statuses(result) == {"time_in_rank": "not_met", "age": "not_met"}
    assert [c.earliest_on for c in result.criteria] == [date(2027, 1, 10), date(2027, 1, 1)]
    assert result.earliest_on == date(2027, 1, 10)


def test_case_9_the_wait_is_over_but_the_sixteenth_birthday_is_a_day_away() -> None:
    student = facts(awarded("1-dan", "2025-02-28"), born="2010-03-01")
    early = ask(preset("kukkiwon"), student, "2026-02-28", "2-dan")
    assert early.status is NOT_ELIGIBLE
    assert statuses(early) == {"time_in_rank": "met", "age": "not_met"}
    assert early.earliest_on == date(2026, 3, 1)
    assert ask(preset("kukkiwon"), student, "2026-03-01", "2-dan").status is ELIGIBLE


def test_case_13_45_sessions_on_38_days_are_38_days() -> None:
    days = days_in_a_row("2026-01-11", 38)
    fifth_kyu = awarded("5-kyu", "2026-01-10")
    short = ask(
        preset("aikikai"), facts(fifth_kyu, attendance=trained(days + days[:7])), "2026-06-01", "4-kyu"
    )
    assert short.status is NOT_ELIGIBLE
    (criterion,) = short.criteria
    assert (criterion.have, criterion.need) == (38, 40)
    assert criterion.message == "Trained on 38 of 40 days since 5th kyu; 2 more are needed."
    enough = facts(fifth_kyu, attendance=trained(days_in_a_row("2026-01-11", 40)))
    assert ask(preset("aikikai"), enough, "2026-06-01", "4-kyu").status is ELIGIBLE


def test_case_14_only_days_after_the_grade_count_and_not_the_day_of_the_grade() -> None:
    before = days_in_a_row("2025-01-01", 150)
    after = days_in_a_row("2026-03-02", 49)
    fourth_kyu = awarded("4-kyu", "2026-03-01")
    student = facts(fourth_kyu, attendance=trained([*before, day("2026-03-01"), *after]))
    result = ask(preset("aikikai"), student, "2026-06-01", "3-kyu")
    assert result.status is NOT_ELIGIBLE
    assert (result.criteria[0].have, result.criteria[0].need) == (49, 50)
    one_more = facts(fourth_kyu, attendance=trained([*before, day("2026-03-01"), *after, day("2026-05-30")]))
    assert ask(preset("aikikai"), one_more, "2026-06-01", "3-kyu").status is ELIGIBLE


def test_case_15_second_dan_needs_time_and_days_and_an_article() -> None:
    first_dan = awarded("1-dan", "2025-04-01")
    article = (handed_in("article", "2026-03-01"),)

    def result(count: int, as_of: str, documents: tuple = ()) -> dict[str, str]:  # type: ignore[type-arg]
        days = trained(days_in_a_row("2025-04-02", count))
        answer = ask(
            preset("aikikai"), facts(first_dan, attendance=days, documents=documents), as_of, "2-dan"
        )
        return {kind: status for kind, status in statuses(answer).items() if status != "met"} | (
            {"": "eligible"} if answer.status is ELIGIBLE else {}
        )

    assert result(260, "2026-03-31", article) == {"time_in_rank": "not_met"}
    assert result(199, "2026-04-01", article) == {"attendance_count": "not_met"}
    assert result(200, "2026-04-01") == {"document": "not_met"}
    assert result(200, "2026-04-01", article) == {"": "eligible"}


def test_case_18_eighth_dan_waits_for_the_forty_sixth_birthday() -> None:
    student = facts(awarded("7-dan", "2016-11-20"), born="1980-11-26")
    early = ask(preset("fik-kendo"), student, "2026-11-20", "8-dan")
    assert early.status is NOT_ELIGIBLE
    assert early.path == "regular"
    assert statuses(early) == {"time_in_rank": "met", "age": "not_met"}
    assert early.criteria[1].have == 45
    assert ask(preset("fik-kendo"), student, "2026-11-26", "8-dan").status is ELIGIBLE


def test_case_23_an_imported_grade_without_any_attendance_is_unknown_not_nought() -> None:
    second_kyu = imported("2-kyu", "2024-09-01")
    nothing = ask(preset("aikikai"), facts(second_kyu), "2026-06-01", "1-kyu")
    assert nothing.status is UNKNOWN
    assert nothing.earliest_on is None
    assert (nothing.criteria[0].have, nothing.criteria[0].need) == (None, 60)
    came_with = facts(
        second_kyu,
        attendance=trained(days_in_a_row("2026-02-01", 5)),
        opening_balances=(balance("2026-01-15", 55),),
    )
    result = ask(preset("aikikai"), came_with, "2026-06-01", "1-kyu")
    assert result.status is ELIGIBLE
    assert result.criteria[0].have == 60
    assert result.earliest_on == date(2026, 2, 5)


def test_without_a_target_every_open_promote_step_is_answered_and_no_other() -> None:
    beginner = facts(born="2000-01-01")
    assert [r.target_rank for r in evaluate(preset("kukkiwon"), beginner, day("2026-01-01"))] == [
        "1-poom",
        "1-dan",
    ]
    poom = facts(awarded("1-poom", "2020-01-01"), born="2011-01-01")
    assert [r.target_rank for r in evaluate(preset("kukkiwon"), poom, day("2026-01-01"))] == ["2-poom"]
    assert ask(preset("kukkiwon"), poom, "2026-01-01", "1-dan").status is ELIGIBLE
    assert evaluate(preset("kukkiwon"), facts(awarded("9-dan", "2020-01-01")), day("2026-01-01")) == ()


def test_anybody_without_a_belt_may_have_the_white_one() -> None:
    (result,) = evaluate(preset("ibjjf-adult"), facts(), day("2026-01-01"))
    assert (result.status, result.current_rank, result.target_rank) == (ELIGIBLE, None, "white")
    assert (result.criteria, result.earliest_on) == ((), None)
