"""Read the dates of a file: year first, or day and month in the order that the file uses in that column."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from enum import StrEnum
from typing import Final, NamedTuple

from django.utils.translation import gettext, gettext_noop

from tatami.text import normalise


class DateFormat(StrEnum):
    """The order of the parts of dates that do not begin with the year."""

    AUTO = "auto"
    """As the column shows; a column that can be read in two ways is refused."""
    YMD = "ymd"
    DMY = "dmy"
    MDY = "mdy"


_TIME: Final = r"(?:[T ] ?[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?: ?[AaPp]\.?[Mm]\.?)?)?"
_YEAR_FIRST: Final = re.compile(rf"([0-9]{{4}})([-/.])([0-9]{{1,2}})\2([0-9]{{1,2}}){_TIME}")
_YEAR_LAST: Final = re.compile(rf"([0-9]{{1,2}})([-/.]|\. ?)([0-9]{{1,2}})\2([0-9]{{4}}){_TIME}")
_SHORT_YEAR: Final = re.compile(r"[0-9]{1,2}([-/.])[0-9]{1,2}\1[0-9]{2}")
_DAY_NAMED_MONTH: Final = re.compile(
    r"([0-9]{1,2})(?:st|nd|rd|th|o|\.)? (?:de )?([^\W\d_]{3,10})\.?,? (?:de )?([0-9]{4})"
)
_NAMED_MONTH_DAY: Final = re.compile(r"([^\W\d_]{3,10})\.? ([0-9]{1,2})(?:st|nd|rd|th)?,? ([0-9]{4})")
_MONTHS: Final = {
    name: number
    for names in (
        "january february march april may june july august september october november december",
        "jan feb mar apr may jun jul aug sep oct nov dec",
        "janeiro fevereiro marco abril maio junho julho agosto setembro outubro novembro dezembro",
        "jan fev mar abr mai jun jul ago set out nov dez",
    )
    for number, name in enumerate(names.split(), start=1)
} | {"sept": 9}
_LONGEST: Final = 40
_MONTHS_OF_YEAR: Final = 12

NO_DATE: Final = gettext_noop("This is not a date: write it as 2010-05-13.")
NO_DAY: Final = gettext_noop("The calendar has no such day.")
NO_CENTURY: Final = gettext_noop("Write the year of this date with four digits.")
TWO_WAYS: Final = gettext_noop(
    "This column can be read as day/month or month/day, and no cell of it decides: "
    "send date_format=dmy or date_format=mdy, or write dates as 2010-05-13."
)
BOTH_WAYS: Final = gettext_noop(
    "This column has dates as day/month (line {days_first}) and as month/day (line {months_first}): "
    "write all dates as 2010-05-13."
)
NOT_YEAR_FIRST: Final = gettext_noop("With date_format=ymd a date begins with the year: 2010-05-13.")


class _Parts(NamedTuple):
    """A date whose year is last. The first two numbers are day and month in one order or the other."""

    first: int
    second: int
    year: int


class DateReader:
    """Reads the dates in the columns of a file.

    `cells` gives, for a column, the line numbers and texts of its cells. It is asked once for each column.
    """

    def __init__(self, order: DateFormat, cells: Callable[[str], Iterable[tuple[int, str]]]) -> None:
        self._order, self._cells = order, cells
        self._by_column: dict[str, DateFormat | str] = {}

    def read(self, column: str, text: str) -> str:
        """Return a date as ISO 8601; a time after it is dropped. Raises `ValueError` with a message for the line."""
        text = text.strip()
        if len(text) > _LONGEST:
            raise ValueError(gettext(NO_DATE))
        if found := _YEAR_FIRST.fullmatch(text):
            return _iso(int(found[1]), int(found[3]), int(found[4]))
        parts = _parts(text)
        if parts is None:
            return _with_named_month(text)
        if parts.first == parts.second and self._order is not DateFormat.YMD:
            return _iso(parts.year, parts.first, parts.second)
        match self._order_of(column):
            case DateFormat.DMY:
                return _iso(parts.year, parts.second, parts.first)
            case DateFormat.MDY:
                return _iso(parts.year, parts.first, parts.second)
            case DateFormat.YMD:
                raise ValueError(gettext(NOT_YEAR_FIRST))
            case fault:
                raise ValueError(fault)

    def orders(self) -> Mapping[str, str]:
        """Return the order that was found in each column whose dates do not begin with the year."""
        return {name: order for name, order in self._by_column.items() if isinstance(order, DateFormat)}

    def _order_of(self, column: str) -> DateFormat | str:
        if self._order is not DateFormat.AUTO:
            return self._order
        if column not in self._by_column:
            self._by_column[column] = _decide(self._cells(column))
        return self._by_column[column]


def _decide(cells: Iterable[tuple[int, str]]) -> DateFormat | str:
    """Return the order of a column, or the message why it has none."""
    days_first = months_first = 0
    for number, text in cells:
        parts = _parts(text.strip()) if len(text) <= _LONGEST else None
        if parts is None:
            continue
        if parts.first > _MONTHS_OF_YEAR >= parts.second:
            days_first = days_first or number
        elif parts.second > _MONTHS_OF_YEAR >= parts.first:
            months_first = months_first or number
    if days_first and months_first:
        return gettext(BOTH_WAYS).format(days_first=days_first, months_first=months_first)
    if days_first or months_first:
        return DateFormat.DMY if days_first else DateFormat.MDY
    return gettext(TWO_WAYS)


def _parts(text: str) -> _Parts | None:
    found = _YEAR_LAST.fullmatch(text)
    return _Parts(int(found[1]), int(found[3]), int(found[4])) if found else None


def _with_named_month(text: str) -> str:
    """Return a date such as `13 May 1990` or `13 de maio de 1990`. Raises `ValueError` for all others."""
    if _SHORT_YEAR.fullmatch(text):
        raise ValueError(gettext(NO_CENTURY))
    plain = normalise(text.replace("/", " "))
    if found := _DAY_NAMED_MONTH.fullmatch(plain):
        day, month, year = found.groups()
    elif found := _NAMED_MONTH_DAY.fullmatch(plain):
        month, day, year = found.groups()
    else:
        raise ValueError(gettext(NO_DATE))
    if month not in _MONTHS:
        raise ValueError(gettext(NO_DATE))
    return _iso(int(year), _MONTHS[month], int(day))


def _iso(year: int, month: int, day: int) -> str:
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        raise ValueError(gettext(NO_DAY)) from None
