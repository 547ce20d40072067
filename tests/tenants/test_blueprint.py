from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command
from django.db.migrations import RunPython, RunSQL, SeparateDatabaseAndState
from django.db.migrations.loader import MigrationLoader
from psycopg import sql

from shared_apps.tenants import schemas
from shared_apps.tenants.blueprint import app_privileges, tenant_blueprint, tenant_labels
from tatami.ids import uuid7
from tatami.tenancy.scope import platform_scope
from tatami.tenancy.seal import seal_statements, unsealed, verify_seal
from tests.support.catalogue import facts, tenant_tables


@pytest.fixture
def two_schemas(without_transaction: None, superuser: Any) -> Iterator[dict[str, UUID]]:
    """The names and ids of a schema that is built and one that is migrated."""
    found = {"t_built": uuid7(), "t_migrated": uuid7()}
    yield found
    for schema in found:
        superuser.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))


def migrate_schema(schema: str, tenant_id: UUID) -> None:
    """Run the migrations that a schema lacks, and seal what they added: in Django's own way, to which ours is held."""
    call_command("migrate_schemas", schema_name=schema, verbosity=0, interactive=False)
    login = schemas.app_login()
    with schemas.owner_in(schema) as owner, owner.cursor() as cursor:
        fresh = {table: app_privileges(table) for table in unsealed(cursor, schema, tenant_id, login)}
        schemas.send(owner, seal_statements(fresh, tenant_id, login))
        verify_seal(cursor, schema, tenant_id, login)


@pytest.fixture
def built_and_migrated(two_schemas: dict[str, UUID], superuser: Any) -> dict[str, dict[str, Any]]:
    """The facts of both."""
    with platform_scope():
        schemas.build_schema("t_built", two_schemas["t_built"])
        with schemas.owner_in("public") as owner, owner.cursor() as cursor:
            cursor.execute("CREATE SCHEMA t_migrated")
            for statement in schemas.schema_grants("t_migrated", schemas.app_login()):
                cursor.execute(statement)
        migrate_schema("t_migrated", two_schemas["t_migrated"])
    return {schema: facts(superuser, schema, tenant_id) for schema, tenant_id in two_schemas.items()}


def test_a_schema_that_is_built_is_one_that_is_migrated(
    built_and_migrated: dict[str, dict[str, Any]],
) -> None:
    built, migrated = built_and_migrated["t_built"], built_and_migrated["t_migrated"]
    for kind, found in migrated.items():
        assert found
        assert built[kind] - found == set(), f"{kind} that only the blueprint makes"
        assert found - built[kind] == set(), f"{kind} that only the migrations make"


def test_a_schema_that_is_built_has_run_every_migration_of_its_apps(
    built_and_migrated: dict[str, dict[str, Any]], superuser: Any
) -> None:
    def run_in(schema: str) -> set[tuple[str, str]]:
        query = sql.SQL("SELECT app, name FROM {}").format(sql.Identifier(schema, "django_migrations"))
        return {row for row in superuser.execute(query).fetchall() if row[0] in tenant_labels()}

    assert run_in("t_built") == run_in("t_migrated") == set(tenant_blueprint().migrations)


def test_migrating_a_schema_that_was_built_changes_nothing(
    two_schemas: dict[str, UUID], superuser: Any
) -> None:
    with platform_scope():
        schemas.build_schema("t_built", two_schemas["t_built"])
        before = facts(superuser, "t_built", two_schemas["t_built"])
        migrate_schema("t_built", two_schemas["t_built"])
    assert facts(superuser, "t_built", two_schemas["t_built"]) == before


def test_a_schema_is_built_whole_or_not_at_all(two_schemas: dict[str, UUID], superuser: Any) -> None:
    with platform_scope():
        schemas.build_schema("t_built", two_schemas["t_built"])
        before = facts(superuser, "t_built", two_schemas["t_built"])
        with pytest.raises(Exception, match="already exists"):
            schemas.build_schema("t_built", uuid7())
    assert facts(superuser, "t_built", two_schemas["t_built"]) == before


def test_the_blueprint_is_of_all_tables() -> None:
    assert set(tenant_blueprint().tables) == tenant_tables()


def test_the_blueprint_sends_one_statement_at_a_time() -> None:
    assert [statement for statement in tenant_blueprint().statements if ";" in statement] == []


def operations(migration: Any) -> Iterator[Any]:
    waiting = list(migration.operations)
    while waiting:
        operation = waiting.pop()
        if isinstance(operation, SeparateDatabaseAndState):
            waiting += [*operation.database_operations, *operation.state_operations]
        yield operation


def test_migrations_of_a_dojo_say_all_in_their_state() -> None:
    beside = [
        f"{label}.{name}: {type(operation).__name__}"
        for (label, name), migration in MigrationLoader(None).disk_migrations.items()
        if label in tenant_labels()
        for operation in operations(migration)
        if isinstance(operation, RunSQL | RunPython | SeparateDatabaseAndState)
    ]
    assert beside == []
