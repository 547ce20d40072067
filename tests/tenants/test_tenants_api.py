"""Dojos on the platform: made with a schema of their own, suspended, deleted, restored, purged."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from tatami.tenancy.middleware import host_resolver
from tatami.tenancy.scope import platform_scope
from tests.support.clients import Caller
from tests.support.committed import purge
from tests.support.responses import done, invalid, made, refusal

NEW: dict[str, Any] = {
    "name": "New Dojo",
    "slug": "new-dojo",
    "timezone": "America/Sao_Paulo",
    "admin": {"email": "head@example.com", "name": "Head"},
}


@pytest.fixture(autouse=True)
def _at_present(committed: None, now: Any) -> None:
    """Let every test be at the fixed present, in a database that keeps what it does."""


@pytest.fixture(scope="module")
def tenant(root: Caller) -> Iterator[dict[str, Any]]:
    """A dojo that a superadmin made."""
    answer = root.post("/tenants", NEW)
    body = made(root, answer)
    yield body
    purge("new-dojo")


def schemas() -> set[str]:
    with platform_scope(), connection.cursor() as cursor:
        cursor.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 't\\_%%'", [])
        return {row[0] for row in cursor.fetchall()}


def anonymous() -> Any:
    host_resolver.cache_clear()
    return Caller("new-dojo.localhost").get("/me")


def test_a_new_dojo_has_what_the_contract_says(tenant: dict[str, Any]) -> None:
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
    refusal(anonymous(), 401, "not_authenticated")


def test_dojos_are_listed_and_read(root: Caller, tenant: dict[str, Any]) -> None:
    shown = done(root.get(f"/tenants/{tenant['id']}"))
    assert shown.items() >= {k: v for k, v in tenant.items() if k not in {"admin", "updated_at"}}.items()
    assert "new-dojo" in {row["slug"] for row in done(root.get("/tenants"))["results"]}
    assert {row["slug"] for row in done(root.get("/tenants?status=suspended"))["results"]} == set()


def test_a_taken_slug_is_told(root: Caller, tenant: dict[str, Any]) -> None:
    before = schemas()
    refusal(root.post("/tenants", NEW), 409, "slug_taken")
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
    invalid(root.post("/tenants", {**NEW, "slug": slug}), "slug")
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
def test_a_dojo_with_a_bad_value_is_refused(root: Caller, change: dict[str, Any], field: str) -> None:
    before = schemas()
    invalid(root.post("/tenants", {**NEW, "slug": "another", **change}), field)
    assert schemas() == before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("slug", "other"),
        ("schema_name", "public"),
        ("status", "deleting"),
        ("status", "provisioning"),
        ("timezone", "x"),
        ("admin", {}),
    ],
)
def test_a_change_of_something_else_is_refused(
    root: Caller, tenant: dict[str, Any], field: str, value: Any
) -> None:
    invalid(root.patch(f"/tenants/{tenant['id']}", {field: value}), field)


def test_name_and_time_zone_are_changed(root: Caller, tenant: dict[str, Any]) -> None:
    after = done(root.patch(f"/tenants/{tenant['id']}", {"name": "Renamed", "timezone": "UTC"}))
    assert (after["name"], after["timezone"], after["slug"]) == ("Renamed", "UTC", "new-dojo")


def test_a_suspended_dojo_answers_nobody(root: Caller, tenant: dict[str, Any]) -> None:
    path = f"/tenants/{tenant['id']}"
    assert done(root.patch(path, {"status": "suspended"}))["status"] == "suspended"
    refusal(anonymous(), 403, "tenant_suspended")
    done(root.patch(path, {"status": "active"}))
    refusal(anonymous(), 401, "not_authenticated")


def test_a_deleted_dojo_is_gone_and_can_be_restored(root: Caller, tenant: dict[str, Any]) -> None:
    path = f"/tenants/{tenant['id']}"
    answer = root.delete(path)
    body = done(answer, 202)
    assert {"id", "status", "total", "done", "url"} <= set(body)
    assert body["status"] in {"queued", "running", "paused", "done", "failed", "cancelled", "reverted"}
    assert answer.headers["Location"].endswith(path)
    assert done(root.get(path))["status"] == "deleting"
    refusal(anonymous(), 404, "tenant_not_found")
    assert done(root.patch(path, {"status": "active"}))["status"] == "active"
    refusal(anonymous(), 401, "not_authenticated")


def test_a_dojo_that_serves_is_not_purged(root: Caller, tenant: dict[str, Any]) -> None:
    refusal(root.post(f"/tenants/{tenant['id']}/purge", {"confirm": "new-dojo"}), 409, "conflict")
    assert tenant["schema_name"] in schemas()


def test_a_dojo_is_purged_by_its_slug_and_its_name_is_free_again(root: Caller) -> None:
    body = made(root, root.post("/tenants", {**NEW, "slug": "short-lived"}))
    path = f"/tenants/{body['id']}"
    try:
        done(root.delete(path), 202)
        invalid(root.post(f"{path}/purge", {"confirm": "new-dojo"}), "confirm")
        invalid(root.post(f"{path}/purge", {}), "confirm")
        assert body["schema_name"] in schemas()
        done(root.post(f"{path}/purge", {"confirm": "short-lived"}), 204)
        assert body["schema_name"] not in schemas()
        refusal(root.get(path), 404, "not_found")
        again = made(root, root.post("/tenants", {**NEW, "slug": "short-lived"}))
        assert again["schema_name"] != body["schema_name"]
    finally:
        purge("short-lived")


def test_a_dojo_is_made_once_under_a_key(root: Caller) -> None:
    """`POST /tenants` is not among what the contract says ignores a key: the twin is no `slug_taken`."""
    body = {**NEW, "slug": "keyed"}
    try:
        first = done(root.post("/tenants", body, Idempotency_Key="k1"), 201)
        again = root.post("/tenants", body, Idempotency_Key="k1")
        assert (done(again, 201), again.headers.get("Idempotency-Replayed")) == (first, "true")
    finally:
        purge("keyed")


def test_where_no_owner_login_is_configured_no_dojo_is_made(
    root: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A web process without OWNER_DATABASE_URL: the alias is not there."""
    from django.db import connections

    wanted = {**connections.settings}
    monkeypatch.setattr(connections, "settings", {k: v for k, v in wanted.items() if k != "owner"})
    opened = getattr(connections._connections, "owner", None)
    if opened is not None:
        opened.close()
        del connections["owner"]
    answer = root.post("/tenants", {**NEW, "slug": "unowned"})
    refusal(answer, 503, "service_unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert done(root.get("/tenants?status=provisioning"))["count"] == 0
