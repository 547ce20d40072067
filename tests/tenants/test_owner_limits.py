"""Statements of the owner login in requests: they end in time, as all statements of requests do."""

import contextvars
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any, Final

import psutil
import psycopg
import pytest
from django.db import OperationalError, connections, transaction

from shared_apps.tenants import lifecycle, provisioning
from shared_apps.tenants.models import Tenant
from shared_apps.tenants.provisioning import FirstAdmin, create_tenant, remove_incomplete_tenants
from shared_apps.tenants.schema import ddl
from tatami.api.request_slots import StatementWatch
from tatami.postgresql.limits import Limits
from tatami.postgresql.owner import base
from tatami.postgresql.owner.base import LONG_STATEMENT_SECONDS, open_owners
from tatami.tenancy.scope import TenantScope, platform_scope
from tests.support.clients import Caller, Platform
from tests.support.committed import erase_dojo
from tests.support.now import NOW
from tests.support.races import raise_first_error, run_concurrently
from tests.support.responses import assert_error

pytestmark = pytest.mark.slow

SLUG: Final = "bounded"
BODY: Final = {"name": "Bounded", "slug": SLUG, "timezone": "UTC", "admin": {"email": "head@example.com"}}
LONG: Final = 60.0
"""Seconds that only a failing test waits."""


@pytest.fixture
def database(without_transaction: None, superuser: Any, now: Any) -> Iterator[Any]:
    """The superuser. Afterwards, the dojo is removed."""
    yield superuser
    connections.close_all()
    erase_dojo(superuser, SLUG)


