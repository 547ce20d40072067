"""Counting what is really sent to PostgreSQL, transaction control included: libpq's own trace of the connection.

Django's `CaptureQueriesContext` sees neither BEGIN with its SET LOCALs nor COMMIT; this sees every string on the wire.
"""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.db import connection
from psycopg.pq import Trace

_SENT: Final = re.compile(r"^F\t\d+\t(Query|Parse|Bind|Execute)\t ?(.*)$")


@contextmanager
def sent_statements() -> Iterator[list[str]]:
    """Collect the statements that this thread's connection sends within the block; read the list after it.

    A simple query is one statement, however many commands it holds: it is one string, and one round trip. An
    extended one counts when it is executed, and is named by its text, or by the name it was prepared under.
    """
    connection.ensure_connection()
    statements: list[str] = []
    with tempfile.TemporaryFile("w+") as trace:
        wire = connection.connection.pgconn
        wire.trace(trace.fileno())
        wire.set_trace_flags(Trace.SUPPRESS_TIMESTAMPS)
        try:
            yield statements
        finally:
            wire.untrace()
            trace.seek(0)
            statements.extend(_executed(trace.read().splitlines()))


def _executed(lines: list[str]) -> Iterator[str]:
    texts: dict[str, str] = {}
    bound = ""
    for line in lines:
        found = _SENT.match(line)
        if found is None:
            continue
        kind, rest = found.groups()
        quoted = re.findall(r'"((?:[^"\\]|\\.)*)"', rest)
        match kind:
            case "Query":
                yield quoted[0] if quoted else rest
            case "Parse":
                texts[quoted[0]] = quoted[1] if len(quoted) > 1 else rest
            case "Bind":
                bound = quoted[1] if len(quoted) > 1 else ""
            case "Execute":
                yield texts.get(bound, bound)
