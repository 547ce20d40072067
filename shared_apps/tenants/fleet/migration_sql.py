"""The SQL of a migration, collected without a database, and what Citus would refuse in it.

The statements are those of the owner's schema editor. Values stay placeholders, and names that Django would look up in
the catalogue are made up, so the SQL is to be looked at, not to be run.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import sqlparse
from django.db import connections
from django.db.migrations import Migration
from django.db.migrations.state import ProjectState

from shared_apps.tenants.schema.ddl import OWNER
from shared_apps.tenants.schema.versions import tenant_labels
from tatami.postgresql.owner.base import DatabaseWrapper
from tatami.postgresql.owner.schema import DatabaseSchemaEditor
from tatami.tenancy.scope import PUBLIC_SCHEMA

_TENANT_SCHEMA: Final = "t_none"
_LOOKED_UP: Final = "name_in_the_catalogue"

_STRINGS_AND_COMMENTS: Final = re.compile(r"'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/", re.DOTALL)
_QUOTED_NAMES: Final = re.compile(r'"(?:[^"]|"")*"')
_COLUMN_WITH_CONSTRAINT: Final = re.compile(
    r"\bADD\s+(?:COLUMN\s+)?(?:IF\s+NOT\s+EXISTS\s+)?(?!CONSTRAINT\b|CHECK\b|UNIQUE\b|PRIMARY\b|FOREIGN\b|EXCLUDE\b)"
    r"\w+[^;]*?\b(CHECK|UNIQUE|PRIMARY\s+KEY|REFERENCES)\b",
    re.IGNORECASE,
)
_ALTER_TABLE: Final = re.compile(r"\s*ALTER\s+TABLE\b", re.IGNORECASE)
_CHANGES_SCHEMA: Final = re.compile(
    r"\b(?:ALTER\s+TABLE|CREATE\s+(?:UNIQUE\s+)?INDEX|CREATE\s+POLICY)\b", re.IGNORECASE
)


def reasons_against(statement: str) -> Iterator[str]:
    """Yield why Citus would refuse a statement that changes a schema (docs/decisions/0006-citus.md)."""
    plain = _QUOTED_NAMES.sub("name", _STRINGS_AND_COMMENTS.sub("''", statement))
    if _ALTER_TABLE.match(plain) and (found := _COLUMN_WITH_CONSTRAINT.search(plain)):
        yield f"Citus adds no column together with {found[1].upper()}: add the column, then a named constraint"
    if _CHANGES_SCHEMA.search(plain) and len(sqlparse.split(plain)) > 1:
        yield "Citus runs only single statements: send one at a time"


def migration_sql(migration: Migration, state: ProjectState) -> list[str]:
    """Return the statements of a migration that is applied to `state`, without those of its Python code."""
    is_of_tenants = migration.app_label in tenant_labels()
    with _offline_owner(_TENANT_SCHEMA if is_of_tenants else PUBLIC_SCHEMA) as owner:
        editor = _Collector(owner)
        migration.apply(state.clone(), editor, collect_sql=True)
        for statement in editor.deferred_sql:
            editor.execute(statement)
    return [one for one in editor.collected_sql if not one.startswith("--")]


class _Collector(DatabaseSchemaEditor):
    """Collects the statements. It is not entered, as that would begin a transaction."""

    def __init__(self, connection: Any) -> None:
        super().__init__(connection, collect_sql=True)
        self.deferred_sql: list[Any] = []

    def execute(self, sql: Any, params: Any = ()) -> None:
        self.collected_sql.append(str(sql))

    def quote_value(self, value: Any) -> str:
        return "''"

    def _constraint_names(self, *args: Any, **kwargs: Any) -> list[str]:
        return [_LOOKED_UP]


class _EmptyCursor:
    """Answers every question about the catalogue with no rows."""

    def __enter__(self) -> "_EmptyCursor":
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def execute(self, sql: Any, params: Any = None) -> None:
        pass

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def fetchone(self) -> None:
        return None

    def fetchall(self) -> list[Any]:
        return []


class _OfflineWrapper(DatabaseWrapper):
    """The owner's backend for the newest PostgreSQL, without a connection."""

    pg_version = 999_999

    def cursor(self) -> Any:
        return _EmptyCursor()


@contextmanager
def _offline_owner(schema: str) -> Iterator[Any]:
    """Put a backend without a connection in the place of the owner's. Django's routers ask it for its schema."""
    outside = connections[OWNER] if OWNER in connections.settings else None
    owner = _OfflineWrapper(dict(connections["default"].settings_dict), OWNER)
    owner.set_schema(schema)
    connections[OWNER] = owner
    try:
        yield owner
    finally:
        if outside is None:
            del connections[OWNER]
        else:
            connections[OWNER] = outside
