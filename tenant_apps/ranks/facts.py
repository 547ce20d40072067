"""What a rank rule may ask about one student, gathered beforehand by whoever fetches it for all students.

Facts are values: the order in which they are listed, or were entered, changes no answer. Dates are civil
dates of the dojo (C1); an attendance's date is the local date of its class session. Voided events,
attendances and facts are left out by who fetches.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from tenant_apps.ranks.civil_dates import LeapDayBirthday


class RankEventKind(StrEnum):
    """How a rank came to be held. The declared order breaks ties between events of one day and rank."""

    IMPORT = "import"
    CONVERT = "convert"
    AWARD = "award"
    DEMOTE = "demote"


@dataclass(frozen=True, slots=True)
class RankEvent:
    """From `on`, the student holds the rank with this code (for a demotion: the lower rank that is left)."""

    rank: str
    kind: RankEventKind
    on: date


@dataclass(frozen=True, slots=True)
class Visits:
    """A student's attendances of one class type and one side of the discipline, as parallel arrays.

    `days[i]` is the ordinal of a local date (`date.toordinal()`), `minutes[i]` the length of that session;
    one entry per attendance, in any order. `in_discipline`: the class belongs to the rank system's
    discipline. Arrays, since they come as such from one `array_agg` per student, and 500,000 small objects
    would cost more than all else.
    """

    class_type: str
    in_discipline: bool
    days: Sequence[int]
    minutes: Sequence[int]

    def __post_init__(self) -> None:
        if len(self.days) != len(self.minutes):
            raise ValueError("days and minutes of visits must be parallel")


@dataclass(frozen=True, slots=True)
class OpeningBalance:
    """Visits made before the dojo recorded attendance here, known only as a number, as of a date.

    They come on top of recorded attendance. `count` is in the unit of the criterion that reads it.
    """

    on: date
    count: int

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError("an opening balance cannot be negative")


@dataclass(frozen=True, slots=True)
class DocumentFact:
    """Something handed in (an article, an essay), valid from `on` to `expires_on`, both included."""

    which: str
    on: date
    expires_on: date | None = None


@dataclass(frozen=True, slots=True)
class StudentFacts:
    """All that the rules of one rank system may ask about one student. None: not recorded."""

    birth_date: date | None = None
    joined_on: date | None = None
    rank_events: tuple[RankEvent, ...] = ()
    attendance: tuple[Visits, ...] = ()
    opening_balances: tuple[OpeningBalance, ...] = ()
    documents: tuple[DocumentFact, ...] = ()
    leap_day_birthday: LeapDayBirthday = LeapDayBirthday.MAR1


def visits(rows: Iterable[tuple[date, int, str, bool]]) -> tuple[Visits, ...]:
    """Attendance from rows of (local date, minutes, class type, in the discipline), in any order."""
    series: dict[tuple[str, bool], tuple[list[int], list[int]]] = {}
    for on, minutes, class_type, in_discipline in rows:
        days, lengths = series.setdefault((class_type, in_discipline), ([], []))
        days.append(on.toordinal())
        lengths.append(minutes)
    return tuple(Visits(*key, tuple(days), tuple(lengths)) for key, (days, lengths) in sorted(series.items()))
