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
from tenant_apps.ranks.spans import END, Span


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
    """A student's attendances that are alike in all but their date: one ordinal (`date.toordinal()`) for each.

    `minutes`: how long those sessions lasted. `level`: which rank of the system they ask for, 1 for the lowest;
    0 for sessions open to all. `in_discipline`: they belong to the rank system's discipline. The days are
    in any order, and an array of numbers, since 500,000 small objects would cost more than all else.
    """

    class_type: str
    in_discipline: bool
    minutes: int
    days: Sequence[int]
    level: int = 0


@dataclass(frozen=True, slots=True)
class Offered:
    """The sessions of the rank system's discipline that ask for a rank of this `level`: the day of each, in order."""

    days: Sequence[int]
    level: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lasting:
    """Something true from `on` to `expires_on` (None: without end), both included."""

    on: date
    expires_on: date | None = None

    @property
    def span(self) -> Span:
        """The same as day ordinals."""
        return self.on.toordinal(), END if self.expires_on is None else self.expires_on.toordinal()


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningBalance(Lasting):
    """Visits made before the dojo recorded attendance here, known only as a number, as of a date.

    They come on top of recorded attendance. `count` is in the unit of the criterion that reads it.
    """

    count: int

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError("an opening balance cannot be negative")

    def changes(self) -> tuple[tuple[int, int], ...]:
        """(day, by how much it changes what has been attended from that day on)."""
        first, last = self.span
        if last == END:
            return ((first, self.count),)
        return ((first, self.count), (last + 1, -self.count)) if first <= last else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedFact(Lasting):
    """A document handed in, a skill shown, a credential held, a title won: `which` is what the dojo calls it."""

    which: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval(NamedFact):
    """Somebody's consent: `by` tells approvers apart, `role` is what they are here (admin, instructor)."""

    by: str = ""
    role: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Points(Lasting):
    """Points earned on a day, in a category if there are several."""

    points: int | float
    category: str = ""


@dataclass(frozen=True, slots=True)
class StudentFacts:
    """All that the rules of one rank system may ask about one student. None: not recorded.

    `active`: trains here now, neither on trial nor gone. `failed_tests`: dates of tests for a rank of this
    system. `offered` is the same for all students, and shared.
    """

    birth_date: date | None = None
    joined_on: date | None = None
    active: bool | None = None
    rank_events: tuple[RankEvent, ...] = ()
    failed_tests: tuple[date, ...] = ()
    attendance: tuple[Visits, ...] = ()
    offered: tuple[Offered, ...] = ()
    opening_balances: tuple[OpeningBalance, ...] = ()
    documents: tuple[NamedFact, ...] = ()
    skills: tuple[NamedFact, ...] = ()
    credentials: tuple[NamedFact, ...] = ()
    achievements: tuple[NamedFact, ...] = ()
    approvals: tuple[Approval, ...] = ()
    points: tuple[Points, ...] = ()
    memberships: tuple[Lasting, ...] = ()
    holds: tuple[Lasting, ...] = ()
    leap_day_birthday: LeapDayBirthday = LeapDayBirthday.MAR1


def visits(rows: Iterable[tuple[date, int, str, bool]]) -> tuple[Visits, ...]:
    """Attendance from rows of (local date, minutes, class type, in the discipline), in any order."""
    series: dict[tuple[str, bool, int], list[int]] = {}
    for on, minutes, class_type, in_discipline in rows:
        series.setdefault((class_type, in_discipline, minutes), []).append(on.toordinal())
    return tuple(Visits(*key, tuple(days)) for key, days in sorted(series.items()))
