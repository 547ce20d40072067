"""`attendance_rate`: a share of the sessions offered to the student, as Krav Maga Global Scotland requires."""

from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Any, ClassVar, Final, NamedTuple, Self

from tatami.text import gettext_noop
from tenant_apps.ranks.civil_dates import months_later
from tenant_apps.ranks.criteria.criterion import Criterion, CriterionInput, Finding
from tenant_apps.ranks.criteria.json_schema import MONTHS, NAME, one_of, several, whole_number
from tenant_apps.ranks.criteria.running_total import RunningTotal, running_total
from tenant_apps.ranks.criteria.standing import days_off_hold
from tenant_apps.ranks.date_intervals import (
    BEGINNING,
    END,
    NEVER,
    Spans,
    days_between,
    days_from,
    intersection,
    union,
)
from tenant_apps.ranks.student_facts import EnrolmentPeriod, Slots

_SHORTEST_MONTH_LACKS: Final = 3


class Offered(StrEnum):
    """Which sessions are offered to a student: those of their classes, of some types of class, or all."""

    ENROLLED = "enrolled"
    CLASS_TYPES = "class_types"
    DISCIPLINE = "discipline"


class Share(NamedTuple):
    """The detail of a finding: how many of how many sessions were attended."""

    attended: int
    offered: int


