"""Find migrations that must not be released as they are. `manage.py lint_migrations`, part of `make lint`.

During a release, the previous version still serves, and requests wait for the locks that a migration holds. The checks
apply to the migrations after `BASELINE`. Tables that were created since then are not in use yet, so on them every
operation is allowed. docs/decisions/0014-fleet-migrations.md says what to do instead of a refused operation.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.apps import apps
from django.contrib.postgres import operations as postgres
from django.db import connection, migrations
from django.db.migrations import Migration, SeparateDatabaseAndState
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models import CharField, GeneratedField, Value
from django.db.models.fields import NOT_PROVIDED

from shared_apps.tenants.fleet.migration_sql import migration_sql, reasons_against
from shared_apps.tenants.fleet.scripts import operations
from shared_apps.tenants.schema.versions import History, MigrationKey, contracts, history, public_history

BASELINE: Final = {
    "accounts": 4,
    "attendance": 2,
    "classes": 3,
    "dojo": 5,
    "notifications": 1,
    "promotions": 2,
    "ranks": 3,
    "students": 3,
    "tenants": 7,
}
"""The number of each app's last migration in the latest release. Update it with every release."""

CONTRACTING: Final = (
    migrations.RemoveField,
    migrations.DeleteModel,
    migrations.AlterField,
    migrations.AddConstraint,
    migrations.RemoveConstraint,
    migrations.AddIndex,
    migrations.RemoveIndex,
    migrations.RenameIndex,
)
"""The operations that a contracting migration may contain: the code works without them."""

FORBIDDEN: Final[dict[type[Operation], str]] = {
    migrations.RenameField: "the previous version uses the old name: add a field, copy, remove the old one later",
    migrations.RenameModel: "the previous version uses the old name: add a model, copy, delete the old one later",
    migrations.AlterModelTable: "the previous version uses the old name",
    migrations.AlterUniqueTogether: "use a named constraint: AddConstraint, in a contracting migration",
    migrations.AlterOrderWithRespectTo: "adds a column that the previous version does not fill",
    postgres.AddIndexConcurrently: "a tenant's migrations are one transaction: use AddIndex (the tables are small)",
    postgres.RemoveIndexConcurrently: "a tenant's migrations are one transaction: use RemoveIndex",
    postgres.AddConstraintNotValid: "new tenants would differ: use AddConstraint, in a contracting migration",
    postgres.ValidateConstraint: "new tenants would differ: use AddConstraint, in a contracting migration",
}
"""Operations that are never allowed on tables in use → why, and what to do instead."""

NOT_IN_STATE: Final = (migrations.RunPython, migrations.RunSQL)

Table = tuple[str, str]
"""A model: the label of its app, its name in lower case."""


@dataclass(frozen=True, slots=True)
class LintFault:
    """Why a migration must not be released."""

    migration: MigrationKey
    operation: str
    reason: str

    def __str__(self) -> str:
        return f"{'.'.join(self.migration)}: {self.operation}: {self.reason}"


def lint_migrations() -> Iterator[LintFault]:
    """Yield the faults of the migrations since the baseline. Uses no database."""
    tenants, public = history(), public_history()
    yield from _lint_history(tenants, tenants.labels)
    shared = {config.label for config in apps.get_app_configs() if config.name.startswith("shared_apps.")}
    yield from _lint_history(public, shared - tenants.labels)


def _lint_history(known: History, labels: frozenset[str] | set[str]) -> Iterator[LintFault]:
    released = frozenset(key for key in known.plan if key[0] not in labels or not is_new(key))
    in_use = frozenset(known.state(released).models)
    for key in known.plan:
        if key not in released:
            before = known.loader.project_state(key, at_end=False)
            yield from lint_migration(key, known.migration(key), before, in_use)


def is_new(key: MigrationKey) -> bool:
    """Return whether a migration is not in the latest release."""
    label, name = key
    return int(name.partition("_")[0]) > BASELINE.get(label, 0)


def lint_migration(
    key: MigrationKey, migration: Migration, state: ProjectState, in_use: frozenset[Table]
) -> Iterator[LintFault]:
    """Yield the faults of a migration that is applied to `state`, with `in_use` as the tables in use."""
    is_of_tenants = key[0] in history().labels
    if is_of_tenants and not migration.atomic:
        yield LintFault(key, "atomic = False", "a tenant's migrations are one transaction")
    if is_of_tenants and any(isinstance(o, SeparateDatabaseAndState) for o in migration.operations):
        yield LintFault(
            key, "SeparateDatabaseAndState", "new tenants are built from the state, and would differ"
        )
    for statement in migration_sql(migration, state):
        for reason in reasons_against(statement):
            yield LintFault(key, statement, reason)
    for operation in operations(migration):
        check = OperationCheck(operation, key[0], state, in_use, contracts(migration), is_of_tenants)
        for reason in check.reasons():
            yield LintFault(key, operation.describe(), reason)
        # The checks use the fields of the state before the operation, so never change that state.
        state = state.clone()
        operation.state_forwards(key[0], state)


