"""SQL of fixed text, for the requests that carry most of the load.

The ORM compiles its SQL for each request, and PostgreSQL plans it for each request. A `Statement` is not compiled, and
it is planned once per dojo and connection: the server binds its parameters, and its text begins with the name and the
version of the schema, so that each dojo has a prepared statement and a plan of its own. (PostgreSQL discards a plan
when `search_path` changes, so a text that all dojos share would be planned again at each change of dojo. When a dojo is
migrated, its text changes, and the statements for the former version are no longer used.)

A text is prepared when it is first sent. A connection keeps at most `TATAMI_PREPARED_STATEMENTS` of them: those that
were used last. 0 prepares nothing, for poolers without protocol-level prepared statements.

Use the ORM for everything else.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import Model
from django.db.models.base import ModelState
from psycopg import Connection, OperationalError
from psycopg.adapt import AdaptersMap, PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus
from psycopg.pq.abc import PGresult
from psycopg.types.datetime import TimestamptzLoader
from psycopg.types.string import TextLoader

from tatami.tenancy.scope import required_scope

Row: TypeAlias = tuple[Any, ...]
AnyModel = TypeVar("AnyModel", bound=Model)


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


class PreparedStatements:
    """The prepared statements of a connection: at most `most`, those that were used last; 0 prepares none.

    It calls libpq itself, as the connection's transaction control does: a cursor of psycopg would cost as much as
    PostgreSQL needs for a small statement. UUIDs are returned as text, because that is how responses show them.
    """

    def __init__(self, connection: Connection[Any], *, most: int) -> None:
        self._pgconn = connection.pgconn
        self._most = most
        self._names: OrderedDict[tuple[str, tuple[int, ...]], bytes] = OrderedDict()
        self._number = 0
        self._transformer = Transformer(_Adaptation(_adapters(connection), connection))

    def rows(self, text: str, params: Sequence[Any]) -> list[Row]:
        """Run a text with `$1`, `$2`, … and return all rows. Raises psycopg's errors."""
        transformer = self._transformer
        values = transformer.dump_sequence(params, [PyFormat.AUTO] * len(params))
        types, formats = transformer.types or (), transformer.formats
        if self._most:
            # psycopg's annotation leaves out NULL.
            result = self._pgconn.exec_prepared(self._prepared(text, types), values, formats)  # type: ignore[arg-type]
        else:
            result = self._pgconn.exec_params(text.encode(), values, types, formats)
        if result.status != ExecStatus.TUPLES_OK:
            self._check(result)
            return []
        transformer.set_pgresult(result)
        return transformer.load_rows(0, result.ntuples, tuple)

    def _prepared(self, text: str, types: tuple[int, ...]) -> bytes:
        """Return the name of the prepared statement of a text, and prepare it if it is new."""
        key = text, types
        name = self._names.get(key)
        if name is not None:
            self._names.move_to_end(key)
            return name
        while len(self._names) >= self._most:
            self._check(self._pgconn.close_prepared(self._names.popitem(last=False)[1]))
        self._number += 1
        name = f"tatami_{self._number}".encode()
        self._check(self._pgconn.prepare(name, text.encode(), types))
        self._names[key] = name
        return name

    def _check(self, result: PGresult) -> None:
        """Raise the error of a result, if it is one. An error of libpq itself, a lost connection, has no SQLSTATE."""
        if result.status != ExecStatus.COMMAND_OK:
            if self._pgconn.status == ConnStatus.BAD and not result.error_field(DiagnosticField.SQLSTATE):
                raise OperationalError(result.get_error_message())
            raise error_from_result(result)


@dataclass(frozen=True, slots=True)
class _Adaptation:
    """How values of a connection are converted, as `Transformer` takes it."""

    adapters: AdaptersMap
    connection: Connection[Any]


def _adapters(connection: Connection[Any]) -> AdaptersMap:
    found = AdaptersMap(connection.adapters)
    found.register_loader("uuid", TextLoader)
    found.register_loader("timestamptz", TimestamptzLoader)
    return found


def instance(model: type[AnyModel], fields: Iterable[str], values: Iterable[Any]) -> AnyModel:
    """Return an instance whose `fields` (attribute names) a statement has read. Its other fields are deferred.

    It is what `Model.from_db` returns. That sends two signals, which no model here listens to, and looks at each field
    of the model, which takes longer than a small statement.
    """
    row = model.__new__(model)
    row._state = ModelState()
    row._state.db, row._state.adding = DEFAULT_DB_ALIAS, False
    row.__dict__.update(zip(fields, values, strict=True))
    return row
