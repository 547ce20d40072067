"""The roster of a session as its page shows it: the API's roster with belts, ranks, and what the next tap does."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from tenant_apps.attendance.roster import ABSENT, EXPECTED, LATE, PRESENT
from tenant_apps.desk.belts import Belt
from tenant_apps.desk.schedule import queries
from tenant_apps.desk.schedule.held_ranks import HeldRank, held_ranks
from tenant_apps.ranks.models import Rank

_NEXT: Final = {EXPECTED: PRESENT, ABSENT: PRESENT, PRESENT: LATE, LATE: ABSENT}
"""One tap marks present, the second late, the third takes the mark away."""


@dataclass(frozen=True, slots=True)
class RosterRow:
    """A student on the roster."""

    entry: Mapping[str, Any]
    ranks: list[HeldRank]

    @property
    def id(self) -> str:
        return str(self.entry["student"]["id"])

    @property
    def name(self) -> str:
        return str(self.entry["student"]["name"])

    @property
    def state(self) -> str:
        return str(self.entry["state"])

    @property
    def next_state(self) -> str:
        return _NEXT[self.state]

    @property
    def came(self) -> bool:
        return self.state in {PRESENT, LATE}

    @property
    def undo_state(self) -> str:
        """The state to send to return to the present one."""
        return self.state if self.came else ABSENT


@dataclass(frozen=True, slots=True)
class RankCount:
    """How many students of a roster hold a rank."""

    name: str
    belt: Belt | None
    count: int


@dataclass(frozen=True, slots=True)
class Roster:
    """The roster of a session with its numbers."""

    session: Mapping[str, Any]
    rows: list[RosterRow]
    ranks: list[RankCount]
    opens_at: datetime | None
    """From when on staff may mark, if that is still to come."""
    seen: str

    @property
    def present(self) -> int:
        """How many came, the late included."""
        return sum(row.came for row in self.rows)

    @property
    def late(self) -> int:
        return sum(row.state == LATE for row in self.rows)

    @property
    def expected(self) -> int:
        return sum(bool(row.entry["enrolled"]) for row in self.rows)

    @property
    def is_full(self) -> bool:
        capacity = self.session["capacity"]
        return capacity is not None and self.present >= capacity

    @property
    def can_be_marked(self) -> bool:
        """Whether students may be added. Those who are on the roster of a cancelled session can be corrected."""
        return self.opens_at is None and self.session["status"] != "cancelled"

    def row(self, student: str) -> RosterRow | None:
        """Return the row of a student, or `None`."""
        return next((row for row in self.rows if row.id == student), None)


def build_roster(session: Mapping[str, Any], *, today: date, now: datetime) -> Roster:
    """Return the roster of a session that the API has returned, with ranks and belts. Eight statements at most."""
    opens_at = queries.marking_opens_at(session["id"])
    seen = queries.roster_fingerprint(UUID(session["id"]), now=now)
    held = held_ranks([one["student"]["id"] for one in session["roster"]], as_of=today)
    return Roster(
        session=session,
        rows=[RosterRow(one, held.get(one["student"]["id"], [])) for one in session["roster"]],
        ranks=_count_ranks(held) if held else [],
        opens_at=opens_at if opens_at and opens_at > now else None,
        seen=seen,
    )


def _count_ranks(held: Mapping[str, list[HeldRank]]) -> list[RankCount]:
    """Return how many hold each rank, the highest first. One statement."""
    every = [rank for ranks in held.values() for rank in ranks]
    counted, drawn = Counter(rank.id for rank in every), {rank.id: rank.belt for rank in every}
    rows = Rank.objects.filter(pk__in=counted).order_by("system__name", "-position").values_list("pk", "name")
    return [RankCount(name, drawn[str(key)], counted[str(key)]) for key, name in rows]
