"""DDL by the owner login: dojos' schemas are built, sealed, verified and dropped, `public` is migrated. Only here."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import Error, connections, transaction
from django.db.migrations.recorder import MigrationRecorder
from django.utils.connection import ConnectionDoesNotExist

from shared_apps.tenants.blueprint import Blueprint, app_privileges, tenant_blueprint
from shared_apps.tenants.fleet.versions import Key, public_history
from tatami.errors import ServiceUnavailable
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

LOCKS_WITHIN_MS = 2_000
"""For a schema to be dropped: whoever waits longer would have others wait behind it."""


@contextmanager
def owner_in(schema: str) -> Iterator[Any]:
    """Yield the owner's connection, working in `schema` in one transaction.

    Raises `ServiceUnavailable` where no owner login is configured (a web process that only serves dojos).
    """
    owner = require_owner()
    owner.set_schema(schema)
    with transaction.atomic(using=OWNER):
        yield owner


@contextmanager
def building(tenant_id: UUID, *, wait: bool = True) -> Iterator[bool]:
    """Hold the right to make or clear this dojo's schema; yield whether it was free (always, if we `wait`).

    A lock of the owner's session: it ends with the process that holds it, so that what a killed one left behind is
    told at once from what another is still making. The owner must reach PostgreSQL itself, not a transaction pool.
    """
    owner = require_owner()
    owner.set_schema(PUBLIC_SCHEMA)
    with owner.cursor() as cursor:
        cursor.execute(
            f"SELECT pg_{'advisory_lock' if wait else 'try_advisory_lock'}(%s)", [lock_key(tenant_id)]
        )
        is_ours = cursor.fetchone()[0] is not False
    try:
        yield is_ours
    finally:
        if is_ours and owner.connection is not None:
            _give_back(owner, tenant_id)


def _give_back(owner: Any, tenant_id: UUID) -> None:
    """Release the lock. Where that cannot be done the session ends, and the lock with it: what was made stays made."""
    try:
        owner.set_schema(PUBLIC_SCHEMA)
        with owner.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [lock_key(tenant_id)])
    except Error:
        owner.close()


def require_owner() -> Any:
    """Return the owner's connection. Raises `ServiceUnavailable` where no owner login is configured."""
    try:
        return connections[OWNER]
    except ConnectionDoesNotExist:
        raise ServiceUnavailable(
            "this process may not change schemas: no owner login is configured"
        ) from None


def lock_key(tenant_id: UUID) -> int:
    """Return the number of the advisory lock that `building` holds."""
    # The random half of a UUIDv7, as the signed number that PostgreSQL takes.
    return int.from_bytes(tenant_id.bytes[8:], "big", signed=True)


def app_login() -> str:
    """Return the name of the app login, to which the seal grants."""
    return str(settings.DATABASES["default"]["USER"])


def build_schema(schema: str, tenant_id: UUID, blueprint: Blueprint | None = None) -> str:
    """Build and seal a new schema in one transaction; return its version. All or nothing.

    Without another `blueprint` (`blueprint_at`, of an earlier version) it is the one of the code that runs.
    """
    blueprint = blueprint or tenant_blueprint()
    with owner_in(schema) as owner:
        send(
            owner,
            [
                f"CREATE SCHEMA {quoted(schema)}",
                *blueprint.statements,
                *schema_grants(schema, app_login()),
                *seal_statements(blueprint.tables, tenant_id, app_login()),
            ],
        )
        with owner.cursor() as cursor:
            note_migrations(cursor, blueprint.migrations)
            verify_seal(cursor, schema, tenant_id, app_login())
    return blueprint.version


def note_migrations(cursor: Any, migrations: Iterable[Key]) -> None:
    """Write down in the schema's own record that these have run."""
    ran = list(migrations)
    cursor.execute(
        "INSERT INTO django_migrations (app, name, applied) "
        "SELECT app, name, now() FROM unnest(%s::text[], %s::text[]) AS m(app, name)",
        [[app for app, _ in ran], [name for _, name in ran]],
    )


def migrate_public(*, contract: bool = False, settings: Sequence[str] = ()) -> None:
    """Migrate `public`, grant the app login its tables, and seal those of accounts with the nil UUID.

    Without `contract`, migrations that contract wait. `settings` are statements for the session that migrates.
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
    to_seal = {model._meta.db_table for model in apps.get_app_config("accounts").get_models()}
    with owner_in(PUBLIC_SCHEMA) as owner, owner.cursor() as cursor:
        broken = unsealed(cursor, PUBLIC_SCHEMA, PLATFORM_ID, app_login())
        open_tables = broken.keys() - to_seal
        send(
            owner,
            [
                *schema_grants(PUBLIC_SCHEMA, app_login()),
                *seal_statements(_with_privileges(sorted(broken.keys() & to_seal)), PLATFORM_ID, app_login()),
                *(s for t in sorted(open_tables) for s in table_grants(t, app_login(), app_privileges(t))),
            ],
        )
        verify_seal(cursor, PUBLIC_SCHEMA, PLATFORM_ID, app_login(), ignore=open_tables | UNSEALED_TABLES)


def missing_in_public(*, contract: bool) -> list[Key]:
    """Return the migrations that `public` lacks, in order; without `contract`, those that contract are not missed."""
    known, applied = public_history(), _applied_in_public()
    return known.missing(applied, known.whole if contract else known.needed)


def is_prepared() -> bool:
    """Say whether `public` was ever migrated."""
    return bool(_applied_in_public())


def _targets_in_public(*, contract: bool) -> list[Key | tuple[()]]:
    """Return what to name to Django's command: nothing for all of it, or the last migration of each app."""
    known, applied = public_history(), _applied_in_public()
    wanted = applied | (known.whole if contract else known.needed)
    if wanted == applied:
        return []
    return [()] if wanted == known.whole else [*known.leaves(wanted)]


def _applied_in_public() -> frozenset[Key]:
    owner = require_owner()
    owner.set_schema_to_public()
    return public_history().whole.intersection(MigrationRecorder(owner).applied_migrations())


def drop_schema(schema: str) -> None:
    """Drop a dojo's schema with all in it. Doing it twice changes nothing.

    Raises Django's `OperationalError` where somebody reads its tables all the while, as a backup does.
    """
    with owner_in(PUBLIC_SCHEMA) as owner:
        send(
            owner,
            [
                f"SET LOCAL lock_timeout = {LOCKS_WITHIN_MS}",
                f"DROP SCHEMA IF EXISTS {quoted(schema)} CASCADE",
            ],
        )


def _with_privileges(tables: Iterable[str]) -> dict[str, str]:
    return {table: app_privileges(table) for table in tables}


def send(owner: Any, statements: Iterable[str]) -> None:
    """Send statements in the transaction that is open, as they are: nothing is put in for `%`."""
    # One top-level statement each, as Citus asks, but without waiting for every answer.
    with owner.wrap_database_errors, owner.connection.pipeline():
        for statement in statements:
            owner.connection.execute(statement)
