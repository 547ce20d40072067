"""Staff who are not admins see names and roles of users, and cannot find out an e-mail address in any way."""

from typing import Any

import pytest
from django.db import connection

from shared_apps.accounts.models import User
from tatami.tenancy.scope import tenant_scope
from tests.support import passwords
from tests.support.clients import Dojo
from tests.support.responses import assert_invalid, ok
from tests.support.statements import count_get_statements


@pytest.fixture
def una(dojo: Dojo) -> dict[str, Any]:
    body = {"email": "secret.una@private.example", "name": "Úna Müller", "role": "assistant"}
    return dojo.create("/users", body)


def names_found(caller: Any, search: str) -> list[str]:
    return [row["name"] for row in ok(caller.get(f"/users?search={search}"))["results"]]


@pytest.mark.parametrize("search", ["una", "MULLER", "muller+una", "%C3%9ana"])
@pytest.mark.parametrize("role", ["admin", "instructor", "assistant"])
def test_all_staff_find_colleagues_by_name(dojo: Dojo, una: Any, role: str, search: str) -> None:
    assert names_found(dojo.person(role), search) == ["Úna Müller"]


@pytest.mark.parametrize(
    "search", ["secret", "private.example", "muller+private", "una@", "%40", "secret.una"]
)
def test_only_admins_can_search_by_address(dojo: Dojo, una: Any, search: str) -> None:
    assert "Úna Müller" in names_found(dojo.admin, search)
    assert names_found(dojo.instructor, search) == names_found(dojo.assistant, search) == []


def test_a_part_of_an_address_with_a_space_is_not_found_either(dojo: Dojo) -> None:
    dojo.create("/users", {"email": '"top\\ secret"@x.example', "name": "Bo", "role": "assistant"})
    assert names_found(dojo.admin, "top") == ["Bo"]
    assert names_found(dojo.instructor, "top") == []


def test_a_search_without_words_finds_all(dojo: Dojo, una: Any) -> None:
    assert set(names_found(dojo.instructor, "+")) >= {"Úna Müller", "Instructor"}


@pytest.mark.parametrize("order", ["email", "-email", "name,email", "email_key"])
def test_only_admins_can_order_by_address(dojo: Dojo, una: Any, order: str) -> None:
    message = assert_invalid(dojo.instructor.get(f"/users?ordering={order}"), "ordering")["ordering"][0]
    assert message.endswith("this list is ordered by: created_at, name.")
    assert ok(dojo.instructor.get("/users?ordering=-name"))["count"] > 1


def test_admins_can_order_by_address(dojo: Dojo, una: Any) -> None:
    rows = ok(dojo.admin.get("/users?ordering=-email"))["results"]
    assert rows[0]["email"] == "secret.una@private.example"


def test_the_number_of_statements_does_not_depend_on_the_number_of_matches(dojo: Dojo) -> None:
    costs = []
    for wanted in (2, 12):
        with tenant_scope(dojo.tenant):
            for number in range(User.objects.filter(name__startswith="Bo").count(), wanted):
                email = f"bo{number}@example.com"
                User.objects.create(email=email, email_key=email, name=f"Bo {number}", role="assistant")
        assert len(names_found(dojo.instructor, "bo")) == wanted
        costs.append(count_get_statements(dojo.instructor, "/users?search=bo"))
    assert costs[0] == costs[1]


# --- a password that an admin sets --------------------------------------------------------------------------


def test_a_password_is_hashed_before_rows_are_locked(
    dojo: Dojo, una: Any, hashings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    plain = passwords.CountingHasher.encode

    def encode(self: Any, password: str, salt: str) -> str:
        events.append("hash")
        return plain(self, password, salt)

    def hook(execute: Any, sql: Any, *rest: Any) -> Any:
        events.extend(["lock"] if "FOR UPDATE" in str(sql) else [])
        return execute(sql, *rest)

    _ = dojo.admin
    monkeypatch.setattr(passwords.CountingHasher, "encode", encode)
    with connection.execute_wrapper(hook):
        ok(dojo.admin.patch(f"/users/{una['id']}", {"password": "seven rolling waves"}))
    assert events[0] == "hash"
    assert set(events[1:]) == {"lock"}


def test_a_password_and_other_fields_are_changed_together_or_not_at_all(
    dojo: Dojo, una: Any, hashings: Any
) -> None:
    path = f"/users/{una['id']}"
    assert_invalid(dojo.admin.patch(path, {"password": "short", "name": "Una"}), "password")
    assert_invalid(dojo.admin.patch(path, {"password": "Úna Müller", "name": "Una"}), "password")
    assert_invalid(dojo.admin.patch(path, {"password": None}), "password")
    assert_invalid(dojo.admin.patch(path, {"password": "seven rolling waves", "role": "boss"}), "role")
    assert ok(dojo.admin.get(path))["name"] == "Úna Müller"
    assert hashings() == 0
    ok(dojo.admin.patch(path, {"password": "seven rolling waves", "name": "Una"}))
    assert (ok(dojo.admin.get(path))["name"], hashings()) == ("Una", 1)
    login = {"email": una["email"], "password": "seven rolling waves"}
    assert ok(dojo.anonymous.post("/auth/login", login))["user"]["name"] == "Una"


def test_setting_the_password_of_an_unknown_user_is_not_found(
    dojo: Dojo, other_dojo: Dojo, una: Any, hashings: Any
) -> None:
    answer = other_dojo.admin.patch(f"/users/{una['id']}", {"password": "seven rolling waves"})
    assert (answer.status_code, hashings()) == (404, 0)


def test_a_repeated_idempotency_key_sets_the_password_once(dojo: Dojo, una: Any, hashings: Any) -> None:
    body = {"password": "seven rolling waves"}
    answers = [dojo.admin.patch(f"/users/{una['id']}", body, Idempotency_Key="once") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[1].headers["Idempotency-Replayed"] == "true"
    assert hashings() == 1
