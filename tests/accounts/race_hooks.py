"""Running code of another request in the middle of a request: after a statement, or while a password is hashed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

from tests.support import passwords


@contextmanager
def run_after_statement(text: str, call: Callable[[], Any]) -> Iterator[None]:
    """Call once, right after the first statement that contains `text`. Fails if there is no such statement."""
    pending = [call]

    def hook(execute: Any, sql: Any, *rest: Any) -> Any:
        result = execute(sql, *rest)
        if text in str(sql) and pending:
            pending.pop()()
        return result

    with connection.execute_wrapper(hook):
        yield
    assert not pending, f"no statement contains {text!r}"


def run_while_hashing(monkeypatch: pytest.MonkeyPatch, call: Callable[[], Any]) -> None:
    """Call once, when the next password is hashed by the quick hasher of the tests."""
    plain, pending = passwords.CountingHasher.encode, [call]

    def encode(self: Any, password: str, salt: str) -> str:
        if pending:
            pending.pop()()
        return plain(self, password, salt)

    monkeypatch.setattr(passwords.CountingHasher, "encode", encode)
