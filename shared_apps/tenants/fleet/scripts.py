"""Scripts: the SQL statements that lead from one schema version to another, recorded once and sent to every tenant.

The statements are recorded in a rehearsal. In a schema of its own, built and sealed like those of the tenants, Django
runs the missing migrations, and the statements it sends are recorded, including names that it looked up in the
catalogue. Then everything is rolled back. A migration that fails in the rehearsal reaches no tenant.
"""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.migrations import Migration, SeparateDatabaseAndState
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from shared_apps.tenants.schema.blueprint import blueprint_at, tenant_tables
from shared_apps.tenants.schema.ddl import OWNER, app_login, execute_all, owner_connection
from shared_apps.tenants.schema.versions import MigrationKey, history
from tatami.postgresql.owner.schema import DatabaseSchemaEditor
from tatami.tenancy.scope import TenantScope, tenant_scope
from tatami.tenancy.seal import quoted, schema_grants, seal_statements, verify_seal

REHEARSAL: Final = TenantScope(
    schema_name="fleet_rehearsal",
    tenant_id=UUID("00000000-0000-7000-8000-000000000001"),
    slug="",
    name="",
    timezone="UTC",
    status="",
    primary_domain="",
)


class NonAtomicMigration(RuntimeError):
    """A migration has `atomic = False`, but all migrations of a tenant share one transaction."""


@dataclass(frozen=True, slots=True)
class MigrationStep:
    """One migration."""

    key: MigrationKey
    statements: tuple[str, ...]
    python_state: ProjectState | None = None
    """If the migration runs Python: the state before it. Then it is run in each tenant, without `statements`."""


@dataclass(frozen=True, slots=True)
class Script:
    """The steps from one version to another. All tenants of a version share a script."""

    start: frozenset[MigrationKey]
    """The migrations that have run before the script."""
    steps: tuple[MigrationStep, ...]
    tables: Mapping[str, str]
    """The tables that the script adds, which must be sealed → the privileges of the app login on their rows."""
    version: str
    """The version after the script."""


class Scripts:
    """The scripts that lead to one target. Each is rehearsed on its first use. Thread-safe."""

    def __init__(self, target: frozenset[MigrationKey]) -> None:
        self.target = target
        self._rehearsed: dict[frozenset[MigrationKey], Script] = {}
        self._lock = threading.Lock()

    def from_version(self, applied: frozenset[MigrationKey]) -> Script:
        """Return the script for tenants in which these migrations have run. Call it outside the owner's transactions.

        Raises `NonAtomicMigration`, and the errors of the migrations.
        """
        with self._lock:
            if applied not in self._rehearsed:
                self._rehearsed[applied] = _rehearse(applied, self.target)
            return self._rehearsed[applied]


class _RecordingEditor(DatabaseSchemaEditor):
    """The owner's schema editor, which also records the statements that it sends."""

    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        self.sent: list[str] = []

    def execute(self, sql: Any, params: Any = ()) -> Any:
        composed = str(sql) if params is None else self.connection.ops.compose_sql(str(sql), params)
        self.sent.append(composed)
        return super().execute(composed, None)


def _rehearse(applied: frozenset[MigrationKey], target: frozenset[MigrationKey]) -> Script:
    missing = history().missing(applied, target)
    version = history().version(applied.union(missing))
    if not missing:
        return Script(applied, (), {}, version)
    before, state = blueprint_at(applied), history().state(applied)
    schema, tenant_id = REHEARSAL.schema_name, REHEARSAL.tenant_id
    with tenant_scope(REHEARSAL), owner_connection(schema) as owner:
        sealed = seal_statements(before.tables, tenant_id, app_login())
        execute_all(owner, [f"CREATE SCHEMA {quoted(schema)}", *before.statements])
        execute_all(owner, [*schema_grants(schema, app_login()), *sealed])
        steps = []
        for key in missing:
            step, state = _step(owner, key, state)
            steps.append(step)
        tables = tenant_tables(state.apps).items()
        added = {table: privileges for table, privileges in tables if table not in before.tables}
        execute_all(owner, seal_statements(added, tenant_id, app_login()))
        with owner.cursor() as cursor:
            verify_seal(cursor, schema, tenant_id, app_login())
        transaction.set_rollback(True, using=OWNER)
    return Script(applied, tuple(steps), added, version)


def _step(owner: Any, key: MigrationKey, state: ProjectState) -> tuple[MigrationStep, ProjectState]:
    migration = history().migration(key)
    if not migration.atomic:
        raise NonAtomicMigration(
            f"{'.'.join(key)} has atomic = False: see docs/decisions/0014-fleet-migrations.md"
        )
    python_state = state.clone() if any(not o.reduces_to_sql for o in operations(migration)) else None
    with _RecordingEditor(owner) as editor:
        after = migration.apply(state, editor)
    return MigrationStep(key, () if python_state else tuple(editor.sent), python_state), after


def operations(migration: Migration) -> Iterator[Operation]:
    """Yield the operations of a migration, with SeparateDatabaseAndState replaced by its parts."""
    stack = list(reversed(migration.operations))
    while stack:
        operation = stack.pop()
        if isinstance(operation, SeparateDatabaseAndState):
            stack += reversed([*operation.database_operations, *operation.state_operations])
        else:
            yield operation
