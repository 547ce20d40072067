"""What a migration may not do while the version before still serves, and requests wait for the locks it holds.

docs/decisions/0014-fleet-migrations.md says what to do instead.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.postgres import operations as postgres
from django.db import connection, migrations
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models import CharField, GeneratedField, Value
from django.db.models.fields import NOT_PROVIDED

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
"""What may be in a migration that contracts: the code serves without it."""

NEVER: Final[dict[type[Operation], str]] = {
    migrations.RenameField: "the running version asks for the old name: add a field, copy, remove the old one later",
    migrations.RenameModel: "the running version asks for the old name: add a model, copy, delete the old one later",
    migrations.AlterModelTable: "the running version asks for the old name",
    migrations.AlterUniqueTogether: "name the constraint: AddConstraint, in a migration that contracts",
    migrations.AlterOrderWithRespectTo: "adds a column that the running version does not fill",
    postgres.AddIndexConcurrently: "all that a dojo lacks is one transaction: AddIndex (a dojo's tables are small)",
    postgres.RemoveIndexConcurrently: "all that a dojo lacks is one transaction: RemoveIndex",
    postgres.AddConstraintNotValid: "new dojos would differ: AddConstraint, in a migration that contracts",
    postgres.ValidateConstraint: "new dojos would differ: AddConstraint, in a migration that contracts",
}

BESIDE_THE_STATE: Final = (migrations.RunPython, migrations.RunSQL)


@dataclass(frozen=True, slots=True)
class Asked:
    """One operation, and what has to be known to judge it."""

    operation: Any
    label: str
    state: ProjectState
    """Before it."""
    in_use: frozenset[tuple[str, str]]
    is_contracting: bool
    is_of_dojos: bool

    def reasons(self) -> Iterator[str]:
        """Yield why it is refused."""
        if self.is_of_dojos and isinstance(self.operation, BESIDE_THE_STATE):
            yield "new dojos are built from the state, which does not have it: let a job of the dojo do it"
        if self.is_contracting and not isinstance(self.operation, CONTRACTING):
            yield "does not contract: the code could not serve without it"
        if not self._touches_a_table_in_use():
            return
        if type(self.operation) in NEVER:
            yield NEVER[type(self.operation)]
        elif isinstance(self.operation, migrations.AddField):
            yield from self._added(self.operation.field)
        elif isinstance(self.operation, migrations.AlterField):
            yield from self._altered()
        elif isinstance(self.operation, migrations.RemoveField | migrations.DeleteModel):
            yield from self._removed()
        elif isinstance(self.operation, migrations.AddConstraint) and not self.is_contracting:
            yield "the running version does not know it: put it into a migration that contracts"

    def _touches_a_table_in_use(self) -> bool:
        # Operations on a field have its name under `name`, those on a model the model's.
        model: str = getattr(self.operation, "model_name", "") or getattr(self.operation, "name", "") or ""
        names = {model.lower(), getattr(self.operation, "old_name_lower", "")}
        return any((self.label, name) in self.in_use for name in names)

    def _added(self, field: Any) -> Iterator[str]:
        if isinstance(field, GeneratedField):
            yield "a generated column rewrites the table"
        elif field.db_default is not NOT_PROVIDED:
            if not isinstance(field.db_default, Value) and hasattr(field.db_default, "resolve_expression"):
                yield "a computed db_default rewrites the table: a constant does not"
        elif not field.null and not field.many_to_many:
            yield "the running version does not fill it: null=True, or a db_default"

    def _altered(self) -> Iterator[str]:
        before, after = self._field(), self._field_after()
        if _type(before) != _type(after) and not _grows(before, after):
            yield "rewrites the table, or refuses what the running version writes: add another field"
        if _target(before) != _target(after):
            yield "another foreign key: add another field"
        if self.is_contracting:
            return
        if before.null and not after.null:
            yield "the running version leaves it empty: put NOT NULL into a migration that contracts"
        if after.unique and not before.unique:
            yield "the running version does not know it: name the constraint, in a migration that contracts"
        if before.db_default is not NOT_PROVIDED and after.db_default is NOT_PROVIDED:
            yield "the running version does not fill it: take db_default away in a migration that contracts"

    def _removed(self) -> Iterator[str]:
        if not self.is_contracting:
            yield "the running version reads it: put it into a migration with contracts = True"
        elif isinstance(self.operation, migrations.RemoveField):
            field = self._field()
            if not (field.null or field.many_to_many or field.db_default is not NOT_PROVIDED):
                yield (
                    "until it is gone nobody fills it: give it null=True or a db_default, in the migration before"
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


def _grows(before: Any, after: Any) -> bool:
    """Say whether a text column only takes more than before: the catalogue changes, not the rows."""
    if not (isinstance(before, CharField) and isinstance(after, CharField)):
        return False
    return after.max_length is None or (before.max_length or 0) <= after.max_length
