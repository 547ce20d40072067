"""`Idempotency-Key`: a write that is sent twice happens once, and the second response repeats the first."""

from datetime import timedelta
from typing import Any

import pytest

from tatami import clock
from tests.support import factories
from tests.support.clients import Caller, Dojo
from tests.support.now import NOW
from tests.support.responses import assert_error, ok

BODY = {"first_name": "Mika", "last_name": "Sato"}


def post(caller: Caller, body: Any = None, key: str = "k1", path: str = "/students") -> Any:
    return caller.post(path, BODY if body is None else body, Idempotency_Key=key)


def count(dojo: Dojo) -> int:
    return int(ok(dojo.admin.get("/students"))["count"])


def test_the_same_key_replays_the_first_response(dojo: Dojo) -> None:
    first, second = post(dojo.admin), post(dojo.admin)
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert (second.status_code, second.content) == (201, first.content)
    assert second.headers["Location"] == first.headers["Location"]
    assert count(dojo) == 1


def test_the_replayed_response_ignores_later_changes(dojo: Dojo) -> None:
    made = ok(post(dojo.admin), 201)
    ok(dojo.admin.patch(f"/students/{made['id']}", {"phone": "123"}))
    assert ok(post(dojo.admin), 201) == made


def test_the_same_key_with_another_body_is_refused(dojo: Dojo) -> None:
    post(dojo.admin)
    assert_error(post(dojo.admin, {**BODY, "phone": "1"}), 409, "idempotency_key_reused")
    assert count(dojo) == 1


def test_another_key_writes_again(dojo: Dojo) -> None:
    post(dojo.admin)
    assert "Idempotency-Replayed" not in post(dojo.admin, key="k2").headers
    assert count(dojo) == 2


def test_a_key_belongs_to_one_caller(dojo: Dojo) -> None:
    post(dojo.admin)
    assert "Idempotency-Replayed" not in post(dojo.instructor).headers
    assert count(dojo) == 2


def test_a_key_belongs_to_one_dojo(dojo: Dojo, other_dojo: Dojo) -> None:
    post(dojo.admin)
    assert "Idempotency-Replayed" not in post(other_dojo.admin).headers
    assert count(other_dojo) == 1


def test_a_key_belongs_to_one_path(dojo: Dojo) -> None:
    post(dojo.admin)
    ok(post(dojo.admin, {"name": "Iaido"}, path="/disciplines"), 201)


def test_a_key_belongs_to_one_method(dojo: Dojo) -> None:
    made = factories.student(dojo)
    path = f"/students/{made['id']}"
    ok(dojo.admin.patch(path, {"phone": "1"}, Idempotency_Key="k1"))
    ok(dojo.admin.delete(path, Idempotency_Key="k1"), 204)


def test_an_error_is_not_replayed(dojo: Dojo) -> None:
    assert_error(post(dojo.admin, {}), 400, "validation_error")
    ok(post(dojo.admin), 201)


def test_a_key_expires_after_a_day(dojo: Dojo) -> None:
    ok(post(dojo.admin), 201)
    with clock.fixed(NOW + timedelta(hours=23, minutes=59)):
        assert post(admin_with_new_token(dojo)).headers["Idempotency-Replayed"] == "true"
    with clock.fixed(NOW + timedelta(hours=24, minutes=1)):
        assert "Idempotency-Replayed" not in post(admin_with_new_token(dojo)).headers


def admin_with_new_token(dojo: Dojo) -> Caller:
    """Return the admin with a token that is valid now."""
    from shared_apps.accounts.sessions import open_session
    from tatami.tenancy.scope import tenant_scope

    user = dojo.admin.user
    assert user is not None
    with tenant_scope(dojo.tenant):
        return Caller(dojo.host, token=open_session(user, now=clock.now()).access, user=user)


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_has_1_to_255_characters(dojo: Dojo, key: str) -> None:
    assert_error(post(dojo.admin, key=key), 400, "validation_error")
    assert count(dojo) == 0
    ok(post(dojo.admin, key="x" * 255), 201)


def test_a_delete_is_replayed(dojo: Dojo) -> None:
    path = f"/students/{factories.student(dojo)['id']}"
    ok(dojo.admin.delete(path, Idempotency_Key="k1"), 204)
    assert dojo.admin.delete(path, Idempotency_Key="k1").headers["Idempotency-Replayed"] == "true"


def test_settings_accept_a_key_like_every_write(dojo: Dojo) -> None:
    """`PATCH /settings` is not in the list of routes in docs/api.md that ignore a key."""
    ok(dojo.admin.patch("/settings", {"late_after_minutes": 5}, Idempotency_Key="k1"))
    answer = dojo.admin.patch("/settings", {"late_after_minutes": 5}, Idempotency_Key="k1")
    assert answer.headers.get("Idempotency-Replayed") == "true"
    answer = dojo.admin.patch("/settings", {"late_after_minutes": 6}, Idempotency_Key="k1")
    assert_error(answer, 409, "idempotency_key_reused")


@pytest.mark.parametrize("path", ["/qr", "/promotions/check", "/attendance/scan"])
def test_secrets_checks_and_scans_ignore_a_key(dojo: Dojo, path: str) -> None:
    who, other = factories.student(dojo), factories.student(dojo)
    factories.single_session(dojo)
    bodies: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "/qr": ({"student": who["id"]}, {"student": other["id"]}),
        "/promotions/check": ({}, {"students": []}),
        "/attendance/scan": (
            {"token": factories.qr_token(dojo.admin, who)},
            {"token": factories.qr_token(dojo.admin, other)},
        ),
    }
    body, another = bodies[path]
    for one in (body, body, another):
        answer = post(dojo.admin, one, path=path)
        assert answer.status_code in {200, 201}, answer.content
        assert "Idempotency-Replayed" not in answer.headers
