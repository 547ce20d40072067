"""Calls that read the database for `/readyz` and for scrapes of metrics, and that may hang with it.

Such a call runs in a thread of its own. All who ask while it runs share it, and wait for a limited time. So a server
that does not answer holds one thread, however many ask. A call that has run for `ABANDONED_SECONDS` is abandoned: its
connection is ended, and the next one who asks starts a new call, which succeeds as soon as the server is back.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections

from tatami.postgresql.limits import Limits, limited

ABANDONED_SECONDS: Final = 10.0

T = TypeVar("T")


class SharedCall(Generic[T]):
    """Calls of a function in a thread, one at a time. Thread-safe.

    `seconds` limits how long `result` waits, and each statement of the function.
    """

    def __init__(self, name: str, *, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._seconds = seconds
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._running: _Call[T] | None = None

    def start(self, function: Callable[[], T]) -> "Future[T]":
        """Return the call that runs, or call the function."""
        with self._lock:
            now = self._monotonic()
            running = self._running
            if running is not None and not running.future.done():
                if now - running.since < ABANDONED_SECONDS:
                    return running.future
                running.abandon()
            self._running = running = _Call(function, self._name, self._seconds, now)
            return running.future

    def result(self, function: Callable[[], T]) -> T:
        """Return the result of the call that runs, or of a new one. Raises its error, and `TimeoutError`."""
        return self.start(function).result(self._seconds)


class _Call(Generic[T]):
    """One call of the function."""

    def __init__(self, function: Callable[[], T], name: str, seconds: float, now: float) -> None:
        self.future: Future[T] = Future()
        self.since = now
        self._function = function
        self._limits = Limits(lock_seconds=seconds, statement_seconds=seconds)
        self._connection: Any = None
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def _run(self) -> None:
        self._connection = connections[DEFAULT_DB_ALIAS]  # of this thread
        try:
            with limited(self._limits):
                result = self._function()
        except BaseException as error:  # noqa: BLE001 - those who wait get it
            self.future.set_exception(error)
        else:
            self.future.set_result(result)
        finally:
            connections.close_all()

    def abandon(self) -> None:
        """End the connection of a call that does not end. While it is still being opened, it has a limit of its own."""
        if self._connection is not None:
            self._connection.shut_down()
