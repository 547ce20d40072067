"""Count the statements that are sent to PostgreSQL, with or without transaction control.

Django's `CaptureQueriesContext` sees neither BEGIN with its SET LOCALs nor COMMIT. `sent_statements` reads libpq's
trace of the connection, which has every string on the wire.
"""

import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from django.db import connection
from psycopg.pq import Trace

from tests.support.responses import ok

_CONTROL: Final = re.compile(r"BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|SET ")
# The trace puts texts between quotes, and leaves quotes and line breaks inside them as they are: of a text with several
# lines, the first is enough to recognise it.
_PARSED: Final = re.compile(r'^"([^"]*)" "(.*)')
_BOUND: Final = re.compile(r'^"[^"]*" "([^"]*)"')
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
        match kind:
            case "Query":
                yield rest.strip().strip('"')
            case "Parse":
                name, text = _PARSED.findall(rest)[0]
                texts[name] = text
            case "Bind":
                bound = _BOUND.findall(rest)[0]
            case "Execute":
                yield texts.get(bound, bound)


def count_get_statements(caller: Any, path: str) -> int:
    """Return how many statements a GET needs."""
    return count_statements(lambda: ok(caller.get(path)))


def count_statements(call: Callable[[], Any]) -> int:
    """Return how many statements a call sends, without transaction control and the look-ups of the host.

    They are counted at the driver, so prepared statements count too.
    """
    call()
    with sent_statements() as sent:
        call()
    return sum(not _CONTROL.match(text) and "tenants_" not in text for text in sent)
