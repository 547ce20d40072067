"""Users, students, guardians, notes, facts and rank histories."""

from datetime import timedelta
from typing import Any

import pytest

from tatami import clock
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.now import NOW
from tests.support.responses import done, invalid, made, path_of, refusal

COMMON = {"id", "tenant_id", "created_at", "updated_at"}


def rows(dojo: Dojo, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = done(dojo.admin.get(path))["results"]
    return found


# --- what is made, changed, archived and restored -----------------------------------------------------------

RESOURCES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "/students": ({"first_name": "Mika", "last_name": "Sato"}, {"phone": "030 1234"}),
    "/classes": ({"name": "Evening class", "recurrence": factories.SCHEDULE}, {"location": "Hall B"}),
    "/users": ({"email": "u@example.com", "name": "Una", "role": "assistant"}, {"name": "Una Ito"}),
    "/disciplines": ({"name": "Iaido"}, {"name": "Jodo"}),
    "/rank-systems": ({"preset": "fik-kendo"}, {"name": "Our grades"}),
}
every_resource = pytest.mark.parametrize("path", RESOURCES)


@every_resource
def test_what_is_made_has_a_location_that_shows_it(dojo: Dojo, path: str) -> None:
    answer = dojo.admin.post(path, RESOURCES[path][0])
    body = made(dojo.admin, answer)
    assert set(body) >= COMMON
    assert path_of(answer.headers["Location"]) == f"{path}/{body['id']}"
    assert done(dojo.admin.get(f"{path}/{body['id']}")) == body
    assert body in rows(dojo, path)


@every_resource
def test_a_patch_changes_what_it_names_and_nothing_else(dojo: Dojo, path: str) -> None:
    before = dojo.create(path, RESOURCES[path][0])
    change = RESOURCES[path][1]
    with clock.fixed(NOW + timedelta(seconds=5)):
        after = done(dojo.admin.patch(f"{path}/{before['id']}", change))
    assert after == {**before, **change, "updated_at": after["updated_at"], "name": after["name"]}
    assert after["updated_at"] > before["updated_at"]
    assert done(dojo.admin.get(f"{path}/{before['id']}")) == after


@every_resource
def test_an_empty_patch_changes_nothing(dojo: Dojo, path: str) -> None:
    before = dojo.create(path, RESOURCES[path][0])
    after = done(dojo.admin.patch(f"{path}/{before['id']}", {}))
    assert {**after, "updated_at": ""} == {**before, "updated_at": ""}


@every_resource
def test_what_is_deleted_is_archived_and_can_be_restored(dojo: Dojo, path: str) -> None:
    body = dojo.create(path, RESOURCES[path][0])
    one = f"{path}/{body['id']}"
    answer = dojo.admin.delete(one)
    assert (answer.status_code, answer.content) == (204, b"")
    assert body["id"] not in [row["id"] for row in rows(dojo, path)]
    assert [row["id"] for row in rows(dojo, f"{path}?archived=true")] == [body["id"]]
    assert done(dojo.admin.patch(one, {"archived": False}))["id"] == body["id"]
    assert body["id"] in [row["id"] for row in rows(dojo, path)]
    assert rows(dojo, f"{path}?archived=true") == []


@every_resource
def test_a_patch_does_not_archive(dojo: Dojo, path: str) -> None:
    body = dojo.create(path, RESOURCES[path][0])
    invalid(dojo.admin.patch(f"{path}/{body['id']}", {"archived": True}), "archived")


@every_resource
def test_deleting_twice_is_no_fault(dojo: Dojo, path: str) -> None:
    one = f"{path}/{dojo.create(path, RESOURCES[path][0])['id']}"
    done(dojo.admin.delete(one), 204)
    assert dojo.admin.delete(one).status_code in {204, 404}


@every_resource
def test_the_other_dojo_may_have_the_same(dojo: Dojo, other_dojo: Dojo, path: str) -> None:
    here, there = dojo.create(path, RESOURCES[path][0]), other_dojo.create(path, RESOURCES[path][0])
    assert here["id"] != there["id"]
    assert here["tenant_id"] != there["tenant_id"]
    assert there["id"] not in [row["id"] for row in rows(dojo, path)]


@pytest.mark.parametrize("path", ["/disciplines", "/rank-systems", "/users"])
def test_the_same_name_or_address_twice_is_a_conflict(dojo: Dojo, path: str) -> None:
    dojo.create(path, RESOURCES[path][0])
    refusal(dojo.admin.post(path, RESOURCES[path][0]), 409, "conflict")


# --- users --------------------------------------------------------------------------------------------------


