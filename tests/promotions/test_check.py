"""`POST /promotions/check`: who is eligible for which rank, and why."""

from typing import Any

import pytest

from tests.ranks.documents import KIDS
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.responses import assert_error, assert_invalid, ok
from tests.support.statements import count_statements


def check(dojo: Dojo, **asked: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ok(dojo.admin.post("/promotions/check", asked))["results"]
    return found


@pytest.fixture
def kids(dojo: Dojo) -> dict[str, Any]:
    return dojo.create("/rank-systems", KIDS)


def test_a_result_has_all_documented_fields(dojo: Dojo, kids: Any) -> None:
    who = factories.student(dojo, birth_date="2020-08-01")
    factories.rank_event(dojo, who, factories.rank_id(kids, "white"), "2026-05-15")
    body = ok(dojo.admin.post("/promotions/check", {"students": [who["id"]]}))
    assert body["as_of"] == "2026-06-15"
    (answer,) = body["results"]
    assert set(answer) >= {
        "student",
        "rank_system",
        "current_rank",
        "target_rank",
        "status",
        "path",
        "earliest_on",
        "rule_version",
        "criteria",
    }
    assert answer["student"] == {"id": who["id"], "name": "Mika Sato"}
    assert answer["rank_system"] == {"id": kids["id"], "name": "Kids"}
    assert answer["current_rank"] == {"id": factories.rank_id(kids, "white"), "name": "White"}
    assert answer["target_rank"] == {"id": factories.rank_id(kids, "yellow"), "name": "Yellow"}
    assert (answer["status"], answer["rule_version"], answer["earliest_on"]) == (
        "not_eligible",
        1,
        "2026-08-15",
    )
    time, age = answer["criteria"]
    for one in (time, age):
        assert set(one) == {"kind", "status", "have", "need", "earliest_on", "message"}
        assert one["message"]
    assert (time["kind"], time["status"], time["earliest_on"]) == ("time_in_rank", "not_met", "2026-08-15")
    assert (age["kind"], age["status"], age["have"], age["need"], age["earliest_on"]) == (
        "age",
        "not_met",
        5,
        6,
        "2026-08-01",
    )


def test_a_missing_fact_makes_the_result_unknown(dojo: Dojo, kids: Any) -> None:
    who = factories.student(dojo)
    factories.rank_event(dojo, who, factories.rank_id(kids, "white"), "2026-01-01")
    (answer,) = check(dojo)
    assert answer["status"] == "unknown"
    assert {one["kind"]: one["status"] for one in answer["criteria"]} == {
        "time_in_rank": "met",
        "age": "unknown",
    }
    assert answer["earliest_on"] is None


def test_a_student_without_a_rank_is_checked_for_the_first_one(dojo: Dojo, kids: Any) -> None:
    factories.student(dojo)
    (answer,) = check(dojo)
    assert (answer["current_rank"], answer["target_rank"]["name"], answer["status"]) == (
        None,
        "White",
        "eligible",
    )


def test_a_check_can_be_as_of_another_date(dojo: Dojo, kids: Any) -> None:
    who = factories.student(dojo, birth_date="2015-01-01")
    factories.rank_event(dojo, who, factories.rank_id(kids, "white"), "2026-01-01")
    body = ok(dojo.admin.post("/promotions/check", {"as_of": "2026-03-31"}))
    assert (body["as_of"], body["results"][0]["status"]) == ("2026-03-31", "not_eligible")
    assert check(dojo, as_of="2026-04-01")[0]["status"] == "eligible"


def test_there_is_a_result_for_each_student_and_system_with_a_rank_or_enrolment(
    dojo: Dojo, kids: Any
) -> None:
    art = factories.discipline(dojo)
    aiki = factories.rank_system(dojo, discipline=art["id"])
    holder, beginner, _ = (factories.student(dojo, first_name=name) for name in ("Ai", "Bo", "Cy"))
    factories.rank_event(dojo, holder, factories.rank_id(kids, "white"), "2026-01-01")
    group = factories.training_class(dojo, discipline=art["id"])
    ok(dojo.admin.post(f"/classes/{group['id']}/enrolments", {"student": beginner["id"]}), 201)
    found = sorted((one["student"]["name"], one["rank_system"]["name"]) for one in check(dojo))
    assert found == sorted(
        [
            ("Ai Sato", "Kids"),
            ("Bo Sato", aiki["name"]),
            ("Cy Sato", "Kids"),
            ("Cy Sato", aiki["name"]),
        ]
    )
    assert {one["rank_system"]["name"] for one in check(dojo, rank_system=kids["id"])} == {"Kids"}


def test_a_student_with_the_highest_rank_has_no_result(dojo: Dojo, kids: Any) -> None:
    who = factories.student(dojo)
    factories.rank_event(dojo, who, factories.rank_id(kids, "yellow"), "2026-01-01")
    assert check(dojo) == []


def test_only_active_students_are_checked_unless_named(dojo: Dojo, kids: Any) -> None:
    people = {
        status: factories.student(dojo, first_name=status, status=status)
        for status in ("trial", "active", "inactive")
    }
    people["on hold"], people["archived"] = factories.student(dojo), factories.student(dojo)
    factories.put_on_hold(dojo, people["on hold"])
    ok(dojo.admin.delete(f"/students/{people['archived']['id']}"), 204)
    assert [one["student"]["name"] for one in check(dojo)] == ["active Sato"]
    assert len(check(dojo, students=[people["trial"]["id"]])) == 1
    assert check(dojo, students=[]) == []


def test_a_parent_gets_results_for_active_children_by_default(dojo: Dojo, kids: Any) -> None:
    children = [
        factories.student(dojo, first_name=status, status=status)
        for status in ("trial", "active", "inactive")
    ]
    factories.link_user(dojo, dojo.student, *children)
    results = ok(dojo.student.post("/promotions/check", {}))["results"]
    assert [one["student"]["name"] for one in results] == ["active Sato"]


@pytest.mark.parametrize(
    ("status", "names"),
    [
        ("eligible", {"Old"}),
        ("not_eligible", {"New"}),
        ("unknown", {"Ageless"}),
    ],
)
def test_results_are_filtered_by_status(dojo: Dojo, kids: Any, status: str, names: set[str]) -> None:
    for name, on, born in (
        ("Old", "2026-01-01", "2010-01-01"),
        ("New", "2026-06-01", "2010-01-01"),
        ("Ageless", "2026-01-01", None),
    ):
        who = factories.student(dojo, first_name=name, birth_date=born)
        factories.rank_event(dojo, who, factories.rank_id(kids, "white"), on)
    assert {one["student"]["name"].split()[0] for one in check(dojo, status=status)} == names


def test_a_check_can_name_the_target_rank(dojo: Dojo, kids: Any) -> None:
    who = factories.student(dojo, birth_date="2010-01-01")
    factories.rank_event(dojo, who, factories.rank_id(kids, "white"), "2026-01-01")
    factories.rank_system(dojo)
    (answer,) = check(dojo, target_rank=factories.rank_id(kids, "yellow"))
    assert (answer["target_rank"]["name"], answer["status"]) == ("Yellow", "eligible")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("students", "all"),
        ("students", ["x"]),
        ("as_of", "soon"),
        ("as_of", "2026-02-30"),
        ("status", "maybe"),
        ("rank_system", "x"),
        ("target_rank", 7),
        ("page", 1),
        ("tenant_id", "x"),
    ],
)
def test_a_check_with_an_invalid_value_is_refused(dojo: Dojo, kids: Any, field: str, value: Any) -> None:
    details = assert_error(dojo.admin.post("/promotions/check", {field: value}), 400, "validation_error")
    assert {path.partition(".")[0] for path in details} == {field}


