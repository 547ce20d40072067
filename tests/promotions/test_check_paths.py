"""What a check answers beside the status: the type of a step, all its paths, the way on for those who are too old."""

from typing import Any

import pytest

from tests.promotions.factories import GradedDojo, RankedStudent
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.responses import ok


def results(ranked: RankedStudent, **asked: Any) -> list[dict[str, Any]]:
    body = {"students": [ranked.student["id"]], **asked}
    return list(ok(ranked.dojo.admin.post("/promotions/check", body))["results"])


def messages(result: dict[str, Any]) -> list[str]:
    return [one["message"] for one in result["criteria"] if one["status"] != "met"]


# --- types and paths ------------------------------------------------------------------------------------------


def test_conversions_stand_beside_promotions_with_their_type(dojo: Dojo) -> None:
    ranked = RankedStudent(dojo, "kukkiwon", birth_date="2011-06-15")
    ranked.add_rank("1-poom", "2024-01-10")
    found = {one["target_rank"]["name"]: (one["type"], one["status"]) for one in results(ranked)}
    assert found == {"2nd poom": ("promote", "not_eligible"), "1st dan": ("convert", "eligible")}


@pytest.mark.parametrize(
    ("poom", "born", "conversion"),
    [
        ("1-poom", "2011-06-15", "1st dan"),
        ("2-poom", "2010-01-01", "2nd dan"),
        ("3-poom", "2008-01-01", "3rd dan"),
    ],
)
def test_over_an_age_limit_the_conversion_is_suggested(
    dojo: Dojo, poom: str, born: str, conversion: str
) -> None:
    ranked = RankedStudent(dojo, "kukkiwon", birth_date=born)
    ranked.add_rank(poom, "2023-01-10")
    promotion = next(one for one in results(ranked) if one["type"] == "promote")
    assert promotion["status"] == "not_eligible"
    assert promotion["suggested_rank"]["name"] == conversion
    assert messages(promotion)[-1].endswith(f"Instead, a conversion to {conversion} is possible.")
    younger = results(ranked, as_of="2023-06-01")
    assert {one["suggested_rank"] for one in younger} == {None}


def test_all_paths_are_listed_the_best_first_each_with_its_own_date(dojo: Dojo) -> None:
    ranked = RankedStudent(dojo, "fik-kendo", birth_date="1960-01-01")
    ranked.add_rank("5-dan", "2024-05-01")
    (answer,) = results(ranked)
    assert (answer["path"], answer["status"]) == ("senior", "eligible")
    assert [(one["path"], one["status"], one["earliest_on"]) for one in answer["paths"]] == [
        ("senior", "eligible", "2026-05-01"),
        ("regular", "not_eligible", "2029-05-01"),
    ]
    assert answer["criteria"] == answer["paths"][0]["criteria"]
    assert [one["kind"] for one in answer["paths"][1]["criteria"]] == ["time_in_rank", "standing"]


def test_before_any_path_is_open_the_one_that_opens_first_comes_first(dojo: Dojo) -> None:
    ranked = RankedStudent(dojo, "kodokan-men")
    ranked.add_rank("1-dan", "2025-12-15")
    ranked.add_fact("points", 6, "2026-01-10")
    (answer,) = results(ranked)
    dates = [one["earliest_on"] for one in answer["paths"]]
    assert dates[:2] == ["2027-06-15", "2028-12-15"], "good, then fair"
    assert dates[2:] == [None] * 5
    assert answer["earliest_on"] == "2027-06-15"


def test_a_rank_to_which_no_step_leads_has_no_paths_and_no_type(dojo: Dojo) -> None:
    ranked = RankedStudent(dojo, "kukkiwon", birth_date="2000-01-01")
    ranked.add_rank("1-dan", "2020-01-10")
    (answer,) = results(ranked, target_rank=factories.rank_id(ranked.system, "4-dan"))
    assert (answer["type"], answer["paths"], answer["path"]) == (None, [], None)
    assert messages(answer) == ["The rules have no step from 1st dan to 4th dan."]


