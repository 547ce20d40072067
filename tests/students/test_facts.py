"""Facts about students: recorded, validated, voided; and the values of points."""

from typing import Any

import pytest
from django.db import DataError, transaction

from tatami.api.exception_mapping import map_exception
from tatami.errors import Invalid
from tatami.tenancy.scope import tenant_scope
from tenant_apps.students.models import StudentFact
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.responses import assert_created, assert_error, assert_invalid, ok

KINDS: dict[str, Any] = {
    "opening_attendance": 55,
    "points": 7.5,
    "skill": "ukemi",
    "approval": "head instructor",
    "document": "article",
    "credential": "referee",
    "achievement": "national champion",
    "membership": "federation",
}


@pytest.mark.parametrize("kind", KINDS)
def test_facts_of_every_kind_are_recorded_and_voided(dojo: Dojo, kind: str) -> None:
    path = f"/students/{factories.student(dojo)['id']}/facts"
    fact = assert_created(
        dojo.admin, dojo.admin.post(path, {"kind": kind, "value": KINDS[kind], "on": "2026-01-01"})
    )
    assert (fact["kind"], fact["value"], fact["on"]) == (kind, KINDS[kind], "2026-01-01")
    voided = ok(dojo.admin.post(f"/facts/{fact['id']}/void", {"reason": "Mistaken"}))
    assert voided["id"] == fact["id"]
    assert_error(dojo.admin.post(f"/facts/{fact['id']}/void", {"reason": "Again"}), 409, "already_voided")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kind": "opening_attendance", "value": -1}, "value"),
        ({"kind": "opening_attendance", "value": "55"}, "value"),
        ({"kind": "opening_attendance", "value": 5.5}, "value"),
        ({"kind": "opening_attendance", "value": True}, "value"),
        ({"kind": "document", "value": ""}, "value"),
        ({"kind": "document", "value": {"a": 1}}, "value"),
        ({"kind": "belt"}, "kind"),
        ({"on": "soon"}, "on"),
        ({"on": None}, "on"),
        ({"expires_on": "2025-12-31"}, "expires_on"),
        ({"voided": True}, "voided"),
        ({"recorded_by": "me"}, "recorded_by"),
    ],
)
def test_a_fact_with_an_invalid_value_is_refused(dojo: Dojo, change: dict[str, Any], field: str) -> None:
    path = f"/students/{factories.student(dojo)['id']}/facts"
    assert_invalid(
        dojo.admin.post(path, {"kind": "document", "value": "article", "on": "2026-01-01", **change}), field
    )


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "   "}, {"reason": None}])
def test_voiding_needs_a_reason(dojo: Dojo, body: dict[str, Any]) -> None:
    who = factories.student(dojo)
    fact = factories.fact(dojo, who, "document", "article", "2026-01-01")
    assert_invalid(dojo.admin.post(f"/facts/{fact['id']}/void", body), "reason")


# --- values -------------------------------------------------------------------------------------------------


def facts(dojo):
    return f"/students/{factories.student(dojo)['id']}/facts"


def points(value):
    return {"kind": "points", "value": value, "on": "2026-01-01"}


@pytest.mark.parametrize("number", [0, 3, 7.5, 1_000_000])
def test_points_can_have_a_category(dojo, number):
    path = facts(dojo)
    said = {"points": number, "category": " Káta "}
    shown = ok(dojo.admin.post(path, points(said)), 201)
    assert shown["value"] == {"points": number, "category": "Káta"}
    assert ok(dojo.admin.get(path))["results"][0]["value"] == shown["value"]


