"""Purging and the grace period; and no credential of a purged dojo is valid in a new one with the same slug."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import DatabaseError, connection, connections
from psycopg import sql
from structlog.testing import capture_logs

from shared_apps.tenants import lifecycle, tenant_registry
from shared_apps.tenants.errors import CreationInterrupted, WrongState
from shared_apps.tenants.models import RESERVED_SLUGS, SLUG, Tenant
from shared_apps.tenants.provisioning import remove_incomplete_tenants
from shared_apps.tenants.schema import ddl
from shared_apps.tenants.serializers import NewTenantSerializer
from tatami.tenancy.hosts import EPOCH_TTL_SECONDS, HostResolver
from tatami.tenancy.middleware import host_resolver
from tatami.tenancy.scope import TenantScope, platform_scope
from tests.http.sample_dojos import DEVICE, SampleHost, create_sample_dojo, password_hash
from tests.support.clients import Caller, Dojo, Platform
from tests.support.committed import create_dojo, erase_dojo, purge_dojo, terminate_owner_sessions
from tests.support.now import NOW
from tests.support.races import run_concurrently

SLUG_OF_BOTH = "phoenix"
HOST = f"{SLUG_OF_BOTH}.localhost"
PASSWORD = "seven rolling waves"
NEW = {
    "name": "Phoenix",
    "slug": SLUG_OF_BOTH,
    "timezone": "Europe/Berlin",
    "admin": {"email": "head@example.com", "password": PASSWORD},
}


# --- two dojos with the same slug, one after the other ---


class Moments:
    """A monotonic clock that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Generations:
    """The credentials of the first dojo, the second dojo, and a process that has cached the first."""

    old: SampleHost
    old_id: str
    signed_in: dict[str, Any]
    new: dict[str, Any]
    resolver: HostResolver
    moments: Moments


def scope_of(tenant_id: str) -> TenantScope:
    with platform_scope():
        return Tenant.objects.with_primary_domain().get(pk=tenant_id).scope


def sign_in() -> Any:
    host_resolver.cache_clear()
    return Caller(HOST).post("/auth/login", {"email": "head@example.com", "password": PASSWORD})


@pytest.fixture(scope="module")
def generations(root: Caller) -> Iterator[Generations]:
    """Create a dojo with credentials of all kinds, purge it, and create another one with the same slug."""
    moments = Moments()
    resolver = HostResolver(
        base_domain="localhost",
        find_tenant=tenant_registry.find_tenant,
        read_epoch=tenant_registry.read_epoch,
        monotonic=moments,
    )
    try:
        first = root.post("/tenants", NEW).json()
        assert first["status"] == "active", first
        signed_in = sign_in().json()
        old = create_sample_dojo(Dojo(scope_of(first["id"])), password_hash())
        resolver.resolve(HOST)
        assert root.delete(f"/tenants/{first['id']}").status_code == 202
        answer = root.post(f"/tenants/{first['id']}/purge", {"confirm": SLUG_OF_BOTH})
        assert answer.status_code == 204, answer.content
        second = root.post("/tenants", NEW).json()
        yield Generations(old, first["id"], signed_in, second, resolver, moments)
    finally:
        purge_dojo(SLUG_OF_BOTH)


@pytest.fixture(autouse=True)
def _present(request: pytest.FixtureRequest) -> None:
    if "generations" in request.fixturenames:
        request.getfixturevalue("now")


def request_with_old(
    given: Generations, method: str, path: str, token: str | None, body: Any = None
) -> tuple[int, Any]:
    """Send a request to the host of both dojos; return the status and the error code."""
    host_resolver.cache_clear()
    answer = Caller(HOST, token).request(method, path, body)
    return answer.status_code, answer.json()["error"]["code"] if "json" in answer.headers[
        "Content-Type"
    ] else None


def test_a_second_dojo_of_the_same_slug_has_another_id_and_schema(generations: Generations) -> None:
    assert generations.new["status"] == "active"
    assert generations.new["id"] != generations.old_id
    assert generations.new["schema_name"] == f"t_{generations.new['id'].replace('-', '')}"
    assert sign_in().json()["access"]


