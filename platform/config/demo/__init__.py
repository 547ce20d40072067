"""Two dojos that look as if they had been used for a year."""

from collections.abc import Iterator
from datetime import datetime


def make_demo_dojos(*, now: datetime) -> Iterator[str]:
    """Make the demo dojos that are missing; yield a line to print for each."""
    yield from ()
