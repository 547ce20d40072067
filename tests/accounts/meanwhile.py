"""What others do in the middle of a request: after one of its statements, while it hashes, or before they commit."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from time import monotonic, sleep
from typing import Any, Final

import pytest
from django.db import connection, connections

from tests.tenancy import world

_WAITING: Final = """
SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


@contextmanager
def after(words: str, deed: Callable[[], Any]) -> Iterator[None]:
    """Do something once, right after the first statement that has these words in it."""
    left = [deed]

    def hook(execute: Any, sql: Any, *rest: Any) -> Any:
        result = execute(sql, *rest)
        if words in str(sql) and left:
            left.pop()()
        return result

    with connection.execute_wrapper(hook):
        yield
    assert not left, f"no statement has {words!r}"


def while_hashing(monkeypatch: pytest.MonkeyPatch, deed: Callable[[], Any]) -> None:
    """Do something once, when the next password is hashed (by the quick hasher of the tests)."""
    plain, left = world.CountingHasher.encode, [deed]

    def encode(self: Any, password: str, salt: str) -> str:
        if left:
            left.pop()()
        return plain(self, password, salt)

    monkeypatch.setattr(world.CountingHasher, "encode", encode)


class Meanwhile:
    """A deed on another connection. Once this is made, the deed waits for a lock, or is done."""

    def __init__(self, superuser: Any, deed: Callable[[], Any]) -> None:
        self._deed, self._answers = deed, list[Any]()
        self._thread = threading.Thread(target=copy_context().run, args=(self._do,))
        self._thread.start()
        until = monotonic() + world.PATIENCE
        while self._thread.is_alive() and not superuser.execute(_WAITING).fetchone():
            assert monotonic() < until
            sleep(0.01)

    def answer(self) -> Any:
        """Wait for the deed, and return what it answered."""
        self._thread.join(world.PATIENCE)
        (answer,) = self._answers
        return answer

    def _do(self) -> None:
        try:
            self._answers.append(self._deed())
        finally:
            connections.close_all()
