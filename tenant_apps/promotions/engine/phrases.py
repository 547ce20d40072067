"""One sentence per criterion that a parent understands, in one table per language.

A language is a table from (kind, status) to a function that writes the sentence; `english` is the first.
Another one is another such table, given to `evaluate`. A test holds every table complete.
"""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Final, NamedTuple

from tenant_apps.promotions.engine.results import Status


class Reading(NamedTuple):
    """A criterion's answer, with the names that a sentence needs.

    `rank` is the name of the one held, None for none; `rank_name` gives the name of any by its code.
    """

    rank: str | None
    have: int | float | None
    need: int | float | None
    earliest_on: date | None
    rank_name: Callable[[str], str]


Sentence = Callable[[Any, Reading], str]
"""(the criterion, its reading) → the sentence. Each takes the criterion class of its own kind, hence Any."""

Phrases = Mapping[tuple[str, Status], Sentence]

NO_STEP: Final = "step"
"""The kind that answers for a step that the rules do not have; its sentence takes the target's name."""
