"""DDL by the owner login: build, seal, verify and drop the schemas of tenants, and migrate `public`.

All DDL outside migrations is in this module.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from typing import Any, Final
from uuid import UUID

from django.apps import apps
from django.conf import settings
from django.conf import settings as django_settings
from django.core.management import call_command
from django.db import Error, connections, transaction
from django.db.migrations.recorder import MigrationRecorder
from django.utils.connection import ConnectionDoesNotExist

from shared_apps.tenants.schema.blueprint import Blueprint, app_privileges, tenant_blueprint
from shared_apps.tenants.schema.versions import MigrationKey, public_history
from tatami.errors import ServiceUnavailable
from tatami.postgresql.sqlstates import LOCK_NOT_AVAILABLE, sqlstate_of
from tatami.tenancy.scope import PLATFORM_ID, PUBLIC_SCHEMA
from tatami.tenancy.seal import (
    UNSEALED_TABLES,
    quoted,
    schema_grants,
    seal_statements,
    table_grants,
    unsealed,
    verify_seal,
)

OWNER = "owner"

DROP_LOCK_TIMEOUT_MS = 2_000
"""How long DROP SCHEMA may wait for locks. While it waits, other sessions queue up behind it."""


STATEMENTS_AT_A_TIME: Final = 25
"""How many statements are sent before their answers are waited for."""


@contextmanager
def owner_connection(schema: str) -> Iterator[Any]:
    """Yield the owner's connection in one transaction, with `schema` as its search path.

    Raises `ServiceUnavailable` if no owner login is configured (a web process that only serves tenants).
    """
    owner = require_owner()
    owner.set_schema(schema)
    with transaction.atomic(using=OWNER):
        yield owner


@contextmanager
def schema_lock(tenant_id: UUID, *, wait: bool = True) -> Iterator[bool]:
    """Lock the right to create or drop this tenant's schema; yield whether the lock was taken (always, with `wait`).

    A web process waits for the lock for as long as a request may wait for any; then `ServiceUnavailable` is raised.

    It is an advisory lock of the owner's session, so it ends with the process that holds it. That is how a schema that
    a killed process left behind is told from one that another process is still building. The owner must connect to
    PostgreSQL directly, not through a transaction pool.
    """
    owner = require_owner()
    owner.set_schema(PUBLIC_SCHEMA)
    with owner.cursor() as cursor:
        try:
            cursor.execute(
                f"SELECT pg_{'advisory_lock' if wait else 'try_advisory_lock'}(%s)", [lock_key(tenant_id)]
            )
        except Error as error:
            if sqlstate_of(error) == LOCK_NOT_AVAILABLE:
                raise ServiceUnavailable("another process is creating or purging this dojo") from error
            raise
        is_locked = cursor.fetchone()[0] is not False
    try:
        yield is_locked
    finally:
        if is_locked and owner.connection is not None:
            _unlock(owner, tenant_id)


def _unlock(owner: Any, tenant_id: UUID) -> None:
    """Release the lock. If that fails, end the session, which releases it; what was committed stays."""
    try:
        owner.set_schema(PUBLIC_SCHEMA)
        with owner.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [lock_key(tenant_id)])
    except Error:
        owner.close()


def require_owner() -> Any:
    """Return the owner's connection. Raises `ServiceUnavailable` if no owner login is configured."""
    try:
        return connections[OWNER]
    except ConnectionDoesNotExist:
        raise ServiceUnavailable(
            "this process cannot change schemas, because no owner login is configured"
        ) from None


def lock_key(tenant_id: UUID) -> int:
    """Return the number of the advisory lock that `schema_lock` takes."""
    # The random half of a UUIDv7, as the signed number that PostgreSQL expects.
    return int.from_bytes(tenant_id.bytes[8:], "big", signed=True)


def app_login() -> str:
    """Return the name of the app login, to which the seal grants privileges."""
    return str(settings.DATABASES["default"]["USER"])


def build_schema(schema: str, tenant_id: UUID, blueprint: Blueprint | None = None) -> str:
    """Build and seal a new schema in one transaction; return its version.

    `blueprint` defaults to that of this code; `blueprint_at` returns those of earlier versions.
    """
    blueprint = blueprint or tenant_blueprint()
    with owner_connection(schema) as owner:
        execute_all(
            owner,
            [
                f"CREATE SCHEMA {quoted(schema)}",
                *blueprint.statements,
                *schema_grants(schema, app_login()),
                *seal_statements(blueprint.tables, tenant_id, app_login()),
            ],
        )
        with owner.cursor() as cursor:
            record_migrations(cursor, blueprint.migrations)
            verify_seal(cursor, schema, tenant_id, app_login())
    return blueprint.version


