"""Usage figures of a dojo: each app counts its own rows with one statement, and the platform stores the figures.

usage.register(count_students)      # in the app's `ready()`
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, TypeAlias

Figures: TypeAlias = Mapping[str, int | datetime | None]
"""The name of a figure (a column of the platform's table) → its value."""

Count: TypeAlias = Callable[[datetime], Figures]
"""Counts in the current dojo at a given time."""

_counts: Final[list[Count]] = []


def register(count: Count) -> None:
    """Add `count` to the functions that `figures` calls. Registering it again changes nothing."""
    if count not in _counts:
        _counts.append(count)


def figures(*, now: datetime) -> dict[str, int | datetime | None]:
    """Return the figures of all apps for the current dojo."""
    return {name: figure for count in _counts for name, figure in count(now).items()}
