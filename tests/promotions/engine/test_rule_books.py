"""The cases of docs/rank-rules.md, by their numbers there."""

from datetime import date

import pytest

from tenant_apps.promotions.engine import Eligibility, NamedFact, Points, StepResult, evaluate
from tenant_apps.ranks.definition import RankDefinition, parse_definition
from tenant_apps.ranks.presets import preset
from tests.promotions.engine.factories import (
    awarded,
    balance,
    converted,
    day,
    days_in_a_row,
    facts,
    handed_in,
    imported,
    result_for,
    statuses,
    trained,
)

ELIGIBLE, NOT_ELIGIBLE, UNKNOWN = Eligibility.ELIGIBLE, Eligibility.NOT_ELIGIBLE, Eligibility.UNKNOWN


def test_case_1_blue_becomes_purple_after_24_calendar_months_not_730_days() -> None:
    student = facts(awarded("blue", "2023-03-15"))
    early = result_for(preset("ibjjf-adult"), student, "2025-03-14", "purple")
    assert (day("2025-03-14") - day("2023-03-15")).days == 730
    assert (early.status, early.path) == (NOT_ELIGIBLE, "regular")
    assert early.earliest_on == date(2025, 3, 15)
    on_the_day = result_for(preset("ibjjf-adult"), student, "2025-03-15", "purple")
    assert (on_the_day.status, on_the_day.path) == (ELIGIBLE, "regular")


def test_case_2_purple_of_31_august_becomes_brown_at_the_end_of_february() -> None:
    student = facts(awarded("purple", "2024-08-31"), born="1990-06-15")
    assert result_for(preset("ibjjf-adult"), student, "2026-02-27", "brown").status is NOT_ELIGIBLE
    assert result_for(preset("ibjjf-adult"), student, "2026-02-28", "brown").status is ELIGIBLE


def test_case_5_an_orange_belt_of_sixteen_becomes_blue_and_not_purple() -> None:
    student = facts(awarded("orange", "2025-03-01"), born="2010-11-30")
    assert result_for(preset("ibjjf-adult"), student, "2025-12-31", "blue").status is NOT_ELIGIBLE
    assert result_for(preset("ibjjf-adult"), student, "2026-01-01", "blue").status is ELIGIBLE
    result = result_for(preset("ibjjf-adult"), student, "2026-01-01", "purple")
    assert (result.status, result.path) == (NOT_ELIGIBLE, None)
    assert [(c.kind, c.message) for c in result.criteria] == [
        ("step", "The rules have no step from Orange belt to Purple belt.")
    ]
    green = facts(awarded("green", "2025-03-01"), born="2010-11-30")
    assert result_for(preset("ibjjf-adult"), green, "2026-01-01", "purple").status is ELIGIBLE


def test_case_7_a_brown_belt_too_young_and_too_early_gets_both_reasons_unless_world_champion() -> None:
    brown = awarded("brown", "2026-01-10")
    result = result_for(preset("ibjjf-adult"), facts(brown, born="2008-05-05"), "2026-06-15", "black")
    assert (result.status, result.path) == (NOT_ELIGIBLE, "regular")
    assert statuses(result) == {"time_in_rank": "not_met", "age": "not_met", "standing": "met"}
    assert [c.earliest_on for c in result.criteria] == [date(2027, 1, 10), date(2027, 1, 1), None]
    assert result.earliest_on == date(2027, 1, 10)
    title = NamedFact(which="Adult World Champion", on=day("2026-06-07"))
    champion = facts(brown, born="2008-05-05", achievements=(title,))
    won = result_for(preset("ibjjf-adult"), champion, "2026-06-15", "black")
    assert (won.status, won.path, won.earliest_on) == (ELIGIBLE, "world champion", date(2026, 6, 7))
    won_as_purple = NamedFact(which="Adult World Champion", on=day("2026-01-09"))
    too_early = facts(
        awarded("purple", "2025-01-01"), brown, born="2008-05-05", achievements=(won_as_purple,)
    )
    assert result_for(preset("ibjjf-adult"), too_early, "2026-06-15", "black").status is NOT_ELIGIBLE


