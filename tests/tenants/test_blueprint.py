"""A schema that is built from the blueprint equals one that is migrated by Django."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command
from django.db import connections
from django.db.migrations import RunPython, RunSQL, SeparateDatabaseAndState
from django.db.migrations.loader import MigrationLoader
from psycopg import sql

from shared_apps.tenants.schema import ddl
from shared_apps.tenants.schema.blueprint import app_privileges, tenant_blueprint, tenant_labels
from tatami.ids import uuid7
from tatami.tenancy.scope import platform_scope
from tatami.tenancy.seal import seal_statements, unsealed, verify_seal
from tests.support.catalogue import schema_facts, tenant_tables
from tests.support.committed import superuser_connection

pytestmark = pytest.mark.slow

SCHEMAS = ("t_built", "t_migrated")


@pytest.fixture
def tenant_id(without_transaction: None, superuser: Any) -> Iterator[UUID]:
    """The tenant's id for the schema `t_new`, which is dropped afterwards."""
    yield uuid7()
    drop_schemas(superuser, "t_new")


def drop_schemas(superuser: Any, *schemas: str) -> None:
    for schema in schemas:
        superuser.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))


def migrate_schema(schema: str, tenant_id: UUID) -> None:
    """Migrate a schema with Django's own command, and seal the new tables."""
    call_command("migrate_schemas", schema_name=schema, verbosity=0, interactive=False)
    login = ddl.app_login()
    with ddl.owner_connection(schema) as owner, owner.cursor() as cursor:
        fresh = {table: app_privileges(table) for table in unsealed(cursor, schema, tenant_id, login)}
        ddl.execute_all(owner, seal_statements(fresh, tenant_id, login))
        verify_seal(cursor, schema, tenant_id, login)


@pytest.fixture(scope="module")
def built_and_migrated(
    django_db_setup: None, django_db_blocker: Any, database_name: str
) -> Iterator[dict[str, dict[str, Any]]]:
    """The facts about a built and a migrated schema, and the migrations that each records."""
    ids = {schema: uuid7() for schema in SCHEMAS}
    with django_db_blocker.unblock(), superuser_connection(database_name) as superuser:
        try:
            with platform_scope():
                ddl.build_schema("t_built", ids["t_built"])
                with ddl.owner_connection("public") as owner, owner.cursor() as cursor:
                    cursor.execute("CREATE SCHEMA t_migrated")
                    for statement in ddl.schema_grants("t_migrated", ddl.app_login()):
                        cursor.execute(statement)
                migrate_schema("t_migrated", ids["t_migrated"])
            yield {schema: schema_facts(superuser, schema, ids[schema]) for schema in SCHEMAS} | {
                "migrations": {schema: recorded_migrations(superuser, schema) for schema in SCHEMAS}
            }
        finally:
            connections.close_all()
            drop_schemas(superuser, *SCHEMAS)


def recorded_migrations(superuser: Any, schema: str) -> set[tuple[str, str]]:
    query = sql.SQL("SELECT app, name FROM {}").format(sql.Identifier(schema, "django_migrations"))
    return {row for row in superuser.execute(query).fetchall() if row[0] in tenant_labels()}


def test_a_built_schema_equals_a_migrated_schema(
    built_and_migrated: dict[str, dict[str, Any]],
) -> None:
    built, migrated = built_and_migrated["t_built"], built_and_migrated["t_migrated"]
    for kind, found in migrated.items():
        assert found
        assert built[kind] - found == set(), f"{kind} that only the blueprint creates"
        assert found - built[kind] == set(), f"{kind} that only the migrations create"


def test_a_built_schema_records_every_migration_of_its_apps(
    built_and_migrated: dict[str, dict[str, Any]],
) -> None:
    recorded = built_and_migrated["migrations"]
    assert recorded["t_built"] == recorded["t_migrated"] == set(tenant_blueprint().migrations)


def test_migrating_a_built_schema_changes_nothing(tenant_id: UUID, superuser: Any) -> None:
    with platform_scope():
        ddl.build_schema("t_new", tenant_id)
        before = schema_facts(superuser, "t_new", tenant_id)
        migrate_schema("t_new", tenant_id)
    assert schema_facts(superuser, "t_new", tenant_id) == before


def test_building_a_schema_is_atomic(tenant_id: UUID, superuser: Any) -> None:
    with platform_scope():
        ddl.build_schema("t_new", tenant_id)
        before = schema_facts(superuser, "t_new", tenant_id)
        with pytest.raises(Exception, match="already exists"):
            ddl.build_schema("t_new", uuid7())
    assert schema_facts(superuser, "t_new", tenant_id) == before


@pytest.mark.django_db(databases=["default", "owner"])
def test_the_blueprint_contains_all_tables() -> None:
    assert set(tenant_blueprint().tables) == tenant_tables()


@pytest.mark.django_db(databases=["default", "owner"])
def test_the_blueprint_sends_one_statement_at_a_time() -> None:
    assert [statement for statement in tenant_blueprint().statements if ";" in statement] == []


def operations(migration: Any) -> Iterator[Any]:
    stack = list(migration.operations)
    while stack:
        operation = stack.pop()
        if isinstance(operation, SeparateDatabaseAndState):
            stack += [*operation.database_operations, *operation.state_operations]
        yield operation


def test_tenant_migrations_have_only_operations_that_change_the_state() -> None:
    outside = [
        f"{label}.{name}: {type(operation).__name__}"
        for (label, name), migration in MigrationLoader(None).disk_migrations.items()
        if label in tenant_labels()
        for operation in operations(migration)
        if isinstance(operation, RunSQL | RunPython | SeparateDatabaseAndState)
    ]
    assert outside == []
