"""What becomes of a dojo, and that a second one of the same slug honours nothing of the first. Through HTTP."""

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

from shared_apps.tenants import directory, lifecycle, schemas
from shared_apps.tenants.errors import MakingCutOff, WrongState
from shared_apps.tenants.models import RESERVED_SLUGS, SLUG, Tenant
from shared_apps.tenants.provisioning import clear_abandoned
from tatami.ids import uuid7
from tatami.tenancy.hosts import EPOCH_IS_FRESH_FOR, HostResolver
from tatami.tenancy.middleware import host_resolver
from tatami.tenancy.scope import TenantScope, platform_scope
from tests.http.sample_dojos import DEVICE, SampleHost, create_sample_dojo, password_hash
from tests.support.clients import Caller, Dojo, Platform
from tests.support.committed import purge
from tests.support.committed_dojos import at_once, end_sessions_of_the_owner, erase_dojo, make_dojo
from tests.support.now import NOW

SLUG_OF_BOTH = "phoenix"
HOST = f"{SLUG_OF_BOTH}.localhost"
PASSWORD = "seven rolling waves"
NEW = {
    "name": "Phoenix",
    "slug": SLUG_OF_BOTH,
    "timezone": "Europe/Berlin",
    "admin": {"email": "head@example.com", "password": PASSWORD},
}


# --- two generations of one slug -----------------------------------------------------------------------------------


