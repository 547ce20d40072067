"""What a fact's value may be: points of a category, and nothing that only looks like it."""

import pytest
from django.db import DataError, transaction

from tatami.api.exception_mapping import map_exception
from tatami.errors import Invalid
from tatami.tenancy.scope import tenant_scope
from tenant_apps.students.models import StudentFact
from tests.support import factories
from tests.support.responses import done, invalid


def facts(dojo):
    return f"/students/{factories.student(dojo)['id']}/facts"


def points(value):
    return {"kind": "points", "value": value, "on": "2026-01-01"}


@pytest.mark.parametrize("number", [0, 3, 7.5, 1_000_000])
def test_points_may_be_of_a_category(dojo, number):
    path = facts(dojo)
    said = {"points": number, "category": " Káta "}
    made = done(dojo.admin.post(path, points(said)), 201)
    assert made["value"] == {"points": number, "category": "Káta"}
    assert done(dojo.admin.get(path))["results"][0]["value"] == made["value"]


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
def test_what_is_no_points_is_refused_at_its_place(dojo, value, places):
    path = facts(dojo)
    invalid(dojo.admin.post(path, points(value)), *places)
    assert done(dojo.admin.get(path))["count"] == 0


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_what_is_no_number_is_refused(dojo, number):
    body = f'{{"kind": "points", "value": {{"points": {number}, "category": "kata"}}, "on": "2026-01-01"}}'
    answer = dojo.admin.post(facts(dojo), body.encode())
    assert answer.status_code == 400, answer.content


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_as_text_is_refused_too(dojo, number):
    path = facts(dojo)
    invalid(dojo.admin.post(path, points(number)), "value")
    invalid(dojo.admin.post(path, points({"points": number, "category": "kata"})), "value.points")


def test_what_no_serializer_foresaw_is_a_value_that_is_not_accepted(dojo):
    who = factories.student(dojo)
    said = {"kind": "points", "value": float("nan"), "on": "2026-01-01"}
    with tenant_scope(dojo.tenant), pytest.raises(DataError) as refused, transaction.atomic():
        StudentFact.objects.create(student_id=who["id"], **said)
    assert isinstance(map_exception(refused.value), Invalid)


@pytest.mark.parametrize("kind", ["opening_attendance", "document"])
def test_only_points_have_a_category(dojo, kind):
    body = {**points({"points": 3, "category": "kata"}), "kind": kind}
    invalid(dojo.admin.post(facts(dojo), body), "value")


def test_a_name_is_one_line_without_the_blanks_around_it(dojo):
    path = facts(dojo)
    body = {"kind": "document", "on": "2026-01-01"}
    assert done(dojo.admin.post(path, {**body, "value": "  Essay "}), 201)["value"] == "Essay"
    invalid(dojo.admin.post(path, {**body, "value": "Es\u0007say"}), "value")


def test_points_of_a_category_count_where_it_is_asked_for(dojo):
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
    (answer,) = done(dojo.admin.post("/promotions/check", body))["results"]
    assert [criterion["have"] for criterion in answer["criteria"]] == [2.5, 14.5]