def test_tokens_of_the_first_dojo_are_not_valid(generations: Generations) -> None:
    old = generations.old
    tokens = [generations.signed_in["access"], *(caller.token for caller in old.callers.values())]
    for token in tokens:
        assert request_with_old(generations, "GET", "/me", token) == (401, "token_invalid")


def test_refresh_tokens_of_the_first_dojo_are_not_valid(generations: Generations) -> None:
    for refresh in (generations.signed_in["refresh"], generations.old.refresh):
        answered = request_with_old(generations, "POST", "/auth/refresh", None, {"refresh": refresh})
        assert answered == (401, "token_invalid")


def test_a_device_of_the_first_dojo_is_unknown(generations: Generations) -> None:
    token = generations.old.callers[DEVICE].token
    assert request_with_old(generations, "GET", "/class-sessions", token) == (401, "token_invalid")


def test_a_pairing_code_of_the_first_dojo_is_not_valid(generations: Generations) -> None:
    body = {"code": generations.old.codes["pairing"]}
    status, _ = request_with_old(generations, "POST", "/devices/pairing", None, body)
    assert 400 <= status < 500


@pytest.mark.parametrize("code", ["student", "session", "card"])
def test_codes_and_cards_of_the_first_dojo_are_not_valid(generations: Generations, code: str) -> None:
    body = {"token": generations.old.codes[code]}
    access = sign_in().json()["access"]
    assert request_with_old(generations, "POST", "/attendance/scan", access, body) == (400, "qr_invalid")


def test_a_calendar_feed_of_the_first_dojo_is_not_valid(generations: Generations) -> None:
    feed = generations.old.codes["feed"]
    status, code = request_with_old(generations, "GET", f"/calendar.ics?token={feed}", None)
    assert (status, code) in {(404, "not_found"), (401, "token_invalid")}


def test_an_unsubscribe_link_of_the_first_dojo_is_not_valid(generations: Generations) -> None:
    path = f"/unsubscribe/{generations.old.codes['unsubscribe']}"
    for method in ("GET", "POST"):
        assert request_with_old(generations, method, path, None)[0] == 404


def test_a_certificate_of_the_first_dojo_is_unknown(generations: Generations) -> None:
    host_resolver.cache_clear()
    answer = Caller(HOST).get(f"/certificates/{generations.old.codes['certificate']}")
    assert (answer.status_code, answer.json()["status"]) == (200, "unknown")


def test_data_of_the_first_dojo_are_not_found(generations: Generations) -> None:
    access = sign_in().json()["access"]
    for path in (f"/students/{generations.old.ids['student']}", f"/classes/{generations.old.ids['class']}"):
        assert request_with_old(generations, "GET", path, access) == (404, "not_found")
    assert Caller(HOST, access).get("/students").json()["count"] == 0


def test_a_process_that_cached_the_first_dojo_finds_the_second(generations: Generations) -> None:
    generations.moments.now += EPOCH_TTL_SECONDS
    found = generations.resolver.resolve(HOST)
    assert str(found.tenant_id) == generations.new["id"]
    assert found.schema_name == generations.new["schema_name"]


# --- purging in any state ---


@pytest.fixture
def deleted(without_transaction: None, superuser: Any, now: Any) -> Iterator[Tenant]:
    """A deleted dojo."""
    scope = create_dojo("short-lived")
    with platform_scope():
        yield lifecycle.delete_tenant(tenant=Tenant(pk=scope.tenant_id), now=NOW)
    connections.close_all()
    erase_dojo(superuser, "short-lived")


def row_and_schema_exist(superuser: Any, tenant: Tenant) -> tuple[bool, bool]:
    """Return whether the row exists, and whether the schema exists."""
    row = superuser.execute("SELECT 1 FROM public.tenants_tenant WHERE id = %s", [tenant.pk]).fetchone()
    schema = superuser.execute("SELECT to_regnamespace(%s)", [tenant.schema_name]).fetchone()
    return row is not None, schema != (None,)


def execute_in_schema(superuser: Any, statement: str, tenant: Tenant) -> None:
    superuser.execute(sql.SQL(statement).format(sql.Identifier(tenant.schema_name)))


