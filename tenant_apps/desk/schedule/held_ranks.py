"""The ranks that students hold, with their belts."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from tenant_apps.desk.belts import Belt, belts
from tenant_apps.students.queries import current_ranks_of


class HeldRank(NamedTuple):
    """A rank that a student holds. Ranks without colours have no belt."""

    id: str
    name: str
    belt: Belt | None


def held_ranks(students: Sequence[str], *, as_of: date) -> dict[str, list[HeldRank]]:
    """Return, by student, the ranks held on a local date: one for each rank system. Two statements at most."""
    held = current_ranks_of(students, as_of=as_of) if students else {}
    drawn = belts() if held else {}
    return {
        student: [HeldRank(str(one["id"]), one["name"], drawn.get(str(one["id"]))) for one in ranks]
        for student, ranks in held.items()
    }
