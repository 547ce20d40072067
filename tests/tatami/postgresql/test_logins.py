"""The privileges of the logins: an unsafe one is refused."""

import os
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import connections
from psycopg import sql
from psycopg.conninfo import make_conninfo
from structlog.testing import capture_logs

from shared_apps.tenants.models import Tenant
from tatami.postgresql.app.base import DatabaseWrapper
from tatami.postgresql.login_check import UnsafeLogin, check_app_login
from tatami.tenancy.scope import TenantScope, platform_scope
from tests.support.clients import Platform
from tests.support.now import NOW

# What is done to the login → what it is refused for.
PRIVILEGES = {
    "is a superuser": "ALTER ROLE {role} SUPERUSER",
    "bypasses row-level security": "ALTER ROLE {role} BYPASSRLS",
    "may replicate, past row-level security": "ALTER ROLE {role} REPLICATION",
    "may create roles": "ALTER ROLE {role} CREATEROLE",
    "may create databases": "ALTER ROLE {role} CREATEDB",
    "may create schemas": "GRANT CREATE ON DATABASE {database} TO {role}",
    "may create tables in public": "GRANT USAGE, CREATE ON SCHEMA public TO {role}",
    "owns tables": "CREATE TABLE public.owned_by_app (id int); ALTER TABLE public.owned_by_app OWNER TO {role}",
    "owns schemas": "CREATE SCHEMA owned_by_app AUTHORIZATION {role}",
    "is a member of another role": "GRANT pg_monitor TO {role}",
}


@pytest.fixture
def login(superuser: Any, database_name: str) -> Iterator[str]:
    """A throw-away login that may connect, and no more."""
    name = f"{database_name}_login"
    role = sql.Identifier(name)
    superuser.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'throw-away'").format(role))
    superuser.execute(
        sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(sql.Identifier(database_name), role)
    )
    yield name
    superuser.execute(sql.SQL("DROP OWNED BY {}").format(role))
    superuser.execute(sql.SQL("DROP ROLE {}").format(role))


def connected(login: str, database: str) -> psycopg.Connection[Any]:
    conninfo = make_conninfo(
        os.environ["ADMIN_DATABASE_URL"], dbname=database, user=login, password="throw-away"
    )
    return psycopg.connect(conninfo, autocommit=True)


def test_a_login_that_can_only_connect_is_accepted(login: str, database_name: str) -> None:
    with connected(login, database_name) as connection:
        check_app_login(connection)


def test_the_app_login_is_accepted(as_app: Any) -> None:
    with capture_logs() as logged:
        check_app_login(as_app)
    assert logged == []


def test_a_login_without_the_settings_of_ours_is_accepted_and_logged(
    superuser: Any, login: str, database_name: str
) -> None:
    superuser.execute(sql.SQL("ALTER ROLE {} SET statement_timeout = '1h'").format(sql.Identifier(login)))
    with connected(login, database_name) as connection, capture_logs() as logged:
        check_app_login(connection)
    missing = ["idle_in_transaction_session_timeout", "plan_cache_mode"]
    assert [(line["event"], line["settings"]) for line in logged] == [("app_login_without_settings", missing)]


def test_the_owner_login_is_refused_as_app_login(as_owner: Any) -> None:
    with pytest.raises(UnsafeLogin, match="owns tables"):
        check_app_login(as_owner)


@pytest.mark.parametrize("power", PRIVILEGES)
def test_a_login_with_a_forbidden_privilege_is_refused(
    superuser: Any, login: str, database_name: str, power: str
) -> None:
    names = {"role": sql.Identifier(login), "database": sql.Identifier(database_name)}
    superuser.execute(sql.SQL(PRIVILEGES[power]).format(**names))
    with connected(login, database_name) as connection, pytest.raises(UnsafeLogin, match=power):
        check_app_login(connection)


@pytest.fixture
def fresh_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that has not connected yet."""
    monkeypatch.setattr(DatabaseWrapper, "_login_is_safe", False)


@pytest.mark.direct_connection("PgBouncer does not know the throw-away login")
def test_a_process_with_an_unsafe_login_does_not_get_a_connection(
    without_transaction: None,
    fresh_process: None,
    superuser: Any,
    login: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    superuser.execute(sql.SQL("ALTER ROLE {} BYPASSRLS").format(sql.Identifier(login)))
    unsafe = {**connections.settings["default"], "USER": login, "PASSWORD": "throw-away"}
    monkeypatch.setitem(connections.settings, "unsafe", unsafe)
    try:
        for _ in range(2):  # once refused is not let in the next time
            with platform_scope(), pytest.raises(UnsafeLogin, match="bypasses row-level security"):
                Tenant.objects.using("unsafe").count()
    finally:
        connections["unsafe"].close()
        del connections["unsafe"]


def test_a_process_with_the_apps_login_gets_one(without_transaction: None, fresh_process: None) -> None:
    with platform_scope():
        assert Tenant.objects.count() > 0


# --- without the owner login --------------------------------------------------------------------------------


@pytest.fixture
def without_owner(without_transaction: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As in a process that was started without OWNER_DATABASE_URL."""
    if hasattr(connections._connections, "owner"):
        connections["owner"].close()
        del connections["owner"]
    with monkeypatch.context() as patch:
        patch.delitem(connections.settings, "owner")
        yield


NEW_DOJO = {"name": "New", "slug": "brand-new", "timezone": "UTC", "admin": {"email": "new@example.com"}}


def test_without_the_owner_login_no_dojo_is_created(without_owner: None, superuser: Any, now: Any) -> None:
    answer = Platform().superadmin().post("/tenants", NEW_DOJO)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "service_unavailable")
    found = superuser.execute(
        "SELECT count(*) FROM public.tenants_tenant WHERE slug = 'brand-new'"
    ).fetchone()
    assert found == (0,)


def test_without_the_owner_login_dojos_are_served(without_owner: None, north: TenantScope, now: Any) -> None:
    assert now == NOW
    from tests.support.clients import Dojo

    assert Dojo(north).admin.get("/me").status_code == 200
