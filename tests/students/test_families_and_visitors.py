"""Families share guardians and a phone; visitors are made at the desk in two fields."""

import pytest

from tatami.tenancy.scope import tenant_scope
from tenant_apps.students.models import Student


def make(dojo, first, **more):
    return dojo.create("/students", {"first_name": first, "last_name": "Sato", **more})


def test_a_visitor_is_two_fields_and_counted_apart(dojo):
    visitor = dojo.assistant.post("/students", {"first_name": "Vi", "last_name": "Sitor", "status": "trial"})
    assert visitor.status_code == 201
    make(dojo, "Mika")
    assert dojo.admin.get("/students?status=trial").json()["count"] == 1
    assert dojo.admin.get("/students?status=active").json()["count"] == 1
    with tenant_scope(dojo.tenant):
        assert [student.first_name for student in Student.objects.promotable()] == ["Mika"]


def test_a_parent_speaks_for_several_on_one_phone(dojo):
    mika, ren, other = make(dojo, "Mika"), make(dojo, "Ren"), make(dojo, "Other")
    dojo.admin.patch(f"/users/{dojo.student.user.pk}", {"students": [mika["id"], ren["id"]]})
    assert {one["name"] for one in dojo.student.get("/me").json()["students"]} == {"Mika Sato", "Ren Sato"}
    assert {row["id"] for row in dojo.student.get("/students").json()["results"]} == {mika["id"], ren["id"]}
    assert dojo.student.get(f"/students/{other['id']}").status_code == 404
    dojo.admin.patch(f"/users/{dojo.student.user.pk}", {"students": [ren["id"]]})
    assert dojo.student.get(f"/students/{mika['id']}").status_code == 404


def test_archived_is_out_of_the_lists_and_comes_back(dojo):
    mika = make(dojo, "Mika")
    assert dojo.assistant.delete(f"/students/{mika['id']}").status_code == 403
    assert dojo.instructor.delete(f"/students/{mika['id']}").status_code == 204
    assert dojo.admin.get("/students").json()["count"] == 0
    assert dojo.admin.get("/students?archived=true").json()["count"] == 1
    assert dojo.instructor.patch(f"/students/{mika['id']}", {"archived": False}).status_code == 200
    assert dojo.admin.get("/students").json()["count"] == 1


def test_siblings_share_a_guardian_by_her_id(dojo):
    mika = make(dojo, "Mika", guardians=[{"name": "Hana", "relation": "mother"}, {"name": "Jun"}])
    hana = mika["guardians"][0]["id"]
    ren = make(dojo, "Ren", guardians=[{"id": hana, "relation": "aunt", "phone": "030"}])
    assert ren["guardians"] == [{"id": hana, "name": "Hana", "email": "", "phone": "030", "relation": "aunt"}]
    assert dojo.admin.get(f"/students/{mika['id']}").json()["guardians"][0]["phone"] == "030"
    assert dojo.admin.patch(f"/students/{mika['id']}", {"guardians": []}).json()["guardians"] == []
    assert [row["name"] for row in dojo.admin.get("/guardians").json()["results"]] == ["Hana"]
    dojo.admin.patch(f"/students/{ren['id']}", {"guardians": []})
    assert dojo.admin.get("/guardians").json()["count"] == 0


def test_a_patch_replaces_the_guardians_whole(dojo):
    mika = make(dojo, "Mika", guardians=[{"name": "Hana"}, {"name": "Jun"}])
    path, (hana, jun) = f"/students/{mika['id']}", mika["guardians"]
    answer = dojo.admin.patch(path, {"guardians": [{"id": jun["id"], "relation": "father"}, {"name": "New"}]})
    assert [(one["name"], one["relation"]) for one in answer.json()["guardians"]] == [
        ("Jun", "father"),
        ("New", ""),
    ]
    assert dojo.admin.patch(path, {"phone": "1"}).json()["guardians"] == answer.json()["guardians"]
    stale = dojo.admin.patch(path, {"guardians": [{"id": hana["id"]}]})
    assert stale.json()["error"]["details"] == {"guardians.0.id": ["There is no such guardian."]}
    assert dojo.admin.get(path).json()["guardians"] == answer.json()["guardians"]


@pytest.mark.parametrize(
    ("guardians", "path"),
    [
        ([{}], "guardians.0.name"),
        ([{"name": "A"}, {"name": "B", "email": "x"}], "guardians.1.email"),
        ([{"name": "A"}] * 11, "guardians"),
    ],
)
def test_a_faulty_guardian_is_named(dojo, guardians, path):
    answer = dojo.admin.post("/students", {"first_name": "A", "last_name": "B", "guardians": guardians})
    assert (answer.status_code, list(answer.json()["error"]["details"])) == (400, [path])


def test_one_guardian_twice_is_refused(dojo):
    hana = make(dojo, "Mika", guardians=[{"name": "Hana"}])["guardians"][0]["id"]
    answer = dojo.admin.post(
        "/students", {"first_name": "A", "last_name": "B", "guardians": [{"id": hana}, {"id": hana}]}
    )
    assert list(answer.json()["error"]["details"]) == ["guardians.1.id"]
    assert dojo.admin.get("/students").json()["count"] == 1


def test_a_parent_sees_the_guardians_of_her_children_only(dojo):
    mika = make(dojo, "Mika", guardians=[{"name": "Hana"}])
    make(dojo, "Ren", guardians=[{"name": "Jun"}])
    dojo.admin.patch(f"/users/{dojo.student.user.pk}", {"students": [mika["id"]]})
    assert [row["name"] for row in dojo.student.get("/guardians").json()["results"]] == ["Hana"]


@pytest.mark.parametrize("words", ["sato%20zoe", "ZOË", "ｓａｔｏ", "oe%20at"])
def test_search_minds_neither_accents_nor_case(dojo, words):
    made = make(dojo, "Zoë")
    assert [row["id"] for row in dojo.admin.get(f"/students?search={words}").json()["results"]] == [
        made["id"]
    ]


@pytest.mark.parametrize("words", ["%25", "_", "zoe%20x"])
def test_search_takes_signs_for_themselves(dojo, words):
    make(dojo, "Zoë")
    assert dojo.admin.get(f"/students?search={words}").json()["count"] == 0