@pytest.fixture
def in_web(database: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The owner login of a web process, which waits for a moment for locks; without slots, and a watch that stays."""
    connections["owner"].close()
    monkeypatch.setattr(base, "_serves_requests", lambda: True)
    monkeypatch.setattr(base, "request_limits", lambda: Limits(lock_seconds=0.05, statement_seconds=LONG))


def create() -> Tenant:
    with platform_scope():
        admin = FirstAdmin(email="head@example.com", password_hash="!")
        return create_tenant(name="Bounded", slug=SLUG, timezone="UTC", admin=admin, now=NOW)[0]


def status_of_dojo(database: Any) -> list[str]:
    rows = database.execute("SELECT status FROM public.tenants_tenant WHERE slug = %s", [SLUG]).fetchall()
    return [status for (status,) in rows]


def post(path: str, body: dict[str, Any], caller: Caller) -> Any:
    """Send a request from a thread: if it waits without an end, the test fails."""
    (answer,) = run_concurrently([lambda: Caller(caller.host, caller.token).post(path, body)])
    raise_first_error([answer])
    return answer


def shown(owner: Any) -> tuple[str, ...]:
    with owner.cursor() as cursor:
        cursor.execute("SELECT current_setting('statement_timeout'), current_setting('lock_timeout')")
        return tuple(cursor.fetchone())


# --- limits of the server ------------------------------------------------------------------------------------------


def test_only_a_web_process_limits_the_statements_of_the_owner(database: Any, settings: Any) -> None:
    owner = ddl.require_owner()
    for connections_of_web, limits in ((0, ("0", "0")), (16, ("4s", "2s"))):
        settings.TATAMI_WEB_CONNECTIONS = connections_of_web
        owner.close()
        owner.set_schema_to_public()
        assert shown(owner) == limits
        with transaction.atomic(using="owner"):
            assert shown(owner) == limits
        with owner.long_statements(), transaction.atomic(using="owner"):
            assert shown(owner) == (limits if not connections_of_web else ("1min", "2s"))
            assert owner.patience == (LONG_STATEMENT_SECONDS if connections_of_web else None)
        assert owner.patience is None
    owner.close()


def test_a_purge_does_not_wait_for_another_one_that_hangs(database: Any, in_web: None) -> None:
    superadmin = Platform().superadmin()
    tenant = create()
    with platform_scope():
        lifecycle.delete_tenant(tenant=tenant, now=NOW)
    database.execute("SELECT pg_advisory_lock(%s)", [ddl.lock_key(tenant.pk)])
    try:
        answer = post(f"/tenants/{tenant.pk}/purge", {"confirm": SLUG}, superadmin)
    finally:
        database.execute("SELECT pg_advisory_unlock(%s)", [ddl.lock_key(tenant.pk)])
    assert_error(answer, 503, "service_unavailable")
    assert int(answer["Retry-After"]) > 0
    assert status_of_dojo(database) == ["deleting"]
    assert post(f"/tenants/{tenant.pk}/purge", {"confirm": SLUG}, superadmin).status_code == 204


@contextmanager
def no_new_schemas(database: "psycopg.Connection[Any]") -> Iterator[None]:
    """Let everyone who creates a schema wait within the block."""
    with database.transaction():
        database.execute("LOCK TABLE pg_catalog.pg_namespace IN SHARE ROW EXCLUSIVE MODE")
        yield


def test_a_creation_does_not_wait_for_a_lock_without_end(database: Any, in_web: None) -> None:
    superadmin = Platform().superadmin()
    with no_new_schemas(database):
        answer = post("/tenants", BODY, superadmin)
        assert_error(answer, 503, "service_unavailable")
        assert int(answer["Retry-After"]) > 0
        assert status_of_dojo(database) == [], "it is undone, and the slug is free"
    assert post("/tenants", BODY, superadmin).status_code == 201


# --- a server that does not answer ---------------------------------------------------------------------------------


def lock(owner: Any, tenant: TenantScope, stop: Callable[[], None]) -> None:
    with ddl.schema_lock(tenant.tenant_id):
        stop()
        with owner.cursor() as cursor:
            cursor.execute("SELECT 1")


def unlock(owner: Any, tenant: TenantScope, stop: Callable[[], None]) -> None:
    with ddl.schema_lock(tenant.tenant_id):
        stop()
    raise OperationalError("an unlock that fails is no error")


def statement(owner: Any, tenant: TenantScope, stop: Callable[[], None]) -> None:
    with ddl.owner_connection(tenant.schema_name), owner.cursor() as cursor:
        cursor.execute("SELECT 1")
        stop()
        cursor.execute("SELECT 1")


def many_statements(owner: Any, tenant: TenantScope, stop: Callable[[], None]) -> None:
    with ddl.owner_connection(tenant.schema_name):
        ddl.execute_all(owner, ["SELECT 1"])
        stop()
        ddl.execute_all(owner, ["SELECT 1"] * 200)


def commit(owner: Any, tenant: TenantScope, stop: Callable[[], None]) -> None:
    with ddl.owner_connection(tenant.schema_name):
        ddl.execute_all(owner, ["SELECT 1"])
        stop()


@pytest.mark.parametrize("act", [lock, unlock, statement, many_statements, commit], ids=lambda a: a.__name__)
def test_a_statement_that_the_server_never_answers_ends_with_its_connection(
    north: TenantScope, act: Callable[..., None]
) -> None:
    backend: list[psutil.Process] = []
    owners: list[Any] = []
    errors: list[Exception] = []

    def request() -> None:
        owner = ddl.require_owner()
        owners.append(owner)

        def stop() -> None:
            backend.append(psutil.Process(owner.connection.info.backend_pid))
            backend[0].suspend()

        try:
            act(owner, north, stop)
        except OperationalError as error:
            errors.append(error)
        finally:
            owner.close()

    watch = StatementWatch([], seconds=4)
    waiting = threading.Thread(target=contextvars.copy_context().run, args=[request])
    fails_at = monotonic() + LONG
    try:
        waiting.start()
        while not backend or owners[0].waiting_since is None:
            waiting.join(0.01)
            assert waiting.is_alive()
            assert monotonic() < fails_at, "it waits, and the watch does not see it"
        since = owners[0].waiting_since
        watch.end_overdue(now=since + 3.9)
        assert owners[0] in open_owners()
        assert waiting.is_alive()
        watch.end_overdue(now=since + 4.1)
        waiting.join(LONG)
        assert len(errors) == 1
    finally:
        for process in backend:
            process.resume()
        waiting.join(LONG)


def test_long_statements_get_more_time(north: TenantScope, in_web: None) -> None:
    owner = ddl.require_owner()
    with owner.long_statements(), ddl.owner_connection(north.schema_name), owner.cursor() as cursor:
        owner.waiting_since = 100.0
        StatementWatch([], seconds=4).end_overdue(now=100.0 + LONG_STATEMENT_SECONDS - 1)
        owner.waiting_since = None
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)
    owner.close()


def test_the_time_begins_anew_while_a_schema_is_built(north: TenantScope) -> None:
    """So a dojo may take longer to create than one statement may."""
    began: list[float | None] = []

    def statements() -> Iterator[str]:
        for _ in range(ddl.STATEMENTS_AT_A_TIME * 3):
            began.append(owner.waiting_since)
            yield "SELECT 1"

    with ddl.owner_connection(north.schema_name) as owner:
        ddl.execute_all(owner, statements())
    assert len({since for since in began if since is not None}) == 3


# --- a creation whose connection is lost ---------------------------------------------------------------------------


def test_a_creation_whose_connection_is_lost_is_undone_later(
    database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To undo it now, a server that does not answer would have to be waited for once more."""
    undone: list[str] = []
    undo = provisioning.undo_creation

    def note(tenant: Tenant) -> None:
        undone.append(tenant.slug)
        undo(tenant)

    def lose_the_connection(execute: Any, sql: str, *more: Any) -> Any:
        if "django_migrations" in sql:
            owner.shut_down()
        return execute(sql, *more)

    monkeypatch.setattr(provisioning, "undo_creation", note)
    owner = ddl.require_owner()
    with owner.execute_wrapper(lose_the_connection), pytest.raises(OperationalError):
        create()
    assert undone == []
    assert status_of_dojo(database) == ["provisioning"]
    assert remove_incomplete_tenants() == 1
    assert status_of_dojo(database) == []
