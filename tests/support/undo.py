"""Undo what a test does to shared sample data."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction


@contextmanager
def rolled_back() -> Iterator[None]:
    """Roll back all that happens in the block. As in Django's test case, the scope may change inside it."""
    block: Any = transaction.atomic()
    block._from_testcase = True
    with block:
        yield
        transaction.set_rollback(True)