@pytest.mark.parametrize("damage", ["DROP SCHEMA {0} CASCADE", "DROP TABLE {0}.accounts_user CASCADE"])
def test_a_dojo_with_a_missing_or_damaged_schema_can_be_purged(
    superuser: Any, deleted: Tenant, damage: str
) -> None:
    execute_in_schema(superuser, damage, deleted)
    with platform_scope():
        lifecycle.purge(tenant=deleted)
    assert row_and_schema_exist(superuser, deleted) == (False, False)


def test_purging_twice_is_no_error(superuser: Any, deleted: Tenant) -> None:
    with platform_scope():
        lifecycle.purge(tenant=deleted)
        lifecycle.purge(tenant=deleted)
    assert row_and_schema_exist(superuser, deleted) == (False, False)


def test_setting_the_present_values_writes_nothing(deleted: Tenant) -> None:
    """Every process keeps its cached hosts, and the end of the grace period stays."""
    with platform_scope():
        before = Tenant.objects.filter(pk=deleted.pk).values().get()
        epoch = tenant_registry.read_epoch()
        later = NOW + timedelta(days=1)
        lifecycle.delete_tenant(tenant=deleted, now=later)
        lifecycle.change_tenant(tenant=deleted, now=later, name=deleted.name, timezone=deleted.timezone)
        assert Tenant.objects.filter(pk=deleted.pk).values().get() == before
    assert tenant_registry.read_epoch() == epoch


def interrupt_purge(monkeypatch: pytest.MonkeyPatch, tenant: Tenant) -> None:
    """Interrupt a purge when the schema is dropped and the row still exists."""

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tatami.tenant_files.delete_tenant_files", killed)
    with pytest.raises(KeyboardInterrupt), platform_scope():
        lifecycle.purge(tenant=tenant)
    monkeypatch.undo()


