"""Local dates and times of the schedule: what people enter, and the times of a class in words."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.utils.dates import WEEKDAYS_ABBR
from django.utils.translation import gettext, ngettext

from tatami.tenancy.scope import current_tenant
from tenant_apps.classes.recurrence import WEEKDAYS

WEEKDAY_CHOICES: Final = [(name, WEEKDAYS_ABBR[number]) for number, name in enumerate(WEEKDAYS)]
"""The weekdays of a recurrence with their short names, in the language of the dojo when they are shown."""


def monday_of(text: str, today: date) -> date:
    """Return the Monday of the week of a date (`2026-11-28`), of the present week if it is not a date."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = today
    if not date.min + timedelta(days=14) < day < date.max - timedelta(days=14):
        day = today
    return day - timedelta(days=day.weekday())


def instant_of(day: date, at: time) -> str:
    """Return a local date and time of the dojo as an instant for the API (ISO 8601 with the offset)."""
    return datetime.combine(day, at, tzinfo=ZoneInfo(current_tenant().timezone)).isoformat()


def local(instant: str | datetime) -> datetime:
    """Return an instant of the API on the dojo's clock."""
    found = datetime.fromisoformat(instant) if isinstance(instant, str) else instant
    return found.astimezone(ZoneInfo(current_tenant().timezone))


def instant_near(start: str, at: time) -> str:
    """Return the instant nearest to the start of a session at which the dojo's clock shows `at`.

    A session may begin before midnight and have check-ins after it.
    """
    begins = local(start)
    days = [begins.date() + timedelta(days=number) for number in (-1, 0, 1)]
    instants = [instant_of(day, at) for day in days]
    return min(instants, key=lambda one: abs(local(one) - begins))


def times_in_words(recurrence: Mapping[str, Any]) -> list[str]:
    """Return the times of a class, one text for each start time: `Mon, Wed 18:30–20:00`."""
    return [_words(entry) for entry in (recurrence, *recurrence.get("more_times", ()))]


def rhythm_in_words(recurrence: Mapping[str, Any]) -> str:
    """Return in which weeks a class takes place: `every week`, `every 2 weeks`."""
    weeks = recurrence.get("every_weeks") or 1
    if weeks == 1:
        return gettext("every week")
    return ngettext("every %(weeks)s week", "every %(weeks)s weeks", weeks) % {"weeks": weeks}


def _words(entry: Mapping[str, Any]) -> str:
    days = ", ".join(str(WEEKDAYS_ABBR[WEEKDAYS.index(name)]) for name in entry["weekdays"])
    start = datetime.combine(date.min, time.fromisoformat(entry["start_time"]))
    end = start + timedelta(minutes=entry["duration_minutes"])
    return f"{days} {start:%H:%M}–{end:%H:%M}"