class Moments:
    """A clock of seconds that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Generations:
    """What the first dojo gave out, the second of the same slug, and a process that knew the first."""

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
    """Make a dojo, have it give out one of everything, delete and purge it, and make another of its slug."""
    moments = Moments()
    resolver = HostResolver(
        base_domain="localhost",
        find_tenant=directory.find_tenant,
        read_epoch=directory.read_epoch,
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
        purge(SLUG_OF_BOTH)


@pytest.fixture(autouse=True)
def _present(request: pytest.FixtureRequest) -> None:
    if "generations" in request.fixturenames:
        request.getfixturevalue("now")


def of_the_first(
    given: Generations, method: str, path: str, token: str | None, body: Any = None
) -> tuple[int, Any]:
    """Return status and code of a request at the host that both have had."""
    host_resolver.cache_clear()
    answer = Caller(HOST, token).request(method, path, body)
    return answer.status_code, answer.json()["error"]["code"] if "json" in answer.headers[
        "Content-Type"
    ] else None


def test_a_second_dojo_of_a_slug_has_an_id_and_a_schema_of_its_own(generations: Generations) -> None:
    assert generations.new["status"] == "active"
    assert generations.new["id"] != generations.old_id
    assert generations.new["schema_name"] == f"t_{generations.new['id'].replace('-', '')}"
    assert sign_in().json()["access"]


def test_tokens_of_the_first_are_not_valid(generations: Generations) -> None:
    old = generations.old
    tokens = [generations.signed_in["access"], *(caller.token for caller in old.callers.values())]
    for token in tokens:
        assert of_the_first(generations, "GET", "/me", token) == (401, "token_invalid")


def test_refresh_tokens_of_the_first_are_not_valid(generations: Generations) -> None:
    for refresh in (generations.signed_in["refresh"], generations.old.refresh):
        answered = of_the_first(generations, "POST", "/auth/refresh", None, {"refresh": refresh})
        assert answered == (401, "token_invalid")


def test_a_device_of_the_first_is_not_known(generations: Generations) -> None:
    token = generations.old.callers[DEVICE].token
    assert of_the_first(generations, "GET", "/class-sessions", token) == (401, "token_invalid")


def test_a_pairing_code_of_the_first_pairs_nobody(generations: Generations) -> None:
    body = {"code": generations.old.codes["pairing"]}
    status, _ = of_the_first(generations, "POST", "/devices/pairing", None, body)
    assert 400 <= status < 500


@pytest.mark.parametrize("code", ["student", "session", "card"])
def test_codes_and_cards_of_the_first_mean_nothing(generations: Generations, code: str) -> None:
    body = {"token": generations.old.codes[code]}
    access = sign_in().json()["access"]
    assert of_the_first(generations, "POST", "/attendance/scan", access, body) == (400, "qr_invalid")


def test_a_feed_of_the_first_shows_nothing(generations: Generations) -> None:
    feed = generations.old.codes["feed"]
    status, code = of_the_first(generations, "GET", f"/calendar.ics?token={feed}", None)
    assert (status, code) in {(404, "not_found"), (401, "token_invalid")}


def test_an_unsubscribe_link_of_the_first_ends_nothing(generations: Generations) -> None:
    path = f"/unsubscribe/{generations.old.codes['unsubscribe']}"
    for method in ("GET", "POST"):
        assert of_the_first(generations, method, path, None)[0] == 404


def test_a_certificate_of_the_first_is_unknown(generations: Generations) -> None:
    host_resolver.cache_clear()
    answer = Caller(HOST).get(f"/certificates/{generations.old.codes['certificate']}")
    assert (answer.status_code, answer.json()["status"]) == (200, "unknown")


def test_what_the_first_had_is_not_there(generations: Generations) -> None:
    access = sign_in().json()["access"]
    for path in (f"/students/{generations.old.ids['student']}", f"/classes/{generations.old.ids['class']}"):
        assert of_the_first(generations, "GET", path, access) == (404, "not_found")
    assert Caller(HOST, access).get("/students").json()["count"] == 0


def test_a_process_that_knew_the_first_finds_the_second(generations: Generations) -> None:
    generations.moments.now += EPOCH_IS_FRESH_FOR
    found = generations.resolver.resolve(HOST)
    assert str(found.tenant_id) == generations.new["id"]
    assert found.schema_name == generations.new["schema_name"]


# --- purged, whatever state it is in -------------------------------------------------------------------------------


@pytest.fixture
def doomed(without_transaction: None, superuser: Any, now: Any) -> Iterator[Tenant]:
    """A dojo that was deleted."""
    scope = make_dojo("doomed")
    with platform_scope():
        yield lifecycle.delete_tenant(tenant=Tenant(pk=scope.tenant_id), now=NOW)
    connections.close_all()
    erase_dojo(superuser, "doomed")


def is_there(superuser: Any, tenant: Tenant) -> tuple[bool, bool]:
    """Return whether the row is there, and the schema."""
    row = superuser.execute("SELECT 1 FROM public.tenants_tenant WHERE id = %s", [tenant.pk]).fetchone()
    schema = superuser.execute("SELECT to_regnamespace(%s)", [tenant.schema_name]).fetchone()
    return row is not None, schema != (None,)


def run_as(superuser: Any, statement: str, tenant: Tenant) -> None:
    superuser.execute(sql.SQL(statement).format(sql.Identifier(tenant.schema_name)))


@pytest.mark.parametrize("ruin", ["DROP SCHEMA {0} CASCADE", "DROP TABLE {0}.accounts_user CASCADE"])
def test_a_dojo_is_purged_whose_schema_is_gone_or_half_gone(
    superuser: Any, doomed: Tenant, ruin: str
) -> None:
    run_as(superuser, ruin, doomed)
    with platform_scope():
        lifecycle.purge(tenant=doomed)
    assert is_there(superuser, doomed) == (False, False)


def test_purging_twice_is_no_error(superuser: Any, doomed: Tenant) -> None:
    with platform_scope():
        lifecycle.purge(tenant=doomed)
        lifecycle.purge(tenant=doomed)
    assert is_there(superuser, doomed) == (False, False)


def killed_half_way(monkeypatch: pytest.MonkeyPatch, tenant: Tenant) -> None:
    """Purge, and be killed when the schema is gone and the row is not."""

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tatami.files.remove_all", killed)
    with pytest.raises(KeyboardInterrupt), platform_scope():
        lifecycle.purge(tenant=tenant)
    monkeypatch.undo()


def test_a_purge_that_was_cut_off_is_finished_by_the_sweeper(
    superuser: Any, doomed: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_half_way(monkeypatch, doomed)
    assert is_there(superuser, doomed) == (True, False)
    assert clear_abandoned() == 1
    assert is_there(superuser, doomed) == (False, False)


def test_what_is_being_purged_cannot_be_restored(doomed: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    killed_half_way(monkeypatch, doomed)
    answer = Platform().superadmin().patch(f"/tenants/{doomed.pk}", {"status": "active"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conflict")
    host_resolver.cache_clear()
    assert Caller("doomed.localhost").get("/me").status_code == 404


def test_a_purge_that_was_cut_off_can_be_asked_for_again(
    superuser: Any, doomed: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_half_way(monkeypatch, doomed)
    answer = Platform().superadmin().post(f"/tenants/{doomed.pk}/purge", {"confirm": "doomed"})
    assert answer.status_code == 204, answer.content
    assert is_there(superuser, doomed) == (False, False)


def test_files_go_with_their_dojo(doomed: Tenant, north: TenantScope) -> None:
    mine, theirs = f"{doomed.pk}/exports/1", f"{north.tenant_id}/logo-1"
    for name in (mine, f"{doomed.pk}/logo-1", theirs):
        default_storage.save(name, ContentFile(b"kept"))
    try:
        with platform_scope():
            lifecycle.purge(tenant=doomed)
        assert not default_storage.exists(mine)
        assert not default_storage.exists(str(doomed.pk))
        assert default_storage.exists(theirs)
    finally:
        default_storage.delete(theirs)


def test_a_purge_does_not_wait_for_a_backup(
    superuser: Any, doomed: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reads the tables for long would have a worker wait, and then another; the sweeper comes again."""
    monkeypatch.setattr(schemas, "LOCKS_WITHIN_MS", 50)
    with superuser.transaction():
        superuser.execute(f'LOCK TABLE "{doomed.schema_name}".students_student IN ACCESS SHARE MODE')
        answer = Platform().superadmin().post(f"/tenants/{doomed.pk}/purge", {"confirm": "doomed"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "service_unavailable")
        assert clear_abandoned() == 0
    assert clear_abandoned() == 1
    assert is_there(superuser, doomed) == (False, False)


def test_one_that_cannot_be_removed_stops_none_behind_it(
    superuser: Any, doomed: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files, for example: the storage refuses."""
    scope = make_dojo("doomed-too")
    with platform_scope():
        other = Tenant.objects.get(pk=scope.tenant_id)
        Tenant.objects.filter(pk__in=[doomed.pk, other.pk]).update(
            status="deleting", deleted_at=NOW - timedelta(days=400)
        )
        first, second = lifecycle.overdue(now=NOW)

    def refuse(tenant_id: Any) -> None:
        if tenant_id == first.pk:
            raise PermissionError("the storage refuses")

    monkeypatch.setattr("tatami.files.remove_all", refuse)
    with capture_logs() as logs:
        assert lifecycle.purge_overdue(now=NOW) == 1
    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["retention.not_removed"]
    assert is_there(superuser, second) == (False, False)
    assert is_there(superuser, first) == (True, False)
    monkeypatch.undo()
    assert clear_abandoned() == 1


# --- made and cleared at once --------------------------------------------------------------------------------------


def test_a_dojo_that_was_cleared_meanwhile_never_serves(
    without_transaction: None, superuser: Any, now: Any
) -> None:
    """Whoever makes it has lost the lock with the owner's connection, and does not know."""
    cleared: list[Any] = []

    def lose_the_lock(execute: Any, statement: str, *more: Any) -> Any:
        if statement.startswith('UPDATE "tenants_tenant"') and not cleared:
            end_sessions_of_the_owner(superuser)
            cleared.extend(at_once([clear_abandoned]))
        return execute(statement, *more)

    with pytest.raises((DatabaseError, MakingCutOff)), connection.execute_wrapper(lose_the_lock):
        make_dojo("doomed")
    connections["owner"].close()
    assert cleared == [1]
    assert clear_abandoned() == 0
    left = superuser.execute("SELECT status FROM public.tenants_tenant WHERE slug = 'doomed'").fetchall()
    assert left == []


# --- the grace period ----------------------------------------------------------------------------------------------


def test_a_deleted_dojo_is_purged_when_its_grace_period_is_over(
    superuser: Any, doomed: Tenant, settings: Any
) -> None:
    grace = timedelta(days=settings.TATAMI_DELETION_GRACE_DAYS)
    assert lifecycle.purge_overdue(now=NOW + grace) == 0
    late = NOW + grace + timedelta(seconds=1)
    assert lifecycle.purge_overdue(now=late, dry_run=True) == 1
    assert is_there(superuser, doomed) == (True, True)
    assert lifecycle.purge_overdue(now=late) == 1
    assert is_there(superuser, doomed) == (False, False)


def test_a_dojo_that_was_restored_meanwhile_is_not_purged(superuser: Any, doomed: Tenant) -> None:
    with platform_scope():
        lifecycle.change_tenant(tenant=doomed, now=NOW, status="active")
        lifecycle.purge(tenant=doomed, deleted_before=NOW + timedelta(days=1))
        assert is_there(superuser, doomed) == (True, True)
        lifecycle.delete_tenant(tenant=doomed, now=NOW + timedelta(days=2))
        lifecycle.purge(tenant=doomed, deleted_before=NOW + timedelta(days=1))
    assert is_there(superuser, doomed) == (True, True)


def test_a_dojo_that_serves_is_not_purged_whoever_asks(superuser: Any, doomed: Tenant) -> None:
    with platform_scope():
        lifecycle.change_tenant(tenant=doomed, now=NOW, status="active")
        with pytest.raises(WrongState):
            lifecycle.purge(tenant=doomed)
    assert is_there(superuser, doomed) == (True, True)


# --- reserved slugs ------------------------------------------------------------------------------------------------


def test_every_reserved_slug_is_refused(platform: Platform) -> None:
    superadmin = platform.superadmin()
    assert {"www", "api", "admin", "console", "mail", "metrics", "autodiscover", "wpad"} <= RESERVED_SLUGS
    for slug in sorted(RESERVED_SLUGS):
        assert SLUG.fullmatch(slug), "nobody could ask for it"
        answer = superadmin.post("/tenants", {**NEW, "slug": slug, "name": str(uuid7())})
        assert answer.status_code == 400, slug
        assert answer.json()["error"]["details"] == {"slug": ["This slug is reserved."]}
