"""Amounts that change from day to day, and the days on which they suffice."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple

from tenant_apps.ranks.spans import END, Span, Spans


class Tally(NamedTuple):
    """A running total: from the i-th of the days on, until the next, it is `totals[i]`; 0 before the first."""

    days: Sequence[int]
    totals: Sequence[int | float]

    def total_on(self, day: int) -> int | float:
        place = bisect_right(self.days, day)
        return self.totals[place - 1] if place else 0

    def day_of_reaching(self, amount: int) -> int | None:
        """The first day with that total, where it only grows."""
        place = bisect_left(self.totals, amount)
        return self.days[place] if place < len(self.days) else None

    def days_of_at_least(self, amount: int | float) -> Spans:
        """The days on which the total is that or more, an amount above 0; it may rise and fall."""
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


def tally(changes: Iterable[tuple[int, int | float]]) -> Tally:
    """Of (day, by how much the total changes on it), in any order."""
    of_day: defaultdict[int, int | float] = defaultdict(int)
    for day, amount in changes:
        of_day[day] += amount
    days = sorted(of_day)
    return Tally(days, list(accumulate(of_day[day] for day in days)))


def tally_of_spans(amounts: Iterable[tuple[Span, int | float]]) -> Tally:
    """Of (from which to which day, how much counts)."""
    changes: list[tuple[int, int | float]] = []
    for (first, last), amount in amounts:
        if first <= last:
            changes += [(first, amount), (last + 1, -amount)]
    return tally(changes)
