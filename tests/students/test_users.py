"""The users of a dojo, and the caller (`/me`)."""

from typing import Any

import pytest

from tests.support import factories
from tests.support.clients import Dojo
from tests.support.responses import assert_error, assert_invalid, ok, results_of


def test_an_admin_sees_every_field_of_a_user_except_the_password(dojo: Dojo) -> None:
    child = factories.student(dojo)
    body = {"email": "Una@Example.com", "name": "Una", "role": "student", "students": [child["id"]]}
    user = dojo.create("/users", body)
    assert user["students"] == [{"id": child["id"], "name": "Mika Sato"}]
    assert {"email", "name", "role", "is_active", "students"} <= set(user)
    assert "password" not in user


def test_email_addresses_are_compared_without_case(dojo: Dojo) -> None:
    dojo.create("/users", {"email": "una@example.com", "role": "assistant"})
    assert_error(dojo.admin.post("/users", {"email": "UNA@example.com", "role": "admin"}), 409, "conflict")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("role", "superadmin"),
        ("role", "device"),
        ("email", "not an address"),
        ("password", "short"),
        ("password", "password123"),
    ],
)
def test_a_user_with_an_invalid_value_is_refused(dojo: Dojo, field: str, value: str) -> None:
    body = {"email": "u@example.com", "role": "assistant", field: value}
    assert_invalid(dojo.admin.post("/users", body), field)


@pytest.mark.parametrize("change", [{"role": "instructor"}, {"is_active": False}, None])
def test_the_last_active_admin_cannot_be_removed(dojo: Dojo, change: dict[str, Any] | None) -> None:
    head = next(row for row in results_of(dojo.admin, "/users") if row["email"] == "head@example.com")
    ok(dojo.admin.patch(f"/users/{head['id']}", {"is_active": False}))
    assert dojo.admin.user is not None
    path = f"/users/{dojo.admin.user.pk}"
    response = dojo.admin.patch(path, change) if change else dojo.admin.delete(path)
    assert_error(response, 409, "last_admin")
    assert ok(dojo.admin.get(path))["role"] == "admin"


def test_an_admin_can_be_removed_if_another_is_left(dojo: Dojo) -> None:
    assert dojo.admin.user is not None
    ok(dojo.admin.delete(f"/users/{dojo.admin.user.pk}"), 204)
    assert_error(dojo.admin.get("/me"), 401, "token_invalid")


def test_an_archived_user_is_still_named_in_records(dojo: Dojo) -> None:
    who = factories.student(dojo)
    note = ok(dojo.instructor.post(f"/students/{who['id']}/notes", {"text": "Left knee"}), 201)
    assert dojo.instructor.user is not None
    ok(dojo.admin.delete(f"/users/{dojo.instructor.user.pk}"), 204)
    assert results_of(dojo.admin, f"/students/{who['id']}/notes")[0]["author"] == note["author"]
    assert note["author"]["name"] == "Instructor"


def test_users_are_filtered_by_role(dojo: Dojo) -> None:
    _ = dojo.assistant
    assert {row["role"] for row in results_of(dojo.admin, "/users?role=assistant")} == {"assistant"}


# --- me -------------------------------------------------------------------------------------------------------


def test_me_shows_the_user_and_the_linked_students(dojo: Dojo) -> None:
    child = factories.student(dojo)
    factories.link_user(dojo, dojo.student, child)
    me = ok(dojo.student.get("/me"))
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
    me = ok(platform.superadmin().get("/me"))
    assert (me["role"], me["tenant"], me["students"]) == ("admin", None, [])


@pytest.mark.parametrize("field", ["role", "email", "id", "students", "is_active", "tenant"])
def test_users_cannot_change_their_own_role_or_identity(dojo: Dojo, field: str) -> None:
    assert_invalid(dojo.student.patch("/me", {field: "admin", "name": "Me"}), field)
    assert ok(dojo.student.get("/me"))["role"] == "student"


def test_users_can_change_their_own_name(dojo: Dojo) -> None:
    assert ok(dojo.student.patch("/me", {"name": "Yui Mori"}))["name"] == "Yui Mori"
    assert ok(dojo.student.get("/me"))["name"] == "Yui Mori"
