"""The tables of a tenant's schema at a present or past version, derived from the state of the migrations.

A version is a value of `Tenant.schema_version`: the last migration of each of the tenant's apps.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from typing import Any, Final

from shared_apps.tenants.errors import ArchiveRefused
from shared_apps.tenants.exports.export_policy import (
    EXCLUDED_TABLES,
    EXPORT_EXPRESSIONS,
    FILE_COLUMNS,
    REGENERATED_COLUMNS,
)
from shared_apps.tenants.schema.blueprint import Blueprint, blueprint_at, tenant_labels
from shared_apps.tenants.schema.versions import MigrationKey, history
from tatami.tenancy.scope import current_tenant_id
from tatami.tenancy.seal import quoted

_LEAF: Final = re.compile(r"([a-z_]{1,40})\.(\d{4}_\w{1,100})", re.ASCII)
_CREATE: Final = "CREATE TABLE "


@dataclass(frozen=True, slots=True)
class Table:
    """A table that is exported."""

    name: str
    columns: tuple[str, ...]
    """The columns that are exported."""
    key: tuple[str, ...]
    """The primary key, by which the rows are ordered."""
    own: tuple[str, ...]
    """The columns with the tenant's own id, which are not exported."""

    @property
    def regenerated(self) -> Mapping[str, str]:
        """Return the other columns that are not exported, with the expression that fills each in a new tenant."""
        return {column: rule.expression for column, rule in REGENERATED_COLUMNS.get(self.name, {}).items()}

    @property
    def files(self) -> list[str]:
        """Return the columns with names of files."""
        return [column for column in FILE_COLUMNS.get(self.name, ()) if column in self.columns]

    def copy_out(self, columns: Iterable[str]) -> str:
        """Return the statement that writes these columns of all rows, ordered by the primary key."""
        expressions = {
            **EXPORT_EXPRESSIONS.get(self.name, {}),
            **{column: _without_tenant_id(column) for column in self.files},
        }
        selected = ", ".join(expressions.get(column, quoted(column)) for column in columns)
        rows = f"SELECT {selected} FROM {quoted(self.name)} ORDER BY {column_list(self.key)}"  # noqa: S608
        return f"COPY ({rows}) TO STDOUT"

    def copy_in(self, columns: Iterable[str]) -> str:
        """Return the statement that reads these columns of new rows."""
        return f"COPY {quoted(self.name)} ({column_list(columns)}) FROM STDIN"


@dataclass(frozen=True, slots=True)
class SchemaState:
    """A schema at one version."""

    version: str
    applied: frozenset[MigrationKey]
    """The migrations that have run."""
    tables: Mapping[str, Table]
    """The exported tables by name, each after the tables that it refers to."""

    @property
    def file_columns(self) -> list[tuple[str, str]]:
        """Return all columns with names of files, each with its table."""
        return [(table.name, column) for table in self.tables.values() for column in table.files]

    @property
    def blueprint(self) -> Blueprint:
        """Return the blueprint that builds this schema."""
        return blueprint_at(self.applied)

    @property
    def create_tables(self) -> list[str]:
        """Return the statements that create the tables."""
        return [one for one in self.blueprint.statements if one.startswith(_CREATE)]

    @property
    def add_constraints(self) -> list[str]:
        """Return the other statements: foreign keys and indexes. It is faster to create them after the rows."""
        return [one for one in self.blueprint.statements if not one.startswith(_CREATE)]


@cache
def state_at(version: str) -> SchemaState:
    """Return the schema at a version. Takes about 50 ms once per process. Uses no database.

    Raises `ArchiveRefused` for a version that this code does not know: a newer one, or one of another program.
    """
    _refuse_unknown(version)
    applied = history().applied(version)
    models = history().state(applied).apps.get_models(include_auto_created=True)
    exported = {
        model._meta.db_table: model
        for model in sorted(models, key=lambda model: model._meta.label_lower)
        if model._meta.app_label in tenant_labels() and model._meta.db_table not in EXCLUDED_TABLES
    }
    return SchemaState(
        version=version,
        applied=applied,
        tables={name: _table(exported[name]) for name in _in_dependency_order(exported)},
    )


def _without_tenant_id(column: str) -> str:
    return f"regexp_replace({quoted(column)}, '^[0-9a-f-]{{36}}/', '')"


def column_list(columns: Iterable[str]) -> str:
    """Return columns as a list in SQL."""
    return ", ".join(map(quoted, columns))


def _refuse_unknown(version: str) -> None:
    labels = set()
    for part in version.split(","):
        leaf = _LEAF.fullmatch(part)
        if leaf is None or (leaf[1], leaf[2]) not in history().all_keys or leaf[1] in labels:
            raise ArchiveRefused(f"This version of Tatami does not know the schema version {part[:150]}.")
        labels.add(leaf[1])


def _in_dependency_order(models: Mapping[str, Any]) -> Iterable[str]:
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for name, model in models.items():
        relations = (field for field in model._meta.local_fields if field.is_relation)
        refers_to = {field.related_model._meta.db_table for field in relations}
        sorter.add(name, *sorted(refers_to & models.keys() - {name}))
    return sorter.static_order()


def _table(model: Any) -> Table:
    name = model._meta.db_table
    stored = [field for field in model._meta.local_concrete_fields if not field.generated]
    own = tuple(field.column for field in stored if field.default is current_tenant_id)
    excluded = {*own, *REGENERATED_COLUMNS.get(name, {})}
    return Table(
        name=name,
        columns=tuple(field.column for field in stored if field.column not in excluded),
        key=tuple(field.column for field in model._meta.pk_fields),
        own=own,
    )