@dataclass(frozen=True, slots=True)
class AttendanceRate(Criterion):
    """At least `percent` of the sessions offered since the date of the rank held (C5), or in the last `window_months`.

    A session is offered if it was held (neither cancelled nor in a closure), belongs to the discipline, counts toward
    promotion and requires no higher rank than the one held; on a day on which the student had joined and was not on
    hold. `of` says which of these sessions:

    - `enrolled` (default): those of classes in which the student was enrolled on that day. A student who never was
      enrolled in a class of the discipline is offered all, as with `discipline`.
    - `class_types`: those of the types in `class_types`. They, and those of `discipline`, are offered from the first
      enrolment in such a class on, if there was one.
    - `discipline`: all.

    Sessions at the same time count once. Attendance is counted among the sessions offered. With a window, a session
    counts until the day before it is that many months old (C2).

    Unknown (C6) if no session was offered, if the student has no rank and neither joining nor an enrolment is recorded,
    and for an imported or converted rank while no attendance is recorded. Opening balances are ignored: they do not say
    what was offered.
    """

    percent: int
    window_months: int | None = None
    of: Offered = Offered.ENROLLED
    class_types: tuple[str, ...] = ()

    kind: ClassVar[str] = "attendance_rate"
    restarts_after_test: ClassVar[bool] = True
    parameters: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "percent": whole_number(1, 100),
        "window_months": MONTHS,
        "of": one_of(Offered),
        "class_types": several(NAME),
    }
    required: ClassVar[tuple[str, ...]] = ("percent",)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        months = document.get("window_months")
        return cls(
            percent=int(document["percent"]),
            window_months=None if months is None else int(months),
            of=Offered(document.get("of", Offered.ENROLLED)),
            class_types=tuple(sorted(set(document.get("class_types", ())))),
        )

    @classmethod
    def faults(cls, document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        by_type = document.get("of") == Offered.CLASS_TYPES
        if by_type and "class_types" not in document:
            yield "class_types", gettext_noop("is required if `of` is class_types")
        if not by_type and "class_types" in document:
            yield "class_types", gettext_noop("is only valid if `of` is class_types")

    def finding(self, data: CriterionInput) -> Finding:
        first = self._first_day(data)
        if first is None:
            return Finding(NEVER, known=False, have=None, need=self.percent)
        offered_on, attended_on = self._sessions(first, data)
        offered, attended = self._counted(offered_on), self._counted(attended_on)
        share = Share(int(attended.total_on(data.as_of)), int(offered.total_on(data.as_of)))
        known = share.offered > 0 and (
            not data.counting_start.is_from_elsewhere
            or any(
                day <= data.as_of
                for series in data.facts.attendance
                if series.in_discipline
                for day in series.days
            )
        )
        return Finding(
            self._enough(offered, attended),
            known=known,
            # Cut, never rounded up: 59.9 % is not 60 %.
            have=share.attended * 100 // share.offered if known else None,
            need=self.percent,
            detail=share,
        )

    def _first_day(self, data: CriterionInput) -> int | None:
        """Return the first day whose sessions may count; None if it is not recorded."""
        facts = data.facts
        joined = BEGINNING if facts.joined_on is None else facts.joined_on.toordinal()
        if self.window_months is not None:
            # Sessions that left the window before the rank was received have no effect.
            left = months_later(data.holding.since, -self.window_months)
            return max(joined, BEGINNING if left is None else left - _SHORTEST_MONTH_LACKS)
        if data.counting_start.since is not None:
            return max(joined, data.counting_start.since + 1)
        return joined if facts.joined_on is not None or self._periods(data) else None

    def _periods(self, data: CriterionInput) -> list[EnrolmentPeriod]:
        """Return the enrolments in classes of the discipline, or of the class types."""
        held = data.facts.sessions
        if not self.class_types:
            return [period for period in data.facts.enrolments if period.training_class in held.classes]
        classes = set[Hashable]().union(*(held.classes_of_type.get(name, ()) for name in self.class_types))
        return [period for period in data.facts.enrolments if period.training_class in classes]

    def _sessions(self, first: int, data: CriterionInput) -> tuple[list[int], list[int]]:
        """Return the days of the sessions that were offered from a day on, and of those that were attended."""
        offered: list[int] = []
        attended: list[int] = []
        for since, until, slots in self._slots(first, data):
            start, stop = bisect_left(slots.days, since), bisect_right(slots.days, until)
            offered += slots.days[start:stop]
            came_to = {slots.slot_of[number] for number in slots.slot_of.keys() & data.facts.attended}
            attended += [slots.days[slot] for slot in sorted(came_to) if start <= slot < stop]
        return offered, attended

    def _slots(self, first: int, data: CriterionInput) -> Iterator[tuple[int, int, Slots]]:
        """Yield spans of days, in order, each with the sessions that were open to the student in that time."""
        # Students without a rank are below the lowest one: only sessions open to all count.
        level = data.order.get(data.holding.rank or "", -1) + 1
        days, held, periods = days_off_hold(data.facts), data.facts.sessions, self._periods(data)
        if self.of is not Offered.ENROLLED or not periods:
            since = max([first, *([min(period.first for period in periods)] if periods else [])])
            slots = held.slots(level, class_types=self.class_types)
            for span in intersection(days_from(since), days):
                yield *span, slots
            return
        # Between two of these days the student was enrolled in the same classes.
        changes = sorted({first, *(day for one in periods for day in (one.first, one.last + 1)), END + 1})
        for since, following in pairwise(changes):
            classes = frozenset(
                one.training_class for one in periods if one.first <= since and following <= one.last + 1
            )
            if since >= first and classes:
                for span in intersection(days_between(since, following - 1), days):
                    yield *span, held.slots(level, classes=classes)

    def _counted(self, days: Sequence[int]) -> RunningTotal:
        """Return the number of sessions that count, by day."""
        if self.window_months is None:
            return RunningTotal(days, range(1, len(days) + 1))
        leaving = (months_later(day, self.window_months) for day in days)
        return running_total(
            [*((day, 1) for day in days), *((day, -1) for day in leaving if day is not None)]
        )

    def _enough(self, offered: RunningTotal, attended: RunningTotal) -> Spans:
        """Return the days on which the share is high enough."""
        if self.window_months is None:
            return self._enough_since(offered, attended)
        offered_on, attended_on = dict(zip(*offered, strict=True)), dict(zip(*attended, strict=True))
        days, enough = sorted({*offered_on, *attended_on}), []
        offered_total: int | float = 0
        attended_total: int | float = 0
        for day in days:
            offered_total = offered_on.get(day, offered_total)
            attended_total = attended_on.get(day, attended_total)
            enough.append(int(offered_total > 0 and attended_total * 100 >= self.percent * offered_total))
        return RunningTotal(days, enough).days_of_at_least(1)

    def _enough_since(self, offered: RunningTotal, attended: RunningTotal) -> Spans:
        """Do the same if both numbers only grow, much faster: one step for each attendance.

        With the n-th attendance the share is high enough until too many sessions were offered for n attendances.
        """
        found = []
        for visit, (day, number) in enumerate(zip(*attended, strict=True)):
            most_offered = int(number) * 100 // self.percent
            last = offered.days[most_offered] - 1 if most_offered < len(offered.days) else END
            if visit + 1 < len(attended.days):
                last = min(last, attended.days[visit + 1] - 1)
            if offered.days and (first := max(day, offered.days[0])) <= last:
                found.append((first, last))
        return union(tuple(found))