@pytest.mark.parametrize(
    ("kids_belt", "months"),
    [("grey-white", 12), ("yellow", 12), ("orange-black", 12), ("green-white", 0), ("white", 24)],
)
def test_former_kids_belts_wait_less_for_purple(kids_belt: str, months: int) -> None:
    student = facts(awarded(kids_belt, "2019-01-01"), awarded("blue", "2024-02-29"), born="2006-05-05")
    result = result_for(preset("ibjjf-adult"), student, "2024-02-29", "purple")
    due = {0: date(2024, 2, 29), 12: date(2025, 2, 28), 24: date(2026, 2, 28)}[months]
    assert result.earliest_on == due
    assert (result.status is ELIGIBLE) is (months == 0)


def test_case_9_the_wait_is_over_but_the_sixteenth_birthday_is_a_day_away() -> None:
    student = facts(awarded("1-dan", "2025-02-28"), born="2010-03-01")
    early = result_for(preset("kukkiwon"), student, "2026-02-28", "2-dan")
    assert early.status is NOT_ELIGIBLE
    assert statuses(early) == {"time_in_rank": "met", "age": "not_met", "standing": "met"}
    assert early.earliest_on == date(2026, 3, 1)
    assert result_for(preset("kukkiwon"), student, "2026-03-01", "2-dan").status is ELIGIBLE


def kukkiwon(clock: str) -> RankDefinition:
    document = preset("kukkiwon").as_document()
    for step in document["steps"]:
        if step["type"] == "convert":
            step["clock"] = clock
    return parse_definition(document)


def test_case_11_a_conversion_restarts_the_clock_or_carries_it() -> None:
    student = facts(awarded("1-poom", "2023-05-20"), converted("1-dan", "2026-07-07"), born="2009-07-07")
    restarted = result_for(kukkiwon("restarts"), student, "2026-08-01", "2-dan")
    assert (restarted.status, restarted.earliest_on) == (NOT_ELIGIBLE, date(2027, 7, 7))
    assert restarted == result_for(preset("kukkiwon"), student, "2026-08-01", "2-dan")
    carried = result_for(kukkiwon("carries"), student, "2026-08-01", "2-dan")
    assert (carried.status, carried.earliest_on) == (ELIGIBLE, date(2026, 7, 7))
    assert carried.criteria[0].have == 38


def test_a_former_poom_holder_may_be_younger_as_fourth_dan() -> None:
    events = awarded("1-poom", "2018-01-01"), awarded("3-dan", "2022-01-01")
    student = facts(*events, born="2006-03-01")
    result = result_for(preset("kukkiwon"), student, "2025-01-01", "4-dan")
    assert (result.status, result.path) == (ELIGIBLE, "having been poom")
    never = result_for(preset("kukkiwon"), facts(events[1], born="2006-03-01"), "2025-01-01", "4-dan")
    assert (never.status, never.earliest_on) == (NOT_ELIGIBLE, date(2027, 3, 1))


def test_case_13_45_sessions_on_38_days_are_38_days() -> None:
    days = days_in_a_row("2026-01-11", 38)
    fifth_kyu = awarded("5-kyu", "2026-01-10")
    short = result_for(
        preset("aikikai"), facts(fifth_kyu, attendance=trained(days + days[:7])), "2026-06-01", "4-kyu"
    )
    assert short.status is NOT_ELIGIBLE
    criterion, _ = short.criteria
    assert (criterion.have, criterion.need) == (38, 40)
    assert (
        criterion.message == "38 of 40 days of training since 5th kyu on 10 January 2026. 2 more are needed."
    )
    enough = facts(fifth_kyu, attendance=trained(days_in_a_row("2026-01-11", 40)))
    assert result_for(preset("aikikai"), enough, "2026-06-01", "4-kyu").status is ELIGIBLE


def test_case_14_only_days_after_the_grade_count_and_not_the_day_of_the_grade() -> None:
    before = days_in_a_row("2025-01-01", 150)
    after = days_in_a_row("2026-03-02", 49)
    fourth_kyu = awarded("4-kyu", "2026-03-01")
    student = facts(fourth_kyu, attendance=trained([*before, day("2026-03-01"), *after]))
    result = result_for(preset("aikikai"), student, "2026-06-01", "3-kyu")
    assert result.status is NOT_ELIGIBLE
    assert (result.criteria[0].have, result.criteria[0].need) == (49, 50)
    one_more = facts(fourth_kyu, attendance=trained([*before, day("2026-03-01"), *after, day("2026-05-30")]))
    assert result_for(preset("aikikai"), one_more, "2026-06-01", "3-kyu").status is ELIGIBLE


