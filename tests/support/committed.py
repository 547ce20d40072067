"""Committed dojos and a superuser: for what the transaction around a test would hide."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.apps import apps
from django.db import connections
from psycopg import sql
from psycopg.conninfo import make_conninfo

from shared_apps.tenants import lifecycle
from shared_apps.tenants.models import Tenant
from shared_apps.tenants.provisioning import FirstAdmin, create_tenant
from tatami import clock
from tatami.tenancy.middleware import host_resolver
from tatami.tenancy.scope import TenantScope, platform_scope
from tests.support.clients import Dojo
from tests.support.now import NOW


@contextmanager
def committed_dojo(slug: str, name: str) -> Iterator[Dojo]:
    """Create a dojo, and purge it at the end of the block."""
    with platform_scope():
        first = FirstAdmin(email="first@example.com", password_hash="!")
        made, _ = create_tenant(name=name, slug=slug, timezone="Europe/Berlin", admin=first, now=clock.now())
        scope = Tenant.objects.with_primary_domain().get(pk=made.pk).scope
    try:
        yield Dojo(scope)
    finally:
        purge_dojo(slug)


def purge_dojo(slug: str) -> None:
    """Delete a dojo and its schema, if it exists."""
    with platform_scope():
        tenant = Tenant.objects.filter(slug=slug).first()
        if tenant is not None:
            lifecycle.purge(tenant=lifecycle.delete_tenant(tenant=tenant, now=clock.now()))
    host_resolver.cache_clear()


@contextmanager
def superuser_connection(database: str) -> Iterator[psycopg.Connection[Any]]:
    """Yield a superuser connection, which no policy restricts, to inspect and to remove committed rows."""
    conninfo = make_conninfo(os.environ["ADMIN_DATABASE_URL"], dbname=database)
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("SET lock_timeout = '10s'")
        yield connection


@pytest.fixture
def superuser(django_db_setup: None, database_name: str) -> Iterator[psycopg.Connection[Any]]:
    """The superuser, connected to the test database."""
    with superuser_connection(database_name) as connection:
        yield connection


def terminate_owner_sessions(superuser: psycopg.Connection[Any]) -> None:
    """Terminate the owner login's connections to this database, and wait until they have ended."""
    superuser.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE usename = %s AND datname = current_database()",
        [connections["owner"].settings_dict["USER"]],
    )


def erase_dojo(superuser: psycopg.Connection[Any], slug: str) -> None:
    """Remove a dojo and its schema, whatever its status."""
    for tenant_id, schema in superuser.execute(
        "SELECT id, schema_name FROM public.tenants_tenant WHERE slug = %s", [slug]
    ).fetchall():
        superuser.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))
        for table in ("domain", "pendingjob"):
            superuser.execute(f"DELETE FROM public.tenants_{table} WHERE tenant_id = %s", [tenant_id])
        superuser.execute("DELETE FROM public.tenants_tenant WHERE id = %s", [tenant_id])


def create_dojo(slug: str) -> TenantScope:
    """Create a dojo, committed, and return its scope."""
    admin = FirstAdmin(email="head@example.com", name="Head Instructor", password_hash="!")
    with platform_scope():
        create_tenant(name="Seishin Dojo", slug=slug, timezone="Europe/Berlin", admin=admin, now=NOW)
        return Tenant.objects.with_primary_domain().get(slug=slug).scope


@pytest.fixture(scope="module")
def committed_dojos(
    django_db_setup: None, django_db_blocker: Any, database_name: str
) -> Iterator[tuple[TenantScope, TenantScope]]:
    """Two committed dojos besides those of the session; removed after the module."""
    with django_db_blocker.unblock(), superuser_connection(database_name) as superuser:
        try:
            yield create_dojo("north"), create_dojo("south")
        finally:
            connections.close_all()
            for slug in ("north", "south"):
                erase_dojo(superuser, slug)


@pytest.fixture
def without_transaction(
    committed_dojos: tuple[TenantScope, TenantScope], django_db_blocker: Any, superuser: Any
) -> Iterator[None]:
    """Let the test commit; afterwards delete all accounts of the two dojos and of the platform."""
    with django_db_blocker.unblock():
        connections.close_all()
        yield
        connections.close_all()
    schemas = ["public", *(dojo.schema_name for dojo in committed_dojos)]
    # One round trip. A model is defined after those that it refers to. (TRUNCATE takes ten times as long.)
    models = reversed([*apps.get_app_config("accounts").get_models()])
    tables = [sql.Identifier(schema, model._meta.db_table) for model in models for schema in schemas]
    tables.append(sql.Identifier("public", "tenants_pendingjob"))
    statement = sql.SQL("; ").join(sql.SQL("DELETE FROM {}").format(table) for table in tables)
    superuser.execute(statement)


@pytest.fixture
def north(committed_dojos: tuple[TenantScope, TenantScope], without_transaction: None) -> TenantScope:
    """A dojo whose changes are committed."""
    return committed_dojos[0]


@pytest.fixture
def south(committed_dojos: tuple[TenantScope, TenantScope], without_transaction: None) -> TenantScope:
    """Another dojo whose changes are committed."""
    return committed_dojos[1]
