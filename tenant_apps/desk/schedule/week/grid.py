"""Places of sessions in the week view: a column for each day, rows of five minutes, lanes where sessions overlap."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from tenant_apps.desk.schedule.times import local
from tenant_apps.desk.today.queries import SessionCounts

ROW_MINUTES: Final = 5
ROWS_PER_HOUR: Final = 60 // ROW_MINUTES
FEWEST_HOURS: Final = 4
_DEFAULT_HOURS: Final = (17, 21)


@dataclass(slots=True)
class PlacedSession:
    """A session of the week: what the API says about it, its numbers, and its place.

    `first_row` and `last_row` are grid lines from 1; `lane` counts from 1. `planned` is the local time for which its
    class had planned it, if it was moved. `hue`: one of six colours, the same for all classes of a kind.
    """

    session: Mapping[str, Any]
    counts: SessionCounts | None
    planned: datetime | None
    hue: int = 0
    number: int = 0
    first_row: int = 1
    last_row: int = 1
    lane: int = 1

    @property
    def starts_at(self) -> datetime:
        return local(self.session["starts_at"])

    @property
    def ends_at(self) -> datetime:
        return local(self.session["ends_at"])


@dataclass(slots=True)
class Day:
    """A day of the week with its sessions in their order. `lanes`: how many overlap at most."""

    date: date
    sessions: list[PlacedSession] = field(default_factory=list)
    lanes: int = 1
    closures: list[Mapping[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Week:
    """Seven days from a Monday, and the hours that the grid shows."""

    days: list[Day]
    first_hour: int
    last_hour: int

    @property
    def hours(self) -> list[tuple[int, str, bool]]:
        """The grid line and the text of each full hour, and whether no session of the week touches it."""
        found = []
        for hour in range(self.first_hour, self.last_hour):
            row = (hour - self.first_hour) * ROWS_PER_HOUR + 1
            touched = any(one.first_row < row + ROWS_PER_HOUR and one.last_row > row for one in self.sessions)
            found.append((row, f"{hour:02}:00", bool(self.sessions) and not touched))
        return found

    @property
    def sessions(self) -> list[PlacedSession]:
        return [one for day in self.days for one in day.sessions]


def place(monday: date, sessions: Sequence[PlacedSession], closures: Sequence[Mapping[str, Any]]) -> Week:
    """Return the week with a place for every session. A session across midnight ends at the bottom of its day."""
    days = [Day(monday + timedelta(days=number)) for number in range(7)]
    for day in days:
        text = day.date.isoformat()
        day.closures = [one for one in closures if one["from"] <= text <= one["until"]]
    by_date = {day.date: day for day in days}
    for one in sorted(sessions, key=lambda one: (one.session["starts_at"], one.session["id"])):
        found = by_date.get(date.fromisoformat(one.session["local_date"]))
        if found is not None:
            found.sessions.append(one)
    placed = [one for day in days for one in day.sessions]
    first_hour, last_hour = _hours(placed)
    for number, one in enumerate(placed):
        one.number = number
        one.first_row = (_start_minute(one) - first_hour * 60) // ROW_MINUTES + 1
        last_minute = min(_end_minute(one), last_hour * 60)
        one.last_row = max(one.first_row + 1, -(-(last_minute - first_hour * 60) // ROW_MINUTES) + 1)
    for day in days:
        day.lanes = _assign_lanes(day.sessions)
    return Week(days, first_hour, last_hour)


def _hours(placed: Sequence[PlacedSession]) -> tuple[int, int]:
    if not placed:
        return _DEFAULT_HOURS
    first = min(_start_minute(one) for one in placed) // 60
    last = -(-max(_end_minute(one) for one in placed) // 60)
    last = max(last, min(first + FEWEST_HOURS, 24))
    return min(first, last - FEWEST_HOURS), last


def _start_minute(one: PlacedSession) -> int:
    return one.starts_at.hour * 60 + one.starts_at.minute


def _end_minute(one: PlacedSession) -> int:
    midnight = datetime.combine(one.starts_at.date() + timedelta(days=1), time(), one.starts_at.tzinfo)
    if one.ends_at >= midnight:
        return 24 * 60
    return one.ends_at.hour * 60 + one.ends_at.minute


def _assign_lanes(sessions: Sequence[PlacedSession]) -> int:
    """Give each session the first lane that is free; return the number of lanes."""
    free_from: list[int] = []
    for one in sessions:
        for number, row in enumerate(free_from):
            if row <= one.first_row:
                one.lane, free_from[number] = number + 1, one.last_row
                break
        else:
            free_from.append(one.last_row)
            one.lane = len(free_from)
    return max(1, len(free_from))
