"""Dates, numbers and names in English."""

from datetime import date

from tenant_apps.promotions.engine.phrases import Reading

_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def on_date(on: date) -> str:
    return f"{on.day} {_MONTHS[on.month - 1]} {on.year}"


def count(number: int | float | None, one: str, many: str = "") -> str:
    """ "1 month", "2 months"."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def needed(number: int | float | None) -> str:
    return "is needed" if number == 1 else "are needed"


def thing(name: str) -> str:
    """The name of a document, a skill, a title, to begin a sentence with."""
    words = name.replace("_", " ").replace("-", " ")
    return words[:1].upper() + words[1:]


def either(names: list[str]) -> str:
    """ "A", "A or B", "A, B or C"."""
    return " or ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)


def since_rank(reading: Reading) -> str:
    return f" since {reading.rank}" if reading.rank else ""


def from_then(reading: Reading, what: str = "valid") -> str:
    """The day from which it will be so, if one is known."""
    return f", {what} from {on_date(reading.earliest_on)}" if reading.earliest_on else ""
