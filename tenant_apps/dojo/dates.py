"""Dates as people write them in each language of a dojo, and the birthday of people born on 29 February. No Django."""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Final, Literal

Language = Literal["en", "pt-br", "de", "ja"]

MONTHS: Final[Mapping[Language, tuple[str, ...]]] = {
    "en": (
        "January", "February", "March", "April", "May", "June",
        "July", "August", "September", "October", "November", "December",
    ),
    "pt-br": (
        "janeiro", "fevereiro", "março", "abril", "maio", "junho",
        "julho", "agosto", "setembro", "outubro", "novembro", "dezembro",
    ),
    "de": (
        "Januar", "Februar", "März", "April", "Mai", "Juni",
        "Juli", "August", "September", "Oktober", "November", "Dezember",
    ),
    "ja": ("1月", "2月", "3月", "4月", "5月", "6月", "7月", "8月", "9月", "10月", "11月", "12月"),
}  # fmt: skip


class LeapDayBirthday(StrEnum):
    """The birthday in common years of a person born on 29 February (a setting of the dojo, C3)."""

    MARCH_1 = "mar1"
    FEBRUARY_28 = "feb28"


def long_date(day: date, language: Language) -> str:
    """Return a date in long form: "15 June 2026", "1º de junho de 2026", "15. Juni 2026", "2026年6月15日"."""
    month = MONTHS[language][day.month - 1]
    if language == "pt-br":
        return f"{'1º' if day.day == 1 else day.day} de {month} de {day.year}"
    if language == "de":
        return f"{day.day}. {month} {day.year}"
    if language == "ja":
        return f"{day.year}年{month}{day.day}日"
    return f"{day.day} {month} {day.year}"
