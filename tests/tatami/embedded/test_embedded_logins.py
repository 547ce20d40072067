"""The two logins: their privileges, and that creating them again resets the privileges."""

import threading
from collections.abc import Iterator

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tatami.embedded.logins import (
    APP_SETTINGS,
    DatabaseUrls,
    create_database,
    create_logins,
    database_url,
    drop_database,
)


@pytest.fixture
def urls(servers: dict[str, str]) -> Iterator[DatabaseUrls]:
    """A database for one test, created by the code under test."""
    admin = servers["ADMIN_DATABASE_URL"]
    yield create_logins(admin, database="a dojo's", app_password="a/p@p", owner_password="o:w?n")
    drop_database(admin, "a dojo's")


def test_neither_login_has_special_attributes(servers: dict[str, str], urls: DatabaseUrls) -> None:
    with psycopg.connect(servers["ADMIN_DATABASE_URL"]) as connection:
        roles = connection.execute(
            "SELECT rolname, rolcanlogin, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication "
            "FROM pg_roles WHERE rolname LIKE 'tatami%' ORDER BY 1"
        ).fetchall()
        members = connection.execute(
            "SELECT count(*) FROM pg_auth_members WHERE member::regrole::text LIKE 'tatami%'"
        ).fetchone()
    attributes = (True, False, False, False, False, False)
    assert roles == [("tatami_app", *attributes), ("tatami_owner", *attributes)]
    assert members == (0,)


def test_the_app_login_sees_nothing_and_can_create_nothing(urls: DatabaseUrls) -> None:
    with psycopg.connect(urls.app, autocommit=True) as connection:
        assert connection.execute("SHOW search_path").fetchone() == ('""',)
        assert connection.execute("SHOW timezone").fetchone() == ("UTC",)
        for statement in (
            "CREATE TABLE public.mine (i int)",
            "CREATE SCHEMA mine",
            "CREATE TEMPORARY TABLE mine (i int)",
            "SET ROLE tatami_owner",
            "CREATE DATABASE mine",
            "CREATE ROLE mine",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)


def test_sessions_of_the_app_login_have_its_settings_without_setting_them(urls: DatabaseUrls) -> None:
    with psycopg.connect(urls.app, autocommit=True) as connection:
        for setting, value in APP_SETTINGS.items():
            assert connection.execute("SELECT current_setting(%s)", [setting]).fetchone() == (value,)
    with psycopg.connect(urls.owner, autocommit=True) as connection:
        assert connection.execute("SHOW statement_timeout").fetchone() == ("0",)


WHERE_ROLES_ARE_ALTERED = """
SELECT datname FROM pg_stat_activity WHERE query LIKE 'ALTER ROLE%%' AND wait_event_type = 'Lock'
"""


def test_the_logins_are_created_from_within_the_database_if_it_exists(
    servers: dict[str, str], urls: DatabaseUrls
) -> None:
    admin = servers["ADMIN_DATABASE_URL"]
    again = threading.Thread(
        target=create_logins,
        args=[admin],
        kwargs={"database": "a dojo's", "app_password": "a/p@p", "owner_password": "o:w?n"},
    )
    with psycopg.connect(admin, autocommit=True) as looking, psycopg.connect(admin) as locking:
        locking.execute("LOCK TABLE pg_catalog.pg_authid IN SHARE MODE")
        again.start()
        while not (found := looking.execute(WHERE_ROLES_ARE_ALTERED).fetchall()):
            again.join(0.01)
            assert again.is_alive()
    again.join(60)
    assert found == [("a dojo's",)]


def test_the_owner_owns_the_database_and_its_public_schema(urls: DatabaseUrls) -> None:
    with psycopg.connect(urls.owner, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA t_one CREATE TABLE t_one.a (i int)")
        connection.execute("CREATE TABLE public.b (i int)")
    with (
        psycopg.connect(urls.app, autocommit=True) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute("SELECT * FROM public.b")


def test_creating_them_again_keeps_the_data_and_revokes_grants(
    servers: dict[str, str], urls: DatabaseUrls
) -> None:
    admin = servers["ADMIN_DATABASE_URL"]
    with psycopg.connect(urls.owner) as connection:
        connection.execute("CREATE TABLE public.kept AS SELECT 1 AS i")
    with psycopg.connect(make_conninfo(admin, dbname="a dojo's"), autocommit=True) as connection:
        connection.execute("ALTER ROLE tatami_app SUPERUSER BYPASSRLS")
        connection.execute('GRANT CREATE ON DATABASE "a dojo\'s" TO tatami_app, PUBLIC')
    again = create_logins(admin, database="a dojo's", app_password="a/p@p", owner_password="o:w?n")
    assert again == urls
    test_neither_login_has_special_attributes(servers, urls)
    test_the_app_login_sees_nothing_and_can_create_nothing(urls)
    with psycopg.connect(urls.owner) as connection:
        assert connection.execute("SELECT i FROM public.kept").fetchone() == (1,)


def test_a_recreated_database_is_empty(servers: dict[str, str], urls: DatabaseUrls) -> None:
    with psycopg.connect(urls.owner) as connection:
        connection.execute("CREATE TABLE public.gone (i int)")
    create_database(servers["ADMIN_DATABASE_URL"], "a dojo's", recreate=True)
    with psycopg.connect(urls.owner) as connection:
        assert connection.execute("SELECT to_regclass('public.gone')").fetchone() == (None,)


def test_the_url_of_a_server_on_the_network_has_host_and_port() -> None:
    url = database_url("host=db.internal port=6432", user="tatami_app", password="p@ss/w", database="dojos")
    assert url == "postgresql://tatami_app:p%40ss%2Fw@db.internal:6432/dojos"
