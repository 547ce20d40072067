"""What somebody else does at the same time, over a connection of his own."""

import threading
from collections.abc import Callable
from contextvars import copy_context
from time import monotonic, sleep
from typing import Any, Final

from django.db import connection, connections

from tests.support.committed_dojos import PATIENCE

_WAITS_FOR_US: Final = """
SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid)))
"""


class Meanwhile:
    """A deed on another connection. Once this is made, the deed waits for what we hold, or is done."""

    def __init__(self, deed: Callable[[], Any]) -> None:
        self._deed, self._answers = deed, list[Any]()
        self._thread = threading.Thread(target=copy_context().run, args=(self._do,))
        self._thread.start()
        until = monotonic() + PATIENCE
        while self._thread.is_alive() and not _is_waited_for():
            assert monotonic() < until
            sleep(0.01)

    def answer(self) -> Any:
        """Wait for the deed, and return what it answered."""
        self._thread.join(PATIENCE)
        (answer,) = self._answers
        return answer

    def _do(self) -> None:
        try:
            self._answers.append(self._deed())
        finally:
            connections.close_all()


def _is_waited_for() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_WAITS_FOR_US)
        return bool(cursor.fetchone()[0])
