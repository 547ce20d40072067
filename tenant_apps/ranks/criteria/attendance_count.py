"""`attendance_count`: so many days, sessions or hours of training since the rank held was received (C5)."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from typing import Any, ClassVar, Final, NamedTuple, Self

from tenant_apps.ranks.criteria.criterion import Candidacy, Criterion, Finding, Since, one_of, whole_number
from tenant_apps.ranks.facts import RankEventKind, Visits
from tenant_apps.ranks.spans import BEGINNING, days_from

MOST_COUNTED: Final = 100_000
MOST_PER_DAY: Final = 24
MOST_MINUTES: Final = 24 * 60
MOST_CLASS_TYPES: Final = 50


class AttendanceUnit(StrEnum):
    """What is counted: days with at least one session, sessions, or hours of 60 minutes."""

    DAY = "day"
    SESSION = "session"
    HOUR = "hour"


@dataclass(frozen=True, slots=True)
class AttendanceCount(Criterion):
    """`n` units after the date of the rank held (or ever), up to and including the day asked about.

    `class_types`: only classes of these types (exact names). `any_discipline`: also classes outside the rank
    system's discipline. `min_minutes`: only sessions of at least this length. `max_per_day`: at most so many
    sessions of a day, the longest first. Who holds no rank yet counts from ever.

    An opening balance is added when it is dated after the rank held, or on its very date if that rank was
    imported (it came along; an award of that day has used it up). A balance says nothing about class types,
    so a criterion that names some does not count it.

    Unknown (C6), rather than 0, for a rank imported or converted while no attendance is recorded up to that
    day and no balance counts: the training was done where we cannot see it.
    """

    n: int
    unit: AttendanceUnit
    class_types: tuple[str, ...] = ()
    any_discipline: bool = False
    max_per_day: int | None = None
    min_minutes: int | None = None
    since: Since = Since.RANK

    kind: ClassVar[str] = "attendance_count"
    parameters: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "n": whole_number(1, MOST_COUNTED),
        "unit": one_of(AttendanceUnit),
        "class_types": {
            "type": "array",
            "minItems": 1,
            "maxItems": MOST_CLASS_TYPES,
            "items": {"type": "string", "minLength": 1, "maxLength": 100},
        },
        "any_discipline": {"type": "boolean"},
        "max_per_day": whole_number(1, MOST_PER_DAY),
        "min_minutes": whole_number(1, MOST_MINUTES),
        "since": one_of(Since),
    }
    required: ClassVar[tuple[str, ...]] = ("n", "unit")

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        per_day, minutes = document.get("max_per_day"), document.get("min_minutes")
        return cls(
            n=int(document["n"]),
            unit=AttendanceUnit(document["unit"]),
            class_types=tuple(sorted(set(document.get("class_types", ())))),
            any_discipline=bool(document.get("any_discipline", False)),
            max_per_day=None if per_day is None else int(per_day),
            min_minutes=None if minutes is None else int(minutes),
            since=Since(document.get("since", Since.RANK)),
        )

    @classmethod
    def faults(cls, document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        if document.get("unit") == AttendanceUnit.DAY and "max_per_day" in document:
            yield "max_per_day", "has no meaning where days are counted"

    def finding(self, candidacy: Candidacy) -> Finding:
        in_scope: Sequence[Visits] = candidacy.facts.attendance
        if not self.any_discipline:
            in_scope = [series for series in in_scope if series.in_discipline]
        counted = in_scope
        if self.class_types:
            counted = [series for series in in_scope if series.class_type in self.class_types]
        tally = self._tally(counted, self._counts_after(candidacy), self._balances(candidacy))
        per_unit = 60 if self.unit is AttendanceUnit.HOUR else 1
        done = tally.total_on(candidacy.as_of)
        known = (
            not candidacy.holding.brought_along
            or done > 0
            or tally.balance_by(candidacy.as_of)
            or any(day <= candidacy.as_of for series in in_scope for day in series.days)
        )
        return Finding(
            days_from(tally.day_of_reaching(self.n * per_unit)),
            known=known,
            have=_in_units(done, per_unit) if known else None,
            need=self.n,
        )

    def _counts_after(self, candidacy: Candidacy) -> int:
        """The anchor day, after which attendance counts."""
        ever = self.since is Since.EVER or candidacy.holding.rank is None
        return BEGINNING - 1 if ever else candidacy.holding.since

    def _balances(self, candidacy: Candidacy) -> list[tuple[int, int]]:
        """(day, count) of the opening balances that count."""
        if not candidacy.facts.opening_balances or self.class_types:
            return []
        anchor = self._counts_after(candidacy)
        came_along = candidacy.holding.kind is RankEventKind.IMPORT
        return [
            (day, balance.count)
            for balance in candidacy.facts.opening_balances
            if (day := balance.on.toordinal()) > anchor or (day == anchor and came_along)
        ]

    def _tally(self, counted: Sequence[Visits], after: int, balances: list[tuple[int, int]]) -> "_Tally":
        if self.unit is AttendanceUnit.DAY and not balances:
            # The common rule, and the one that thousands of students are checked against at once.
            days = sorted(set().union(*map(self._long_enough, counted)))
            days = days[bisect_right(days, after) :]
            return _Tally(days, range(1, len(days) + 1), None)
        of_day: defaultdict[int, list[int]] = defaultdict(list)
        for series in counted:
            for day, minutes in zip(series.days, series.minutes, strict=True):
                if day > after and minutes >= (self.min_minutes or 0):
                    of_day[day].append(minutes)
        amounts = {day: self._worth(sessions) for day, sessions in of_day.items()}
        per_unit = 60 if self.unit is AttendanceUnit.HOUR else 1
        for day, count in balances:
            amounts[day] = amounts.get(day, 0) + count * per_unit
        days = sorted(amounts)
        first_balance = min(balances)[0] if balances else None
        return _Tally(days, list(accumulate(amounts[day] for day in days)), first_balance)

    def _long_enough(self, series: Visits) -> Sequence[int]:
        if self.min_minutes is None:
            return series.days
        least = self.min_minutes
        return [day for day, minutes in zip(series.days, series.minutes, strict=True) if minutes >= least]

    def _worth(self, sessions: list[int]) -> int:
        """What the sessions of one day (their minutes) count for: days, sessions or minutes."""
        if self.unit is AttendanceUnit.DAY:
            return 1
        if self.unit is AttendanceUnit.SESSION:
            return min(len(sessions), self.max_per_day or len(sessions))
        return sum(sorted(sessions, reverse=True)[: self.max_per_day])


class _Tally(NamedTuple):
    """A running total: after the i-th of the days it was `totals[i]` (days, sessions, or minutes)."""

    days: Sequence[int]
    totals: Sequence[int]
    first_balance: int | None

    def total_on(self, day: int) -> int:
        place = bisect_right(self.days, day)
        return self.totals[place - 1] if place else 0

    def day_of_reaching(self, amount: int) -> int | None:
        place = bisect_left(self.totals, amount)
        return self.days[place] if place < len(self.days) else None

    def balance_by(self, day: int) -> bool:
        return self.first_balance is not None and self.first_balance <= day


def _in_units(amount: int, per_unit: int) -> int | float:
    """Whole units as an int; else hours cut to two decimals, never rounded up: 49.999 is not 50."""
    whole, rest = divmod(amount, per_unit)
    return whole if not rest else (amount * 100 // per_unit) / 100