def test_an_admin_sees_all_of_a_user_but_the_password(dojo: Dojo) -> None:
    child = factories.student(dojo)
    body = {"email": "Una@Example.com", "name": "Una", "role": "student", "students": [child["id"]]}
    user = dojo.create("/users", body)
    assert user["students"] == [{"id": child["id"], "name": "Mika Sato"}]
    assert {"email", "name", "role", "is_active", "students"} <= set(user)
    assert "password" not in user


def test_an_address_is_compared_without_case(dojo: Dojo) -> None:
    dojo.create("/users", {"email": "una@example.com", "role": "assistant"})
    refusal(dojo.admin.post("/users", {"email": "UNA@example.com", "role": "admin"}), 409, "conflict")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("role", "superadmin"),
        ("role", "device"),
        ("email", "nobody"),
        ("password", "short"),
        ("password", "password123"),
    ],
)
def test_a_user_with_a_bad_value_is_refused(dojo: Dojo, field: str, value: str) -> None:
    body = {"email": "u@example.com", "role": "assistant", field: value}
    invalid(dojo.admin.post("/users", body), field)


@pytest.mark.parametrize("change", [{"role": "instructor"}, {"is_active": False}, None])
def test_the_last_active_admin_stays(dojo: Dojo, change: dict[str, Any] | None) -> None:
    head = next(row for row in rows(dojo, "/users") if row["email"] == "head@example.com")
    done(dojo.admin.patch(f"/users/{head['id']}", {"is_active": False}))
    assert dojo.admin.user is not None
    path = f"/users/{dojo.admin.user.pk}"
    answer = dojo.admin.patch(path, change) if change else dojo.admin.delete(path)
    refusal(answer, 409, "last_admin")
    assert done(dojo.admin.get(path))["role"] == "admin"


def test_an_admin_who_is_not_the_last_one_may_go(dojo: Dojo) -> None:
    assert dojo.admin.user is not None
    done(dojo.admin.delete(f"/users/{dojo.admin.user.pk}"), 204)
    refusal(dojo.admin.get("/me"), 401, "token_invalid")


def test_who_leaves_stays_named_in_history(dojo: Dojo) -> None:
    who = factories.student(dojo)
    note = done(dojo.instructor.post(f"/students/{who['id']}/notes", {"text": "Left knee"}), 201)
    assert dojo.instructor.user is not None
    done(dojo.admin.delete(f"/users/{dojo.instructor.user.pk}"), 204)
    assert rows(dojo, f"/students/{who['id']}/notes")[0]["author"] == note["author"]
    assert note["author"]["name"] == "Instructor"


def test_users_are_filtered_by_role(dojo: Dojo) -> None:
    _ = dojo.assistant
    assert {row["role"] for row in rows(dojo, "/users?role=assistant")} == {"assistant"}


# --- me -----------------------------------------------------------------------------------------------------


def test_me_says_who_one_is_and_for_whom_one_speaks(dojo: Dojo) -> None:
    child = factories.student(dojo)
    factories.speaks_for(dojo, dojo.student, child)
    me = done(dojo.student.get("/me"))
    assert {"id", "email", "name", "role", "tenant", "students"} <= set(me)
    assert me["role"] == "student"
    assert me["students"] == [{"id": child["id"], "name": "Mika Sato"}]
    assert me["tenant"] == {
        "id": str(dojo.tenant.tenant_id),
        "slug": "aiki",
        "name": "Seishin Dojo",
        "timezone": "Europe/Berlin",
    }


def test_me_on_the_platform_has_no_dojo(platform: Any) -> None:
    me = done(platform.superadmin().get("/me"))
    assert (me["role"], me["tenant"], me["students"]) == ("admin", None, [])


@pytest.mark.parametrize("field", ["role", "email", "id", "students", "is_active", "tenant"])
def test_nobody_makes_himself_another(dojo: Dojo, field: str) -> None:
    invalid(dojo.student.patch("/me", {field: "admin", "name": "Me"}), field)
    assert done(dojo.student.get("/me"))["role"] == "student"


def test_one_may_change_ones_name(dojo: Dojo) -> None:
    assert done(dojo.student.patch("/me", {"name": "Yui Mori"}))["name"] == "Yui Mori"
    assert done(dojo.student.get("/me"))["name"] == "Yui Mori"


# --- students and guardians ---------------------------------------------------------------------------------


def test_a_student_has_what_the_contract_says(dojo: Dojo) -> None:
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


