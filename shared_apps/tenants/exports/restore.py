"""Create a tenant from an archive, with a new id and a schema of its own.

The tenant is `provisioning` until everything is in it and was compared with the archive, so an incomplete tenant is
never served. If the process is killed, `provisioning.remove_incomplete_tenants` removes the tenant like any other.
The schema is built as it was when the archive was made, filled in the same transaction of the owner, and only then
migrated.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import DataError, IntegrityError, InternalError, transaction
from django.dispatch import Signal

from shared_apps.accounts.models import Role, User
from shared_apps.accounts.users import change_user
from shared_apps.tenants import provisioning
from shared_apps.tenants.errors import ArchiveRefused
from shared_apps.tenants.exports.archive import ArchiveReader
from shared_apps.tenants.exports.files import length_and_sha256
from shared_apps.tenants.exports.schema_state import column_list
from shared_apps.tenants.exports.snapshot import TEXT_SETTINGS, RowCallback, content_of
from shared_apps.tenants.fleet.apply import MigrationLimits, migrate_tenant
from shared_apps.tenants.fleet.scripts import Scripts
from shared_apps.tenants.models import Tenant, TenantExport
from shared_apps.tenants.provisioning import FirstAdmin
from shared_apps.tenants.schema import ddl
from shared_apps.tenants.schema.versions import history
from shared_apps.tenants.search_columns import refresh_search_columns
from tatami.errors import Invalid
from tatami.ids import uuid7
from tatami.postgresql.sqlstates import sqlstate_of
from tatami.tenancy.scope import tenant_scope
from tatami.tenancy.seal import quoted, schema_grants, seal_statements, verify_seal
from tatami.text import email_key

dojo_restored = Signal()
"""Sent in the new tenant's scope, in a transaction, before it is served, with `previous_id` and `now`.

