"""What leads from one version to another, as statements: written down once, sent to every dojo of that version.

They are taken from a rehearsal. In a schema of its own, built and sealed as those dojos are, Django's executor runs
the missing migrations for real, and what it sends is written down, with whatever it had to look up in the catalogue
to say it. Then all of it is rolled back. What does not work there reaches no dojo.
"""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import sqlparse
from django.db import transaction
from django.db.backends.postgresql.schema import DatabaseSchemaEditor
from django.db.migrations import Migration, SeparateDatabaseAndState
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from shared_apps.tenants.blueprint import blueprint_at, tenant_tables
from shared_apps.tenants.fleet.versions import Key, history
from shared_apps.tenants.schemas import OWNER, app_login, owner_in, send
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


class NotForTheFleet(RuntimeError):
    """A migration wants to run outside a transaction, which a dojo's migrations share."""


@dataclass(frozen=True, slots=True)
class Step:
    """One migration."""

    key: Key
    statements: tuple[str, ...]
    by_hand: ProjectState | None = None
    """The state before it, where it runs Python: then each dojo runs the migration itself, without `statements`."""


@dataclass(frozen=True, slots=True)
class Script:
    """What leads from one version to another. All dojos of a version share it."""

    start: frozenset[Key]
    steps: tuple[Step, ...]
    tables: Mapping[str, str]
    """The tables that it adds, to be sealed, and what the app login may do with their rows."""
    version: str
    """The version of a dojo that it has been played to."""


class Scripts:
    """The scripts to one target. Each is rehearsed when it is first asked for; threads share them."""

    def __init__(self, target: frozenset[Key]) -> None:
        self.target = target
        self._known: dict[frozenset[Key], Script] = {}
        self._lock = threading.Lock()

    def from_version(self, applied: frozenset[Key]) -> Script:
        """Return the script for dojos in which these migrations ran. Call it outside the owner's transactions."""
        with self._lock:
            if applied not in self._known:
                self._known[applied] = _rehearsed(applied, self.target)
            return self._known[applied]


class _RecordingEditor(DatabaseSchemaEditor):
    """Django's schema editor, which also writes down what it sends."""

    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        self.sent: list[str] = []

    def execute(self, sql: Any, params: Any = ()) -> Any:
        composed = str(sql) if params is None else self.connection.ops.compose_sql(str(sql), params)
        # One by one, as a pipeline takes them: to drop a foreign key Django sends two in one.
        self.sent += sqlparse.split(composed)
        return super().execute(composed, None)


def _rehearsed(applied: frozenset[Key], target: frozenset[Key]) -> Script:
    missing = history().missing(applied, target)
    version = history().version(applied.union(missing))
    if not missing:
        return Script(applied, (), {}, version)
    before, state = blueprint_at(applied), history().state(applied)
    schema, tenant_id = REHEARSAL.schema_name, REHEARSAL.tenant_id
    with tenant_scope(REHEARSAL), owner_in(schema) as owner:
        sealed = seal_statements(before.tables, tenant_id, app_login())
        send(owner, [f"CREATE SCHEMA {quoted(schema)}", *before.statements])
        send(owner, [*schema_grants(schema, app_login()), *sealed])
        steps = []
        for key in missing:
            step, state = _step(owner, key, state)
            steps.append(step)
        added = {table: may for table, may in tenant_tables(state.apps).items() if table not in before.tables}
        send(owner, seal_statements(added, tenant_id, app_login()))
        with owner.cursor() as cursor:
            verify_seal(cursor, schema, tenant_id, app_login())
        transaction.set_rollback(True, using=OWNER)
    return Script(applied, tuple(steps), added, version)


def _step(owner: Any, key: Key, state: ProjectState) -> tuple[Step, ProjectState]:
    migration = history().migration(key)
    if not migration.atomic:
        raise NotForTheFleet(
            f"{'.'.join(key)} has atomic = False: see docs/decisions/0014-fleet-migrations.md"
        )
    by_hand = state.clone() if any(not o.reduces_to_sql for o in operations(migration)) else None
    with _RecordingEditor(owner) as editor:
        after = migration.apply(state, editor)
    return Step(key, () if by_hand else tuple(editor.sent), by_hand), after


def operations(migration: Migration) -> Iterator[Operation]:
    """Yield the operations of a migration, with what SeparateDatabaseAndState holds in place of itself."""
    waiting = list(reversed(migration.operations))
    while waiting:
        operation = waiting.pop()
        if isinstance(operation, SeparateDatabaseAndState):
            waiting += reversed([*operation.database_operations, *operation.state_operations])
        else:
            yield operation
