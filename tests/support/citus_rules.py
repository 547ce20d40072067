"""Rules of Citus for the statements of the product, checked on plain PostgreSQL.

`faults_of` says what Citus would refuse in a statement, or run otherwise than meant (docs/decisions/0006-citus.md). A
fixture of `tests/conftest.py` watches every statement that this process sends, and fails the test that sent a bad one.
All statements pass a cursor of psycopg (the ORM, raw SQL, COPY, pipelines, migrations) or `PreparedStatements`. Not
watched are the processes that a test starts, and the statements of the superuser, which are those of the tests.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import Any, ClassVar, Final

import psycopg
import pytest
import sqlglot
from django.conf import settings
from psycopg import sql
from psycopg.conninfo import make_conninfo
from sqlglot import exp
from sqlglot.dialects.postgres import Postgres
from sqlglot.errors import ParseError
from sqlglot.parsers.postgres import PostgresParser

from shared_apps.tenants.fleet.migration_sql import reasons_against
from tatami.postgresql.statements import PreparedStatements
from tests.support.catalogue import tenant_tables

COPIED: Final = (
    "INSERT … SELECT without RETURNING or ON CONFLICT runs as COPY, which row-level security refuses"
)
READS: Final = "an INSERT reads {}: only a materialized CTE may"
VALUES_READ: Final = "a sub-select in VALUES"
VOLATILE: Final = "{} is volatile, in {}"
STABLE: Final = "{} is not immutable and is called with a column, in {}"
CHANGES: Final = "{} is not immutable, in ON CONFLICT"
RETURNS: Final = "{} is not immutable, in RETURNING"
UNREADABLE: Final = "the guard cannot read the statement"

_INTERESTING: Final = re.compile(
    r"\b(?:INSERT\b.*\b(?:SELECT|TABLE|CONFLICT|RETURNING)|UPDATE|DELETE|MERGE|ALTER|CREATE)\b",
    re.IGNORECASE | re.DOTALL,
)
_PLACEHOLDER: Final = re.compile(r"%(?:\(\w+\))?s|%%")
_COMMENT_OF_REQUEST: Final = re.compile(r" /\*[^*]*\*/\Z")
_COPY: Final = re.compile(r"\s*COPY\b", re.IGNORECASE)
_COPY_OF_QUERY: Final = re.compile(r"\s*COPY\s*\((.*)\)\s*TO\b[^)]*$", re.IGNORECASE | re.DOTALL)
_STARTS_WITH_DDL: Final = re.compile(r"\s*(?:ALTER|CREATE|DROP|SET|COMMENT|GRANT)\b", re.IGNORECASE)


class _PlainFunctions(Postgres):
    """SQL of PostgreSQL in which every function keeps its name."""

    class Parser(PostgresParser):
        FUNCTIONS: ClassVar[dict[str, Any]] = {}


@cache
def _functions(*kinds: str) -> frozenset[str]:
    """Return the names that only functions of these kinds have in PostgreSQL: `v` volatile, `s` stable."""
    with psycopg.connect(make_conninfo(os.environ["ADMIN_DATABASE_URL"])) as connection:
        rows = connection.execute(
            "SELECT proname FROM pg_proc GROUP BY proname HAVING bool_and(provolatile = ANY(%s))",
            [list(kinds)],
        )
        return frozenset(name for (name,) in rows)


@lru_cache(maxsize=50_000)
def is_interesting(text: str) -> bool:
    """Return whether a rule may be about a statement. Most are not, and reading them would take long."""
    return _INTERESTING.search(text) is not None


@lru_cache(maxsize=50_000)
def faults_of(text: str, *, is_app: bool = True) -> tuple[str, ...]:
    """Return what is wrong with a statement of the app login, or of the owner. What cannot be read is wrong, too."""
    if _STARTS_WITH_DDL.match(text):
        return tuple(reasons_against(text))
    if _COPY.match(text):
        query = _COPY_OF_QUERY.match(text)
        return faults_of(query[1], is_app=is_app) if query else ()
    plain = _PLACEHOLDER.sub(lambda found: "%" if found[0] == "%%" else "$1", text)
    try:
        trees = sqlglot.parse(plain, read=_PlainFunctions)
    except ParseError as error:
        return (f"{UNREADABLE}: {error}",)
    return tuple(fault for tree in trees if tree is not None for fault in _faults_in(tree, is_app=is_app))


def _faults_in(tree: exp.Expr, *, is_app: bool) -> Iterator[str]:
    for insert in tree.find_all(exp.Insert):
        yield from _faults_of_insert(insert, is_app=is_app)
    for change in tree.find_all(exp.Update, exp.Delete, exp.Merge):
        kind = type(change).__name__.upper()
        for name in sorted(_called(change) & _functions("v")):
            yield VOLATILE.format(name, kind)
        for name in sorted(_called(change, with_column=True) & _functions("s")):
            yield STABLE.format(name, kind)
    for returning in tree.find_all(exp.Returning):
        for name in sorted(_called(returning) & _functions("v", "s")):
            yield RETURNS.format(name)


def _faults_of_insert(insert: exp.Insert, *, is_app: bool) -> Iterator[str]:
    source, conflict = insert.expression, insert.args.get("conflict")
    if isinstance(source, exp.Values):
        if source.find(exp.Select):
            yield VALUES_READ
    elif is_app and isinstance(source, exp.Query) and not (conflict or insert.args.get("returning")):
        yield COPIED
    if conflict:
        for name in sorted(_called(conflict) & _functions("v", "s")):
            yield CHANGES.format(name)
    target = insert.this.find(exp.Table)
    read = {
        table.name
        for table in insert.find_all(exp.Table)
        if table is not target and not _is_materialized(table, insert)
    }
    for name in sorted(read & dojo_tables()):
        yield READS.format(name)


def _is_materialized(table: exp.Expr, insert: exp.Insert) -> bool:
    """Return whether a table is read in a materialized CTE of the INSERT."""
    node: exp.Expr | None = table
    while node is not None and node is not insert:
        if isinstance(node, exp.CTE) and node.args.get("materialized"):
            return True
        node = node.parent
    return False


def _called(tree: exp.Expr, *, with_column: bool = False) -> set[str]:
    """Return the functions that a part of a statement calls, or only those that it calls with a column."""
    return {
        node.name.lower() for node in tree.find_all(exp.Anonymous) if not with_column or node.find(exp.Column)
    }


@cache
def dojo_tables() -> frozenset[str]:
    """Return the names of the tables of a dojo."""
    return frozenset(tenant_tables())


# --- watching -------------------------------------------------------------------------------------------------------

_found: Final[list[str]] = []


def take_faults() -> list[str]:
    """Return the faults found since the last call, in all threads."""
    taken, _found[:] = _found[:], []
    return taken


def watch(query: Any, connection: psycopg.pq.abc.PGconn) -> None:
    """Check a statement that is sent on `connection`."""
    # The comment differs in each request, so the same statement would be read again and again.
    text = _COMMENT_OF_REQUEST.sub("", _as_text(query))
    if not is_interesting(text):
        return
    user = connection.user.decode()
    logins = {alias: settings.DATABASES[alias]["USER"] for alias in settings.DATABASES}
    if user in logins.values():
        _found.extend(f"{fault}: {text}" for fault in faults_of(text, is_app=user == logins["default"]))


def _as_text(query: Any) -> str:
    if isinstance(query, sql.Composable):
        return query.as_string(None)
    return query if isinstance(query, str) else bytes(query).decode()


@contextmanager
def watched_statements() -> Iterator[None]:
    """Watch every statement of this process within the block."""

    def cursor_method(name: str) -> Any:
        original = getattr(psycopg.Cursor, name)

        def send(cursor: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
            watch(query, cursor.connection.pgconn)
            return original(cursor, query, *args, **kwargs)

        return send

    def rows(prepared: PreparedStatements, text: str, params: Any) -> Any:
        watch(text, prepared._pgconn)
        return original_rows(prepared, text, params)

    original_rows = PreparedStatements.rows
    with pytest.MonkeyPatch.context() as patch:
        for name in ("execute", "executemany", "stream", "copy"):
            patch.setattr(psycopg.Cursor, name, cursor_method(name))
        patch.setattr(PreparedStatements, "rows", rows)
        yield
