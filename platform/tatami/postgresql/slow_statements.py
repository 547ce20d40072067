"""Slow statements: a line in our log, and the id of the request in the statement itself.

A statement that takes `TATAMI_SLOW_STATEMENT_MS` or longer is logged when it ends, by its name and its text without
values. The line has the `requestId`, as every line has, and the process id of PostgreSQL's backend.

Statements of the ORM end with a comment, in the form of sqlcommenter, that names the request or the task. So
`pg_stat_activity` and the log of PostgreSQL show who sent them. Prepared statements (`tatami.postgresql.statements`)
have none: their text must be the same for all requests, or each would be planned anew. Setting `application_name` for
each request instead would be one more statement. A line of PostgreSQL's log about a prepared statement is joined with
ours by backend and time.
"""

from typing import Any, Final

import structlog
from django.conf import settings
from structlog.contextvars import get_contextvars

from tatami.metrics import STATEMENTS_SLOW
from tatami.tracing import current_traceparent, described_statement

COMMENTED: Final = {"requestId": "request_id", "task": "task"}
"""The fields of the log that become part of a comment. Their values have no characters that would have to be encoded:
see `RequestLogMiddleware` for ids, and the declarations of tasks and jobs for their names."""

LEAST_SECONDS: Final = 0.001
"""The smallest threshold."""

logger: Final = structlog.get_logger(__name__)


def with_comment(sql: Any) -> Any:
    """Return a statement with a comment that names the request or the task, if there is one.

    Composed statements of psycopg are returned as they are.
    """
    if not isinstance(sql, str):
        return sql
    known = get_contextvars()
    fields = [f"{name}='{known[key]}'" for key, name in COMMENTED.items() if known.get(key)]
    if traceparent := current_traceparent():
        fields.append(f"traceparent='{traceparent}'")
    return f"{sql} /*{','.join(fields)}*/" if fields else sql


def is_slow(seconds: float) -> bool:
    """Return whether a statement that took so long is logged."""
    if seconds < LEAST_SECONDS:  # most statements; reading a setting takes longer than all the rest
        return False
    threshold: int = settings.TATAMI_SLOW_STATEMENT_MS
    return bool(threshold) and seconds * 1000 >= threshold


def log_slow_statement(connection: Any, sql: Any, seconds: float) -> None:
    """Log a statement on a Django connection, also if it failed. Values are not part of its text."""
    summary, text = described_statement(sql) if isinstance(sql, str) else ("SQL", "")
    driver = connection.connection
    STATEMENTS_SLOW.inc()
    logger.warning(
        "slow_statement",
        statement=summary,
        sql=text,
        durationMs=round(seconds * 1000, 1),
        backendPid=driver.pgconn.backend_pid if driver is not None and not driver.closed else None,
    )


def control_command(statements: str) -> str:
    """Return the first command of statements that control a transaction, without names: `BEGIN`, `SET LOCAL`."""
    return statements.partition(";")[0].partition(" search_path")[0].partition(' "')[0]
