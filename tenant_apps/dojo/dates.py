"""Dates as people write them, in each language of a dojo."""

from collections.abc import Mapping
from datetime import date
from typing import Final, Literal

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


def long_date(day: date, language: Language) -> str:
    """Return a date in long form: "15 June 2026", "1º de junho de 2026"."""
    month = MONTHS[language][day.month - 1]
    if language == "pt-br":
        return f"{'1º' if day.day == 1 else day.day} de {month} de {day.year}"
    return f"{day.day} {month} {day.year}"
