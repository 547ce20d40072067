"""The general rules for bodies, paths and headers of a request, and the errors for each violation."""

from typing import Any

import pytest
from django.test import Client

from tests.support import factories
from tests.support.clients import Dojo, Platform
from tests.support.responses import REQUEST_ID, assert_error, assert_invalid, ok

NAMES = {"first_name": "Mika", "last_name": "Sato"}


def count(dojo: Dojo, path: str = "/students") -> int:
    return int(ok(dojo.admin.get(path))["count"])


@pytest.mark.parametrize(
    "body",
    [
        b" ",
        b"{",
        b'{"first_name": }',
        b'{"first_name": "Mika"} {}',
        b'{"first_name": "Mika", "first_name": "Ren", "last_name": "Sato"}',
        b'{"first_name": NaN}',
        b'{"first_name": "\xff"}',
        b'{"a": ' + b"[" * 40 + b"]" * 40 + b"}",
        b"[" * 40_000,
        b'{"a": ' + b"9" * 10_000 + b"}",
    ],
    ids=[
        "blank",
        "cut off",
        "no value",
        "two documents",
        "twice",
        "NaN",
        "not UTF-8",
        "deep",
        "very deep",
        "long number",
    ],
)
def test_invalid_json_is_refused_and_changes_nothing(dojo: Dojo, body: bytes) -> None:
    assert_error(dojo.admin.request("POST", "/students", body), 400, "malformed_json")
    assert count(dojo) == 0


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"null", b"7"])
def test_a_body_that_is_not_an_object_is_refused(dojo: Dojo, body: bytes) -> None:
    assert_error(dojo.admin.request("POST", "/students", body), 400, "validation_error")


def test_a_nul_character_is_reported_at_its_path(dojo: Dojo) -> None:
    body = {**NAMES, "guardians": [{"name": "Ha\0na"}]}
    assert_invalid(dojo.admin.post("/students", body), "guardians.0.name")
    assert count(dojo) == 0


def test_a_lone_surrogate_is_reported_at_its_path(dojo: Dojo) -> None:
    assert_invalid(
        dojo.admin.request("POST", "/students", rb'{"first_name": "\ud800", "last_name": "S"}'), "first_name"
    )


@pytest.mark.parametrize(
    "field", ["id", "tenant_id", "created_at", "updated_at", "name", "ranks", "role", "check_in_id"]
)
def test_unknown_and_read_only_fields_are_refused(dojo: Dojo, field: str) -> None:
    assert_invalid(dojo.admin.post("/students", {**NAMES, field: factories.unknown_id()}), field)
    assert count(dojo) == 0


@pytest.mark.parametrize("field", ["id", "tenant_id", "role", "created_at"])
def test_unknown_and_read_only_fields_are_refused_in_a_patch(dojo: Dojo, field: str) -> None:
    made = factories.student(dojo)
    assert_invalid(
        dojo.admin.patch(f"/students/{made['id']}", {field: factories.unknown_id(), "phone": "1"}), field
    )
    assert ok(dojo.admin.get(f"/students/{made['id']}")) == made


def test_an_unknown_field_of_a_nested_object_is_reported_at_its_path(dojo: Dojo) -> None:
    body = {**NAMES, "guardians": [{"name": "Hana"}, {"name": "Jun", "role": "admin"}]}
    assert_invalid(dojo.admin.post("/students", body), "guardians.1.role")


def test_all_errors_of_a_body_are_reported_together(dojo: Dojo) -> None:
    body = {"first_name": "", "birth_date": "31.12.2010", "email": "no-address", "status": "gone"}
    assert_invalid(dojo.admin.post("/students", body), "first_name", "birth_date", "email", "status")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("birth_date", "2010-02-30"),
        ("birth_date", "2010-1-1"),
        ("birth_date", "2010-01-01T00:00:00Z"),
        ("birth_date", 20100101),
        ("joined_on", "0001-01-01"),
        ("email", "a@b@c"),
        ("first_name", 7),
        ("first_name", True),
        ("first_name", "x" * 101),
        ("first_name", "Mi\nka"),
        ("first_name", None),
        ("first_name", ["Mika"]),
        ("status", "on_hold"),
        ("guardians", "Hana"),
        ("guardians", {"name": "Hana"}),
        ("guardians", None),
    ],
)
def test_an_invalid_value_is_reported_at_its_field(dojo: Dojo, field: str, value: Any) -> None:
    details = assert_error(dojo.admin.post("/students", {**NAMES, field: value}), 400, "validation_error")
    assert [path.partition(".")[0] for path in details] == [field]


