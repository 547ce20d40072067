"""The header `Idempotency-Key`: a repeated write has one effect and the same response."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.test import Client

from shared_apps.accounts.models import IdempotentAnswer, User
from tatami import clock
from tatami.api.idempotency import IdempotentRequest
from tests.tatami.api.conftest import details_of, error_of
from tests.tatami.api.sample_site import SampleCaller

JSON = "application/json"
NOW = datetime(2026, 6, 15, 16, 40, tzinfo=UTC)


def create(
    client: Client, key: str = "k-1", name: str = "Mary", role: str = "admin", path: str = "/users"
) -> Any:
    body = {"name": name, "email": f"{name.lower()}@example.com", "role": "student"}
    headers = {"Idempotency-Key": key, "Authorization": f"Bearer {role}"}
    return client.post(path, body, content_type=JSON, headers=headers)


def test_a_repeated_write_has_one_effect_and_the_same_response(users_admin: Client) -> None:
    first, second = create(users_admin), create(users_admin)
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.content == first.content
    assert second.headers["Location"] == first.headers["Location"]
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert User.objects.filter(name="Mary").count() == 1


def test_another_body_under_the_same_key_is_refused(users_admin: Client) -> None:
    create(users_admin)
    assert error_of(create(users_admin, name="Ann")) == (409, "idempotency_key_reused")


def test_another_query_is_another_request(users_admin: Client) -> None:
    create(users_admin, path="/users?dry_run=true")
    assert error_of(create(users_admin, path="/users")) == (409, "idempotency_key_reused")


def test_another_caller_may_use_the_same_key(users_admin: Client) -> None:
    create(users_admin, name="Mary", role="admin")
    assert create(users_admin, name="Ann", role="assistant").status_code == 201


def test_an_error_is_not_stored(users_admin: Client) -> None:
    assert create(users_admin, "k-1", name="x" * 500).status_code == 400
    assert create(users_admin, "k-1", name="Mary").status_code == 201


def test_a_key_can_be_used_again_after_a_day(users_admin: Client) -> None:
    with clock.fixed(NOW):
        create(users_admin, name="Mary")
    with clock.fixed(NOW + timedelta(hours=24)):
        assert create(users_admin, name="Ann").status_code == 201
        assert create(users_admin, name="Ann").headers["Idempotency-Replayed"] == "true"
    assert IdempotentAnswer.objects.count() == 1


def test_a_delete_is_replayed_without_a_body(users_admin: Client) -> None:
    url = create(users_admin).headers["Location"]
    responses = [users_admin.delete(url, headers={"Idempotency-Key": "d-1"}) for _ in range(2)]
    assert [(one.status_code, one.content) for one in responses] == [(204, b""), (204, b"")]
    assert "Idempotency-Replayed" in responses[1].headers


@pytest.mark.parametrize("key", ["", "a b", "é", "x" * 256, "a\tb"])
def test_a_key_is_1_to_255_visible_ascii_characters(users_admin: Client, key: str) -> None:
    assert list(details_of(create(users_admin, key))) == ["Idempotency-Key"]


def test_the_longest_key_is_accepted(users_admin: Client) -> None:
    assert create(users_admin, "~" * 255).status_code == 201


def test_a_response_that_is_a_secret_is_not_stored(users_admin: Client) -> None:
    for _ in range(2):
        response = users_admin.post("/secret", {}, content_type=JSON, headers={"Idempotency-Key": "s"})
        assert "Idempotency-Replayed" not in response.headers
    assert not IdempotentAnswer.objects.exists()


def test_a_write_that_is_rolled_back_stores_no_response(users_admin: Client) -> None:
    users_admin.post("/create-then/unencodable", {}, content_type=JSON, headers={"Idempotency-Key": "u"})
    assert not IdempotentAnswer.objects.exists()


def test_a_concurrent_request_with_the_same_key_is_refused_at_once(
    users_admin: Client, as_app: psycopg.Connection[Any]
) -> None:
    caller = SampleCaller("admin").pk
    with as_app.transaction():
        held = IdempotentRequest(caller, "POST", "/users", "k-1", body_hash=b"").lock
        as_app.execute("SELECT pg_advisory_xact_lock(%s)", [held])
        assert error_of(create(users_admin)) == (409, "idempotency_in_progress")
        assert create(users_admin, "k-2", name="Ann").status_code == 201
    assert create(users_admin).status_code == 201
