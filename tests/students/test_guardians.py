"""Guardians: linked with siblings, replaced, deleted when the last link goes."""

import pytest

from tests.support import factories
from tests.support.clients import Dojo
from tests.support.responses import assert_invalid, ok, results_of


def test_a_patch_removes_guardians_that_it_does_not_name(dojo: Dojo) -> None:
    who = factories.student(dojo, guardians=[{"name": "Hana", "relation": "mother"}, {"name": "Jun"}])
    hana = who["guardians"][0]
    body = {"guardians": [{"id": hana["id"]}]}
    after = ok(dojo.admin.patch(f"/students/{who['id']}", body))
    assert [one["name"] for one in after["guardians"]] == ["Hana"]
    assert [one["name"] for one in results_of(dojo.admin, "/guardians")] == ["Hana"]


def test_siblings_can_share_a_guardian(dojo: Dojo) -> None:
    first = factories.student(
        dojo, guardians=[{"name": "Hana", "email": "h@example.com", "relation": "mother"}]
    )
    hana = first["guardians"][0]
    second = factories.student(dojo, first_name="Ren", guardians=[{"id": hana["id"], "relation": "aunt"}])
    assert second["guardians"] == [{**hana, "relation": "aunt"}]
    assert ok(dojo.admin.get(f"/students/{first['id']}"))["guardians"] == [hana]
    assert len(results_of(dojo.admin, "/guardians")) == 1


def test_a_guardian_of_the_other_dojo_is_unknown(dojo: Dojo, other_dojo: Dojo) -> None:
    theirs = factories.student(other_dojo, guardians=[{"name": "Hana"}])["guardians"][0]
    body = {"first_name": "Ren", "last_name": "Ito", "guardians": [{"id": theirs["id"]}]}
    assert_invalid(dojo.admin.post("/students", body), "guardians.0.id")


def test_a_guardian_without_a_name_is_refused(dojo: Dojo) -> None:
    body = {"first_name": "Ren", "last_name": "Ito", "guardians": [{"phone": "1"}]}
    assert_invalid(dojo.admin.post("/students", body), "guardians.0.name")


def test_unlinked_guardians_are_deleted_and_shared_ones_kept(dojo):
    mika = factories.student(
        dojo, first_name="Mika", guardians=[{"name": "Hana", "relation": "mother"}, {"name": "Jun"}]
    )
    hana = mika["guardians"][0]["id"]
    ren = factories.student(
        dojo, first_name="Ren", guardians=[{"id": hana, "relation": "aunt", "phone": "030"}]
    )
    assert ren["guardians"] == [{"id": hana, "name": "Hana", "email": "", "phone": "030", "relation": "aunt"}]
    assert dojo.admin.get(f"/students/{mika['id']}").json()["guardians"][0]["phone"] == "030"
    assert dojo.admin.patch(f"/students/{mika['id']}", {"guardians": []}).json()["guardians"] == []
    assert [row["name"] for row in dojo.admin.get("/guardians").json()["results"]] == ["Hana"]
    dojo.admin.patch(f"/students/{ren['id']}", {"guardians": []})
    assert dojo.admin.get("/guardians").json()["count"] == 0


def test_a_patch_replaces_all_guardians(dojo):
    mika = factories.student(dojo, first_name="Mika", guardians=[{"name": "Hana"}, {"name": "Jun"}])
    path, (hana, jun) = f"/students/{mika['id']}", mika["guardians"]
    response = dojo.admin.patch(
        path, {"guardians": [{"id": jun["id"], "relation": "father"}, {"name": "New"}]}
    )
    assert [(one["name"], one["relation"]) for one in response.json()["guardians"]] == [
        ("Jun", "father"),
        ("New", ""),
    ]
    assert dojo.admin.patch(path, {"phone": "1"}).json()["guardians"] == response.json()["guardians"]
    stale = dojo.admin.patch(path, {"guardians": [{"id": hana["id"]}]})
    assert stale.json()["error"]["details"] == {"guardians.0.id": ["There is no such guardian."]}
    assert dojo.admin.get(path).json()["guardians"] == response.json()["guardians"]


@pytest.mark.parametrize(
    ("guardians", "path"),
    [
        ([{}], "guardians.0.name"),
        ([{"name": "A"}, {"name": "B", "email": "x"}], "guardians.1.email"),
        ([{"name": "A"}] * 11, "guardians"),
    ],
)
def test_an_invalid_guardian_is_refused_by_its_place(dojo, guardians, path):
    response = dojo.admin.post("/students", {"first_name": "A", "last_name": "B", "guardians": guardians})
    assert (response.status_code, list(response.json()["error"]["details"])) == (400, [path])


def test_a_guardian_given_twice_is_refused(dojo):
    hana = factories.student(dojo, first_name="Mika", guardians=[{"name": "Hana"}])["guardians"][0]["id"]
    response = dojo.admin.post(
        "/students", {"first_name": "A", "last_name": "B", "guardians": [{"id": hana}, {"id": hana}]}
    )
    assert list(response.json()["error"]["details"]) == ["guardians.1.id"]
    assert dojo.admin.get("/students").json()["count"] == 1


def test_a_parent_sees_only_the_guardians_of_linked_students(dojo):
    mika = factories.student(dojo, first_name="Mika", guardians=[{"name": "Hana"}])
    factories.student(dojo, first_name="Ren", guardians=[{"name": "Jun"}])
    dojo.admin.patch(f"/users/{dojo.student.user.pk}", {"students": [mika["id"]]})
    assert [row["name"] for row in dojo.student.get("/guardians").json()["results"]] == ["Hana"]
