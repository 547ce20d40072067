"""Dojos over HTTP: created with a schema of their own, suspended, deleted, restored, purged."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from tatami.tenancy.middleware import host_resolver
from tatami.tenancy.scope import platform_scope
from tests.support.clients import Caller
from tests.support.committed import purge_dojo
from tests.support.responses import assert_created, assert_error, assert_invalid, ok

NEW: dict[str, Any] = {
    "name": "New Dojo",
    "slug": "new-dojo",
    "timezone": "America/Sao_Paulo",
    "admin": {"email": "head@example.com", "name": "Head"},
}


@pytest.fixture(autouse=True)
def _at_present(committed: None, now: Any) -> None:
    """Run each test at the fixed present, with committed transactions."""


@pytest.fixture(scope="module")
def tenant(root: Caller) -> Iterator[dict[str, Any]]:
    """A dojo that a superadmin created."""
    answer = root.post("/tenants", NEW)
    body = assert_created(root, answer)
    yield body
    purge_dojo("new-dojo")


def schemas() -> set[str]:
    with platform_scope(), connection.cursor() as cursor:
        cursor.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 't\\_%%'", [])
        return {row[0] for row in cursor.fetchall()}


def anonymous() -> Any:
    host_resolver.cache_clear()
    return Caller("new-dojo.localhost").get("/me")


def test_a_created_dojo_has_the_documented_fields(tenant: dict[str, Any]) -> None:
    assert {
        "id",
        "name",
        "slug",
        "schema_name",
        "status",
        "domains",
        "timezone",
        "created_at",
        "admin",
    } <= set(tenant)
    assert (tenant["status"], tenant["timezone"]) == ("active", "America/Sao_Paulo")
    assert tenant["domains"] == [{"domain": "new-dojo.localhost", "is_primary": True, "verified": True}]
    assert set(tenant["admin"]) == {"id", "email"}
    assert tenant["schema_name"] in schemas()
    assert_error(anonymous(), 401, "not_authenticated")


def test_dojos_can_be_listed_and_read(root: Caller, tenant: dict[str, Any]) -> None:
    shown = ok(root.get(f"/tenants/{tenant['id']}"))
    assert shown.items() >= {k: v for k, v in tenant.items() if k not in {"admin", "updated_at"}}.items()
    assert "new-dojo" in {row["slug"] for row in ok(root.get("/tenants"))["results"]}
    assert {row["slug"] for row in ok(root.get("/tenants?status=suspended"))["results"]} == set()


def test_a_taken_slug_is_refused(root: Caller, tenant: dict[str, Any]) -> None:
    before = schemas()
    assert_error(root.post("/tenants", NEW), 409, "slug_taken")
    assert schemas() == before


@pytest.mark.parametrize(
    "slug",
    [
        "",
        "a",
        "x" * 41,
        "Upper",
        "under_score",
        "-a",
        "a-",
        "xn--dojo",
        "www",
        "api",
        "a.b",
        "ünder",
        "a b",
        7,
    ],
)
def test_a_reserved_or_malformed_slug_is_refused(root: Caller, slug: Any) -> None:
    before = schemas()
    assert_invalid(root.post("/tenants", {**NEW, "slug": slug}), "slug")
    assert schemas() == before


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"name": ""}, "name"),
        ({"admin": {"email": "x"}}, "admin.email"),
        ({"admin": None}, "admin"),
        ({"admin": {"email": "a@b.de", "password": "short"}}, "admin.password"),
        ({"admin": {"email": "a@b.de", "role": "x"}}, "admin.role"),
        ({"schema_name": "public"}, "schema_name"),
        ({"status": "active"}, "status"),
        ({"id": "x"}, "id"),
    ],
)
def test_invalid_values_are_refused(root: Caller, change: dict[str, Any], field: str) -> None:
    before = schemas()
    assert_invalid(root.post("/tenants", {**NEW, "slug": "another", **change}), field)
    assert schemas() == before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("schema_name", "public"),
        ("status", "deleting"),
        ("status", "provisioning"),
        ("timezone", "x"),
        ("admin", {}),
    ],
)
def test_other_fields_cannot_be_changed(root: Caller, tenant: dict[str, Any], field: str, value: Any) -> None:
    assert_invalid(root.patch(f"/tenants/{tenant['id']}", {field: value}), field)


def test_name_and_time_zone_can_be_changed(root: Caller, tenant: dict[str, Any]) -> None:
    after = ok(root.patch(f"/tenants/{tenant['id']}", {"name": "Renamed", "timezone": "UTC"}))
    assert (after["name"], after["timezone"], after["slug"]) == ("Renamed", "UTC", "new-dojo")
    ok(root.patch(f"/tenants/{tenant['id']}", {"name": NEW["name"], "timezone": NEW["timezone"]}))


def test_a_suspended_dojo_responds_403(root: Caller, tenant: dict[str, Any]) -> None:
    path = f"/tenants/{tenant['id']}"
    assert ok(root.patch(path, {"status": "suspended"}))["status"] == "suspended"
    assert_error(anonymous(), 403, "tenant_suspended")
    ok(root.patch(path, {"status": "active"}))
    assert_error(anonymous(), 401, "not_authenticated")


def test_a_deleted_dojo_is_not_found_and_can_be_restored(root: Caller, tenant: dict[str, Any]) -> None:
    path = f"/tenants/{tenant['id']}"
    answer = root.delete(path)
    body = ok(answer, 202)
    assert {"id", "status", "total", "done", "url"} <= set(body)
    assert body["status"] in {"queued", "running", "paused", "done", "failed", "cancelled", "reverted"}
    assert answer.headers["Location"].endswith(path)
    assert ok(root.get(path))["status"] == "deleting"
    assert_error(anonymous(), 404, "tenant_not_found")
    assert ok(root.patch(path, {"status": "active"}))["status"] == "active"
    assert_error(anonymous(), 401, "not_authenticated")


def test_an_active_dojo_cannot_be_purged(root: Caller, tenant: dict[str, Any]) -> None:
    assert_error(root.post(f"/tenants/{tenant['id']}/purge", {"confirm": "new-dojo"}), 409, "conflict")
    assert tenant["schema_name"] in schemas()


def test_purging_requires_the_slug_and_frees_it(root: Caller) -> None:
    body = assert_created(root, root.post("/tenants", {**NEW, "slug": "short-lived"}))
    path = f"/tenants/{body['id']}"
    try:
        ok(root.delete(path), 202)
        assert_invalid(root.post(f"{path}/purge", {"confirm": "new-dojo"}), "confirm")
        assert_invalid(root.post(f"{path}/purge", {}), "confirm")
        assert body["schema_name"] in schemas()
        ok(root.post(f"{path}/purge", {"confirm": "short-lived"}), 204)
        assert body["schema_name"] not in schemas()
        assert_error(root.get(path), 404, "not_found")
        again = assert_created(root, root.post("/tenants", {**NEW, "slug": "short-lived"}))
        assert again["schema_name"] != body["schema_name"]
    finally:
        purge_dojo("short-lived")


def test_an_idempotency_key_creates_a_dojo_once(root: Caller) -> None:
    """The second request gets the first response, not `slug_taken`."""
    body = {**NEW, "slug": "keyed"}
    try:
        first = ok(root.post("/tenants", body, Idempotency_Key="k1"), 201)
        again = root.post("/tenants", body, Idempotency_Key="k1")
        assert (ok(again, 201), again.headers.get("Idempotency-Replayed")) == (first, "true")
    finally:
        purge_dojo("keyed")


def test_without_an_owner_login_creation_is_unavailable(
    root: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A web process without OWNER_DATABASE_URL has no such connection."""
    from django.db import connections

    configured = {**connections.settings}
    monkeypatch.setattr(connections, "settings", {k: v for k, v in configured.items() if k != "owner"})
    opened = getattr(connections._connections, "owner", None)
    if opened is not None:
        opened.close()
        del connections["owner"]
    answer = root.post("/tenants", {**NEW, "slug": "unowned"})
    assert_error(answer, 503, "service_unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert ok(root.get("/tenants?status=provisioning"))["count"] == 0
