"""The PostgreSQL errors after which repeating the same transaction may succeed."""

from typing import Final

from django.db import Error, InterfaceError, OperationalError

LOCK_NOT_AVAILABLE: Final = "55P03"
"""Another transaction has held a lock for as long as `lock_timeout` allows to wait."""

STATEMENT_TIMEOUT: Final = "57014"
"""The statement has run for as long as `statement_timeout` allows, or someone has cancelled it."""

RETRYABLE: Final = {
    "40P01": "deadlock",
    "40001": "serialization failure",
    LOCK_NOT_AVAILABLE: "lock not available",
}
"""SQLSTATE → reason: errors between transactions, on a server that is well."""

SERVER_UNAVAILABLE: Final = {
    "53300": "too many connections",
    "57P01": "server is shutting down",
    "57P02": "server crashed",
    "57P03": "server is starting",
}
"""SQLSTATE → reason: errors that pass when the server is back. Every code of class 08 is one, too."""


def sqlstate_of(error: Error) -> str | None:
    """Return the SQLSTATE of a database error, or `None` if the server sent none."""
    sqlstate: str | None = getattr(error.__cause__, "sqlstate", None)
    return sqlstate


def transient_reason(error: Error) -> str | None:
    """Return why a database error may pass by itself, or `None` if repeating would not help."""
    if is_connection_lost(error):
        return "connection lost"
    sqlstate = sqlstate_of(error) or ""
    return RETRYABLE.get(sqlstate) or SERVER_UNAVAILABLE.get(sqlstate)


def is_connection_lost(error: Error) -> bool:
    """Return whether the connection has ended, or could not be opened, without a word of the server about it."""
    sqlstate = sqlstate_of(error)
    if sqlstate is None:
        return isinstance(error, OperationalError | InterfaceError)
    return sqlstate.startswith("08")
