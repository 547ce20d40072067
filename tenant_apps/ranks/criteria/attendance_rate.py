"""`attendance_rate`: a share of the classes offered at the student's level, as Krav Maga Global Scotland requires."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, ClassVar, Final, Self

from tenant_apps.ranks.civil_dates import months_later
from tenant_apps.ranks.criteria.criterion import Candidacy, Criterion, Finding
from tenant_apps.ranks.criteria.running_total import RunningTotal, running_total
from tenant_apps.ranks.criteria.schema import MONTHS, whole_number
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

    def finding(self, candidacy: Candidacy) -> Finding:
        after = self._after(candidacy)
        if after is None:
            return Finding(NEVER, known=False, have=None, need=self.percent)
        # Students without a rank are below the lowest one: only sessions open to all count.
        level = candidacy.order.get(candidacy.holding.rank or "", -1) + 1
        visits = [s.days for s in candidacy.facts.attendance if s.in_discipline and s.level <= level]
        came = self._counted(visits, after)
        there = self._counted([s.days for s in candidacy.facts.offered if s.level <= level], after)
        there_now = there.total_on(candidacy.as_of)
        known = there_now > 0 and (
            not candidacy.clock.brought_along
            or any(day <= candidacy.as_of for days in visits for day in days)
        )
        return Finding(
            self._enough(there, came),
            known=known,
            # Cut, never rounded up: 59.9 % is not 60 %.
            have=min(int(came.total_on(candidacy.as_of) * 100 // there_now), 100) if known else None,
            need=self.percent,
        )

    def _after(self, candidacy: Candidacy) -> int | None:
        """Return the day after which sessions count; None if it is not recorded."""
        if self.window_months is not None:
            # Sessions that left the window before the rank was received have no effect.
            left = months_later(candidacy.holding.since, -self.window_months)
            return BEGINNING - 1 if left is None else left - _SHORTEST_MONTH_LACKS - 1
        if candidacy.clock.since is not None:
            return candidacy.clock.since
        joined_on = candidacy.facts.joined_on
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

    def _enough(self, there: RunningTotal, came: RunningTotal) -> Spans:
        """Return the days on which the share is high enough."""
        if self.window_months is None:
            return self._enough_since(there, came)
        offered, attended = dict(zip(*there, strict=True)), dict(zip(*came, strict=True))
        days, totals = sorted({*offered, *attended}), []
        held: int | float = 0
        was: int | float = 0
        for day in days:
            held, was = offered.get(day, held), attended.get(day, was)
            totals.append(int(held > 0 and was * 100 >= self.percent * held))
        return RunningTotal(days, totals).days_of_at_least(1)

    def _enough_since(self, there: RunningTotal, came: RunningTotal) -> Spans:
        """Do the same if both numbers only grow, much faster: one step for each attendance.

        With the n-th attendance the share is high enough until too many sessions were offered for n attendances.
        """
        found = []
        for visit, (day, number) in enumerate(zip(*came, strict=True)):
            most_held = int(number) * 100 // self.percent
            last = there.days[most_held] - 1 if most_held < len(there.days) else END
            if visit + 1 < len(came.days):
                last = min(last, came.days[visit + 1] - 1)
            if there.days and (first := max(day, there.days[0])) <= last:
                found.append((first, last))
        return union(tuple(found))