def test_the_clean_up_finishes_an_interrupted_purge(
    superuser: Any, deleted: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_purge(monkeypatch, deleted)
    assert row_and_schema_exist(superuser, deleted) == (True, False)
    assert remove_incomplete_tenants() == 1
    assert row_and_schema_exist(superuser, deleted) == (False, False)


def test_a_dojo_whose_purge_began_cannot_be_restored(
    deleted: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_purge(monkeypatch, deleted)
    answer = Platform().superadmin().patch(f"/tenants/{deleted.pk}", {"status": "active"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conflict")
    host_resolver.cache_clear()
    assert Caller("short-lived.localhost").get("/me").status_code == 404


def test_an_interrupted_purge_can_be_requested_again(
    superuser: Any, deleted: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_purge(monkeypatch, deleted)
    answer = Platform().superadmin().post(f"/tenants/{deleted.pk}/purge", {"confirm": "short-lived"})
    assert answer.status_code == 204, answer.content
    assert row_and_schema_exist(superuser, deleted) == (False, False)


def test_purging_a_dojo_deletes_its_files(deleted: Tenant, north: TenantScope) -> None:
    mine, theirs = f"{deleted.pk}/exports/1", f"{north.tenant_id}/logo-1"
    for name in (mine, f"{deleted.pk}/logo-1", theirs):
        default_storage.save(name, ContentFile(b"kept"))
    try:
        with platform_scope():
            lifecycle.purge(tenant=deleted)
        assert not default_storage.exists(mine)
        assert not default_storage.exists(str(deleted.pk))
        assert default_storage.exists(theirs)
    finally:
        default_storage.delete(theirs)


def test_a_purge_does_not_wait_for_a_backup(
    superuser: Any, deleted: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker must not wait for a session that reads the tables for long. The sweeper tries again."""
    monkeypatch.setattr(ddl, "DROP_LOCK_TIMEOUT_MS", 50)
    with superuser.transaction():
        superuser.execute(f'LOCK TABLE "{deleted.schema_name}".students_student IN ACCESS SHARE MODE')
        answer = Platform().superadmin().post(f"/tenants/{deleted.pk}/purge", {"confirm": "short-lived"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "service_unavailable")
        assert remove_incomplete_tenants() == 0
    assert remove_incomplete_tenants() == 1
    assert row_and_schema_exist(superuser, deleted) == (False, False)


def test_a_dojo_that_cannot_be_purged_does_not_stop_the_others(
    superuser: Any, deleted: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For example, because the storage refuses to delete its files."""
    scope = create_dojo("short-lived-2")
    with platform_scope():
        other = Tenant.objects.get(pk=scope.tenant_id)
        Tenant.objects.filter(pk__in=[deleted.pk, other.pk]).update(
            status="deleting", deleted_at=NOW - timedelta(days=400)
        )
        first, second = lifecycle.overdue(now=NOW)

    def refuse(tenant_id: Any) -> None:
        if tenant_id == first.pk:
            raise PermissionError("the storage refuses")

    monkeypatch.setattr("tatami.tenant_files.delete_tenant_files", refuse)
    with capture_logs() as logs:
        assert lifecycle.purge_overdue(now=NOW) == 1
    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["retention.not_removed"]
    assert row_and_schema_exist(superuser, second) == (False, False)
    assert row_and_schema_exist(superuser, first) == (True, False)
    monkeypatch.undo()
    assert remove_incomplete_tenants() == 1


# --- creation and clearing at the same time ---


def test_a_dojo_that_was_cleared_during_its_creation_never_becomes_active(
    without_transaction: None, superuser: Any, now: Any
) -> None:
    """The creating process has lost its lock with the owner's connection, and does not know it."""
    cleared: list[Any] = []

    def lose_the_lock(execute: Any, statement: str, *more: Any) -> Any:
        if statement.startswith('UPDATE "tenants_tenant"') and not cleared:
            terminate_owner_sessions(superuser)
            cleared.extend(run_concurrently([remove_incomplete_tenants]))
        return execute(statement, *more)

    with pytest.raises((DatabaseError, CreationInterrupted)), connection.execute_wrapper(lose_the_lock):
        create_dojo("short-lived")
    connections["owner"].close()
    assert cleared == [1]
    assert remove_incomplete_tenants() == 0
    left = superuser.execute("SELECT status FROM public.tenants_tenant WHERE slug = 'deleted'").fetchall()
    assert left == []


# --- the grace period ---


def test_a_deleted_dojo_is_purged_after_its_grace_period(
    superuser: Any, deleted: Tenant, settings: Any
) -> None:
    grace = timedelta(days=settings.TATAMI_DELETION_GRACE_DAYS)
    assert lifecycle.purge_overdue(now=NOW + grace) == 0
    late = NOW + grace + timedelta(seconds=1)
    assert lifecycle.purge_overdue(now=late, dry_run=True) == 1
    assert row_and_schema_exist(superuser, deleted) == (True, True)
    assert lifecycle.purge_overdue(now=late) == 1
    assert row_and_schema_exist(superuser, deleted) == (False, False)


def test_a_dojo_that_was_restored_in_the_meantime_is_not_purged(superuser: Any, deleted: Tenant) -> None:
    with platform_scope():
        lifecycle.change_tenant(tenant=deleted, now=NOW, status="active")
        lifecycle.purge(tenant=deleted, deleted_before=NOW + timedelta(days=1))
        assert row_and_schema_exist(superuser, deleted) == (True, True)
        lifecycle.delete_tenant(tenant=deleted, now=NOW + timedelta(days=2))
        lifecycle.purge(tenant=deleted, deleted_before=NOW + timedelta(days=1))
    assert row_and_schema_exist(superuser, deleted) == (True, True)


def test_an_active_dojo_cannot_be_purged(superuser: Any, deleted: Tenant) -> None:
    with platform_scope():
        lifecycle.change_tenant(tenant=deleted, now=NOW, status="active")
        with pytest.raises(WrongState):
            lifecycle.purge(tenant=deleted)
    assert row_and_schema_exist(superuser, deleted) == (True, True)


# --- reserved slugs ---


def test_every_reserved_slug_is_refused(platform: Platform) -> None:
    assert {"www", "api", "admin", "console", "mail", "metrics", "autodiscover", "wpad"} <= RESERVED_SLUGS
    for slug in sorted(RESERVED_SLUGS):
        assert SLUG.fullmatch(slug), "the slug would be refused for its form"
        serializer = NewTenantSerializer(data={**NEW, "slug": slug})
        assert not serializer.is_valid()
        assert set(serializer.errors) == {"slug"}
    answer = platform.superadmin().post("/tenants", {**NEW, "slug": "console"})
    assert answer.status_code == 400
    assert answer.json()["error"]["details"] == {"slug": ["This slug is reserved."]}
