"""Each exception of a view becomes an error response."""

import logging
from typing import Any

import pytest
from django.core.exceptions import DisallowedHost, RequestDataTooBig
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import IntegrityError, InterfaceError, OperationalError, ProgrammingError
from django.test import Client
from psycopg import errors as postgresql
from redis.exceptions import ConnectionError as ValkeyConnectionError

from tatami.api.exception_mapping import dotted_paths, error_handler, map_exception
from tatami.postgresql.owner.base import OwnerLacksPrivilege
from tests.tatami.api.conftest import details_of, error_of


@pytest.mark.parametrize(
    ("exception", "expected"),
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
def test_each_exception_of_a_view_becomes_an_error_response(
    anonymous: Client, exception: str, expected: tuple[int, str]
) -> None:
    assert error_of(anonymous.get(f"/failing/{exception}")) == expected


def test_an_error_has_code_message_and_details(anonymous: Client) -> None:
    assert anonymous.get("/failing/domain").json() == {
        "error": {"code": "floor_is_wet", "message": "The floor is wet.", "details": {"floor": ["wet"]}}
    }


def test_an_error_without_details_omits_them(anonymous: Client) -> None:
    assert set(anonymous.get("/failing/gone").json()["error"]) == {"code", "message"}


def test_errors_are_json_whatever_the_client_accepts(anonymous: Client) -> None:
    assert error_of(anonymous.get("/failing/bug", headers={"Accept": "text/csv"})) == (406, "not_acceptable")
    assert error_of(anonymous.get("/unknown", headers={"Accept": "text/csv"})) == (404, "not_found")


def test_a_browser_gets_a_page_where_there_is_no_route_of_the_api(anonymous: Client) -> None:
    page = anonymous.get("/unknown", headers={"Accept": "text/html"})
    assert page.status_code == 404
    assert page.headers["Content-Type"].startswith("text/html")
    asked = anonymous.get("/failing/domain", headers={"Accept": "text/html, */*"})
    assert error_of(asked) == (409, "floor_is_wet")


def test_errors_that_may_be_retried_have_retry_after(anonymous: Client) -> None:
    assert anonymous.get("/failing/throttled").headers["Retry-After"] == "7"
    assert anonymous.get("/failing/database").headers["Retry-After"] == "5"


def test_the_response_to_a_bug_reveals_nothing(anonymous: Client) -> None:
    assert b"secret" not in anonymous.get("/failing/bug").content


def test_a_bug_is_logged_with_its_stack(anonymous: Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        anonymous.get("/failing/bug", headers={"X-Request-ID": "find-me"})
    event = next(record.msg for record in caplog.records if record.msg["event"] == "unhandled_exception")
    assert event["requestId"] == "find-me"
    assert event["path"] == "/failing/<exception>"
    assert isinstance(event["exc_info"], RuntimeError)


@pytest.mark.parametrize(
    "accept", ["*/*", "application/json", "application/*;q=0.1", "text/html,application/xhtml+xml,*/*;q=0.8"]
)
def test_a_client_that_accepts_json_gets_json(anonymous: Client, accept: str) -> None:
    assert anonymous.get("/open", headers={"Accept": accept}).status_code == 200


@pytest.mark.parametrize("accept", ["text/html", "text/csv, image/png", ";", "a/b/c", "\x80"])
def test_a_client_that_does_not_accept_json_gets_406_in_json(anonymous: Client, accept: str) -> None:
    assert error_of(anonymous.get("/open", headers={"Accept": accept})) == (406, "not_acceptable")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])
def test_an_unsupported_method_is_refused_before_authentication(anonymous: Client, method: str) -> None:
    response = anonymous.generic(method, "/echo", headers={"Authorization": "Bearer forged"})
    assert error_of(response) == (405, "method_not_allowed")
    assert response.headers["Allow"] == "GET, POST, HEAD"


def test_head_is_get_without_a_body(anonymous: Client) -> None:
    response = anonymous.head("/open")
    assert (response.status_code, response.content) == (200, b"")


def test_responses_are_not_cached(anonymous: Client) -> None:
    for path in ("/open", "/failing/bug", "/unknown"):
        assert anonymous.get(path).headers["Cache-Control"] == "no-store"


def with_cause(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (DisallowedHost(), (404, "tenant_not_found")),
        (RequestDataTooBig(), (413, "payload_too_large")),
        (InterfaceError("connection already closed"), (503, "service_unavailable")),
        (with_cause(OperationalError(), postgresql.DeadlockDetected()), (503, "service_unavailable")),
        (ValkeyConnectionError(), (503, "service_unavailable")),
        (with_cause(IntegrityError(), postgresql.UniqueViolation()), (409, "conflict")),
        (with_cause(IntegrityError(), postgresql.ExclusionViolation()), (409, "conflict")),
        (with_cause(IntegrityError(), postgresql.ForeignKeyViolation()), (409, "conflict")),
        (with_cause(IntegrityError(), postgresql.CheckViolation()), None),
        (with_cause(IntegrityError(), postgresql.NotNullViolation()), None),
        (with_cause(ProgrammingError(), postgresql.UndefinedTable()), None),
        (with_cause(ProgrammingError(), postgresql.InsufficientPrivilege()), (403, "permission_denied")),
        (with_cause(OwnerLacksPrivilege(), postgresql.InsufficientPrivilege()), None),
        (with_cause(OperationalError(), postgresql.NumericValueOutOfRange()), (400, "validation_error")),
        (DjangoValidationError({"name": ["Too long."]}), (400, "validation_error")),
        (KeyError("x"), None),
        (RecursionError(), None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_exceptions_of_every_layer_are_mapped(raised: Exception, expected: tuple[int, str] | None) -> None:
    found = map_exception(raised)
    assert (found and (found.status, found.code)) == expected


def test_a_row_refused_by_row_level_security_is_logged_as_a_security_event(
    rf: Any, caplog: pytest.LogCaptureFixture
) -> None:
    refused = with_cause(
        ProgrammingError(), postgresql.InsufficientPrivilege("new row violates row-level security policy")
    )
    with caplog.at_level(logging.ERROR):
        response = error_handler(rf.get("/students"), refused)
    assert response.status_code == 403
    assert [record.msg["event"] for record in caplog.records] == ["security.row_refused"]


def test_messages_have_dotted_paths() -> None:
    nested = {
        "name": ["Blank."],
        "guardians": [{}, {"email": ["Bad.", "Worse."], "non_field_errors": ["Odd."]}],
        "tags": {0: ["Long."]},
        "non_field_errors": ["Contradiction."],
    }
    assert dotted_paths(nested) == {
        "name": ["Blank."],
        "guardians.1.email": ["Bad.", "Worse."],
        "guardians.1": ["Odd."],
        "tags.0": ["Long."],
        "non_field_errors": ["Contradiction."],
    }
    assert dotted_paths(["Nothing at all."]) == {"non_field_errors": ["Nothing at all."]}


def test_messages_of_a_list_have_the_index_in_their_path(anonymous: Client) -> None:
    assert details_of(anonymous.get("/failing/invalid")) == {"1.email": ["Bad."]}