def test_case_15_second_dan_needs_time_and_days_and_an_article() -> None:
    first_dan = awarded("1-dan", "2025-04-01")
    article = (handed_in("article", "2026-03-01"),)

    def result(count: int, as_of: str, documents: tuple = ()) -> dict[str, str]:  # type: ignore[type-arg]
        days = trained(days_in_a_row("2025-04-02", count))
        answer = result_for(
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
    early = result_for(preset("fik-kendo"), student, "2026-11-20", "8-dan")
    assert early.status is NOT_ELIGIBLE
    assert early.path == "regular"
    assert statuses(early) == {"time_in_rank": "met", "age": "not_met", "standing": "met"}
    assert early.criteria[1].have == 45
    assert result_for(preset("fik-kendo"), student, "2026-11-26", "8-dan").status is ELIGIBLE


def test_case_20_points_trade_against_time_and_count_from_the_current_dan() -> None:
    first_dan = awarded("1-dan", "2025-01-15")

    def result_with_points(*earned: tuple[str, int]) -> StepResult:
        points = tuple(Points(on=day(on), points=number) for on, number in earned)
        return result_for(preset("kodokan-men"), facts(first_dan, points=points), "2026-07-15", "2-dan")

    six = result_with_points(("2025-06-01", 4), ("2026-01-01", 2))
    assert (six.status, six.path, six.earliest_on) == (ELIGIBLE, "good", date(2026, 7, 15))
    three = result_with_points(("2025-06-01", 3))
    assert (three.status, three.path, three.earliest_on) == (NOT_ELIGIBLE, "fair", date(2028, 1, 15))
    four_of_old = result_with_points(("2024-06-01", 4), ("2025-06-01", 2))
    assert (four_of_old.status, four_of_old.earliest_on) == (NOT_ELIGIBLE, None)
    assert [(c.kind, c.have, c.need) for c in four_of_old.criteria if c.status != "met"] == [("points", 2, 6)]


def test_case_23_an_imported_grade_without_attendance_is_unknown_not_zero() -> None:
    second_kyu = imported("2-kyu", "2024-09-01")
    nothing = result_for(preset("aikikai"), facts(second_kyu), "2026-06-01", "1-kyu")
    assert nothing.status is UNKNOWN
    assert nothing.earliest_on is None
    assert (nothing.criteria[0].have, nothing.criteria[0].need) == (None, 60)
    came_with = facts(
        second_kyu,
        attendance=trained(days_in_a_row("2026-02-01", 5)),
        opening_balances=(balance("2026-01-15", 55),),
    )
    result = result_for(preset("aikikai"), came_with, "2026-06-01", "1-kyu")
    assert result.status is ELIGIBLE
    assert result.criteria[0].have == 60
    assert result.earliest_on == date(2026, 2, 5)


def test_without_a_target_every_step_from_the_rank_held_has_a_result() -> None:
    beginner = facts(born="2000-01-01")
    assert [r.target_rank for r in evaluate(preset("kukkiwon"), beginner, day("2026-01-01"))] == [
        "1-poom",
        "1-dan",
    ]
    poom = facts(awarded("1-poom", "2020-01-01"), born="2011-01-01")
    found = evaluate(preset("kukkiwon"), poom, day("2026-01-01"))
    assert [(r.target_rank, r.step_type) for r in found] == [("2-poom", "promote"), ("1-dan", "convert")]
    assert [r.suggested_rank for r in found] == ["1-dan", None], "too old for 2nd poom"
    assert result_for(preset("kukkiwon"), poom, "2026-01-01", "1-dan").status is ELIGIBLE
    assert evaluate(preset("kukkiwon"), facts(awarded("9-dan", "2020-01-01")), day("2026-01-01")) == ()


def test_any_student_without_a_belt_is_eligible_for_the_white_one() -> None:
    (result,) = evaluate(preset("ibjjf-adult"), facts(), day("2026-01-01"))
    assert (result.status, result.current_rank, result.target_rank) == (ELIGIBLE, None, "white")
    assert (statuses(result), result.earliest_on) == ({"standing": "met"}, None)
