"""`attendance_rate`: a share of the classes offered at the student's level, as Krav Maga Global Scotland requires."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, ClassVar, Final, Self

from tenant_apps.ranks.civil_dates import months_later
from tenant_apps.ranks.criteria.criterion import Criterion, CriterionInput, Finding
from tenant_apps.ranks.criteria.json_schema import MONTHS, whole_number
from tenant_apps.ranks.criteria.running_total import RunningTotal, running_total
from tenant_apps.ranks.date_intervals import BEGINNING, END, NEVER, Spans, union

_SHORTEST_MONTH_LACKS: Final = 3


@dataclass(frozen=True, slots=True)
class AttendanceRate(Criterion):
    """At least `percent` of the sessions offered since the date of the rank held (C5), or in the last `window_months`.

    A session is offered if it belongs to the discipline, counts toward promotion, takes place and requires no higher
    rank than the one held. Attendance is counted among the same sessions. For students without a rank, sessions count
    from the day after joining. With a window, a session counts until the day before it is that many months old (C2).

    Unknown (C6) if no session was offered, if the day of joining is needed and not recorded, and for an imported or
    converted rank while no attendance is recorded. Opening balances are ignored: they do not say what was offered.
    """

    percent: int
    window_months: int | None = None

    kind: ClassVar[str] = "attendance_rate"
    parameters: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "percent": whole_number(1, 100),
        "window_months": MONTHS,
    }
    required: ClassVar[tuple[str, ...]] = ("percent",)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        months = document.get("window_months")
        return cls(percent=int(document["percent"]), window_months=None if months is None else int(months))

    def finding(self, data: CriterionInput) -> Finding:
        after = self._after(data)
        if after is None:
            return Finding(NEVER, known=False, have=None, need=self.percent)
        # Students without a rank are below the lowest one: only sessions open to all count.
        level = data.order.get(data.holding.rank or "", -1) + 1
        visits = [s.days for s in data.facts.attendance if s.in_discipline and s.level <= level]
        attended = self._counted(visits, after)
        offered = self._counted([s.days for s in data.facts.offered if s.level <= level], after)
        offered_now = offered.total_on(data.as_of)
        known = offered_now > 0 and (
            not data.counting_start.is_from_elsewhere
            or any(day <= data.as_of for days in visits for day in days)
        )
        return Finding(
            self._enough(offered, attended),
            known=known,
            # Cut, never rounded up: 59.9 % is not 60 %.
            have=min(int(attended.total_on(data.as_of) * 100 // offered_now), 100) if known else None,
            need=self.percent,
        )

    def _after(self, data: CriterionInput) -> int | None:
        """Return the day after which sessions count; None if it is not recorded."""
        if self.window_months is not None:
            # Sessions that left the window before the rank was received have no effect.
            left = months_later(data.holding.since, -self.window_months)
            return BEGINNING - 1 if left is None else left - _SHORTEST_MONTH_LACKS - 1
        if data.counting_start.since is not None:
            return data.counting_start.since
        joined_on = data.facts.joined_on
        return None if joined_on is None else joined_on.toordinal()

    def _counted(self, series: Sequence[Sequence[int]], after: int) -> RunningTotal:
        """Return the number of sessions that count, by day."""
        days = sorted(chain.from_iterable(series))
        days = days[bisect_right(days, after) :]
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
