"""Behind PgBouncer in transaction mode the app login works, and the owner login is refused.

With a real PgBouncer, where one is installed. It has two connections to the server, so that clients share them all the
time. `make test-pgbouncer` runs all tests through it.
"""

import os
import random
import select
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, replace
from typing import Any, Final

import psycopg
import pytest
from django.conf import settings as configured
from django.db import DatabaseError, OperationalError, connection, connections, transaction
from psycopg import sql
from psycopg.conninfo import make_conninfo

from shared_apps.accounts.models import User
from shared_apps.tenants.models import Tenant
from tatami.api.request_slots import Slot, StatementWatch, persistent_connection
from tatami.postgresql.app.base import DatabaseWrapper as AppWrapper
from tatami.postgresql.login_check import PooledOwner, check_owner_is_direct
from tatami.postgresql.owner.base import DatabaseWrapper as OwnerWrapper
from tatami.postgresql.statements import Statement
from tatami.tenancy.scope import TenantScope, platform_scope, tenant_scope
from tests.support.pgbouncer import HOST, MISSING, PgBouncer, installed, running_pgbouncer
from tests.support.races import raise_first_error, run_concurrently

EMAILS: Final = Statement("pooled_emails", "SELECT email FROM accounts_user WHERE role = $1 ORDER BY email")
TENANT_IDS: Final = Statement("pooled_tenants", "SELECT DISTINCT tenant_id, $1::int FROM accounts_user")
SERVER_CONNECTIONS: Final = 2
CLIENTS: Final = 8
LONG: Final = 60.0
"""Seconds that only a failing test waits."""


@dataclass(frozen=True)
class PooledDatabase:
    """The test database through PgBouncer, as the settings and as psycopg name it."""

    port: int
    name: str

    @property
    def settings(self) -> dict[str, str]:
        return {"HOST": HOST, "PORT": str(self.port)}

    def connect(self, alias: str = "default", name: str | None = None) -> psycopg.Connection[Any]:
        """Connect with the login of an alias, past our backends."""
        login = configured.DATABASES[alias]
        given = {"user": login["USER"], "password": login["PASSWORD"], "dbname": name or self.name}
        return psycopg.connect(make_conninfo(host=HOST, port=self.port, **given), autocommit=True)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let PgBouncer accept connections and answer no statement, as with a server that is stopped."""
        with self.connect("owner", "pgbouncer") as console:
            console.execute(f'PAUSE "{self.name}"')
            try:
                yield
            finally:
                console.execute(f'RESUME "{self.name}"')


@pytest.fixture(scope="module")
def pgbouncer() -> PgBouncer:
    found = installed()
    if found is None:
        pytest.skip(MISSING)
    return found


@pytest.fixture
def database(pgbouncer: PgBouncer, database_name: str, without_transaction: None) -> Iterator[PooledDatabase]:
    """PgBouncer before the test database. Unlike in production it knows the owner login, to show that we refuse it."""
    logins = {login["USER"]: login["PASSWORD"] for login in configured.DATABASES.values()}
    with running_pgbouncer(
        pgbouncer,
        server=os.environ["ADMIN_DATABASE_URL"],
        logins=logins,
        default_pool_size=str(SERVER_CONNECTIONS),
        admin_users=configured.DATABASES["owner"]["USER"],
    ) as pooler:
        yield PooledDatabase(pooler.port, database_name)


@pytest.fixture(params=["prepared", "not prepared"])
def pooled(
    request: pytest.FixtureRequest,
    pgbouncer: PgBouncer,
    database: PooledDatabase,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[PooledDatabase]:
    """All connections of the app login go through PgBouncer, with and without prepared statements."""
    if request.param == "prepared" and not pgbouncer.prepares:
        pytest.skip(f"{pgbouncer} has no prepared statements in transaction mode; 1.21 has")
    settings.TATAMI_PREPARED_STATEMENTS = 100 if request.param == "prepared" else 0
    monkeypatch.setitem(
        connections.settings, "default", {**connections.settings["default"], **database.settings}
    )
    direct = connections["default"]
    del connections["default"]
    yield database
    connections["default"].close()
    connections["default"] = direct


@pytest.fixture
def dojos(north: TenantScope, south: TenantScope, pooled: PooledDatabase) -> tuple[TenantScope, TenantScope]:
    """Two dojos with one user each."""
    for dojo in (north, south):
        with tenant_scope(dojo):
            User.objects.create(email=own_email(dojo), email_key=own_email(dojo), role="admin")
    return north, south


def own_email(dojo: TenantScope) -> str:
    return f"{dojo.slug}@example.com"


def assert_own_rows(dojo: TenantScope) -> None:
    """Assert that statements and the ORM return the rows of this dojo only."""
    assert EMAILS.rows("admin") == [(own_email(dojo),)]
    assert TENANT_IDS.rows(1) == [(str(dojo.tenant_id), 1)]
    assert [user.email for user in User.objects.all()] == [own_email(dojo)]


def test_a_process_starts_behind_a_pooler(
    database: PooledDatabase, pooled: PooledDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AppWrapper, "_login_is_safe", False)
    with platform_scope():
        assert Tenant.objects.count() > 0
    assert AppWrapper._login_is_safe


# --- isolation -----------------------------------------------------------------------------------------------------


def test_clients_that_share_connections_see_only_the_rows_of_their_dojo(
    dojos: tuple[TenantScope, TenantScope],
) -> None:
    def read(seed: int) -> None:
        choose = random.Random(seed)
        for _ in range(25):
            dojo = choose.choice(dojos)
            with tenant_scope(dojo):
                if choose.random() < 0.5:
                    assert_own_rows(dojo)
                else:
                    with transaction.atomic():
                        assert_own_rows(dojo)

    raise_first_error(run_concurrently([lambda seed=seed: read(seed) for seed in range(CLIENTS)]))


def test_a_statement_is_prepared_for_its_dojo_alone(
    dojos: tuple[TenantScope, TenantScope], superuser: psycopg.Connection[Any], settings: Any
) -> None:
    """Ask within the transaction, because only then does PgBouncer keep the server's connection for this client."""
    for dojo in dojos * 3:
        with tenant_scope(dojo), transaction.atomic():
            EMAILS.rows("admin")
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT statement FROM pg_prepared_statements WHERE statement LIKE '%%pooled_emails%%'"
                )
                texts = [text for (text,) in cursor.fetchall()]
        mine = [text for text in texts if dojo.plan_key in text]
        assert len(mine) == (1 if settings.TATAMI_PREPARED_STATEMENTS else 0)


