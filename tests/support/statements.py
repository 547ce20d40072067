"""Count statements: what Django runs, or everything that is sent to PostgreSQL, including transaction control.

Django's `CaptureQueriesContext` sees neither BEGIN with its SET LOCALs nor COMMIT. `sent_statements` reads libpq's
trace of the connection, which has every string on the wire.
"""

import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from django.db import connection
from django.test.utils import CaptureQueriesContext
from psycopg.pq import Trace

from tests.support.responses import ok

_SENT: Final = re.compile(r"^F\t\d+\t(Query|Parse|Bind|Execute)\t ?(.*)$")


@contextmanager
def sent_statements() -> Iterator[list[str]]:
    """Collect the statements that this thread's connection sends within the block. The list is filled after the block.

    A simple query is one statement even if it holds several commands, because it is one round trip. An extended query
    counts when it is executed. It is listed by its text, or by the name of the prepared statement.
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


def count_get_statements(caller: Any, path: str) -> int:
    """Return how many statements a GET needs."""
    return count_statements(lambda: ok(caller.get(path)))


def count_statements(call: Callable[[], Any]) -> int:
    """Return how many statements a call needs, without those that look up the host about once a second."""
    call()
    with CaptureQueriesContext(connection) as captured:
        call()
    return sum("tenants_" not in query["sql"] for query in captured)
