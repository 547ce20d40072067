"""Amounts that change by day, and the days on which they are large enough."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple

from tenant_apps.ranks.date_intervals import END, Span, Spans


class RunningTotal(NamedTuple):
    """A total by day: `totals[i]` from `days[i]` until the next day in `days`; 0 before the first."""

    days: Sequence[int]
    totals: Sequence[int | float]

    def total_on(self, day: int) -> int | float:
        place = bisect_right(self.days, day)
        return self.totals[place - 1] if place else 0

    def day_of_reaching(self, amount: int) -> int | None:
        """Return the first day on which a total that only grows reaches the amount."""
        place = bisect_left(self.totals, amount)
        return self.days[place] if place < len(self.days) else None

    def days_of_at_least(self, amount: int | float) -> Spans:
        """Return the days on which the total is at least `amount` (above 0). The total may rise and fall."""
        found: list[Span] = []
        for place, (day, total) in enumerate(zip(self.days, self.totals, strict=True)):
            if total < amount:
                continue
            last = self.days[place + 1] - 1 if place + 1 < len(self.days) else END
            if found and found[-1][1] == day - 1:
                found[-1] = (found[-1][0], last)
            else:
                found.append((day, last))
        return tuple(found)


def running_total(changes: Iterable[tuple[int, int | float]]) -> RunningTotal:
    """Add up (day, change of the total on that day), in any order."""
    of_day: defaultdict[int, int | float] = defaultdict(int)
    for day, amount in changes:
        of_day[day] += amount
    days = sorted(of_day)
    return RunningTotal(days, list(accumulate(of_day[day] for day in days)))


def total_of_spans(amounts: Iterable[tuple[Span, int | float]]) -> RunningTotal:
    """Add up (first and last day, amount that counts on those days)."""
    changes: list[tuple[int, int | float]] = []
    for (first, last), amount in amounts:
        if first <= last:
            changes += [(first, amount), (last + 1, -amount)]
    return running_total(changes)
