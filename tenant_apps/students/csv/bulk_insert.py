"""Insert thousands of rows with one statement: INSERT … SELECT FROM unnest, with one array for each column.

COPY is refused under row-level security, and with `bulk_create` most of the time of an import goes into creating model
instances. Constraints and policies apply as always.
"""

from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.db.models import Model

from tatami.ids import uuid7


def insert_rows(model: type[Model], columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Insert `rows`, given in the order of `columns`; other columns get the defaults of the model. One statement.

    Values must be valid and as the database stores them (JSON as text). Without rows there is no statement.
    """
    if not rows:
        return
    given: dict[str, Sequence[Any]] = dict(zip(columns, zip(*rows, strict=True), strict=True))
    given.setdefault("id", [uuid7() for _ in rows])
    fields = {field.attname: field for field in model._meta.concrete_fields}
    constants = {name: field.get_default() for name, field in fields.items() if name not in given}
    quote = connection.ops.quote_name
    # Types without their length: a cast to varchar(n) would truncate silently, but the column raises an error.
    types = [str(fields[name].db_type(connection)).partition("(")[0] for name in given]
    into = ", ".join(map(quote, [*given, *constants]))
    selected = ", ".join([*(f"u.{quote(name)}" for name in given), *("%s" for _ in constants)])
    arrays = ", ".join(f"%s::{type_}[]" for type_ in types)
    statement = (
        f"INSERT INTO {quote(model._meta.db_table)} ({into}) SELECT {selected} "  # noqa: S608 - our own names
        f"FROM unnest({arrays}) AS u({', '.join(map(quote, given))})"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [*constants.values(), *map(list, given.values())])
