"""Compile a QuerySet once per process, and run its SQL as a `Statement`.

Building and compiling a QuerySet costs the ORM more than PostgreSQL needs to answer it. A QuerySet whose values are
`Parameter`s is compiled once; its SQL then runs with other values each time. The QuerySet stays the only place of its
rules.

    LIVE_NAMED = CompiledQuery(
        "students.live_named",
        lambda name: Student.objects.not_archived().filter(first_name=name),
        columns=("id", "last_name"),
        name=str,
    )
    LIVE_NAMED.rows(name="Mika")

Columns are returned as `Statement` returns them: UUIDs as text, instants as aware datetimes in UTC.

A `Parameter` is an expression of Django, so it works wherever a lookup accepts one: `=`, `<=`, `__in` (with
`many(UUID)`), `__contains` of an array. It has no value while the query is compiled: comparing it in Python raises
`TypeError`, and in an `if` it is true. So pass what decides about the SQL as a constant (a bool, None, a tuple), which
is part of the shape (`shape_of`). The build runs without a scope and without the fixed clock of a test. So a QuerySet
that reads the current dojo raises `NoScope`, instead of keeping the time zone of the dojo that asked first.

Concurrency: compiled queries are immutable and shared by all threads and dojos. Two threads that need a new one at the
same time may both compile it; they get the same text. The number of shapes kept is bounded.
"""

import re
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextvars import Context
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from threading import Lock
from typing import Any, Final, TypeAlias
from uuid import UUID

from cachetools import LRUCache
from django.contrib.postgres.fields import ArrayField
from django.db import connection, models
from django.db.models import Expression, QuerySet
from psycopg import sql
from psycopg.types.numeric import Int8

from tatami.postgresql.statements import Row, Statement

MAX_SHAPES: Final = 1_000
"""How many compiled queries a process keeps, those used last; a few kilobytes each."""

OFFSET: Final = "offset of the page"
"""The name of the value that `page_query` skips rows by."""

_PLACEHOLDER: Final = re.compile(r"%[s%]")
# What Django makes of the lookup `__in` with an array. PostgreSQL uses an index for `= ANY`, but joins the subquery.
_IN_ARRAY: Final = re.compile(r"IN \(SELECT unnest\((%s::[a-z]+\[\])\)\)")


@dataclass(frozen=True, slots=True)
class ParameterType:
    """The type of a parameter, in PostgreSQL and in Django."""

    sql: str
    field: Callable[[], "models.Field[Any, Any]"]
    is_set: bool = False
    """The parameter is an array for the lookup `__in`."""


TYPES: Final[Mapping[type, ParameterType]] = {
    UUID: ParameterType("uuid", models.UUIDField),
    date: ParameterType("date", models.DateField),
    datetime: ParameterType("timestamptz", models.DateTimeField),
    str: ParameterType("text", models.TextField),
    int: ParameterType("bigint", models.BigIntegerField),
}
"""Values of exactly these types, and lists of them, become parameters. All others are constants of a shape."""


def many(element: type) -> ParameterType:
    """Return the type of a parameter of `__in`: a list of any length."""
    return ParameterType(f"{TYPES[element].sql}[]", TYPES[element].field, is_set=True)


def _array(element: type) -> ParameterType:
    return ParameterType(f"{TYPES[element].sql}[]", lambda: ArrayField(TYPES[element].field()))


class Parameter(Expression):
    """A value that is not known yet, in a QuerySet that is compiled. `name` says which value takes its place."""

    def __init__(self, name: str, of: ParameterType) -> None:
        super().__init__(output_field=of.field())
        self.name, self.of = name, of

    def __repr__(self) -> str:
        return f"Parameter({self.name!r}, {self.of.sql})"

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        placeholder = f"%s::{self.of.sql}"
        return f"(SELECT unnest({placeholder}))" if self.of.is_set else placeholder, [self]


# --- shapes --------------------------------------------------------------------------------------------------------

Shape: TypeAlias = tuple[Hashable, ...]


def _type_of(value: Any) -> ParameterType | None:
    """Return the type of the parameter for a value, or `None` if the value is a constant of the shape."""
    if type(value) is list:
        return _array(type(value[0]))
    return TYPES.get(type(value))


def shape_of(values: Mapping[str, Any]) -> Shape:
    """Return what the SQL depends on: the names and types of parameters, and all other values themselves.

    Two sets of values with the same shape can share one SQL text. Lists must not be empty.
    """
    return tuple(
        (name, kind if kind in TYPES else (list, type(value[0])) if kind is list else value)
        for name, value in values.items()
        for kind in (type(value),)
    )


