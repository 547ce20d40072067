"""Students: fields, linked users, archive, search."""

import pytest

from tatami.tenancy.scope import tenant_scope
from tenant_apps.students.models import Student
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.responses import assert_error, assert_invalid, ok


def test_a_student_has_all_documented_fields(dojo: Dojo) -> None:
    body = {
        "first_name": "Mika",
        "last_name": "Sato",
        "email": "m@example.com",
        "phone": "1",
        "birth_date": "2010-05-06",
        "gender": "f",
        "status": "trial",
        "joined_on": "2026-01-01",
        "external_id": "A-1",
        "medical_notes": "Asthma",
    }
    student = dojo.create("/students", body)
    assert body.items() <= student.items()
    assert (student["name"], student["guardians"], student["ranks"]) == ("Mika Sato", [], [])


def test_only_the_first_name_is_required(dojo: Dojo) -> None:
    ok(dojo.admin.post("/students", {"first_name": "Mika"}), 201)
    assert_invalid(dojo.admin.post("/students", {"last_name": "Sato"}), "first_name")


def test_an_external_id_is_unique_in_a_dojo(dojo: Dojo, other_dojo: Dojo) -> None:
    factories.student(dojo, external_id="A-1")
    factories.student(other_dojo, external_id="A-1")
    body = {"first_name": "Ren", "last_name": "Ito", "external_id": "A-1"}
    assert_error(dojo.admin.post("/students", body), 409, "conflict")


def test_several_students_can_have_no_external_id(dojo: Dojo) -> None:
    factories.student(dojo)
    factories.student(dojo)


def test_an_archived_student_is_still_shown_by_id(dojo: Dojo) -> None:
    who = factories.student(dojo)
    ok(dojo.admin.delete(f"/students/{who['id']}"), 204)
    assert ok(dojo.admin.get(f"/students/{who['id']}"))["archived"] is True


def test_a_visitor_needs_two_fields_and_is_listed_by_status(dojo):
    visitor = dojo.assistant.post("/students", {"first_name": "Vi", "last_name": "Sitor", "status": "trial"})
    assert visitor.status_code == 201
    factories.student(dojo, first_name="Mika")
    assert dojo.admin.get("/students?status=trial").json()["count"] == 1
    assert dojo.admin.get("/students?status=active").json()["count"] == 1
    with tenant_scope(dojo.tenant):
        assert [student.first_name for student in Student.objects.promotable()] == ["Mika"]


def test_a_parent_sees_exactly_the_linked_students(dojo):
    mika, ren, other = (factories.student(dojo, first_name=name) for name in ("Mika", "Ren", "Other"))
    dojo.admin.patch(f"/users/{dojo.student.user.pk}", {"students": [mika["id"], ren["id"]]})
    assert {one["name"] for one in dojo.student.get("/me").json()["students"]} == {"Mika Sato", "Ren Sato"}
    assert {row["id"] for row in dojo.student.get("/students").json()["results"]} == {mika["id"], ren["id"]}
    assert dojo.student.get(f"/students/{other['id']}").status_code == 404
    dojo.admin.patch(f"/users/{dojo.student.user.pk}", {"students": [ren["id"]]})
    assert dojo.student.get(f"/students/{mika['id']}").status_code == 404


def test_an_archived_student_is_not_listed_and_can_be_restored(dojo):
    mika = factories.student(dojo, first_name="Mika")
    assert dojo.assistant.delete(f"/students/{mika['id']}").status_code == 403
    assert dojo.instructor.delete(f"/students/{mika['id']}").status_code == 204
    assert dojo.admin.get("/students").json()["count"] == 0
    assert dojo.admin.get("/students?archived=true").json()["count"] == 1
    assert dojo.instructor.patch(f"/students/{mika['id']}", {"archived": False}).status_code == 200
    assert dojo.admin.get("/students").json()["count"] == 1


@pytest.mark.parametrize("words", ["sato%20zoe", "ZOË", "ｓａｔｏ", "oe%20at"])
def test_search_ignores_accents_and_case(dojo, words):
    made = factories.student(dojo, first_name="Zoë")
    assert [row["id"] for row in dojo.admin.get(f"/students?search={words}").json()["results"]] == [
        made["id"]
    ]


@pytest.mark.parametrize("words", ["%25", "_", "zoe%20x"])
def test_search_takes_wildcards_literally(dojo, words):
    factories.student(dojo, first_name="Zoë")
    assert dojo.admin.get(f"/students?search={words}").json()["count"] == 0