def test_a_body_of_more_than_a_megabyte_is_too_large(dojo: Dojo) -> None:
    answer = dojo.admin.post("/students", {**NAMES, "medical_notes": "x" * (1024 * 1024)})
    assert_error(answer, 413, "payload_too_large")


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "nonsense"]
)
def test_an_unsupported_media_type_is_refused(dojo: Dojo, kind: str) -> None:
    answer = dojo.admin.client.generic(
        "POST",
        "/students",
        data=b'{"first_name": "Mika", "last_name": "Sato"}',
        content_type=kind,
        headers={"Host": dojo.host, "Authorization": f"Bearer {dojo.admin.token}"},
    )
    assert_error(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/students", {"GET", "POST", "HEAD"}),
        ("DELETE", "/students", {"GET", "POST", "HEAD"}),
        ("POST", "/me", {"GET", "PATCH", "HEAD"}),
        ("GET", "/auth/login", {"POST"}),
        ("GET", "/attendance/scan", {"POST"}),
        ("OPTIONS", "/students", {"GET", "POST", "HEAD"}),
        ("BREW", "/students", {"GET", "POST", "HEAD"}),
    ],
)
def test_an_unsupported_method_is_refused_with_the_allowed_ones(
    dojo: Dojo, method: str, path: str, allowed: set[str]
) -> None:
    answer = dojo.admin.request(method, path)
    assert_error(answer, 405, "method_not_allowed")
    assert {name.strip() for name in answer.headers["Allow"].split(",")} <= allowed
    assert {name.strip() for name in answer.headers["Allow"].split(",")} >= allowed - {"HEAD"}


def test_a_response_type_that_cannot_be_produced_is_refused(dojo: Dojo) -> None:
    assert_error(dojo.admin.get("/students", Accept="image/png"), 406, "not_acceptable")


@pytest.mark.parametrize(
    "accept", ["*/*", "application/json", "text/html, application/json;q=0.5", "application/*"]
)
def test_json_is_the_response_if_the_client_accepts_it(dojo: Dojo, accept: str) -> None:
    assert dojo.admin.get("/students", Accept=accept).headers["Content-Type"].startswith("application/json")


@pytest.mark.parametrize("path", ["/students/", "/nothing", "/students/not-an-id", "//students", "/me/", "/"])
def test_an_unknown_path_is_not_found(dojo: Dojo, path: str) -> None:
    assert_error(dojo.admin.get(path), 404, "not_found")


@pytest.mark.parametrize(
    "host", ["nowhere.localhost", "example.com", "aiki.localhost.example.com", "xaiki.localhost"]
)
def test_an_unknown_host_is_not_found(dojo: Dojo, host: str) -> None:
    assert_error(Client().get("/me", headers={"Host": host}), 404, "tenant_not_found")


@pytest.mark.parametrize("host", ["AIKI.LocalHost", "aiki.localhost.", "aiki.localhost:8000"])
def test_a_host_matches_without_case_trailing_dot_and_port(dojo: Dojo, host: str) -> None:
    answer = Client().get("/me", headers={"Host": host, "Authorization": f"Bearer {dojo.admin.token}"})
    assert ok(answer)["tenant"]["slug"] == "aiki"


def test_a_forwarded_host_is_ignored(dojo: Dojo, other_dojo: Dojo) -> None:
    answer = dojo.admin.get("/me", X_Forwarded_Host=other_dojo.host)
    assert ok(answer)["tenant"]["slug"] == "aiki"


@pytest.mark.parametrize("host", ["aiki.localhost", "localhost", "nowhere.example.com"])
@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
@pytest.mark.django_db
def test_any_host_answers_health_checks(host: str, path: str) -> None:
    assert Client().get(path, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("given", ["a", "x" * 128, "abc-DEF_1.2"])
def test_a_valid_request_id_of_the_client_is_returned(dojo: Dojo, given: str) -> None:
    assert dojo.admin.get("/me", X_Request_ID=given).headers["X-Request-ID"] == given
    assert dojo.anonymous.get("/me", X_Request_ID=given).headers["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", "ü", "a\tb", "<script>"])
def test_an_invalid_request_id_is_replaced(dojo: Dojo, given: str) -> None:
    answer = dojo.admin.get("/me", X_Request_ID=given)
    assert answer.headers["X-Request-ID"] != given
    assert REQUEST_ID.fullmatch(answer.headers["X-Request-ID"])


def test_each_request_has_its_own_id(dojo: Dojo) -> None:
    first, second = dojo.admin.get("/me"), dojo.admin.get("/me")
    assert first.headers["X-Request-ID"] != second.headers["X-Request-ID"]


def test_times_are_utc_with_z_and_ids_are_version_7(dojo: Dojo) -> None:
    made = factories.student(dojo, birth_date="2010-05-06")
    assert made["id"][14] == "7"
    assert made["created_at"].endswith("Z")
    assert made["created_at"].startswith("2026-06-15T16:40:00")
    assert made["birth_date"] == "2010-05-06"
    assert made["tenant_id"] == str(dojo.tenant.tenant_id)


@pytest.mark.parametrize("kind", ["dojo", "platform"])
@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
def test_both_kinds_of_host_describe_their_own_routes(
    dojo: Dojo, platform: Platform, kind: str, path: str
) -> None:
    caller = (dojo if kind == "dojo" else platform).anonymous
    answer = caller.get(path)
    assert answer.status_code == 200
    if path == "/openapi.json":
        paths = answer.json()["paths"]
        assert ("/students" in paths) is (kind == "dojo")
        assert ("/tenants" in paths) is (kind == "platform")


@pytest.mark.parametrize(
    ("path", "kind"), [("/tenants", "platform"), ("/students", "dojo"), ("/settings", "dojo")]
)
def test_a_route_exists_only_on_its_own_kind_of_host(
    dojo: Dojo, platform: Platform, path: str, kind: str
) -> None:
    elsewhere = dojo.admin if kind == "platform" else platform.superadmin()
    assert_error(elsewhere.get(path), 404, "not_found")
