"""The rank that a student holds as of a date, independent of the order in which events were entered."""

from collections.abc import Iterable, Mapping
from datetime import date
from itertools import pairwise
from typing import Final, NamedTuple

from tenant_apps.ranks.date_intervals import BEGINNING, END
from tenant_apps.ranks.student_facts import HistoryEvent, RankEventKind

_TIE = {kind: place for place, kind in enumerate(RankEventKind)}


class SubRank(NamedTuple):
    """A stripe or a degree: the n-th sub-rank `of` a rank. Its holder still holds that rank."""

    of: str
    number: int


class Holding(NamedTuple):
    """A rank (None: no rank yet) held from the day `since` to the day `until`: ordinals, both included."""

    rank: str | None
    kind: RankEventKind | None
    since: int
    until: int

    @property
    def held_on(self) -> date | None:
        """The date of the rank held, the anchor of C2 and C5; None if no rank is held."""
        return None if self.rank is None else date.fromordinal(self.since)


NO_RANK: Final = (Holding(None, None, BEGINNING, END),)
"""The history of a student without any rank."""


def holdings(events: Iterable[HistoryEvent], order: Mapping[str, int]) -> tuple[Holding, ...]:
    """Return the ranks of a student in order of time; the first is the time without a rank.

    Together they cover all dates.

    If several events fall on one day, the last one counts: demotions after promotions, promotions from the lowest
    to the highest rank, demotions from the highest to the lowest. `order` maps the code of each rank to its place
    in the system. A code that is missing there (a rank that the rules no longer have) sorts below all others and
    can still be held.
    """

    def key(event: HistoryEvent) -> tuple[bool, int, str, int]:
        place = order.get(event.rank, -1)
        down = event.kind is RankEventKind.DEMOTE
        return down, -place if down else place, event.rank, _TIE[event.kind]

    of_day: dict[int, HistoryEvent] = {}
    for event in events:
        day = event.on.toordinal()
        if day not in of_day or key(event) > key(of_day[day]):
            of_day[day] = event
    if not of_day:
        return NO_RANK
    days = [*sorted(of_day), END + 1]
    found = [Holding(None, None, BEGINNING, days[0] - 1)]
    for first, until in pairwise(days):
        event = of_day[first]
        found.append(Holding(event.rank, event.kind, first, until - 1))
    return tuple(found)


def without_sub_ranks(ranks: tuple[Holding, ...], sub_ranks: Mapping[str, SubRank]) -> tuple[Holding, ...]:
    """Return the same times with sub-ranks counted as their rank: a student with a stripe on blue still holds blue.

    If the first known event is a sub-rank (imported with two stripes), the student holds the rank since then.
    """
    if not sub_ranks or ranks is NO_RANK:
        return ranks
    found: list[Holding] = []
    for holding in ranks:
        sub_rank = sub_ranks.get(holding.rank or "")
        if sub_rank is None:
            found.append(holding)
        elif found and found[-1].rank == sub_rank.of:
            found[-1] = found[-1]._replace(until=holding.until)
        else:
            found.append(holding._replace(rank=sub_rank.of))
    return tuple(found)
