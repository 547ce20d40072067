"""What a transaction around the test would hide: dojos that are really committed, threads, logins of any power.

Tests that ask for `north` and `south` run without pytest-django's transaction; what they leave in the accounts of
these two dojos and of the platform is swept by the superuser, whom no policy binds.
"""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any

import psycopg
import pytest
from django.apps import apps
from django.contrib.auth.hashers import MD5PasswordHasher
from django.db import connections
from psycopg import sql
from psycopg.conninfo import make_conninfo

from shared_apps.accounts.models import User
from shared_apps.tenants.models import Tenant
from shared_apps.tenants.provisioning import FirstAdmin, create_tenant
from tatami.tenancy.scope import TenantScope, platform_scope
from tests.support.now import NOW

PATIENCE = 20.0
"""Seconds after which a thread that waits for others gives up."""


@contextmanager
def superuser_of(database: str) -> Iterator[psycopg.Connection[Any]]:
    """Yield a connection that nothing restrains, to look at what is really there and to clear it away."""
    conninfo = make_conninfo(os.environ["ADMIN_DATABASE_URL"], dbname=database)
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("SET lock_timeout = '10s'")
        yield connection


@pytest.fixture
def superuser(django_db_setup: None, database_name: str) -> Iterator[psycopg.Connection[Any]]:
    """The superuser, connected to the test database."""
    with superuser_of(database_name) as connection:
        yield connection


def end_sessions_of_the_owner(superuser: psycopg.Connection[Any]) -> None:
    """Have PostgreSQL end what the owner's login has open in this database, and wait until it is."""
    superuser.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE usename = %s AND datname = current_database()",
        [connections["owner"].settings_dict["USER"]],
    )


def erase_dojo(superuser: psycopg.Connection[Any], slug: str) -> None:
    """Remove a dojo, whatever state it is in."""
    for tenant_id, schema in superuser.execute(
        "SELECT id, schema_name FROM public.tenants_tenant WHERE slug = %s", [slug]
    ).fetchall():
        superuser.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))
        for table in ("domain", "pendingjob"):
            superuser.execute(f"DELETE FROM public.tenants_{table} WHERE tenant_id = %s", [tenant_id])
        superuser.execute("DELETE FROM public.tenants_tenant WHERE id = %s", [tenant_id])


def make_dojo(slug: str) -> TenantScope:
    """Make a dojo and return its scope."""
    admin = FirstAdmin(email="head@example.com", name="Head Instructor", password_hash="!")
    with platform_scope():
        create_tenant(name="Seishin Dojo", slug=slug, timezone="Europe/Berlin", admin=admin, now=NOW)
        return Tenant.objects.with_primary_domain().get(slug=slug).scope


@pytest.fixture(scope="module")
def committed_dojos(
    django_db_setup: None, django_db_blocker: Any, database_name: str
) -> Iterator[tuple[TenantScope, TenantScope]]:
    """Two dojos beside those of the session, gone again after this module."""
    with django_db_blocker.unblock(), superuser_of(database_name) as superuser:
        try:
            yield make_dojo("north"), make_dojo("south")
        finally:
            connections.close_all()
            for slug in ("north", "south"):
                erase_dojo(superuser, slug)


@pytest.fixture
def without_transaction(
    committed_dojos: tuple[TenantScope, TenantScope], django_db_blocker: Any, superuser: Any
) -> Iterator[None]:
    """Let the test commit, and sweep what it left: all accounts of the two dojos and of the platform."""
    with django_db_blocker.unblock():
        connections.close_all()
        yield
        connections.close_all()
    schemas = ["public", *(dojo.schema_name for dojo in committed_dojos)]
    # One string, and the users last: rows of the others point to them. (TRUNCATE takes ten times as long.)
    models = sorted(apps.get_app_config("accounts").get_models(), key=lambda model: model is User)
    tables = [sql.Identifier(schema, model._meta.db_table) for schema in schemas for model in models]
    tables.append(sql.Identifier("public", "tenants_pendingjob"))
    statement = sql.SQL("; ").join(sql.SQL("DELETE FROM {}").format(table) for table in tables)
    superuser.execute(statement)


@pytest.fixture
def north(committed_dojos: tuple[TenantScope, TenantScope], without_transaction: None) -> TenantScope:
    """A dojo whose changes are really committed."""
    return committed_dojos[0]


@pytest.fixture
def south(committed_dojos: tuple[TenantScope, TenantScope], without_transaction: None) -> TenantScope:
    """Its neighbour."""
    return committed_dojos[1]


def at_once(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run each call in a thread of its own, all from one start; return what each returned or raised.

    Scope and clock are those of the caller.
    """
    start = threading.Barrier(len(calls), timeout=PATIENCE)
    answers: list[Any] = [None] * len(calls)

    def run(number: int) -> None:
        try:
            start.wait()
            answers[number] = calls[number]()
        except BaseException as error:  # noqa: BLE001 - handed to the test, which asserts on it
            answers[number] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=copy_context().run, args=(run, n)) for n in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE * 2)
    assert not any(thread.is_alive() for thread in threads)
    return answers


def raise_first(answers: Sequence[Any]) -> None:
    """Raise the first error of `at_once`, if any."""
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer


class CountingHasher(MD5PasswordHasher):
    """A quick password hasher that counts how often it worked."""

    worked = 0
    _lock = threading.Lock()

    def encode(self, password: str, salt: str) -> str:
        """Return the hash, having counted it."""
        with CountingHasher._lock:
            CountingHasher.worked += 1
        encoded: str = super().encode(password, salt)
        return encoded


@pytest.fixture
def hashings(settings: Any) -> Callable[[], int]:
    """Hash passwords quickly; return a function that says how often that was done since it was last asked."""
    settings.PASSWORD_HASHERS = ["tests.support.committed_dojos.CountingHasher"]
    CountingHasher.worked = 0

    def since_last_asked() -> int:
        counted, CountingHasher.worked = CountingHasher.worked, 0
        return counted

    return since_last_asked
