"""The facts about one student that rank rules can use. The caller fetches them beforehand, for all students at once.

Facts are values and are never changed: their order, and the order in which they were entered, do not change any result.
Dates are civil dates of the dojo (C1); the date of an attendance is the local date of its class session. The caller
leaves out voided events, attendances and facts.

`Visits` and `StudentFacts` are not frozen, because a frozen dataclass takes seven times as long to create, and a check
creates them for each of thousands of students.
"""

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple, TypeVar

from tatami.text import normalise
from tenant_apps.dojo.dates import LeapDayBirthday
from tenant_apps.ranks.date_intervals import END, Span


class RankEventKind(StrEnum):
    """How the student received the rank. The declared order breaks ties between events of one day and rank."""

    IMPORT = "import"
    CONVERT = "convert"
    AWARD = "award"
    DEMOTE = "demote"


class AttendanceUnit(StrEnum):
    """What is counted: days with at least one session, sessions, or hours of 60 minutes."""

    DAY = "day"
    SESSION = "session"
    HOUR = "hour"

    @property
    def size(self) -> int:
        """Return the size of one unit in the numbers that are added up: 60 (minutes) for an hour, else 1."""
        return _HOUR if self is AttendanceUnit.HOUR else 1


_HOUR: Final = 60


class HistoryEvent(NamedTuple):
    """From `on`, the student holds the rank with this code (for a demotion: the lower rank that remains)."""

    rank: str
    kind: RankEventKind
    on: date


@dataclass(slots=True)
class Visits:
    """Attendances of a student that differ only in their date: one ordinal (`date.toordinal()`) for each.

    `minutes`: the length of the sessions. `in_discipline`: the sessions belong to the discipline of the rank system.
    The days are in any order. They are plain numbers because 500,000 small objects would be too slow.
    """

    class_type: str
    in_discipline: bool
    minutes: int
    days: Sequence[int]


@dataclass(frozen=True, slots=True)
class EnrolmentPeriod:
    """A student was enrolled in a class from `first` to `last`: ordinals, both included."""

    training_class: Hashable
    first: int
    last: int = END


class HeldSession(NamedTuple):
    """A session that was held, or is planned: neither cancelled nor in a closure.

    `day`: the ordinal of its local date. `starts`, `ends`: minutes since any one instant, on the same scale for all
    sessions. `level`: the place of the lowest rank that may attend, 1 for the lowest rank of the system, 0 if the
    session is open to all. `number` identifies the session in `SessionsHeld`. `training_class` is None for a session
    without a class.
    """

    day: int
    starts: int
    ends: int
    number: int
    training_class: Hashable | None = None
    class_type: str = ""
    level: int = 0


class Slots(NamedTuple):
    """Times at which there was at least one session: the day of each, in order, and the slot of each session.

    Sessions at the same time are one slot, because a student can attend only one of them.
    """

    days: Sequence[int]
    slot_of: Mapping[int, int]
    """Number of a session → index in `days`."""


class SessionsHeld:
    """The sessions in the discipline of a rank system that count toward promotion: one object for all students."""

    def __init__(self, sessions: Iterable[HeldSession] = ()) -> None:
        self._sessions = sorted(sessions, key=lambda one: (one.day, one.ends, one.starts, one.number))
        self._slots: dict[object, Slots] = {}
        self.classes_of_type: dict[str, set[Hashable]] = {}
        for session in self._sessions:
            self.classes_of_type.setdefault(session.class_type, set()).add(session.training_class)
        self.classes = frozenset(session.training_class for session in self._sessions)

    def slots(
        self, level: int, *, classes: frozenset[Hashable] | None = None, class_types: tuple[str, ...] = ()
    ) -> Slots:
        """Return the slots of the sessions that a holder of the rank of `level` may attend.

        `classes` and `class_types`: only sessions of these. The result is remembered: most students ask for the same.
        """
        key = (level, classes, class_types)
        if key not in self._slots:
            self._slots[key] = _slots(
                session
                for session in self._sessions
                if session.level <= level
                and (classes is None or session.training_class in classes)
                and (not class_types or session.class_type in class_types)
            )
        return self._slots[key]


def _slots(sessions: Iterable[HeldSession]) -> Slots:
    """Put sessions, ordered by day and end, into slots: one that begins before the end of a slot belongs to it."""
    days: list[int] = []
    slot_of: dict[int, int] = {}
    ends = 0
    for session in sessions:
        if not days or session.day != days[-1] or session.starts >= ends:
            days.append(session.day)
            ends = session.ends
        slot_of[session.number] = len(days) - 1
    return Slots(days, slot_of)


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

    It is added to recorded attendance. `count` is in `unit`; without a unit it is a number of visits, each of them a
    session on a day of its own.
    """

    count: int
    unit: AttendanceUnit | None = None

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError("an opening balance cannot be negative")

    def is_known_in(self, unit: AttendanceUnit) -> bool:
        """Return whether the balance says how many of `unit` there were.

        A day of training has at least one session. How many days some sessions took, or how long they were, is not
        known, unless there were none.
        """
        if not self.count or unit is self.unit:
            return True
        return unit is not AttendanceUnit.HOUR and self.unit in (
            {None, AttendanceUnit.DAY} if unit is AttendanceUnit.SESSION else {None}
        )

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


@dataclass(slots=True)
class StudentFacts:
    """All facts about one student for the rules of one rank system. None: not recorded.

    `active`: the student trains here now: not on trial, inactive or archived; `status` says which. `failed_tests` and
    `exams`: dates of tests for a rank of this system, of the failed ones and of all. `sessions` is the same object for
    all students; `attended` holds the numbers of those that the student attended. Both are empty unless the rules ask
    for a rate of attendance. `approvals` are without those that a person gave to themselves or to their own child.
    """

    birth_date: date | None = None
    joined_on: date | None = None
    active: bool = True
    status: str = ""
    rank_events: tuple[HistoryEvent, ...] = ()
    failed_tests: tuple[date, ...] = ()
    exams: tuple[date, ...] = ()
    attendance: tuple[Visits, ...] = ()
    sessions: SessionsHeld = field(default_factory=SessionsHeld)
    attended: Collection[int] = frozenset()
    enrolments: tuple[EnrolmentPeriod, ...] = ()
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
