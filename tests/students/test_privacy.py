"""The export of everything held about a student, and its erasure."""

import pytest

from shared_apps.accounts.models import IdempotentAnswer, Session, User
from shared_apps.accounts.sessions import open_session
from tatami import clock
from tatami.ids import uuid7
from tatami.tenancy.scope import tenant_scope
from tenant_apps.students import privacy
from tenant_apps.students.models import Guardian, Student
from tests.students.erasure import personal_traces
from tests.support.clients import Caller


@pytest.fixture
def mika(dojo):
    student = dojo.create(
        "/students",
        {
            "first_name": "Mika",
            "last_name": "Sato",
            "email": "mika@example.com",
            "birth_date": "1999-02-03",
            "medical_notes": "asthma",
            "external_id": "M-77",
            "guardians": [{"name": "Hana Sato", "email": "hana.sato@example.com"}],
        },
    )
    path = f"/students/{student['id']}"
    system = dojo.create("/rank-systems", {"preset": "fik-kendo"})
    dojo.create(f"{path}/notes", {"text": "Sato's wrist"})
    dojo.create(f"{path}/facts", {"kind": "document", "value": "Essay by Mika", "on": "2026-01-01"})
    dojo.create(f"{path}/holds", {"from": "2026-06-01", "reason": "wrist"})
    event = {
        "rank": system["ranks"][0]["id"],
        "kind": "import",
        "effective_on": "2026-01-01",
        "note": "in Okinawa",
    }
    dojo.create(f"{path}/rank-events", event)
    user = {"email": "mika@example.com", "name": "Mika Sato", "role": "student", "students": [student["id"]]}
    dojo.create("/users", user)
    return student


def signed_in(dojo, email):
    with tenant_scope(dojo.tenant):
        user = User.objects.get(email=email)
        return Caller(dojo.host, token=open_session(user, now=clock.now()).access, user=user)


def erase(dojo, student, **headers):
    return dojo.admin.post(f"/students/{student['id']}/erasure", {"confirm": student["id"]}, **headers)


def test_the_export_contains_the_data_of_every_app(dojo, mika):
    response = dojo.admin.get(f"/students/{mika['id']}/export")
    assert response.status_code == 200
    held = response.json()
    assert held["student"]["name"] == "Mika Sato"
    assert held["student"]["guardians"][0]["name"] == "Hana Sato"
    assert [note["text"] for note in held["notes"]] == ["Sato's wrist"]
    assert [fact["value"] for fact in held["facts"]] == ["Essay by Mika"]
    assert [hold["reason"] for hold in held["holds"]] == ["wrist"]
    assert [event["note"] for event in held["rank_events"]] == ["in Okinawa"]
    assert [user["email"] for user in held["users"]] == ["mika@example.com"]
    assert "attachment" in response.headers["Content-Disposition"]


def test_an_erasure_leaves_no_personal_data(dojo, mika):
    dojo.admin.patch(f"/students/{mika['id']}", {"phone": "1"}, Idempotency_Key="patch")
    dojo.admin.post(f"/students/{mika['id']}/notes", {"text": "Mika again"}, Idempotency_Key="note")
    fact = dojo.admin.get(f"/students/{mika['id']}/facts").json()["results"][0]
    assert dojo.admin.post(f"/facts/{fact['id']}/void", {"reason": "Not by Mika"}).status_code == 200
    assert signed_in(dojo, "mika@example.com").patch("/me", {"name": "Mika S."}).status_code == 200
    assert personal_traces(dojo.tenant)
    assert erase(dojo, mika).status_code == 204
    assert personal_traces(dojo.tenant) == set()
    with tenant_scope(dojo.tenant):
        row = Student._base_manager.get(pk=mika["id"])
        assert (row.erased_at is not None, row.name, row.rank_events.count()) == (True, "Erased student", 1)
        assert Guardian.objects.count() == 0
        gone = User.objects.get(email="")
        assert (gone.is_active, gone.is_archived, Session.objects.filter(user=gone).exists()) == (
            False,
            True,
            False,
        )


