"""A tenant's rows at one moment, as text with checksums.

The text is that of PostgreSQL's COPY: tabs between the columns, `\\N` for NULL, and a backslash before characters that
could be mistaken for either. A line break within a value is written as `\\n`, so each line is a row. Two tables are
equal if they have the same number of rows, the same length and the same SHA-256.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import connection

from shared_apps.tenants.errors import SchemaChanged
from shared_apps.tenants.exports.schema_state import SchemaState, column_list, state_at
from shared_apps.tenants.models import Tenant
from tatami.postgresql.limits import LONG_TASK, set_local_limits
from tatami.postgresql.scoped import set_local_statements
from tatami.tenancy.scope import platform_scope

BLOCK_BYTES: Final = 256 * 1024
"""How many bytes are read, hashed and written at a time: an archive of any size needs no more memory."""

TEXT_SETTINGS: Final = (
    "SET LOCAL timezone TO 'UTC'; SET LOCAL datestyle TO 'ISO, YMD'; SET LOCAL intervalstyle TO 'postgres'; "
    "SET LOCAL bytea_output TO 'hex'; SET LOCAL extra_float_digits TO 1; SET LOCAL client_encoding TO 'UTF8'"
)
"""The settings on which the text of a row depends, until the transaction ends."""

RowCallback = Callable[[int], None]
"""Is called with a number of rows."""


@dataclass(frozen=True, slots=True)
class Content:
    """What must be equal in two copies of a table."""

    rows: int
    length: int
    """In bytes."""
    sha256: str


@dataclass(slots=True)
class ContentCounter:
    """Counts and hashes the blocks of a table."""

    rows: int = 0
    length: int = 0
    _hash: Any = field(default_factory=hashlib.sha256)

    def count(self, blocks: Iterator[bytes], on_rows: RowCallback) -> Iterator[bytes]:
        """Yield the blocks, and count each. After each block, call `on_rows` with its number of rows."""
        for block in blocks:
            rows = block.count(b"\n")
            self.rows += rows
            self.length += len(block)
            self._hash.update(block)
            yield block
            on_rows(rows)

    @property
    def content(self) -> Content:
        """Return the content of the blocks so far."""
        return Content(rows=self.rows, length=self.length, sha256=self._hash.hexdigest())


def copy_blocks(raw: Any, statement: str) -> Iterator[bytes]:
    """Yield the output of a `COPY … TO STDOUT` on a psycopg connection, in blocks."""
    block = bytearray()
    with raw.cursor() as cursor, cursor.copy(statement) as copy:
        for row in copy:
            block += row
            if len(block) >= BLOCK_BYTES:
                yield bytes(block)
                block.clear()
    if block:
        yield bytes(block)


def content_of(raw: Any, statement: str, on_rows: RowCallback) -> Content:
    """Return the content of the output of a `COPY … TO STDOUT`."""
    counter = ContentCounter()
    for _ in counter.count(copy_blocks(raw, statement), on_rows):
        pass
    return counter.content


@contextmanager
def open_snapshot(tenant: Tenant) -> Iterator[tuple[Any, SchemaState]]:
    """Yield a psycopg connection that reads the tenant's rows at one moment, and the state of its schema.

    The connection has the app login. Its tables are locked against migrations, not against writes. It is separate, so
    that progress can be written to `public` at the same time. Raises `SchemaChanged` if the schema was just migrated,
    and `OperationalError` if another transaction keeps a table locked.
    """
    state = state_at(tenant.schema_version)
    separate = connection.copy()
    with separate.wrap_database_errors:
        separate.ensure_connection()
        try:
            raw = separate.connection
            raw.execute(
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; "
                f"{set_local_statements(tenant.scope)}; {TEXT_SETTINGS}{set_local_limits(LONG_TASK)}"
            )
            # The first query takes the snapshot. Lock before it, so that the locked tables are the ones that are read.
            raw.execute(f"LOCK TABLE {column_list(state.tables)} IN ACCESS SHARE MODE")
            _require_same_version(tenant)
            yield raw, state
            raw.rollback()
        finally:
            separate.close()


def _require_same_version(tenant: Tenant) -> None:
    with platform_scope():
        if not Tenant.objects.filter(pk=tenant.pk, schema_version=tenant.schema_version).exists():
            raise SchemaChanged(tenant.slug)