def test_a_target_of_another_system_is_refused(dojo: Dojo, kids: Any) -> None:
    other = factories.rank_system(dojo)
    asked = {"rank_system": other["id"], "target_rank": factories.rank_id(kids, "white")}
    assert_invalid(dojo.admin.post("/promotions/check", asked), "target_rank")


def test_a_voided_rank_and_a_voided_fact_do_not_count(dojo: Dojo) -> None:
    system, who = factories.rank_system(dojo), factories.student(dojo)
    factories.rank_event(dojo, who, factories.rank_id(system, "5-kyu"), "2026-01-01")
    balance = factories.fact(dojo, who, "opening_attendance", 40, "2026-06-01", rank_system=system["id"])
    assert check(dojo)[0]["status"] == "eligible"
    ok(dojo.admin.post(f"/facts/{balance['id']}/void", {"reason": "Mistaken"}))
    assert check(dojo)[0]["status"] != "eligible"


def test_only_attendance_in_the_discipline_that_counts_toward_promotion_counts(dojo: Dojo) -> None:
    art, other = factories.discipline(dojo), factories.discipline(dojo, "Judo")
    system, who = factories.rank_system(dojo, discipline=art["id"]), factories.student(dojo)
    factories.rank_event(dojo, who, factories.rank_id(system, "5-kyu"), "2026-06-01")
    for day, discipline, counts in (("02", art, True), ("03", other, True), ("04", art, False)):
        recurrence = {
            **factories.SCHEDULE,
            "weekdays": ["tu", "we", "th"],
            "from": f"2026-06-{day}",
            "until": f"2026-06-{day}",
        }
        group = factories.training_class(
            dojo, discipline=discipline["id"], counts_toward_promotion=counts, recurrence=recurrence
        )
        (session,) = factories.list_sessions(
            dojo, **{"class": group["id"], "from": "2026-06-01", "to": "2026-06-15"}
        )
        factories.attendance(dojo, who, session)
    assert check(dojo)[0]["criteria"][0]["have"] == 1


def test_a_check_is_not_paged_and_takes_a_fixed_number_of_statements(dojo: Dojo, kids: Any) -> None:
    art = factories.discipline(dojo)
    system = factories.rank_system(dojo, discipline=art["id"])
    group = factories.training_class(dojo, discipline=art["id"])
    session = factories.session_today(dojo, group)

    def add(n: int) -> None:
        for _ in range(n):
            who = factories.student(dojo, birth_date="2010-01-01")
            factories.rank_event(dojo, who, factories.rank_id(system, "5-kyu"), "2026-01-01")
            factories.rank_event(dojo, who, factories.rank_id(kids, "white"), "2026-01-01")
            factories.attendance(dojo, who, session)
            factories.fact(dojo, who, "opening_attendance", 10, "2026-06-01", rank_system=system["id"])
            dojo.admin.post(f"/classes/{group['id']}/enrolments", {"student": who["id"]})

    def cost(n: int) -> int:
        assert len(check(dojo)) == 2 * n
        return count_statements(lambda: check(dojo))

    add(2)
    few = cost(2)
    add(10)
    assert cost(12) == few