def test_an_erased_student_is_not_found_anywhere(dojo, mika):
    erase(dojo, mika)
    path = f"/students/{mika['id']}"
    for rest in ("", "/notes", "/facts", "/holds", "/rank-events", "/export", "/attendance"):
        assert dojo.admin.get(path + rest).status_code == 404, rest
    assert dojo.admin.patch(path, {"phone": "1"}).status_code == 404
    assert dojo.admin.delete(path).status_code == 404
    assert erase(dojo, mika).status_code == 404
    for lists in (
        "/students",
        "/students?archived=true",
        "/students?search=mika",
        "/guardians",
        "/rank-events",
    ):
        assert dojo.admin.get(lists).json()["count"] == 0, lists
    assert dojo.admin.post("/qr", {"student": mika["id"]}).status_code == 400


@pytest.mark.parametrize("body", [{}, {"confirm": "yes"}, {"confirm": str(uuid7())}])
def test_a_wrong_confirmation_changes_nothing(dojo, mika, body):
    before = dojo.admin.get(f"/students/{mika['id']}/export").json()
    response = dojo.admin.post(f"/students/{mika['id']}/erasure", body)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "validation_error")
    assert list(response.json()["error"]["details"]) == ["confirm"]
    assert dojo.admin.get(f"/students/{mika['id']}/export").json() == before


def test_a_sibling_keeps_the_guardian_and_the_linked_user(dojo, mika):
    hana = mika["guardians"][0]["id"]
    ren = dojo.create("/students", {"first_name": "Ren", "last_name": "S", "guardians": [{"id": hana}]})
    parent = dojo.create(
        "/users",
        {"email": "hana@example.com", "name": "H", "role": "student", "students": [mika["id"], ren["id"]]},
    )
    erase(dojo, mika)
    assert [one["id"] for one in dojo.admin.get(f"/students/{ren['id']}").json()["guardians"]] == [hana]
    assert [one["id"] for one in dojo.admin.get(f"/users/{parent['id']}").json()["students"]] == [ren["id"]]


def test_staff_who_train_keep_their_login(dojo, mika):
    dojo.admin.patch(f"/users/{dojo.instructor.user.pk}", {"students": [mika["id"]]})
    erase(dojo, mika)
    assert dojo.instructor.get("/me").json()["students"] == []


def test_stored_responses_about_others_can_still_be_replayed(dojo, mika):
    body = {"first_name": "Ren", "last_name": "Ito"}
    first = dojo.admin.post("/students", body, Idempotency_Key="ren")
    erase(dojo, mika, Idempotency_Key="erase")
    assert dojo.admin.post("/students", body, Idempotency_Key="ren").json() == first.json()
    assert erase(dojo, mika, Idempotency_Key="erase").headers["Idempotency-Replayed"] == "true"
    with tenant_scope(dojo.tenant):
        assert IdempotentAnswer.objects.count() == 2


def test_the_external_id_of_an_erased_student_can_be_used_again(dojo, mika):
    erase(dojo, mika)
    dojo.create("/students", {"first_name": "New", "last_name": "One", "external_id": "M-77"})


@pytest.mark.parametrize("role", ["instructor", "assistant", "student"])
def test_only_admins_export_and_erase(dojo, mika, role):
    assert dojo.person(role).get(f"/students/{mika['id']}/export").status_code == 403
    assert (
        dojo.person(role).post(f"/students/{mika['id']}/erasure", {"confirm": mika["id"]}).status_code == 403
    )


def test_the_other_dojo_cannot_erase_the_student(other_dojo, dojo, mika):
    assert erase(other_dojo, mika).status_code == 404
    assert dojo.admin.get(f"/students/{mika['id']}").status_code == 200


def test_registered_apps_take_part_in_export_and_erasure(dojo, mika, monkeypatch):
    erased = []
    monkeypatch.setattr(privacy, "_parts", dict(privacy._parts))
    privacy.register(
        "belts", collect=lambda student: {"size": 4}, erase=lambda student, now: erased.append(student.name)
    )
    assert dojo.admin.get(f"/students/{mika['id']}/export").json()["belts"] == {"size": 4}
    erase(dojo, mika)
    assert erased == ["Mika Sato"]


def test_every_table_that_refers_to_a_student_is_registered():
    assert privacy.unregistered_models() == []
