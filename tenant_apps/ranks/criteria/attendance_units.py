"""What attendance is counted in, and from when on."""

from collections import defaultdict
from collections.abc import Iterable
from enum import StrEnum

from tenant_apps.ranks.facts import Visits

_HOUR = 60


class AttendanceUnit(StrEnum):
    """What is counted: days with at least one session, sessions, or hours of 60 minutes."""

    DAY = "day"
    SESSION = "session"
    HOUR = "hour"

    @property
    def size(self) -> int:
        """One unit in what is added up: minutes for hours."""
        return _HOUR if self is AttendanceUnit.HOUR else 1


class AttendanceSince(StrEnum):
    """From when on: the rank held, the last test (a failed one, too), the day of joining, or ever."""

    RANK = "rank"
    LAST_TEST = "last_test"
    ENROLMENT = "enrolment"
    EVER = "ever"


def worth_of_days(
    counted: Iterable[Visits], after: int, unit: AttendanceUnit, max_per_day: int | None
) -> dict[int, int]:
    """What each day's sessions count for, sessions or minutes; of more than `max_per_day` the longest count."""
    of_day: defaultdict[int, list[int]] = defaultdict(list)
    for series in counted:
        for day in series.days:
            if day > after:
                of_day[day].append(series.minutes)
    if unit is AttendanceUnit.SESSION:
        return {day: min(len(minutes), max_per_day or len(minutes)) for day, minutes in of_day.items()}
    return {day: sum(sorted(minutes, reverse=True)[:max_per_day]) for day, minutes in of_day.items()}


def in_units(amount: int | float, unit: AttendanceUnit) -> int | float:
    """Whole units as an int; else hours cut to two decimals, never rounded up: 49.999 is not 50."""
    whole, rest = divmod(int(amount), unit.size)
    return whole if not rest else (int(amount) * 100 // unit.size) / 100