@pytest.mark.parametrize("missing", ["first_name", "last_name"])
def test_only_the_names_are_required(dojo: Dojo, missing: str) -> None:
    names = {"first_name": "Mika", "last_name": "Sato"}
    done(dojo.admin.post("/students", names), 201)
    invalid(dojo.admin.post("/students", {k: v for k, v in names.items() if k != missing}), missing)


def test_an_external_id_is_taken_once(dojo: Dojo, other_dojo: Dojo) -> None:
    factories.student(dojo, external_id="A-1")
    factories.student(other_dojo, external_id="A-1")
    body = {"first_name": "Ren", "last_name": "Ito", "external_id": "A-1"}
    refusal(dojo.admin.post("/students", body), 409, "conflict")


def test_two_students_may_have_no_external_id(dojo: Dojo) -> None:
    factories.student(dojo)
    factories.student(dojo)


def test_guardians_are_replaced_whole(dojo: Dojo) -> None:
    who = factories.student(dojo, guardians=[{"name": "Hana", "relation": "mother"}, {"name": "Jun"}])
    hana = who["guardians"][0]
    body = {"guardians": [{"id": hana["id"]}]}
    after = done(dojo.admin.patch(f"/students/{who['id']}", body))
    assert [one["name"] for one in after["guardians"]] == ["Hana"]
    assert [one["name"] for one in rows(dojo, "/guardians")] == ["Hana"]


def test_siblings_share_a_guardian(dojo: Dojo) -> None:
    first = factories.student(
        dojo, guardians=[{"name": "Hana", "email": "h@example.com", "relation": "mother"}]
    )
    hana = first["guardians"][0]
    second = factories.student(dojo, first_name="Ren", guardians=[{"id": hana["id"], "relation": "aunt"}])
    assert second["guardians"] == [{**hana, "relation": "aunt"}]
    assert done(dojo.admin.get(f"/students/{first['id']}"))["guardians"] == [hana]
    assert len(rows(dojo, "/guardians")) == 1


def test_a_guardian_of_the_other_dojo_is_nobodys(dojo: Dojo, other_dojo: Dojo) -> None:
    theirs = factories.student(other_dojo, guardians=[{"name": "Hana"}])["guardians"][0]
    body = {"first_name": "Ren", "last_name": "Ito", "guardians": [{"id": theirs["id"]}]}
    invalid(dojo.admin.post("/students", body), "guardians.0.id")


def test_a_guardian_without_a_name_is_refused(dojo: Dojo) -> None:
    body = {"first_name": "Ren", "last_name": "Ito", "guardians": [{"phone": "1"}]}
    invalid(dojo.admin.post("/students", body), "guardians.0.name")


def test_a_student_who_was_archived_is_still_shown_by_her_id(dojo: Dojo) -> None:
    who = factories.student(dojo)
    done(dojo.admin.delete(f"/students/{who['id']}"), 204)
    assert done(dojo.admin.get(f"/students/{who['id']}"))["archived"] is True


# --- notes --------------------------------------------------------------------------------------------------


def test_notes_are_written_changed_and_removed(dojo: Dojo) -> None:
    path = f"/students/{factories.student(dojo)['id']}/notes"
    note = made(dojo.instructor, dojo.instructor.post(path, {"text": "Left knee"}))
    assert note["author"]["name"] == "Instructor"
    assert done(dojo.instructor.patch(f"{path}/{note['id']}", {"text": "Right knee"}))["text"] == "Right knee"
    done(dojo.instructor.delete(f"{path}/{note['id']}"), 204)
    assert rows(dojo, path) == []


def test_a_note_is_found_only_under_its_student(dojo: Dojo) -> None:
    who, other = factories.student(dojo), factories.student(dojo)
    note = dojo.create(f"/students/{who['id']}/notes", {"text": "Left knee"})
    refusal(dojo.admin.patch(f"/students/{other['id']}/notes/{note['id']}", {"text": "x"}), 404, "not_found")


@pytest.mark.parametrize("field", ["author", "student", "id"])
def test_nobody_writes_in_anothers_name(dojo: Dojo, field: str) -> None:
    path = f"/students/{factories.student(dojo)['id']}/notes"
    invalid(dojo.admin.post(path, {"text": "x", field: factories.nobody()}), field)


