"""What is worth trying again, and when: locks that were not to be had, deadlocks, a database that went away."""

import random
import time
from collections.abc import Callable
from typing import Final, TypeVar

import structlog
from django.db import Error, InterfaceError, OperationalError, connections

logger = structlog.get_logger(__name__)
T = TypeVar("T")

FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 8.0

_TRANSIENT: Final = {
    "55P03": "lock not available",
    "40P01": "deadlock",
    "40001": "serialization failure",
    "53300": "too many connections",
    "57P01": "server is shutting down",
    "57P02": "server crashed",
    "57P03": "server is starting",
}


def transient(error: Error) -> str | None:
    """Return what passes by itself about a database error, in words; None where trying again would not help."""
    sqlstate = getattr(error.__cause__, "sqlstate", None)
    if sqlstate is None:
        return "connection lost" if isinstance(error, OperationalError | InterfaceError) else None
    return "connection lost" if sqlstate.startswith("08") else _TRANSIENT.get(sqlstate)


def with_retries(call: Callable[[int], T], *, attempts: int) -> T:
    """Return what `call` returns, given the number of the attempt from 1 on.

    What passes by itself is tried again, `attempts` times in all, after a pause that doubles, by chance shorter.
    Any other error passes through. Call it outside a transaction.
    """
    for attempt in range(1, attempts):
        try:
            return call(attempt)
        except Error as error:
            reason = transient(error)
            if reason is None:
                raise
            logger.info("fleet.trying_again", reason=reason, attempt=attempt)
        for connection in connections.all(initialized_only=True):
            connection.close_if_unusable_or_obsolete()
        time.sleep(pause(attempt))
    return call(attempts)


def pause(attempt: int) -> float:
    """Return the seconds to wait after an attempt."""
    longest: float = min(FIRST_PAUSE * 2 ** (attempt - 1), LONGEST_PAUSE)
    return longest * random.uniform(0.5, 1.0)
