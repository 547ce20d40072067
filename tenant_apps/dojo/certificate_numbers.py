"""The numbers of certificates as a dojo writes them: `KITA-{year}-{number:4}` gives `KITA-2026-0042`. No database."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

LONGEST_NUMBER: Final = 80
_PLACEHOLDER: Final = re.compile(r"\{(?P<name>\w+)(?::(?P<width>[0-9]+))?\}")
_MOST_DIGITS: Final = 9


class BadNumberFormat(ValueError):
    """The format has no running number or more than one, or braces that mean nothing."""


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """A format with `{number}` once (`{number:4}`: at least four digits) and `{year}` as often as wanted.

    With `{year}`, the running number begins at 1 each year.
    """

    text: str

    def __post_init__(self) -> None:
        """Raise `BadNumberFormat`."""
        names = [match["name"] for match in _PLACEHOLDER.finditer(self.text)]
        widths = [match for match in _PLACEHOLDER.finditer(self.text) if match["width"] is not None]
        if names.count("number") != 1 or not set(names) <= {"number", "year"}:
            raise BadNumberFormat
        if any(one["name"] == "year" or not 1 <= int(one["width"]) <= _MOST_DIGITS for one in widths):
            raise BadNumberFormat
        if set("{}") & set(_PLACEHOLDER.sub("", self.text)):
            raise BadNumberFormat

    def series(self, year: int) -> str:
        """Return the key of the numbers that count together: the text of the year, without the number's width."""
        return self._filled(year, lambda _width: "{number}")

    def number(self, number: int, year: int) -> str:
        """Return the number of a certificate that was awarded in `year`."""
        return self._filled(year, lambda width: f"{number:0{width}d}")

    def _filled(self, year: int, number: Callable[[int], str]) -> str:
        def value(match: re.Match[str]) -> str:
            return str(year) if match["name"] == "year" else number(int(match["width"] or 1))

        return _PLACEHOLDER.sub(value, self.text)
