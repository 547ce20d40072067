"""The schema editor of the owner login: single statements, and constraints that have names.

Citus refuses a column that is added together with a constraint, and a string with several statements that change tables
(docs/decisions/0006-citus.md). The names are those that PostgreSQL gives to the constraints of a new table, so that a
migrated schema equals one that was built.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.postgresql import schema

MAX_NAME_LENGTH: Final = 63
"""In bytes; PostgreSQL cuts off what is longer."""


def constraint_name(table: str, column: str, kind: str) -> str:
    """Return the name that PostgreSQL gives to a constraint of a column. `kind` is `check` or `key` (unique).

    Of a name that is too long, PostgreSQL shortens the longer one of `table` and `column`. All are ASCII.
    """
    excess = len(f"{table}_{column}_{kind}") - MAX_NAME_LENGTH
    for _ in range(max(excess, 0)):
        if len(table) > len(column):
            table = table[:-1]
        else:
            column = column[:-1]
    return f"{table}_{column}_{kind}"


_Editor: Any = schema.DatabaseSchemaEditor  # its private methods, which this module overrides, have no types


class DatabaseSchemaEditor(_Editor):  # type: ignore[misc]
    """Django's schema editor for PostgreSQL. `add_field` adds the constraints of a column after the column."""

    # Foreign keys are checked immediately (`DatabaseOperations.deferrable_sql`), so no SET CONSTRAINTS is needed.
    sql_create_column_inline_fk = None
    sql_delete_fk = BaseDatabaseSchemaEditor.sql_delete_fk
    sql_update_with_default = BaseDatabaseSchemaEditor.sql_update_with_default

    _is_adding_column = False

    def add_field(self, model: Any, field: Any) -> None:
        """Add a column, then its CHECK and UNIQUE; its foreign key when the editor exits."""
        if field.many_to_many:
            super().add_field(model, field)
            return
        self._is_adding_column, self.sql_check_constraint = True, ""
        try:
            super().add_field(model, field)
        finally:
            del self._is_adding_column, self.sql_check_constraint
        table = model._meta.db_table
        if check := field.db_parameters(connection=self.connection)["check"]:
            self.execute(self._create_check_sql(model, constraint_name(table, field.column, "check"), check))
        if _is_unique(field):
            self.execute(
                self._create_unique_sql(model, [field], name=constraint_name(table, field.column, "key"))
            )

    def _iter_column_sql(self, *args: Any) -> Iterator[str]:
        parts: Iterator[str] = super()._iter_column_sql(*args)
        return (part for part in parts if not (self._is_adding_column and part == "UNIQUE"))

    def _create_index_name(self, table_name: str, column_names: Sequence[str], suffix: str = "") -> str:
        if suffix == "_check" and len(column_names) == 1:  # of `alter_field`
            return constraint_name(table_name, column_names[0], "check")
        name: str = super()._create_index_name(table_name, column_names, suffix)
        return name


def _is_unique(field: Any) -> bool:
    return field.column is not None and field.unique and not field.primary_key
