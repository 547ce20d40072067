"""What the messages share: their types, and dates, numbers and names in English."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Final, NamedTuple

from tenant_apps.promotions.engine.results import Status


class MessageContext(NamedTuple):
    """The result of a criterion, with the names that a sentence needs.

    `rank` is the name of the rank held, None for none; `rank_name` returns the name of a rank by its code.
    """

    rank: str | None
    have: int | float | None
    need: int | float | None
    earliest_on: date | None
    rank_name: Callable[[str], str]


Message = Callable[[Any, MessageContext], str]
"""(criterion, context) → sentence. Each function takes the criterion class of its own kind, hence Any."""

Messages = Mapping[tuple[str, Status], Message]

NO_STEP: Final = "step"
"""The kind of the criterion for a step that the rules do not have. Its function takes the target's name instead."""

_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def on_date(on: date) -> str:
    return f"{on.day} {_MONTHS[on.month - 1]} {on.year}"


def count(number: int | float | None, noun: str) -> str:
    """Return "1 month" or "2 months"."""
    return f"{number} {noun if number == 1 else noun + 's'}"


def needed(number: int | float | None) -> str:
    return "is needed" if number == 1 else "are needed"


def title(name: str) -> str:
    """Return the name of a document, a skill or an achievement as the beginning of a sentence."""
    words = name.replace("_", " ").replace("-", " ")
    return words[:1].upper() + words[1:]


def either(names: list[str]) -> str:
    """Return "A", "A or B" or "A, B or C"."""
    return " or ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)


def since_rank(context: MessageContext) -> str:
    return f" since {context.rank}" if context.rank else ""


def from_then(context: MessageContext, what: str) -> str:
    """Return "; enough from 1 May 2026", or nothing if the date is not known."""
    return f"; {what} from {on_date(context.earliest_on)}" if context.earliest_on else ""
