"""Threads that process one tenant after another, each with connections of its own, and retries of database errors.

Threads are enough, because psycopg releases the GIL while it waits for the server.
"""

import random
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from threading import Barrier
from typing import Final, TypeVar

import structlog
from django.db import Error, connections

from tatami.postgresql.sqlstates import transient_reason

logger = structlog.get_logger(__name__)
A = TypeVar("A")
R = TypeVar("R")

FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 8.0
"""Seconds between two attempts: the pause doubles from the first to the longest."""


class TenantThreadPool:
    """The pool that `thread_pool` yields."""

    def __init__(self, executor: ThreadPoolExecutor) -> None:
        self._executor = executor
        self._submitted: dict[Future[object], object] = {}

    def each(self, work: Callable[[A], R], items: Iterable[A]) -> Iterator[tuple[A, Future[R]]]:
        """Yield each item with its finished future, in the order in which they finish."""
        submitted = {self._executor.submit(work, item): item for item in items}
        self._submitted |= submitted  # type: ignore[arg-type]
        for future in as_completed(submitted):
            yield submitted[future], future

    def cancel_pending(self) -> None:
        """Start no more items. Those that have started are finished."""
        for future in self._submitted:
            future.cancel()


@contextmanager
def thread_pool(workers: int) -> Iterator[TenantThreadPool]:
    """Yield a pool of this many threads.

    When the block is left, with an error or without, started items are finished and all connections are closed.
    """
    with ThreadPoolExecutor(workers, thread_name_prefix="fleet") as executor:
        pool = TenantThreadPool(executor)
        try:
            yield pool
        finally:
            pool.cancel_pending()
            # One call for each thread: a thread that waits at the barrier cannot take a second one.
            barrier = Barrier(workers)
            for _ in range(workers):
                executor.submit(_close_connections, barrier)


def _close_connections(barrier: Barrier) -> None:
    barrier.wait()
    connections.close_all()


def with_retries(call: Callable[[int], R], *, attempts: int) -> R:
    """Return the result of `call`, which gets the number of the attempt, from 1 on.

    Transient database errors are retried, up to `attempts` calls in all. The pauses between them double, with a random
    part. Other errors propagate. Call it outside a transaction.
    """
    for attempt in range(1, attempts):
        try:
            return call(attempt)
        except Error as error:
            reason = transient_reason(error)
            if reason is None:
                raise
            logger.info("fleet.retrying", reason=reason, attempt=attempt)
        for connection in connections.all(initialized_only=True):
            connection.close_if_unusable_or_obsolete()
        time.sleep(pause(attempt))
    return call(attempts)


def pause(attempt: int) -> float:
    """Return the seconds to wait after an attempt: random, between half and all of the doubled pause."""
    longest: float = min(FIRST_PAUSE * 2 ** (attempt - 1), LONGEST_PAUSE)
    return longest * random.uniform(0.5, 1.0)
