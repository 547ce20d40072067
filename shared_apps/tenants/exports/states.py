"""The tables of a dojo's schema at a version, present or past, as the migrations' own state has them.

A version is what `Tenant.schema_version` holds: the last migrations of the dojo's apps that have run.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from typing import Any, Final

from shared_apps.tenants.blueprint import Blueprint, blueprint_at, tenant_labels
from shared_apps.tenants.exports.errors import ArchiveRefused
from shared_apps.tenants.exports.rules import FILES, LEFT_OUT, MADE_ANEW, WRITTEN_AS
from shared_apps.tenants.fleet.versions import Key, history
from tatami.tenancy.scope import current_tenant_id
from tatami.tenancy.seal import quoted

_NODE: Final = re.compile(r"([a-z_]{1,40})\.(\d{4}_\w{1,100})", re.ASCII)
_CREATE: Final = "CREATE TABLE "


@dataclass(frozen=True, slots=True)
class Table:
    """A table that travels."""

    name: str
    columns: tuple[str, ...]
    """Those that travel."""
    key: tuple[str, ...]
    """By these its rows are ordered."""
    own: tuple[str, ...]
    """Those that hold the dojo's own id, and so stay behind."""

    @property
    def made_anew(self) -> Mapping[str, str]:
        """Return the other columns that stay behind, and the expression that fills each in a new dojo."""
        return {column: rule.expression for column, rule in MADE_ANEW.get(self.name, {}).items()}

    @property
    def files(self) -> list[str]:
        """Return the columns that name a file."""
        return [column for column in FILES.get(self.name, ()) if column in self.columns]

    def copy_out(self, columns: Iterable[str]) -> str:
        """Return the statement that writes these columns of all rows, in the order of the key."""
        written = {
            **WRITTEN_AS.get(self.name, {}),
            **{column: _below_its_dojo(column) for column in self.files},
        }
        shown = ", ".join(written.get(column, quoted(column)) for column in columns)
        rows = f"SELECT {shown} FROM {quoted(self.name)} ORDER BY {listed(self.key)}"  # noqa: S608
        return f"COPY ({rows}) TO STDOUT"

    def copy_in(self, columns: Iterable[str]) -> str:
        """Return the statement that reads these columns of new rows."""
        return f"COPY {quoted(self.name)} ({listed(columns)}) FROM STDIN"


@dataclass(frozen=True, slots=True)
class SchemaState:
    """A schema at one version."""

    version: str
    applied: frozenset[Key]
    """The migrations that have run."""
    tables: Mapping[str, Table]
    """Those that travel, by name, each after those that it refers to."""

    @property
    def file_columns(self) -> list[tuple[str, str]]:
        """Return every column that names a file, with its table."""
        return [(table.name, column) for table in self.tables.values() for column in table.files]

    @property
    def blueprint(self) -> Blueprint:
        """Return what builds it."""
        return blueprint_at(self.applied)

    @property
    def create_tables(self) -> list[str]:
        """Return the statements that make the tables."""
        return [one for one in self.blueprint.statements if one.startswith(_CREATE)]

    @property
    def add_constraints(self) -> list[str]:
        """Return the others: foreign keys, indexes. They are made sooner, and checked, when the rows are there."""
        return [one for one in self.blueprint.statements if not one.startswith(_CREATE)]


@cache
def state_at(version: str) -> SchemaState:
    """Return the schema at a version. Some 50 ms, once a process; touches no database.

    Raises `ArchiveRefused` for a version that this code does not know: it is newer, or of another program.
    """
    _refuse_unknown(version)
    applied = history().applied(version)
    models = history().state(applied).apps.get_models(include_auto_created=True)
    travelling = {
        model._meta.db_table: model
        for model in sorted(models, key=lambda model: model._meta.label_lower)
        if model._meta.app_label in tenant_labels() and model._meta.db_table not in LEFT_OUT
    }
    return SchemaState(
        version=version,
        applied=applied,
        tables={name: _table(travelling[name]) for name in _in_dependency_order(travelling)},
    )


def _below_its_dojo(column: str) -> str:
    return f"regexp_replace({quoted(column)}, '^[0-9a-f-]{{36}}/', '')"


def listed(columns: Iterable[str]) -> str:
    """Return columns as a statement lists them."""
    return ", ".join(map(quoted, columns))


def _refuse_unknown(version: str) -> None:
    labels = set()
    for part in version.split(","):
        node = _NODE.fullmatch(part)
        if node is None or (node[1], node[2]) not in history().whole or node[1] in labels:
            raise ArchiveRefused(f"Its schema version is not one that this Tatami knows: {part[:150]}.")
        labels.add(node[1])


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
    stays = {*own, *MADE_ANEW.get(name, {})}
    return Table(
        name=name,
        columns=tuple(field.column for field in stored if field.column not in stays),
        key=tuple(field.column for field in model._meta.pk_fields),
        own=own,
    )
