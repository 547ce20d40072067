"""The starts of a weekly recurrence: pure date arithmetic, without a database.

Times are wall-clock times of the dojo, so a class at 18:30 stays at 18:30 when daylight-saving time changes. A start in
the hour that is skipped in spring moves to after the change (02:30 becomes 03:30). A start in the hour that occurs
twice in autumn takes place the first time (PEP 495, fold=0). The slot of an occurrence is always the date and time that
the recurrence names, also if the clock shows another time when it takes place.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

WEEKDAYS: Final = ("mo", "tu", "we", "th", "fr", "sa", "su")
DAYS_PER_WEEK: Final = 7


@dataclass(frozen=True, slots=True)
class Times:
    """Weekdays (0 is Monday), a local time of day, and a duration in minutes."""

    weekdays: frozenset[int]
    start: time
    minutes: int


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A weekly recurrence between two local dates, both included. Without `last` it has no end.

    It takes place in every `every_weeks`-th week (from Monday to Sunday), beginning with the week of `first`.
    """

    first: date
    last: date | None
    times: tuple[Times, ...]
    every_weeks: int = 1

    def is_in_week_of(self, day: date) -> bool:
        """Return whether the recurrence takes place in the week of a date."""
        return (_monday(day) - _monday(self.first)).days // DAYS_PER_WEEK % self.every_weeks == 0


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One start of a recurrence. Instants are in UTC; `local_date` is the dojo's date at the start.

    `local_date` differs from `slot_date` only if a clock change skips the end of a day, or a whole day.
    """

    slot_date: date
    slot_time: time
    starts_at: datetime
    ends_at: datetime
    local_date: date


def read_recurrence(document: Mapping[str, Any]) -> Recurrence:
    """Return the recurrence in a stored document (`TrainingClass.recurrence`), which the serializer has validated."""
    return Recurrence(
        first=date.fromisoformat(document["from"]),
        last=date.fromisoformat(document["until"]) if document.get("until") else None,
        times=tuple(_times(entry) for entry in (document, *document.get("more_times", ()))),
        every_weeks=document.get("every_weeks", 1),
    )


def occurrences(recurrence: Recurrence, *, timezone: str, first: date, last: date) -> Iterator[Occurrence]:
    """Yield the starts on the local dates from `first` to `last`, both included, in the IANA time zone `timezone`."""
    zone = ZoneInfo(timezone)
    day = max(first, recurrence.first)
    end = min(last, recurrence.last or last)
    while day <= end:
        for times in recurrence.times if recurrence.is_in_week_of(day) else ():
            if day.weekday() in times.weekdays:
                starts_at = datetime.combine(day, times.start, tzinfo=zone).astimezone(UTC)
                yield Occurrence(
                    slot_date=day,
                    slot_time=times.start,
                    starts_at=starts_at,
                    ends_at=starts_at + timedelta(minutes=times.minutes),
                    local_date=starts_at.astimezone(zone).date(),
                )
        day += timedelta(days=1)


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _times(entry: Mapping[str, Any]) -> Times:
    return Times(
        weekdays=frozenset(WEEKDAYS.index(name) for name in entry["weekdays"]),
        start=time.fromisoformat(entry["start_time"]),
        minutes=entry["duration_minutes"],
    )
