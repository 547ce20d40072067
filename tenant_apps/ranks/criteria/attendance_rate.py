"""`attendance_rate`: a share of the classes offered for one's level, as Krav Maga Global asks in Scotland."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, ClassVar, Final, Self

from tenant_apps.ranks.civil_dates import months_later
from tenant_apps.ranks.criteria.criterion import Candidacy, Criterion, Finding
from tenant_apps.ranks.criteria.schema import MONTHS, whole_number
from tenant_apps.ranks.criteria.tally import Tally, tally
from tenant_apps.ranks.spans import BEGINNING, END, NEVER, Spans, union

_SHORTEST_MONTH_LACKS: Final = 3


@dataclass(frozen=True, slots=True)
class AttendanceRate(Criterion):
    """At least `percent` of the sessions offered since the date of the rank held (C5), or in the last `window_months`.

    Offered are the sessions of the discipline that count toward promotion, take place and ask for no higher rank
    than the one held; attended ones are counted among the same. Who holds no rank yet counts from the day after
    joining. With a window a session counts until the day before it is that many calendar months old (C2).

    Unknown (C6) where nothing was offered, where the day of joining is needed and missing, and for a rank brought
    along while no attendance is recorded. An opening balance says nothing about what was offered.
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
        # Who holds none of the system's ranks is below the lowest: what is offered then is open to all.
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
        """The day after which sessions count; None where it is not recorded."""
        if self.window_months is not None:
            # What has left the window before the rank was received changes nothing.
            left = months_later(candidacy.holding.since, -self.window_months)
            return BEGINNING - 1 if left is None else left - _SHORTEST_MONTH_LACKS - 1
        if candidacy.clock.since is not None:
            return candidacy.clock.since
        joined_on = candidacy.facts.joined_on
        return None if joined_on is None else joined_on.toordinal()

    def _counted(self, series: Sequence[Sequence[int]], after: int) -> Tally:
        """How many sessions count, from day to day."""
        days = sorted(chain.from_iterable(series))
        days = days[bisect_right(days, after) :]
        if self.window_months is None:
            return Tally(days, range(1, len(days) + 1))
        leaving = (months_later(day, self.window_months) for day in days)
        return tally([*((day, 1) for day in days), *((day, -1) for day in leaving if day is not None)])

    def _enough(self, there: Tally, came: Tally) -> Spans:
        """The days on which the share suffices."""
        if self.window_months is None:
            return self._enough_since(there, came)
        offered, attended = dict(zip(*there, strict=True)), dict(zip(*came, strict=True))
        days, totals = sorted({*offered, *attended}), []
        held: int | float = 0
        was: int | float = 0
        for day in days:
            held, was = offered.get(day, held), attended.get(day, was)
            totals.append(int(held > 0 and was * 100 >= self.percent * held))
        return Tally(days, totals).days_of_at_least(1)

    def _enough_since(self, there: Tally, came: Tally) -> Spans:
        """The same where both only grow, which a visit at a time finds much sooner.

        With the n-th visit the share suffices until one more session is held than n visits are enough for.
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