@dataclass(frozen=True, slots=True)
class OperationCheck:
    """One operation, with what is needed to check it."""

    operation: Any
    label: str
    state: ProjectState
    """Before the operation."""
    in_use: frozenset[Table]
    is_contracting: bool
    is_of_tenants: bool

    def reasons(self) -> Iterator[str]:
        """Yield the reasons why the operation is refused."""
        if self.is_of_tenants and isinstance(self.operation, NOT_IN_STATE):
            yield "new tenants are built from the state, which does not contain it: use a job of the tenant"
        if self.is_contracting and not isinstance(self.operation, CONTRACTING):
            yield "is not contracting: the code does not work without it"
        if not self._is_on_a_table_in_use():
            return
        if type(self.operation) in FORBIDDEN:
            yield FORBIDDEN[type(self.operation)]
        elif isinstance(self.operation, migrations.AddField):
            yield from self._reasons_against_adding(self.operation.field)
        elif isinstance(self.operation, migrations.AlterField):
            yield from self._reasons_against_altering()
        elif isinstance(self.operation, migrations.RemoveField | migrations.DeleteModel):
            yield from self._reasons_against_removing()
        elif isinstance(self.operation, migrations.AddConstraint) and not self.is_contracting:
            yield "the previous version does not know it: move it to a contracting migration"

    def _is_on_a_table_in_use(self) -> bool:
        # Operations on a field have its name in `name`; operations on a model have the model's name there.
        model: str = getattr(self.operation, "model_name", "") or getattr(self.operation, "name", "") or ""
        names = {model.lower(), getattr(self.operation, "old_name_lower", "")}
        return any((self.label, name) in self.in_use for name in names)

    def _reasons_against_adding(self, field: Any) -> Iterator[str]:
        if isinstance(field, GeneratedField):
            yield "a generated column rewrites the table"
        elif field.db_default is not NOT_PROVIDED:
            if not isinstance(field.db_default, Value) and hasattr(field.db_default, "resolve_expression"):
                yield "a computed db_default rewrites the table: use a constant"
        elif not field.null and not field.many_to_many:
            yield "the previous version does not fill it: add null=True or a db_default"

    def _reasons_against_altering(self) -> Iterator[str]:
        before, after = self._field(), self._field_after()
        if _type(before) != _type(after) and not _is_widened(before, after):
            yield "rewrites the table, or refuses what the previous version writes: add another field"
        if _target(before) != _target(after):
            yield "changes a foreign key: add another field"
        if self.is_contracting:
            return
        if before.null and not after.null:
            yield "the previous version leaves it empty: move NOT NULL to a contracting migration"
        if after.unique and not before.unique:
            yield "the previous version does not know it: use a named constraint, in a contracting migration"
        if before.db_default is not NOT_PROVIDED and after.db_default is NOT_PROVIDED:
            yield "the previous version does not fill it: remove db_default in a contracting migration"

    def _reasons_against_removing(self) -> Iterator[str]:
        if not self.is_contracting:
            yield "the previous version reads it: move it to a migration with contracts = True"
        elif isinstance(self.operation, migrations.RemoveField):
            field = self._field()
            if not (field.null or field.many_to_many or field.db_default is not NOT_PROVIDED):
                yield (
                    "nothing fills it until it is removed: add null=True or a db_default, in the migration before"
                )

    def _field(self) -> Any:
        model = self.state.apps.get_model(self.label, self.operation.model_name)
        return model._meta.get_field(self.operation.name)

    def _field_after(self) -> Any:
        after = self.state.clone()
        self.operation.state_forwards(self.label, after)
        model = after.apps.get_model(self.label, self.operation.model_name)
        return model._meta.get_field(self.operation.name)


def _type(field: Any) -> str | None:
    kind: str | None = field.db_type(connection)
    return kind


def _target(field: Any) -> tuple[str | None, bool]:
    remote = field.remote_field
    return (remote.model._meta.label if remote else None, getattr(field, "db_constraint", False))


def _is_widened(before: Any, after: Any) -> bool:
    """Return whether a text column only gets longer: this changes the catalogue, not the rows."""
    if not (isinstance(before, CharField) and isinstance(after, CharField)):
        return False
    return after.max_length is None or (before.max_length or 0) <= after.max_length
