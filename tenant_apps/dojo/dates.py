"""Local dates of the dojo: today, and dates as people write them in each language of a dojo."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Final, Literal

from tatami import clock
from tatami.tenancy.scope import current_tenant

Language = Literal["en", "pt-br"]

MONTHS: Final[Mapping[Language, tuple[str, ...]]] = {
    "en": (
        "January", "February", "March", "April", "May", "June",
        "July", "August", "September", "October", "November", "December",
    ),
    "pt-br": (
        "janeiro", "fevereiro", "março", "abril", "maio", "junho",
        "julho", "agosto", "setembro", "outubro", "novembro", "dezembro",
    ),
}  # fmt: skip


def dojo_today(now: datetime | None = None) -> date:
    """Return the local date of the dojo in scope at `now`, by default at this moment."""
    return clock.local_date(now or clock.now(), current_tenant().timezone)


def long_date(day: date, language: Language) -> str:
    """Return a date in long form: "15 June 2026", "1º de junho de 2026"."""
    month = MONTHS[language][day.month - 1]
    if language == "pt-br":
        return f"{'1º' if day.day == 1 else day.day} de {month} de {day.year}"
    return f"{day.day} {month} {day.year}"