# --- facts --------------------------------------------------------------------------------------------------

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
def test_a_fact_of_every_kind_is_written_down_and_voided(dojo: Dojo, kind: str) -> None:
    path = f"/students/{factories.student(dojo)['id']}/facts"
    fact = made(dojo.admin, dojo.admin.post(path, {"kind": kind, "value": KINDS[kind], "on": "2026-01-01"}))
    assert (fact["kind"], fact["value"], fact["on"]) == (kind, KINDS[kind], "2026-01-01")
    voided = done(dojo.admin.post(f"/facts/{fact['id']}/void", {"reason": "Mistaken"}))
    assert voided["id"] == fact["id"]
    refusal(dojo.admin.post(f"/facts/{fact['id']}/void", {"reason": "Again"}), 409, "already_voided")


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
def test_a_fact_with_a_bad_value_is_refused(dojo: Dojo, change: dict[str, Any], field: str) -> None:
    path = f"/students/{factories.student(dojo)['id']}/facts"
    invalid(
        dojo.admin.post(path, {"kind": "document", "value": "article", "on": "2026-01-01", **change}), field
    )


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "   "}, {"reason": None}])
def test_what_is_voided_is_voided_for_a_reason(dojo: Dojo, body: dict[str, Any]) -> None:
    who = factories.student(dojo)
    fact = factories.fact(dojo, who, "document", "article", "2026-01-01")
    invalid(dojo.admin.post(f"/facts/{fact['id']}/void", body), "reason")


# --- rank histories -----------------------------------------------------------------------------------------


def test_the_rank_held_follows_from_the_history(dojo: Dojo) -> None:
    system, who = factories.rank_system(dojo), factories.student(dojo)

    def held() -> list[str]:
        return [one["name"] for one in done(dojo.admin.get(f"/students/{who['id']}"))["ranks"]]

    first = factories.rank_event(dojo, who, factories.rank(system, "4-kyu"), "2026-03-01")
    factories.rank_event(dojo, who, factories.rank(system, "5-kyu"), "2026-01-01")
    factories.rank_event(dojo, who, factories.rank(system, "3-kyu"), "2026-12-01")
    assert held() == ["4th kyu"]
    factories.rank_event(dojo, who, factories.rank(system, "5-kyu"), "2026-04-01", "demote")
    assert held() == ["5th kyu"]
    done(dojo.admin.post(f"/rank-events/{first['id']}/void", {"reason": "Another student's"}))
    assert held() == ["5th kyu"]
    assert len(rows(dojo, f"/students/{who['id']}/rank-events")) == 4, (
        "append-only: what is voided is still told"
    )


def test_one_rank_of_each_system_is_shown(dojo: Dojo) -> None:
    who = factories.student(dojo)
    for preset, code in (("aikikai", "4-kyu"), ("fik-kendo", "1-dan")):
        factories.rank_event(
            dojo, who, factories.rank(factories.rank_system(dojo, preset), code), "2026-01-01"
        )
    assert len(done(dojo.admin.get(f"/students/{who['id']}"))["ranks"]) == 2


@pytest.mark.parametrize("kind", ["award", "promotion", ""])
def test_a_rank_is_not_awarded_by_writing_it_down(dojo: Dojo, kind: str) -> None:
    system, who = factories.rank_system(dojo), factories.student(dojo)
    body = {"rank": factories.rank(system, "5-kyu"), "kind": kind, "effective_on": "2026-01-01"}
    invalid(dojo.admin.post(f"/students/{who['id']}/rank-events", body), "kind")


def test_a_rank_event_is_made_with_a_location_and_voided_once(dojo: Dojo) -> None:
    system, who = factories.rank_system(dojo), factories.student(dojo)
    body = {
        "rank": factories.rank(system, "5-kyu"),
        "kind": "import",
        "effective_on": "2026-01-01",
        "note": "By post",
    }
    event = made(dojo.admin, dojo.admin.post(f"/students/{who['id']}/rank-events", body))
    assert event["rank"] == {"id": body["rank"], "name": "5th kyu"}
    assert event["student"] == {"id": who["id"], "name": "Mika Sato"}
    path = f"/rank-events/{event['id']}/void"
    done(dojo.admin.post(path, {"reason": "Mistaken"}))
    refusal(dojo.admin.post(path, {"reason": "Again"}), 409, "already_voided")


def test_rank_events_are_listed_between_days_both_included(dojo: Dojo) -> None:
    system, who = factories.rank_system(dojo), factories.student(dojo)
    for code, on in (("5-kyu", "2026-01-01"), ("4-kyu", "2026-02-01"), ("3-kyu", "2026-03-01")):
        factories.rank_event(dojo, who, factories.rank(system, code), on)
    found = rows(dojo, "/rank-events?from=2026-01-01&to=2026-02-01&kind=import&rank_system=" + system["id"])
    assert sorted(row["effective_on"] for row in found) == ["2026-01-01", "2026-02-01"]