def record_migrations(cursor: Any, migrations: Iterable[MigrationKey]) -> None:
    """Insert these migrations into the schema's `django_migrations`."""
    keys = list(migrations)
    if keys:
        rows = ", ".join(["(%s, %s, now())"] * len(keys))
        cursor.execute(
            f"INSERT INTO django_migrations (app, name, applied) VALUES {rows}",  # noqa: S608
            [part for key in keys for part in key],
        )


def migrate_public(*, contract: bool = False, settings: Sequence[str] = ()) -> None:
    """Migrate `public`, grant its tables to the app login, and seal those of apps that dojos have, too.

    They are sealed with the nil UUID. Contracting migrations run only with `contract`. `settings` are statements that
    the migrating session executes first.
    """
    for target in _targets_in_public(contract=contract):
        owner = require_owner()
        owner.set_schema_to_public()
        with owner.cursor() as cursor:
            for statement in settings:
                cursor.execute(statement)
        try:
            call_command("migrate_schemas", *target, shared=True, verbosity=0, interactive=False)
        finally:
            owner.close()  # the settings end with the session
    to_seal = {
        model._meta.db_table
        for app in apps.get_app_configs()
        if app.name in {*django_settings.SHARED_APPS} & {*django_settings.TENANT_APPS}
        for model in app.get_models()
    }
    with owner_connection(PUBLIC_SCHEMA) as owner, owner.cursor() as cursor:
        broken = unsealed(cursor, PUBLIC_SCHEMA, PLATFORM_ID, app_login())
        open_tables = broken.keys() - to_seal
        execute_all(
            owner,
            [
                *schema_grants(PUBLIC_SCHEMA, app_login()),
                *seal_statements(_with_privileges(sorted(broken.keys() & to_seal)), PLATFORM_ID, app_login()),
                *(s for t in sorted(open_tables) for s in table_grants(t, app_login(), app_privileges(t))),
            ],
        )
        verify_seal(cursor, PUBLIC_SCHEMA, PLATFORM_ID, app_login(), ignore=open_tables | UNSEALED_TABLES)


def missing_in_public(*, contract: bool) -> list[MigrationKey]:
    """Return the migrations that `public` lacks, in order. Contracting ones count only with `contract`."""
    known, applied = public_history(), _applied_in_public()
    return known.missing(applied, known.all_keys if contract else known.required)


def is_public_migrated() -> bool:
    """Return whether `public` was ever migrated."""
    return bool(_applied_in_public())


def _targets_in_public(*, contract: bool) -> list[MigrationKey | tuple[()]]:
    """Return the arguments for each call of Django's command: none for all apps, or the last migration of each app."""
    known, applied = public_history(), _applied_in_public()
    target = applied | (known.all_keys if contract else known.required)
    if target == applied:
        return []
    return [()] if target == known.all_keys else [*known.leaves(target)]


def _applied_in_public() -> frozenset[MigrationKey]:
    owner = require_owner()
    owner.set_schema_to_public()
    return public_history().all_keys.intersection(MigrationRecorder(owner).applied_migrations())


def drop_schema(schema: str) -> None:
    """Drop a tenant's schema with everything in it. A second call changes nothing.

    Raises Django's `OperationalError` if another session keeps reading its tables, as a backup does.
    """
    with owner_connection(PUBLIC_SCHEMA) as owner:
        execute_all(
            owner,
            [
                f"SET LOCAL lock_timeout = {DROP_LOCK_TIMEOUT_MS}",
                f"DROP SCHEMA IF EXISTS {quoted(schema)} CASCADE",
            ],
        )


def _with_privileges(tables: Iterable[str]) -> dict[str, str]:
    return {table: app_privileges(table) for table in tables}


def execute_all(owner: Any, statements: Iterable[str]) -> None:
    """Execute statements in the open transaction, unchanged: `%` is not a placeholder."""
    # Citus requires one top-level statement each. The pipeline does not wait for each response. The watch of a web
    # process sees that the server answers from time to time, so the whole may take longer than one statement may.
    left = iter(statements)
    while first := next(left, None):
        with owner.waiting(), owner.wrap_database_errors, owner.connection.pipeline():
            for statement in chain([first], islice(left, STATEMENTS_AT_A_TIME - 1)):
                owner.connection.execute(statement)
