"""A year of attendance as SVG: a column for each week, a row for each day from Monday to Sunday."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final

from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext

from tenant_apps.desk.templatetags.desk import write_date

WEEKS: Final = 53
_STEP: Final = 13
_CELL: Final = 11
_TOP: Final = 16
_LEFT: Final = 30
_DARKEST: Final = 3
"""So many sessions on a day, or more, have the strongest colour."""


def first_day(today: date) -> date:
    """Return the Monday with which the year of the map begins."""
    return today - timedelta(days=today.weekday(), weeks=WEEKS - 1)


def heat_map(visits: Mapping[date, int], *, today: date) -> SafeString:
    """Return the map of the year that ends today. Days with visits say their date and number."""
    start = first_day(today)
    days = [start + timedelta(days=number) for number in range((today - start).days + 1)]
    empty = [_place(day, start) for day in days if day not in visits]
    full = [
        (*_place(day, start), min(visits[day], _DARKEST), _words(day, visits[day]))
        for day in days
        if day in visits
    ]
    # One path for all empty days, because there are some three hundred.
    path = "".join(f"M{x} {y}h{_CELL}v{_CELL}h-{_CELL}z" for x, y in empty)
    cells = format_html_join(
        "",
        f'<rect x="{{}}" y="{{}}" width="{_CELL}" height="{_CELL}" rx="2" class="d{{}}"><title>{{}}</title></rect>',
        full,
    )
    total = sum(visits.values())
    label = ngettext("%(n)s visit in a year", "%(n)s visits in a year", total) % {"n": total}
    return format_html(
        '<svg class="heat" viewBox="0 0 {} {}" width="{}" role="img" aria-label="{}">{}'
        '<path class="d0" d="{}"/>{}</svg>',
        _LEFT + WEEKS * _STEP,
        _TOP + 7 * _STEP,
        _LEFT + WEEKS * _STEP,
        label,
        _labels(start, today),
        path,
        cells,
    )


def _place(day: date, start: date) -> tuple[int, int]:
    number = (day - start).days
    return _LEFT + number // 7 * _STEP, _TOP + number % 7 * _STEP


def _words(day: date, visits: int) -> str:
    sessions = ngettext("%(n)s session", "%(n)s sessions", visits) % {"n": visits}
    return f"{write_date(day, gettext('j F Y'))}: {sessions}"


def _labels(start: date, today: date) -> SafeString:
    """Return the names of the months above the weeks in which they begin, and of every second weekday."""
    firsts = [start + timedelta(days=number) for number in range((today - start).days + 1)]
    months = [
        (_place(day, start)[0], _TOP - 5, date_format(day, "M"))
        for day in firsts
        if day.day == 1 and _place(day, start)[0] < _LEFT + (WEEKS - 1) * _STEP
    ]
    weekdays = [
        (0, _TOP + row * _STEP + 9, date_format(start + timedelta(days=row), "D")) for row in (0, 2, 4, 6)
    ]
    return format_html_join("", '<text x="{}" y="{}">{}</text>', [*months, *weekdays])