# --- batches, exams, the snapshot -----------------------------------------------------------------------------


def test_a_batch_converts_those_who_are_named_a_conversion(dojo: Dojo) -> None:
    graded = GradedDojo(dojo)
    ranked = RankedStudent(dojo, "kukkiwon", birth_date="2011-06-15")
    ranked.add_rank("1-poom", "2024-01-10")
    dan = factories.rank_id(ranked.system, "1-dan")
    batch = factories.batch(dojo, ranked.student, target_ranks=[dan])
    graded.process_batches()
    (line,) = ok(dojo.admin.get(f"{batch['url']}/results"))["results"]
    assert (line["state"], line["error"]) == ("awarded", None)
    events = ok(dojo.admin.get(f"/students/{ranked.student['id']}/rank-events"))["results"]
    assert {(one["kind"], one["rank"]["name"]) for one in events} == {
        ("import", "1st poom"),
        ("convert", "1st dan"),
    }
    assert [one["type"] for one in line["results"]] == ["convert"]


def test_a_batch_without_targets_neither_converts_nor_skips(dojo: Dojo) -> None:
    graded = GradedDojo(dojo)
    ranked = RankedStudent(dojo, "kukkiwon", birth_date="2011-06-15")
    ranked.add_rank("1-poom", "2024-01-10")
    batch = factories.batch(dojo, ranked.student)
    graded.process_batches()
    (line,) = ok(dojo.admin.get(f"{batch['url']}/results"))["results"]
    assert (line["state"], line["error"]["code"]) == ("refused", "not_eligible")
    assert [one["target_rank"]["name"] for one in line["results"]] == ["2nd poom"]


@pytest.mark.parametrize("named", [True, False])
def test_a_refused_line_says_why(dojo: Dojo, *, named: bool) -> None:
    graded = GradedDojo(dojo)
    ranked = RankedStudent(dojo, "kukkiwon", birth_date="1950-01-01")
    ranked.add_rank("9-dan", "2020-01-10")
    targets = {"target_ranks": [factories.rank_id(ranked.system, "1-dan")]} if named else {}
    batch = factories.batch(dojo, ranked.student, **targets)
    graded.process_batches()
    (line,) = ok(dojo.admin.get(f"{batch['url']}/results"))["results"]
    code = "not_eligible" if named else "no_open_rank"
    assert (line["state"], line["error"]["code"]) == ("refused", code)
    if named:
        assert messages(line["results"][0]) == ["The rules have no step from 9th dan to 1st dan."]
    else:
        assert line["results"] == []


def test_an_exam_invites_to_a_conversion_that_is_named(dojo: Dojo) -> None:
    ranked = RankedStudent(dojo, "kukkiwon", birth_date="2011-06-15")
    ranked.add_rank("1-poom", "2024-01-10")
    exam = factories.exam(dojo, ranked.system, "2026-06-15")
    path = f"/exams/{exam['id']}/candidates"
    assert dojo.create(path, {"filter": {}})["results"] == []
    dan = factories.rank_id(ranked.system, "1-dan")
    (invited,) = dojo.create(path, {"filter": {}, "target_ranks": [dan]})["results"]
    assert invited["target_rank"]["id"] == dan


def test_the_snapshot_has_no_conversions(dojo: Dojo) -> None:
    ranked = RankedStudent(dojo, "kukkiwon", birth_date="2011-06-15")
    ranked.add_rank("1-poom", "2024-01-10")
    graded = GradedDojo(dojo)
    graded.take_snapshot()
    assert "1st dan" not in {row[1] for row in graded.snapshot()}


# --- approvals, standing, incomplete records --------------------------------------------------------------------


