from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.test import Client

from shared_apps.accounts.models import IdempotentAnswer, User
from tatami import clock
from tatami.api.idempotency import Attempt
from tests.tatami.api import sample
from tests.tatami.api.conftest import details_of, error_of

JSON = "application/json"
NOW = datetime(2026, 6, 15, 16, 40, tzinfo=UTC)


def make(
    client: Client, key: str = "k-1", name: str = "Mary", role: str = "admin", path: str = "/rows"
) -> Any:
    body = {"name": name, "email": f"{name.lower()}@example.com", "role": "student"}
    headers = {"Idempotency-Key": key, "Authorization": f"Bearer {role}"}
    return client.post(path, body, content_type=JSON, headers=headers)


def test_the_same_write_happens_once_and_is_answered_twice(rows: Client) -> None:
    first, second = make(rows), make(rows)
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.content == first.content
    assert second.headers["Location"] == first.headers["Location"]
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert User.objects.filter(name="Mary").count() == 1


def test_another_body_under_the_same_key_is_refused(rows: Client) -> None:
    make(rows)
    assert error_of(make(rows, name="Ann")) == (409, "idempotency_key_reused")


def test_another_query_is_another_request(rows: Client) -> None:
    make(rows, path="/rows?dry_run=true")
    assert error_of(make(rows, path="/rows")) == (409, "idempotency_key_reused")


def test_a_key_is_the_callers_own(rows: Client) -> None:
    make(rows, name="Mary", role="admin")
    assert make(rows, name="Ann", role="assistant").status_code == 201


def test_a_refusal_is_not_kept(rows: Client) -> None:
    assert make(rows, "k-1", name="x" * 500).status_code == 400
    assert make(rows, "k-1", name="Mary").status_code == 201


def test_after_a_day_the_key_is_new(rows: Client) -> None:
    with clock.fixed(NOW):
        make(rows, name="Mary")
    with clock.fixed(NOW + timedelta(hours=24)):
        assert make(rows, name="Ann").status_code == 201
        assert make(rows, name="Ann").headers["Idempotency-Replayed"] == "true"
    assert IdempotentAnswer.objects.count() == 1


def test_a_delete_is_replayed_without_a_body(rows: Client) -> None:
    place = make(rows).headers["Location"]
    answers = [rows.delete(place, headers={"Idempotency-Key": "d-1"}) for _ in range(2)]
    assert [(one.status_code, one.content) for one in answers] == [(204, b""), (204, b"")]
    assert "Idempotency-Replayed" in answers[1].headers


@pytest.mark.parametrize("key", ["", "a b", "é", "x" * 256, "a\tb"])
def test_a_key_is_up_to_255_visible_characters(rows: Client, key: str) -> None:
    assert list(details_of(make(rows, key))) == ["Idempotency-Key"]


def test_the_longest_key_is_accepted(rows: Client) -> None:
    assert make(rows, "~" * 255).status_code == 201


def test_an_answer_that_is_a_secret_is_not_kept(rows: Client) -> None:
    for _ in range(2):
        response = rows.post("/secret", {}, content_type=JSON, headers={"Idempotency-Key": "s"})
        assert "Idempotency-Replayed" not in response.headers
    assert not IdempotentAnswer.objects.exists()


def test_a_write_that_is_undone_leaves_no_answer(rows: Client) -> None:
    rows.post("/halfway/unencodable", {}, content_type=JSON, headers={"Idempotency-Key": "u"})
    assert not IdempotentAnswer.objects.exists()


def test_a_twin_in_flight_is_told_at_once(rows: Client, as_app: psycopg.Connection[Any]) -> None:
    caller = sample.Somebody("admin").pk
    with as_app.transaction():
        held = Attempt(caller, "POST", "/rows", "k-1", body_hash=b"").lock
        as_app.execute("SELECT pg_advisory_xact_lock(%s)", [held])
        assert error_of(make(rows)) == (409, "idempotency_in_progress")
        assert make(rows, "k-2", name="Ann").status_code == 201
    assert make(rows).status_code == 201