def test_a_rolled_back_savepoint_leaves_the_right_dojo(dojos: tuple[TenantScope, TenantScope]) -> None:
    def use(dojo: TenantScope) -> None:
        for _ in range(10):
            with tenant_scope(dojo), transaction.atomic():
                assert_own_rows(dojo)
                with pytest.raises(ZeroDivisionError), transaction.atomic():
                    EMAILS.rows("instructor")
                    raise ZeroDivisionError
                assert_own_rows(dojo)
                with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
                    cursor.execute("SELECT 1/0")
                assert_own_rows(dojo)

    raise_first_error(run_concurrently([lambda dojo=dojo: use(dojo) for dojo in dojos * 3]))


def test_a_schema_that_is_migrated_meanwhile_keeps_its_rows_right(
    dojos: tuple[TenantScope, TenantScope], superuser: psycopg.Connection[Any]
) -> None:
    north, south = dojos
    table = sql.Identifier(north.schema_name, User._meta.db_table)
    migrated = replace(north, schema_version="00000000")

    def everyone_reads(*scopes: TenantScope) -> None:
        def read(dojo: TenantScope) -> None:
            for _ in range(5):
                with tenant_scope(dojo):
                    assert_own_rows(dojo)

        raise_first_error(run_concurrently([lambda dojo=dojo: read(dojo) for dojo in scopes * 3]))

    everyone_reads(north, south)
    superuser.execute(sql.SQL("ALTER TABLE {} ADD COLUMN shoe_size integer").format(table))
    try:
        everyone_reads(north, south, migrated)
        # The type of a column of the result: texts of the new version are other texts, so none is of the old plan.
        superuser.execute(sql.SQL("ALTER TABLE {} ALTER COLUMN email TYPE varchar(300)").format(table))
        again = replace(north, schema_version="00000001")
        everyone_reads(again, south)
    finally:
        superuser.execute(sql.SQL("ALTER TABLE {} ALTER COLUMN email TYPE varchar(254)").format(table))
        superuser.execute(sql.SQL("ALTER TABLE {} DROP COLUMN shoe_size").format(table))


# --- nothing outlives its transaction ------------------------------------------------------------------------------


def commit(dojo: TenantScope) -> None:
    with tenant_scope(dojo), transaction.atomic():
        EMAILS.rows("admin")


def roll_back(dojo: TenantScope) -> None:
    with pytest.raises(ZeroDivisionError), tenant_scope(dojo), transaction.atomic():
        EMAILS.rows("admin")
        raise ZeroDivisionError


def fail(dojo: TenantScope) -> None:
    with pytest.raises(DatabaseError), tenant_scope(dojo), connection.cursor() as cursor:
        cursor.execute("SELECT 1/0")


def break_off(dojo: TenantScope) -> None:
    """As a process that is killed in the middle of a transaction."""
    with pytest.raises(DatabaseError), tenant_scope(dojo), transaction.atomic():
        EMAILS.rows("admin")
        connection.connection.close()
        EMAILS.rows("admin")
    connection.close()


def as_a_request(dojo: TenantScope) -> None:
    direct, slot = connections["default"], Slot(persistent_connection())
    with slot.bound():
        commit(dojo)
    slot.connection.close()
    connections["default"] = direct


