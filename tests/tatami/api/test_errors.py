import logging
from typing import Any

import pytest
from django.core.exceptions import DisallowedHost, RequestDataTooBig
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import IntegrityError, InterfaceError, OperationalError, ProgrammingError
from django.test import Client
from psycopg import errors as postgresql
from psycopg_pool import PoolTimeout
from redis.exceptions import ConnectionError as ValkeyAway

from tatami.api.errors import handler, translate
from tatami.api.translation import dotted
from tests.tatami.api.conftest import details_of, error_of


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("domain", (409, "floor_is_wet")),
        ("throttled", (429, "throttled")),
        ("bug", (500, "server_error")),
        ("integrity", (500, "server_error")),
        ("unencodable", (500, "server_error")),
        ("database", (503, "service_unavailable")),
        ("gone", (404, "not_found")),
        ("forbidden", (403, "permission_denied")),
        ("suspicious", (400, "validation_error")),
        ("invalid", (400, "validation_error")),
    ],
)
def test_whatever_a_view_raises_is_answered_in_the_envelope(
    http: Client, what: str, expected: tuple[int, str]
) -> None:
    assert error_of(http.get(f"/failing/{what}")) == expected


def test_an_error_says_what_the_rule_says(http: Client) -> None:
    assert http.get("/failing/domain").json() == {
        "error": {"code": "floor_is_wet", "message": "The floor is wet.", "details": {"floor": ["wet"]}}
    }


def test_an_error_without_details_has_none(http: Client) -> None:
    assert set(http.get("/failing/gone").json()["error"]) == {"code", "message"}


def test_errors_are_json_whatever_is_accepted(http: Client) -> None:
    assert error_of(http.get("/failing/bug", headers={"Accept": "text/csv"})) == (406, "not_acceptable")
    assert error_of(http.get("/nowhere", headers={"Accept": "text/html"})) == (404, "not_found")


def test_waiting_times_are_told(http: Client) -> None:
    assert http.get("/failing/throttled").headers["Retry-After"] == "7"
    assert http.get("/failing/database").headers["Retry-After"] == "5"


def test_nothing_of_a_bug_is_told(http: Client) -> None:
    assert b"secret" not in http.get("/failing/bug").content


def test_a_bug_is_logged_with_its_stack(http: Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        http.get("/failing/bug", headers={"X-Request-ID": "find-me"})
    event = next(record.msg for record in caplog.records if record.msg["event"] == "unhandled_exception")
    assert event["requestId"] == "find-me"
    assert event["path"] == "/failing/bug"
    assert isinstance(event["exc_info"], RuntimeError)


@pytest.mark.parametrize(
    "accept", ["*/*", "application/json", "application/*;q=0.1", "text/html,application/xhtml+xml,*/*;q=0.8"]
)
def test_json_is_what_anybody_gets_who_takes_it(http: Client, accept: str) -> None:
    assert http.get("/open", headers={"Accept": accept}).status_code == 200


@pytest.mark.parametrize("accept", ["text/html", "text/csv, image/png", ";", "a/b/c", "\x80"])
def test_who_does_not_take_json_is_told_so_in_json(http: Client, accept: str) -> None:
    assert error_of(http.get("/open", headers={"Accept": accept})) == (406, "not_acceptable")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])
def test_a_method_that_is_not_there_is_refused_before_anything_is_asked(http: Client, method: str) -> None:
    response = http.generic(method, "/echo", headers={"Authorization": "Bearer forged"})
    assert error_of(response) == (405, "method_not_allowed")
    assert response.headers["Allow"] == "GET, POST, HEAD"


def test_head_is_get_without_a_body(http: Client) -> None:
    response = http.head("/open")
    assert (response.status_code, response.content) == (200, b"")


def test_nothing_is_kept_by_shared_caches(http: Client) -> None:
    for path in ("/open", "/failing/bug", "/nowhere"):
        assert http.get(path).headers["Cache-Control"] == "no-store"


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (DisallowedHost(), (404, "tenant_not_found")),
        (RequestDataTooBig(), (413, "payload_too_large")),
        (InterfaceError("connection already closed"), (503, "service_unavailable")),
        (caused(OperationalError(), postgresql.DeadlockDetected()), (503, "service_unavailable")),
        (PoolTimeout(), (503, "service_unavailable")),
        (ValkeyAway(), (503, "service_unavailable")),
        (caused(IntegrityError(), postgresql.UniqueViolation()), (409, "conflict")),
        (caused(IntegrityError(), postgresql.ExclusionViolation()), (409, "conflict")),
        (caused(IntegrityError(), postgresql.ForeignKeyViolation()), (409, "conflict")),
        (caused(IntegrityError(), postgresql.CheckViolation()), None),
        (caused(IntegrityError(), postgresql.NotNullViolation()), None),
        (caused(ProgrammingError(), postgresql.UndefinedTable()), None),
        (caused(ProgrammingError(), postgresql.InsufficientPrivilege()), (403, "permission_denied")),
        (caused(OperationalError(), postgresql.NumericValueOutOfRange()), (400, "validation_error")),
        (DjangoValidationError({"name": ["Too long."]}), (400, "validation_error")),
        (KeyError("x"), None),
        (RecursionError(), None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_layer_has_a_meaning(raised: Exception, expected: tuple[int, str] | None) -> None:
    found = translate(raised)
    assert (found and (found.status, found.code)) == expected


def test_a_row_that_row_level_security_refused_is_a_security_event(
    rf: Any, caplog: pytest.LogCaptureFixture
) -> None:
    refused = caused(
        ProgrammingError(), postgresql.InsufficientPrivilege("new row violates row-level security policy")
    )
    with caplog.at_level(logging.ERROR):
        response = handler(rf.get("/students"), refused)
    assert response.status_code == 403
    assert [record.msg["event"] for record in caplog.records] == ["security.row_refused"]


def test_messages_are_named_by_dotted_paths() -> None:
    nested = {
        "name": ["Blank."],
        "guardians": [{}, {"email": ["Bad.", "Worse."], "non_field_errors": ["Odd."]}],
        "tags": {0: ["Long."]},
        "non_field_errors": ["Contradiction."],
    }
    assert dotted(nested) == {
        "name": ["Blank."],
        "guardians.1.email": ["Bad.", "Worse."],
        "guardians.1": ["Odd."],
        "tags.0": ["Long."],
        "non_field_errors": ["Contradiction."],
    }
    assert dotted(["Nothing at all."]) == {"non_field_errors": ["Nothing at all."]}


def test_a_list_names_its_items(http: Client) -> None:
    assert details_of(http.get("/failing/invalid")) == {"1.email": ["Bad."]}