def test_a_belt_without_a_number_needs_the_professors_approval(dojo: Dojo) -> None:
    ranked = RankedStudent(dojo, "ibjjf-adult", birth_date="2016-05-05")
    ranked.add_rank("white", "2025-01-10")
    target = factories.rank_id(ranked.system, "grey-white")
    assert messages(results(ranked, target_rank=target)[0]) == [
        "Professor: no valid approval since White belt on 10 January 2025."
        " An instructor or the head of the dojo approves."
    ]
    ranked.add_fact("approval", "professor", "2026-06-01")
    assert results(ranked, target_rank=target)[0]["status"] == "eligible"


@pytest.mark.parametrize("preset", ["aikikai", "fik-kendo", "kmg-scotland", "usja-senior"])
@pytest.mark.parametrize("status", ["trial", "inactive"])
def test_a_preset_asks_for_standing(dojo: Dojo, preset: str, status: str) -> None:
    ranked = RankedStudent(dojo, preset, birth_date="1990-01-01", status=status)
    assert {
        one["status"] for answer in results(ranked) for one in answer["criteria"] if one["kind"] == "standing"
    } <= {"not_met"}


def test_after_an_import_a_visit_is_not_one_of_sixty(dojo: Dojo) -> None:
    ranked = RankedStudent(dojo, "aikikai")
    ranked.add_rank("2-kyu", "2024-09-01")
    ranked.add_training("2026-06-01", 1)
    assert ranked.check("1-kyu", "2026-06-15")["status"] == "unknown"
    ranked.add_fact("opening_attendance", 0, "2026-05-31")
    assert ranked.unmet("1-kyu", "2026-06-15") == {"attendance_count": (1, 60)}


@pytest.mark.parametrize(
    ("value", "status", "have"),
    [
        (30, "unknown", None),
        ({"count": 30, "unit": "session"}, "unknown", None),
        ({"count": 30, "unit": "hour"}, "not_met", 30),
        ({"count": 40, "unit": "hour"}, "met", 40),
        (0, "not_met", 0),
    ],
)
def test_visits_are_not_hours(dojo: Dojo, value: Any, status: str, have: int | None) -> None:
    hours = [{"kind": "attendance_count", "n": 40, "unit": "hour"}]
    system = dojo.create("/rank-systems", {
        "format": 1, "name": "Hours", "art": "Any", "source": "Our own", "confidence": "C",
        "ranks": [{"code": code, "name": code.upper()} for code in "ab"],
        "steps": [{"from": "a", "to": "b", "paths": [{"name": "regular", "criteria": hours}]}],
    })  # fmt: skip
    student = factories.student(dojo)
    factories.rank_event(dojo, student, factories.rank_id(system, "a"), "2026-01-01")
    factories.fact(dojo, student, "opening_attendance", value, "2026-01-01", rank_system=system["id"])
    (answer,) = ok(dojo.admin.post("/promotions/check", {"students": [student["id"]]}))["results"]
    (criterion,) = answer["criteria"]
    assert (criterion["status"], criterion["have"]) == (status, have)


# --- the language of the dojo ---------------------------------------------------------------------------------


def test_messages_are_in_the_language_of_the_dojo_also_where_they_are_stored(dojo: Dojo) -> None:
    ranked = RankedStudent(dojo, "fik-kendo", birth_date="1990-01-01")
    ranked.add_rank("1-dan", "2025-07-01")
    assert messages(results(ranked)[0]) == [
        "11 of 12 months of waiting time since 1st dan on 1 July 2025 are complete."
        " It is enough from 1 July 2026 on."
    ]
    ok(dojo.admin.patch("/settings", {"language": "pt-br"}))
    portuguese = (
        "Desde 1st dan em 1º de julho de 2025 passaram 11 de 12 meses de tempo de espera."
        " Será suficiente a partir de 1º de julho de 2026."
    )
    assert messages(results(ranked)[0]) == [portuguese]
    graded = GradedDojo(dojo)
    batch = factories.batch(dojo, ranked.student, award=False)
    graded.process_batches()
    (line,) = ok(dojo.admin.get(f"{batch['url']}/results"))["results"]
    assert messages(line["results"][0]) == [portuguese]
