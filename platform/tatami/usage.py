"""How much a dojo uses: each app counts what is its own, by one statement, and the platform keeps the figures.

usage.register(count_students)      # in the app's `ready()`
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, TypeAlias

Figures: TypeAlias = Mapping[str, int | datetime | None]
"""The name of a figure (a column of the platform's table) → what was counted."""

Count: TypeAlias = Callable[[datetime], Figures]
"""Counts in the dojo whose scope is in force, as of a moment."""

_counts: Final[list[Count]] = []


def register(count: Count) -> None:
    """Have `count` asked for its figures. Registering twice is registering once."""
    if count not in _counts:
        _counts.append(count)


def figures(*, now: datetime) -> dict[str, int | datetime | None]:
    """Return the figures of all apps for the dojo in force."""
    return {name: figure for count in _counts for name, figure in count(now).items()}
