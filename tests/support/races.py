"""Run calls at the same time, each on a database connection of its own."""

import threading
from collections.abc import Callable, Sequence
from contextvars import copy_context
from time import monotonic, sleep
from typing import Any, Final

from django.db import connection, connections

TIMEOUT_SECONDS: Final = 60.0
"""Seconds that a thread waits for others. Generous, because only a failing test waits that long."""

_SOMETHING_WAITS_FOR_US: Final = """
SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid)))
"""


def run_concurrently(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """Start all calls at the same time, each in a thread; return what each returned or raised, in the same order.

    The threads have the scope and the clock of the caller.
    """
    start = threading.Barrier(len(calls), timeout=TIMEOUT_SECONDS)
    results: list[Any] = [None] * len(calls)

    def run(number: int) -> None:
        try:
            start.wait()
            results[number] = calls[number]()
        except BaseException as error:  # noqa: BLE001 - the test asserts on it
            results[number] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=copy_context().run, args=(run, n)) for n in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_SECONDS * 2)
    assert not any(thread.is_alive() for thread in threads)
    return results


def raise_first_error(results: Sequence[Any]) -> None:
    """Raise the first error in the results of `run_concurrently`, if any."""
    for result in results:
        if isinstance(result, BaseException):
            raise result


class ConcurrentCall:
    """A call on another connection. After the constructor, the call has ended or waits for a lock that we hold."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call, self._results = call, list[Any]()
        self._thread = threading.Thread(target=copy_context().run, args=(self._run,))
        self._thread.start()
        deadline = monotonic() + TIMEOUT_SECONDS
        while self._thread.is_alive() and not _is_another_waiting():
            assert monotonic() < deadline
            sleep(0.01)

    def result(self) -> Any:
        """Wait for the call, and return its result."""
        self._thread.join(TIMEOUT_SECONDS)
        (result,) = self._results
        return result

    def _run(self) -> None:
        try:
            self._results.append(self._call())
        finally:
            connections.close_all()


def _is_another_waiting() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_SOMETHING_WAITS_FOR_US)
        return bool(cursor.fetchone()[0])
