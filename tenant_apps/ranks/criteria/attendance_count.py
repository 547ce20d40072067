"""`attendance_count`: a number of days, sessions or hours of training since the rank held was received (C5)."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from typing import Any, ClassVar, Final, NamedTuple, Self

from tatami.text import gettext_noop
from tenant_apps.ranks.criteria.criterion import Criterion, CriterionInput, Finding, since_last_test
from tenant_apps.ranks.criteria.json_schema import NAME, one_of, several, whole_number
from tenant_apps.ranks.criteria.running_total import RunningTotal, running_total
from tenant_apps.ranks.date_intervals import BEGINNING, NEVER, days_from
from tenant_apps.ranks.student_facts import AttendanceUnit, OpeningBalance, RankEventKind, Visits


class AttendanceSince(StrEnum):
    """The event after which attendance counts: the rank held, the last test (also a failed one), joining, or none."""

    RANK = "rank"
    LAST_TEST = "last_test"
    ENROLMENT = "enrolment"
    EVER = "ever"


RECORDED_IN_ANOTHER_UNIT: Final = "another unit"
"""The detail of a finding: an opening balance is not in the unit that is counted."""


def amount_by_day(
    counted: Iterable[Visits], after: int, unit: AttendanceUnit, max_per_day: int | None
) -> dict[int, int]:
    """Return the sessions or minutes that count, by day; of more than `max_per_day` sessions the longest count."""
    of_day: defaultdict[int, list[int]] = defaultdict(list)
    for series in counted:
        for day in series.days:
            if day > after:
                of_day[day].append(series.minutes)
    if unit is AttendanceUnit.SESSION:
        return {day: min(len(minutes), max_per_day or len(minutes)) for day, minutes in of_day.items()}
    return {day: sum(sorted(minutes, reverse=True)[:max_per_day]) for day, minutes in of_day.items()}


def in_units(amount: int | float, unit: AttendanceUnit) -> int | float:
    """Return whole units as an int, else hours cut to two decimals. Never rounded up: 49.999 is not 50."""
    if type(amount) is int and unit is not AttendanceUnit.HOUR:
        return amount
    whole, rest = divmod(int(amount), unit.size)
    return whole if not rest else (int(amount) * 100 // unit.size) / 100


MOST_COUNTED: Final = 100_000
MOST_PER_DAY: Final = 24
MOST_MINUTES: Final = 24 * 60


@dataclass(frozen=True, slots=True)
class AttendanceCount(Criterion):
    """`n` units after the date of the rank held (or since another event), up to and including the day of the check.

    `class_types`: only classes of these types (exact names). `any_discipline`: also classes outside the rank
    system's discipline. `min_minutes`: only sessions of at least this length. `max_per_day`: at most this many
    sessions of a day, the longest first. For students without a rank, all attendance counts.

    An opening balance is added if it is dated after the day from which attendance counts. It is also added if it
    has the date of an imported rank, because both were imported together; an award on that day has used it up. A
    balance has no class type, so a criterion with `class_types` ignores it. A balance that has expired is
    subtracted again. A balance in another unit (30 sessions, where hours are asked for) is not added.

    The result is unknown (C6) until the number is reached, if the record may not be complete: the rank was imported or
    converted, and neither does a balance say what came before, nor does the student's recorded attendance reach back
    to the day after the event from which it counts. It is also unknown if all balances are in another
    unit, and if the day of joining is needed and not recorded.
    """

    n: int
    unit: AttendanceUnit
    class_types: tuple[str, ...] = ()
    any_discipline: bool = False
    max_per_day: int | None = None
    min_minutes: int | None = None
    since: AttendanceSince = AttendanceSince.RANK

    kind: ClassVar[str] = "attendance_count"
    restarts_after_test: ClassVar[bool] = True
    parameters: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "n": whole_number(1, MOST_COUNTED),
        "unit": one_of(AttendanceUnit),
        "class_types": several(NAME),
        "any_discipline": {"type": "boolean"},
        "max_per_day": whole_number(1, MOST_PER_DAY),
        "min_minutes": whole_number(1, MOST_MINUTES),
        "since": one_of(AttendanceSince),
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
            since=AttendanceSince(document.get("since", AttendanceSince.RANK)),
        )

    @classmethod
    def faults(cls, document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        if document.get("unit") == AttendanceUnit.DAY and "max_per_day" in document:
            yield "max_per_day", gettext_noop("is not valid if days are counted")

    def finding(self, data: CriterionInput) -> Finding:
        if self.since is AttendanceSince.LAST_TEST:
            return since_last_test(self._finding, data)
        return self._finding(data)

    def _finding(self, data: CriterionInput) -> Finding:
        after = self._counts_after(data)
        if after is None:
            return Finding(NEVER, known=False, have=None, need=self.n)
        in_scope: Collection[Visits] = data.facts.attendance
        if not self.any_discipline:
            in_scope = [series for series in in_scope if series.in_discipline]
        counted = in_scope
        if self.class_types or self.min_minutes is not None:
            counted = [series for series in in_scope if self._counts(series)]
        balances = self._balances(data, after) if data.facts.opening_balances else _NO_BALANCES
        total = self._tally(counted, after, balances.usable)
        done = total.total_on(data.as_of)
        known = not balances.are_in_another_unit and (
            not data.counting_start.is_from_elsewhere
            or balances.are_known
            or self._reaches_back(in_scope, data)
        )
        enough = self.n * self.unit.size
        expires = balances.usable and any(balance.expires_on for balance in balances.usable)
        return Finding(
            total.days_of_at_least(enough) if expires else days_from(total.day_of_reaching(enough)),
            known,
            in_units(done, self.unit) if known or done >= enough else None,
            self.n,
            RECORDED_IN_ANOTHER_UNIT if balances.are_in_another_unit else None,
        )

    def _reaches_back(self, attendance: Iterable[Visits], data: CriterionInput) -> bool:
        """Return whether recorded attendance begins on the day after the rank was received, or before."""
        first = min((min(series.days) for series in attendance if series.days), default=None)
        since = data.counting_start.since
        return first is not None and since is not None and first <= min(since + 1, data.as_of)

    def _counts_after(self, data: CriterionInput) -> int | None:
        """Return the day after which attendance counts; None if it is not recorded."""
        match self.since:
            case AttendanceSince.EVER:
                return BEGINNING - 1
            case AttendanceSince.ENROLMENT:
                joined_on = data.facts.joined_on
                return None if joined_on is None else joined_on.toordinal()
            case _:
                return data.counting_start.after

    def _counts(self, series: Visits) -> bool:
        return (not self.class_types or series.class_type in self.class_types) and (
            self.min_minutes is None or series.minutes >= self.min_minutes
        )

    def _balances(self, data: CriterionInput, after: int) -> "_Balances":
        """Return the opening balances that count until they expire."""
        if self.class_types:
            return _NO_BALANCES
        is_imported = data.counting_start.kind is RankEventKind.IMPORT
        found = [
            balance
            for balance in data.facts.opening_balances
            if (day := balance.span[0]) > after or (day == after and is_imported)
        ]
        usable = [balance for balance in found if balance.is_known_in(self.unit)]
        return _Balances(
            usable,
            are_known=any(balance.span[0] <= data.as_of for balance in usable),
            are_in_another_unit=not usable and any(balance.span[0] <= data.as_of for balance in found),
        )

    def _tally(
        self, counted: Collection[Visits], after: int, balances: Sequence[OpeningBalance]
    ) -> RunningTotal:
        size = self.unit.size
        balance_changes = [(day, amount * size) for balance in balances for day, amount in balance.changes()]
        if self.unit is AttendanceUnit.DAY:
            # The most common rule, checked for thousands of students at once: a faster path.
            days = _days_after(after, counted)
            if not balance_changes:
                return RunningTotal(days, range(1, len(days) + 1))
            before = running_total(balance_changes)
            if not days or before.days[-1] < days[0]:
                from_balances = int(before.totals[-1])
                visits = range(from_balances + 1, from_balances + len(days) + 1)
                return RunningTotal([*before.days, *days], [*before.totals, *visits])
            amounts = dict.fromkeys(days, 1)
        else:
            amounts = amount_by_day(counted, after, self.unit, self.max_per_day)
        return running_total([*amounts.items(), *balance_changes])


class _Balances(NamedTuple):
    """Opening balances: those in the unit that is counted, and what is known as of the day of the check."""

    usable: Sequence[OpeningBalance]
    are_known: bool
    are_in_another_unit: bool


_NO_BALANCES: Final = _Balances((), are_known=False, are_in_another_unit=False)


def _days_after(day: int, counted: Iterable[Visits]) -> list[int]:
    """Return the days with visits after a day, each once, in order.

    They are sorted first: days that arrive nearly in order, as they are stored, are sorted in almost no time, and often
    few of them are after the day.
    """
    days = sorted(chain.from_iterable([series.days for series in counted]))
    return list(dict.fromkeys(days[bisect_right(days, day) :] if days and days[0] <= day else days))