@pytest.mark.parametrize("act", [commit, roll_back, fail, break_off, as_a_request])
def test_nothing_is_left_on_the_connections_of_the_server(
    dojos: tuple[TenantScope, TenantScope], pooled: PooledDatabase, act: Callable[[TenantScope], None]
) -> None:
    before = left_on_all_connections(pooled)
    raise_first_error(run_concurrently([lambda dojo=dojo: act(dojo) for dojo in dojos * 3]))
    assert (
        left_on_all_connections(pooled) == before == {('""', "", "15min", "0", "5min", "force_generic_plan")}
    )


def left_on_all_connections(pooled: PooledDatabase) -> set[tuple[str, ...]]:
    """Return what is set on all of the server's connections, each held by a transaction."""
    names = ("search_path", "tatami.tenant_id", "statement_timeout", "lock_timeout")
    names += ("idle_in_transaction_session_timeout", "plan_cache_mode")
    columns = ", ".join(f"coalesce(current_setting('{name}', true), '')" for name in names)
    clients = [pooled.connect() for _ in range(SERVER_CONNECTIONS)]
    try:
        for client in clients:
            client.execute("BEGIN")
        found = {client.execute(f"SELECT pg_backend_pid(), {columns}").fetchone() for client in clients}
    finally:
        for client in clients:
            client.close()
    assert len({row[0] for row in found if row}) == SERVER_CONNECTIONS
    return {row[1:] for row in found if row}


# --- limits --------------------------------------------------------------------------------------------------------


@pytest.fixture
def slot(pooled: PooledDatabase) -> Iterator[Slot]:
    """A connection of a web process."""
    direct, slot = connections["default"], Slot(persistent_connection())
    yield slot
    slot.connection.close()
    connections["default"] = direct


def test_the_limits_of_a_request_hold(slot: Slot, north: TenantScope, settings: Any) -> None:
    def shown(setting: str) -> Any:
        with connection.cursor() as cursor:
            cursor.execute(f"SHOW {setting}")
            return cursor.fetchone()[0]

    with slot.bound(), tenant_scope(north), transaction.atomic():
        assert shown("statement_timeout") == f"{settings.TATAMI_STATEMENT_SECONDS}s"
        assert shown("lock_timeout") == "2s"
        assert shown("idle_in_transaction_session_timeout") == "5min"
    slot.connection.transaction_limits = "; SET LOCAL statement_timeout = 50"
    with (
        slot.bound(),
        tenant_scope(north),
        pytest.raises(OperationalError, match="statement timeout"),
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT pg_sleep(600)")
    slot.connection.transaction_limits = "; SET LOCAL idle_in_transaction_session_timeout = 50"
    with (
        slot.bound(),
        tenant_scope(north),
        pytest.raises(DatabaseError),
        transaction.atomic(),
    ):
        EMAILS.rows("admin")
        wait_until_the_connection_ends(slot)
        EMAILS.rows("admin")


def wait_until_the_connection_ends(slot: Slot) -> None:
    """Wait until the other end closes the connection."""
    assert select.select([slot.connection.connection.fileno()], [], [], LONG)[0]


@pytest.mark.parametrize("first", [True, False], ids=["of a new process", "of a slot that has served"])
def test_a_connection_ends_if_the_server_behind_the_pooler_does_not_answer(
    pooled: PooledDatabase, slot: Slot, north: TenantScope, monkeypatch: pytest.MonkeyPatch, first: bool
) -> None:
    watch = StatementWatch([slot], seconds=4)
    monkeypatch.setattr(AppWrapper, "_login_is_safe", not first)
    errors: list[Exception] = []

    def ask() -> None:
        try:
            with slot.bound(), tenant_scope(north):
                EMAILS.rows("admin")
        except OperationalError as error:
            errors.append(error)

    if first:
        pooled.connect().close()  # PgBouncer lets no client in before it has been connected to the server once
    else:
        ask()
    with pooled.paused():
        asking = threading.Thread(target=copy_context().run, args=[ask])
        asking.start()
        while slot.connection.waiting_since is None or slot.connection.connection is None:
            asking.join(0.01)
            assert asking.is_alive()
        watch.end_overdue(now=slot.connection.waiting_since + 3.9)
        assert not errors
        watch.end_overdue(now=slot.connection.waiting_since + 4.1)
        asking.join(LONG)
        assert len(errors) == 1
    ask()
    assert len(errors) == 1


# --- the owner login -----------------------------------------------------------------------------------------------


def test_the_owner_login_is_refused_behind_a_pooler(
    database: PooledDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        connections.settings, "pooled owner", {**connections.settings["owner"], **database.settings}
    )
    monkeypatch.setattr(OwnerWrapper, "_is_direct", False)
    try:
        for _ in range(2):  # once refused is not let in the next time
            with pytest.raises(PooledOwner, match="leads to a pooler"):
                connections["pooled owner"].ensure_connection()
    finally:
        connections["pooled owner"].close()
        del connections["pooled owner"]


def test_the_owner_login_is_accepted_directly(as_owner: psycopg.Connection[Any]) -> None:
    check_owner_is_direct(as_owner)