def parameters_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return `values` with a `Parameter` in the place of each value that is not part of the shape."""
    types = {name: _type_of(value) for name, value in values.items()}
    return {
        name: value if (of := types[name]) is None else Parameter(name, of) for name, value in values.items()
    }


# --- compiled queries ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CompiledSql:
    """A statement, and the names of the values that are its parameters, in order."""

    statement: Statement
    names: tuple[str, ...]

    def rows(self, values: Mapping[str, Any]) -> list[Row]:
        """Run the statement. Raises `KeyError` if a value is missing."""
        return self.statement.rows(*[_bindable(values[name]) for name in self.names])


class CompiledQuery:
    """A QuerySet that is compiled when it is first used. `build` receives a `Parameter` for each name in `types`."""

    def __init__(
        self,
        name: str,
        build: Callable[..., QuerySet[Any]],
        /,
        columns: Sequence[Any],
        **types: type | ParameterType,
    ) -> None:
        self.name, self.build, self.columns = name, build, tuple(columns)
        self.types = {key: of if isinstance(of, ParameterType) else TYPES[of] for key, of in types.items()}

    @cached_property
    def compiled(self) -> CompiledSql:
        """The SQL. Raises what the build raises (see the module's docstring)."""
        return _without_scope(self._compile)

    def _compile(self) -> CompiledSql:
        parameters = {name: Parameter(name, of) for name, of in self.types.items()}
        return finish(self.name, *select_sql(self.build(**parameters), self.columns))

    def rows(self, **values: Any) -> list[Row]:
        """Return the rows. Raises `KeyError` if a value is missing."""
        return self.compiled.rows(values)


def page_query(
    name: str, queryset: QuerySet[Any], columns: Sequence[Any], *, limit: int, counted: bool, skips: bool
) -> CompiledSql:
    """Return the SQL of a page of `queryset`.

    `counted` adds a last column: the number of rows on all pages. `skips` skips as many rows as the value `OFFSET`
    says. The limit is part of the text, and the first page has no OFFSET, because PostgreSQL plans a generic plan with
    an unknown limit for a tenth of the table.
    """
    chosen: list[Any] = [*columns, *([_Total(queryset.order_by())] if counted else [])]
    text, parameters = select_sql(queryset, chosen)
    text = f"{text} LIMIT {limit:d}"
    if skips:
        text, parameters = f"{text} OFFSET %s::bigint", [*parameters, Parameter(OFFSET, TYPES[int])]
    return finish(name, text, parameters)


class _Total(Expression):
    """The number of rows of a QuerySet, as a column of another. PostgreSQL computes it once per statement."""

    def __init__(self, queryset: QuerySet[Any]) -> None:
        super().__init__(output_field=models.BigIntegerField())
        self.queryset = queryset

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        text, parameters = select_sql(self.queryset, ["pk"])
        return f"(SELECT count(*) FROM ({text}) counted)", parameters  # noqa: S608


def select_sql(queryset: QuerySet[Any], columns: Sequence[Any]) -> tuple[str, list[Any]]:
    """Return Django's SQL for `columns` (names or expressions), with its parameters: `Parameter`s and constants."""
    compiler = queryset.values_list(*columns).query.get_compiler(connection.alias, elide_empty=False)
    text, parameters = compiler.as_sql()
    return text, list(parameters)


def finish(name: str, text: str, parameters: Sequence[Any]) -> CompiledSql:
    """Return a statement of Django's SQL: constants become literals, and each `Parameter` a `$n`."""
    names: dict[str, int] = {}
    left: Iterator[Any] = iter(parameters)

    def replace(found: re.Match[str]) -> str:
        if found[0] == "%%":
            return "%"
        parameter = next(left)
        if not isinstance(parameter, Parameter):
            return sql.Literal(parameter).as_string(None)
        return f"${names.setdefault(parameter.name, len(names) + 1)}"

    finished = _PLACEHOLDER.sub(replace, _IN_ARRAY.sub(r"= ANY(\1)", text))
    return CompiledSql(Statement(name, finished), tuple(names))


# --- the shapes of a process ---------------------------------------------------------------------------------------

_shapes: Final[LRUCache[Shape, CompiledSql]] = LRUCache(MAX_SHAPES)
_lock: Final = Lock()


def compiled_shape(shape: Shape, build: Callable[[], CompiledSql]) -> CompiledSql:
    """Return the compiled query of a shape; `build` compiles it if it is new. Raises what `build` raises."""
    with _lock:
        found = _shapes.get(shape)
    if found is None:
        found = _without_scope(build)
        with _lock:
            _shapes[shape] = found
    return found


def _without_scope(build: Callable[[], CompiledSql]) -> CompiledSql:
    """Call `build` in an empty context, where the current dojo and the clock of a test are not set."""
    return Context().run(build)


def _bindable(value: Any) -> Any:
    """Return the value as psycopg binds it: one type for all integers, so that a text is prepared once."""
    return Int8(value) if type(value) is int else value
