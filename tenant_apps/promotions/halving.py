"""A piece of work about many, of whom something may be wrong with one: what is about the others is done."""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from django.db import DataError, IntegrityError, transaction

from tenant_apps.promotions.errors import AlreadyAwarded

T = TypeVar("T")

WRONG_WITH_A_RECORD: Final = (
    AlreadyAwarded, ArithmeticError, AttributeError, DataError, IntegrityError, LookupError, TypeError, ValueError,
)  # fmt: skip
"""What does not pass by itself, as a database that is away, a deadlock or a timeout does."""


def by_halves(
    parts: Sequence[T], do: Callable[[Sequence[T]], None], give_up: Callable[[T, Exception], None]
) -> None:
    """Do all parts but those with which it fails: they are found by halving, and given up one by one.

    Call it in a transaction. What is wrong with the database, and not with a part, passes through.
    """
    try:
        with transaction.atomic():
            do(parts)
    except WRONG_WITH_A_RECORD as fault:
        if len(parts) == 1:
            give_up(parts[0], fault)
            return
        middle = len(parts) // 2
        by_halves(parts[:middle], do, give_up)
        by_halves(parts[middle:], do, give_up)