@pytest.mark.parametrize(
    ("value", "places"),
    [
        ({}, ["value.category", "value.points"]),
        ({"points": 3}, ["value.category"]),
        ({"category": "kata"}, ["value.points"]),
        ({"points": 3, "category": "kata", "of": "spring"}, ["value.of"]),
        ({"points": "3", "category": "kata"}, ["value.points"]),
        ({"points": True, "category": "kata"}, ["value.points"]),
        ({"points": None, "category": "kata"}, ["value.points"]),
        ({"points": -1, "category": "kata"}, ["value.points"]),
        ({"points": 1_000_001, "category": "kata"}, ["value.points"]),
        ({"points": 1e300, "category": "kata"}, ["value.points"]),
        ({"points": {"points": 3, "category": "kata"}, "category": "kata"}, ["value.points"]),
        ({"points": 3, "category": ""}, ["value.category"]),
        ({"points": 3, "category": "   "}, ["value.category"]),
        ({"points": 3, "category": None}, ["value.category"]),
        ({"points": 3, "category": 4}, ["value.category"]),
        ({"points": 3, "category": "x" * 101}, ["value.category"]),
        ({"points": 3, "category": "ka\nta"}, ["value.category"]),
        ({"points": 3, "category": "ka\u0007ta"}, ["value.category"]),
        ([3, "kata"], ["value"]),
        ("3", ["value"]),
        (True, ["value"]),
        (1e300, ["value"]),
        (None, ["value"]),
    ],
)
def test_invalid_points_are_refused_with_the_field_at_fault(dojo, value, places):
    path = facts(dojo)
    assert_invalid(dojo.admin.post(path, points(value)), *places)
    assert ok(dojo.admin.get(path))["count"] == 0


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_json_that_is_not_a_finite_number_is_refused(dojo, number):
    body = f'{{"kind": "points", "value": {{"points": {number}, "category": "kata"}}, "on": "2026-01-01"}}'
    response = dojo.admin.post(facts(dojo), body.encode())
    assert response.status_code == 400, response.content


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_text_for_a_non_finite_number_is_refused(dojo, number):
    path = facts(dojo)
    assert_invalid(dojo.admin.post(path, points(number)), "value")
    assert_invalid(dojo.admin.post(path, points({"points": number, "category": "kata"})), "value.points")


def test_a_value_that_only_the_database_refuses_is_a_validation_error(dojo):
    who = factories.student(dojo)
    said = {"kind": "points", "value": float("nan"), "on": "2026-01-01"}
    with tenant_scope(dojo.tenant), pytest.raises(DataError) as refused, transaction.atomic():
        StudentFact.objects.create(student_id=who["id"], **said)
    assert isinstance(map_exception(refused.value), Invalid)


@pytest.mark.parametrize("kind", ["opening_attendance", "document"])
def test_only_points_have_a_category(dojo, kind):
    body = {**points({"points": 3, "category": "kata"}), "kind": kind}
    assert_invalid(dojo.admin.post(facts(dojo), body), "value")


def test_a_name_is_trimmed_and_has_one_line(dojo):
    path = facts(dojo)
    body = {"kind": "document", "on": "2026-01-01"}
    assert ok(dojo.admin.post(path, {**body, "value": "  Essay "}), 201)["value"] == "Essay"
    assert_invalid(dojo.admin.post(path, {**body, "value": "Es\u0007say"}), "value")


def test_points_of_a_category_count_for_criteria_with_that_category(dojo):
    asked = [{"kind": "points", "n": 4, "category": "kata"}, {"kind": "points", "n": 20}]
    system = dojo.create("/rank-systems", {
        "format": 1, "name": "Ours", "art": "Judo", "source": "Our own", "confidence": "C",
        "ranks": [{"code": "white", "name": "White"}],
        "steps": [{"from": None, "to": "white", "paths": [{"name": "regular", "criteria": asked}]}],
    })  # fmt: skip
    who = factories.student(dojo)
    for value in ({"points": 2.5, "category": "Kata"}, {"points": 9, "category": "Kumite"}, 3):
        factories.fact(dojo, who, "points", value, "2026-01-01")
    body = {"students": [who["id"]], "rank_system": system["id"]}
    (response,) = ok(dojo.admin.post("/promotions/check", body))["results"]
    assert [criterion["have"] for criterion in response["criteria"]] == [2.5, 14.5]
