"""Calendar arithmetic of rule books: months, full age, birth-year age. Civil dates, no time zones (C1)."""

from calendar import isleap, monthrange
from datetime import date
from functools import lru_cache

from dateutil.relativedelta import relativedelta

from tenant_apps.dojo.dates import LeapDayBirthday


@lru_cache(maxsize=16_384)
def months_later(day: int, months: int) -> int | None:
    """Return the day ordinal `months` calendar months later, clamped to the end of the month (C2).

    Return None if it is beyond the last possible date (year 9999).
    """
    try:
        return (date.fromordinal(day) + relativedelta(months=months)).toordinal()
    except (ValueError, OverflowError):
        return None


def complete_months(since: int, until: int) -> int:
    """Return how many calendar months (C2) are complete from one day ordinal to another; 0 if `until` is earlier."""
    first, last = date.fromordinal(since), date.fromordinal(until)
    months = (last.year - first.year) * 12 + last.month - first.month
    if last.day < first.day and last.day < monthrange(last.year, last.month)[1]:
        months -= 1
    return max(months, 0)


def birthday(birth: date, year: int, leap_day: LeapDayBirthday) -> date:
    """Return the birthday in `year` of a person born on `birth` (C3)."""
    if (birth.month, birth.day) != (2, 29) or isleap(year):
        return birth.replace(year=year)
    return date(year, 3, 1) if leap_day is LeapDayBirthday.MARCH_1 else date(year, 2, 28)


def births_celebrated(on: date, leap_day: LeapDayBirthday) -> list[tuple[int, int]]:
    """Return the month and day of the births whose `birthday` is on this date: one, or two with 29 February."""
    born = [(on.month, on.day)]
    if born != [(2, 29)] and birthday(date(2000, 2, 29), on.year, leap_day) == on:
        born.append((2, 29))
    return born


def full_age(birth: date, on: date, leap_day: LeapDayBirthday) -> int:
    """Return the completed years of life on a date (C3); negative before the birth."""
    years = on.year - birth.year
    return years if on >= birthday(birth, on.year, leap_day) else years - 1
