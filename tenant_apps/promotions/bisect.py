"""Process a batch so that one bad record does not fail the rest."""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from django.db import DataError, IntegrityError, transaction

from tenant_apps.promotions.errors import AlreadyAwarded

T = TypeVar("T")

RECORD_ERRORS: Final = (
    AlreadyAwarded, ArithmeticError, AttributeError, DataError, IntegrityError, LookupError, TypeError, ValueError,
)  # fmt: skip
"""Errors that a bad record causes. Errors of the database itself (unavailable, deadlock, timeout) are not included."""


def bisect_failures(
    items: Sequence[T], process: Callable[[Sequence[T]], None], reject: Callable[[T, Exception], None]
) -> None:
    """Process all items, except those with which `process` fails: each of these is passed to `reject`.

    A failing batch is split in halves until single items remain. Each attempt runs in a savepoint, so call this
    function in a transaction. Errors that are not in `RECORD_ERRORS` propagate.
    """
    try:
        with transaction.atomic():
            process(items)
    except RECORD_ERRORS as error:
        if len(items) == 1:
            reject(items[0], error)
            return
        middle = len(items) // 2
        bisect_failures(items[:middle], process, reject)
        bisect_failures(items[middle:], process, reject)
