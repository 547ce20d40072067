"""SQL of fixed text, for the requests that carry most of the load.

The ORM compiles its SQL for each request, and PostgreSQL plans it for each request. A `Statement` is not compiled, and
it is planned once per dojo and connection: the server binds its parameters, and its text begins with the name and the
version of the schema, so that each dojo has a prepared statement and a plan of its own. (PostgreSQL discards a plan
when `search_path` changes, so a text that all dojos share would be planned again at each change of dojo. When a dojo is
migrated, its text changes, and the statements for the former version are no longer used.)

psycopg prepares a text when it is first sent, and keeps at most `TATAMI_PREPARED_STATEMENTS` of them per
connection: those that were used last. 0 prepares nothing, for poolers without protocol-level prepared statements.

Use the ORM for everything else.
"""

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from django.db import connection
from psycopg import Connection
from psycopg.raw_cursor import RawCursor
from psycopg.types.datetime import TimestamptzLoader
from psycopg.types.string import TextLoader

from tatami.tenancy.scope import required_scope

Row: TypeAlias = tuple[Any, ...]

PREPARE_AFTER: Final = 0
"""How often a text is sent before it is prepared."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A named SQL text with `$1`, `$2`, … as its parameters. It runs in the current scope, as all SQL does.

    UUIDs are returned as text, instants as aware datetimes. Raises Django's database errors, and `NoScope`.
    """

    name: str
    sql: str

    def rows(self, *params: Any) -> list[Row]:
        """Return all rows."""
        text = f"/* {required_scope().plan_key} {self.name} */ {self.sql}"
        found: list[Row] = connection.fetch(text, params)  # type: ignore[attr-defined]
        return found

    def row(self, *params: Any) -> Row | None:
        """Return the first row, or `None`."""
        rows = self.rows(*params)
        return rows[0] if rows else None


class StatementCursor(RawCursor[Row]):
    """The cursor of a connection's statements. It returns UUIDs as text, because that is how responses show them."""

    def __init__(self, raw: Connection[Row]) -> None:
        super().__init__(raw)
        self.adapters.register_loader("uuid", TextLoader)
        self.adapters.register_loader("timestamptz", TimestamptzLoader)
