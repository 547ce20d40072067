"""A table's rows as text, one line each, and what two dojos compare: how many, how long, and the SHA-256 of all.

The text is that of PostgreSQL's COPY: tabs between the columns, `\\N` for NULL, a backslash before what would be
mistaken for either. A line break within a value is written `\\n`, so lines are rows.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

BLOCK_BYTES: Final = 256 * 1024
"""How much is read, hashed and written at a time: the memory that an archive takes, whatever its size."""

SETTINGS: Final = (
    "SET LOCAL timezone TO 'UTC'; SET LOCAL datestyle TO 'ISO, YMD'; SET LOCAL intervalstyle TO 'postgres'; "
    "SET LOCAL bytea_output TO 'hex'; SET LOCAL extra_float_digits TO 1; SET LOCAL client_encoding TO 'UTF8'"
)
"""What the text depends on beside the rows. Until the transaction ends."""

Tick = Callable[[int], None]
"""Is told how many rows more are done."""


@dataclass(frozen=True, slots=True)
class Content:
    """What two copies of a table have in common."""

    rows: int
    length: int
    """In bytes."""
    sha256: str


@dataclass(slots=True)
class Counted:
    """Counts what passes through."""

    rows: int = 0
    length: int = 0
    _hash: Any = field(default_factory=hashlib.sha256)

    def passed(self, blocks: Iterator[bytes], tick: Tick) -> Iterator[bytes]:
        """Yield the blocks, having counted each."""
        for block in blocks:
            rows = block.count(b"\n")
            self.rows += rows
            self.length += len(block)
            self._hash.update(block)
            yield block
            tick(rows)

    @property
    def content(self) -> Content:
        """Return what has passed."""
        return Content(rows=self.rows, length=self.length, sha256=self._hash.hexdigest())


def copied_out(raw: Any, statement: str) -> Iterator[bytes]:
    """Yield what a `COPY … TO STDOUT` on a psycopg connection writes, in blocks."""
    gathered = bytearray()
    with raw.cursor() as cursor, cursor.copy(statement) as copy:
        for row in copy:
            gathered += row
            if len(gathered) >= BLOCK_BYTES:
                yield bytes(gathered)
                gathered.clear()
    if gathered:
        yield bytes(gathered)


def content_of(raw: Any, statement: str, tick: Tick) -> Content:
    """Return the content that a `COPY … TO STDOUT` writes."""
    counted = Counted()
    for _ in counted.passed(copied_out(raw, statement), tick):
        pass
    return counted.content