`previous_id` is the UUID of the tenant that was exported: receivers must store again what is stored under a hash that
includes this id. An error undoes the restore.
"""


@dataclass(frozen=True, slots=True)
class RestoreCallbacks:
    """Callbacks for the steps of a restore. Each is called with the number of rows that were just processed."""

    on_checked: RowCallback
    on_loaded: RowCallback
    on_compared: RowCallback


NO_CALLBACKS: Final = RestoreCallbacks(
    on_checked=lambda _: None, on_loaded=lambda _: None, on_compared=lambda _: None
)

_ERROR_OF_A_WORKER: Final = "XX000"
"""The SQLSTATE with which Citus reports the error of a worker during COPY, with the worker's message: there, a row that
breaks a constraint. PostgreSQL itself has other codes for damaged data (XX001, XX002)."""

NO_STATEMENT_TIMEOUT: Final = MigrationLimits(statement_timeout=0)
"""For migrations of a tenant that is not served yet."""


def restore(
    archive: ArchiveReader,
    *,
    name: str,
    slug: str,
    timezone: str | None = None,
    admin: FirstAdmin | None = None,
    now: datetime,
    callbacks: RestoreCallbacks,
) -> tuple[Tenant, User | None]:
    """Create an active tenant from an archive; return it, and `admin` or else its first admin, if there is one.

    `timezone` defaults to that of the archive. `admin` is added, or, if a user has that e-mail address, that user
    becomes an active admin. Call it outside a transaction, in the platform's scope. Raises `ArchiveRefused` (for a
    damaged archive before anything is written), `SlugTaken`, and `ServiceUnavailable` if no owner login is configured.
    If a step fails, everything is undone (`provisioning.undone_if_it_fails`).
    """
    ddl.require_owner()
    archive.verify(callbacks.on_checked)
    tenant_id = uuid7()
    zone = timezone or archive.manifest.source.timezone
    with ddl.schema_lock(tenant_id):
        tenant = provisioning.reserve_slug(tenant_id, name=name, slug=slug, timezone=zone, now=now)
        with provisioning.undone_if_it_fails(tenant):
            _store_files(archive, tenant_id)
            with ddl.require_owner().long_statements():
                version = fill_schema(archive, tenant, callbacks)
            user = _admin_of(tenant, admin, now)
            with tenant_scope(tenant), transaction.atomic():
                refresh_search_columns()  # the archive may be of a version with another `normalise`
                dojo_restored.send(sender=Tenant, previous_id=archive.manifest.source.id, now=now)
            provisioning.activate(tenant, version)
    return tenant, user


def restore_export(
    export_id: UUID,
    *,
    name: str,
    slug: str,
    timezone: str | None = None,
    admin: FirstAdmin | None,
    now: datetime,
) -> tuple[Tenant, User | None]:
    """Create a tenant from an export in the storage; see `restore`.

    Raises `Invalid` if there is no such export (any more), and `ArchiveRefused` if its file has changed.
    """
    export = TenantExport.objects.filter(pk=export_id, status=TenantExport.Status.DONE).first()
    if export is None or not default_storage.exists(export.name):
        raise Invalid.field("archive", "There is no such export, or it is not done.")
    with default_storage.open(export.name) as file:
        if length_and_sha256(file) != (export.bytes, export.sha256):
            raise ArchiveRefused("It is damaged: the file is not the one that was stored.")
        archive = ArchiveReader(file)
        return restore(
            archive, name=name, slug=slug, timezone=timezone, admin=admin, now=now, callbacks=NO_CALLBACKS
        )


def fill_schema(archive: ArchiveReader, tenant: Tenant, callbacks: RestoreCallbacks) -> str:
    """Build the tenant's schema as in the archive, fill it, and migrate it; return its version.

    All but the migrations is one transaction. Raises `ArchiveRefused` if rows break a constraint, or if they are not
    the same when they are read again.
    """
    schema, state = tenant.schema_name, archive.state
    with ddl.owner_connection(schema) as owner, _refuse_invalid_rows(), owner.wrap_database_errors:
        login, blueprint = ddl.app_login(), state.blueprint
        with owner.waiting():
            owner.connection.execute(TEXT_SETTINGS)
        ddl.execute_all(
            owner,
            [
                f"CREATE SCHEMA {quoted(schema)}",
                *state.create_tables,
                *schema_grants(schema, login),
                *seal_statements(blueprint.tables, tenant.pk, login),
            ],
        )
        with _column_defaults(archive, owner, tenant.pk):
            _load(archive, owner, callbacks.on_loaded)
        _prefix_file_names(archive, owner, tenant.pk)
        ddl.execute_all(owner, [*state.add_constraints, f"ANALYZE {column_list(blueprint.tables)}"])
        with owner.cursor() as cursor:
            ddl.record_migrations(cursor, blueprint.migrations)
            verify_seal(cursor, schema, tenant.pk, login)
        _compare(archive, owner, callbacks.on_compared)
    return migrate_tenant(tenant.scope, state.applied, Scripts(history().required), NO_STATEMENT_TIMEOUT)


@contextmanager
def _refuse_invalid_rows() -> Iterator[None]:
    try:
        yield
    except (DataError, IntegrityError) as fault:
        raise _invalid_rows(fault) from fault
    except InternalError as fault:
        if sqlstate_of(fault) != _ERROR_OF_A_WORKER:
            raise
        raise _invalid_rows(fault) from fault


def _invalid_rows(fault: Exception) -> ArchiveRefused:
    # The checksums were right, so these rows were in the archive from the start.
    return ArchiveRefused(f"Its rows are not valid in a dojo: {str(fault).splitlines()[0][:300]}")


@contextmanager
def _column_defaults(archive: ArchiveReader, owner: Any, tenant_id: UUID) -> Iterator[None]:
    """Within the block, give the columns that are not exported a default, which fills them in each new row."""
    defaults = {
        (table.name, column): expression
        for table in archive.state.tables.values()
        for column, expression in [
            *((own, f"'{tenant_id}'::uuid") for own in table.own if own != "tenant_id"),
            *table.regenerated.items(),
        ]
    }
    alter = {
        (table, column): f"ALTER TABLE {quoted(table)} ALTER COLUMN {quoted(column)}"
        for table, column in defaults
    }
    ddl.execute_all(
        owner, (f"{alter[column]} SET DEFAULT {expression}" for column, expression in defaults.items())
    )
    yield
    ddl.execute_all(owner, (f"{statement} DROP DEFAULT" for statement in alter.values()))


def _load(archive: ArchiveReader, owner: Any, on_rows: RowCallback) -> None:
    for entry in archive.manifest.entries:
        statement = archive.state.tables[entry.name].copy_in(entry.columns)
        with owner.waiting(), owner.connection.cursor() as cursor, cursor.copy(statement) as copy:
            for block in archive.blocks(entry):
                copy.write(block)
                on_rows(block.count(b"\n"))


def _prefix_file_names(archive: ArchiveReader, owner: Any, tenant_id: UUID) -> None:
    """Prefix the names of files with the new tenant's id. Raises `ArchiveRefused` if a file is not in the archive."""
    columns = [(quoted(table), quoted(column)) for table, column in archive.state.file_columns]
    names = [entry.name for entry in archive.manifest.files]
    for table, c in columns:
        with owner.waiting():
            unknown = owner.connection.execute(
                f"SELECT {c} FROM {table} WHERE {c} <> '' AND {c} <> ALL(%s) LIMIT 1",  # noqa: S608
                [names],
            ).fetchone()
        if unknown:
            raise ArchiveRefused("Its rows name a file that is not in it.")
    ddl.execute_all(
        owner,
        (f"UPDATE {table} SET {c} = '{tenant_id}/' || {c} WHERE {c} <> ''" for table, c in columns),  # noqa: S608
    )


def _compare(archive: ArchiveReader, owner: Any, on_rows: RowCallback) -> None:
    for entry in archive.manifest.entries:
        statement = archive.state.tables[entry.name].copy_out(entry.columns)
        with owner.waiting():
            content = content_of(owner.connection, statement, on_rows)
        if content != entry.content:
            raise ArchiveRefused(f"The rows of {entry.name} changed when they were loaded.")


def _store_files(archive: ArchiveReader, tenant_id: UUID) -> None:
    for entry in archive.manifest.files:
        default_storage.save(f"{tenant_id}/{entry.name}", ContentFile(archive.file(entry)))


def _admin_of(tenant: Tenant, admin: FirstAdmin | None, now: datetime) -> User | None:
    with tenant_scope(tenant), transaction.atomic():
        if admin is None:
            return User.objects.active_admins().order_by("created_at", "pk").first()
        known = User.objects.not_archived().filter(email_key=email_key(admin.email)).first()
        if known is None:
            return provisioning.add_first_admin(tenant, admin, now)
        changes = {"role": Role.ADMIN, "is_active": True}
        return change_user(user=known, changes=changes, now=now, password_hash=admin.password_hash)
