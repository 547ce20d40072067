"""The facts about one student that rank rules can use. The caller fetches them beforehand, for all students at once.

Facts are values: their order, and the order in which they were entered, do not change any result. Dates are civil
dates of the dojo (C1); the date of an attendance is the local date of its class session. The caller leaves out voided
events, attendances and facts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache
from typing import TypeVar

from tatami.text import normalise
from tenant_apps.dojo.dates import LeapDayBirthday
from tenant_apps.ranks.date_intervals import END, Span


class RankEventKind(StrEnum):
    """How the student received the rank. The declared order breaks ties between events of one day and rank."""

    IMPORT = "import"
    CONVERT = "convert"
    AWARD = "award"
    DEMOTE = "demote"


@dataclass(frozen=True, slots=True)
class HistoryEvent:
    """From `on`, the student holds the rank with this code (for a demotion: the lower rank that remains)."""

    rank: str
    kind: RankEventKind
    on: date


@dataclass(frozen=True, slots=True)
class Visits:
    """Attendances of a student that differ only in their date: one ordinal (`date.toordinal()`) for each.

    `minutes`: the length of the sessions. `level`: the rank of the system that the sessions require, 1 for the
    lowest; 0 for sessions open to all. `in_discipline`: the sessions belong to the discipline of the rank system.
    The days are in any order. They are plain numbers because 500,000 small objects would be too slow.
    """

    class_type: str
    in_discipline: bool
    minutes: int
    days: Sequence[int]
    level: int = 0


@dataclass(frozen=True, slots=True)
class OfferedSessions:
    """The days, in order, of the sessions of the discipline that require a rank of this `level` (as in `Visits`)."""

    days: Sequence[int]
    level: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DatedFact:
    """A fact that is true from `on` to `expires_on` (None: without end), both included."""

    on: date
    expires_on: date | None = None

    @property
    def span(self) -> Span:
        """The first and last day as ordinals."""
        return self.on.toordinal(), END if self.expires_on is None else self.expires_on.toordinal()


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningBalance(DatedFact):
    """Attendance from before the dojo used this system, known only as a number as of a date.

    It is added to recorded attendance. `count` is in the unit of the criterion that uses it.
    """

    count: int

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError("an opening balance cannot be negative")

    def changes(self) -> tuple[tuple[int, int], ...]:
        """Return (day, change of the number of attendances from that day on)."""
        first, last = self.span
        if last == END:
            return ((first, self.count),)
        return ((first, self.count), (last + 1, -self.count)) if first <= last else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedFact(DatedFact):
    """A document handed in, a skill shown, a credential held or a title won; `which` is the name that the dojo uses."""

    which: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval(NamedFact):
    """The consent of a user: `by` identifies the approver, `role` is their role now (admin, instructor)."""

    by: str = ""
    role: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Points(DatedFact):
    """Points earned on a day; `category` is empty if the dojo has none."""

    points: int | float
    category: str = ""


@dataclass(frozen=True, slots=True)
class StudentFacts:
    """All facts about one student for the rules of one rank system. None: not recorded.

    `active`: the student trains here now, and is not on trial. `failed_tests`: dates of tests for a rank of this
    system. `offered` is the same for all students; they share one tuple.
    """

    birth_date: date | None = None
    joined_on: date | None = None
    active: bool | None = None
    rank_events: tuple[HistoryEvent, ...] = ()
    failed_tests: tuple[date, ...] = ()
    attendance: tuple[Visits, ...] = ()
    offered: tuple[OfferedSessions, ...] = ()
    opening_balances: tuple[OpeningBalance, ...] = ()
    documents: tuple[NamedFact, ...] = ()
    skills: tuple[NamedFact, ...] = ()
    credentials: tuple[NamedFact, ...] = ()
    achievements: tuple[NamedFact, ...] = ()
    approvals: tuple[Approval, ...] = ()
    points: tuple[Points, ...] = ()
    memberships: tuple[DatedFact, ...] = ()
    holds: tuple[DatedFact, ...] = ()
    leap_day_birthday: LeapDayBirthday = LeapDayBirthday.MARCH_1


def visits(rows: Iterable[tuple[date, int, str, bool]]) -> tuple[Visits, ...]:
    """Return attendance from rows of (local date, minutes, class type, in the discipline), in any order."""
    series: dict[tuple[str, bool, int], list[int]] = {}
    for on, minutes, class_type, in_discipline in rows:
        series.setdefault((class_type, in_discipline, minutes), []).append(on.toordinal())
    return tuple(Visits(*key, tuple(days)) for key, days in sorted(series.items()))


Named = TypeVar("Named", bound=NamedFact)


@lru_cache(maxsize=4096)
def comparable_name(name: str) -> str:
    """Return a name for comparison: as in a search, and with underscores as spaces.

    Rules say `adult-world-champion`, people write "Adult World Champion".
    """
    return normalise(name.replace("_", " "))


def facts_named(name: str, facts: Iterable[Named]) -> list[Named]:
    """Return the facts with this name (see `comparable_name`)."""
    wanted = comparable_name(name)
    return [fact for fact in facts if comparable_name(fact.which) == wanted]
