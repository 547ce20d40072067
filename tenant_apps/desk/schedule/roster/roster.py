"""The roster of a session as its page shows it: the API's roster with belts, ranks, and what the next tap does."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from tenant_apps.attendance.corrections import ABSENT, EXPECTED, LATE, PRESENT
from tenant_apps.desk.belts import Belt, belts
from tenant_apps.desk.schedule import queries
from tenant_apps.ranks.models import Rank
from tenant_apps.students.queries import current_ranks_of

_NEXT: Final = {EXPECTED: PRESENT, ABSENT: PRESENT, PRESENT: LATE, LATE: ABSENT}
"""One tap marks present, the second late, the third takes the mark away."""


@dataclass(frozen=True, slots=True)
class RosterRow:
    """A student on the roster. `ranks` are the names of the ranks held, with the belt of each that has one."""

    entry: Mapping[str, Any]
    ranks: list[tuple[str, Belt | None]]

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
    entries = session["roster"]
    held = current_ranks_of([one["student"]["id"] for one in entries], as_of=today) if entries else {}
    drawn = belts() if held else {}

    def ranks_of(student: str) -> list[tuple[str, Belt | None]]:
        return [(rank["name"], drawn.get(str(rank["id"]))) for rank in held.get(student, [])]

    rows = [RosterRow(one, ranks_of(one["student"]["id"])) for one in entries]
    return Roster(
        session=session,
        rows=rows,
        ranks=_count_ranks(held, drawn) if held else [],
        opens_at=opens_at if opens_at and opens_at > now else None,
        seen=seen,
    )


def _count_ranks(held: Mapping[str, Any], drawn: Mapping[str, Belt]) -> list[RankCount]:
    """Return how many hold each rank, the highest first. One statement."""
    counted = Counter(str(rank["id"]) for ranks in held.values() for rank in ranks)
    rows = Rank.objects.filter(pk__in=counted).order_by("system__name", "-position").values_list("pk", "name")
    return [RankCount(name, drawn.get(str(key)), counted[str(key)]) for key, name in rows]
