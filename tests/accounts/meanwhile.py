"""What others do in the middle of a request: after one of its statements, or while it hashes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

from tests.support import committed_dojos


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
    plain, left = committed_dojos.CountingHasher.encode, [deed]

    def encode(self: Any, password: str, salt: str) -> str:
        if left:
            left.pop()()
        return plain(self, password, salt)

    monkeypatch.setattr(committed_dojos.CountingHasher, "encode", encode)
