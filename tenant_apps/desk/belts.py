"""The colours and stripes of ranks, for drawing belts."""

from collections.abc import Mapping
from dataclasses import dataclass

from tenant_apps.ranks.definition.rank_definition import RankKind
from tenant_apps.ranks.models import Rank


@dataclass(frozen=True, slots=True)
class Belt:
    """A belt: its colours from left to right (`#1a2b3c`; at most three are drawn), and its number of stripes."""

    colours: tuple[str, ...]
    stripes: int = 0


def belts() -> Mapping[str, Belt]:
    """Return the belt of every rank of the dojo, by the rank's id. A sub-rank is a stripe on the belt before it.

    One statement. Ranks without colours have no belt.
    """
    found: dict[str, Belt] = {}
    before: dict[tuple[object, str], Belt] = {}
    rows = Rank.objects.order_by("system_id", "position").values_list(
        "id", "system_id", "track", "kind", "colours"
    )
    for rank_id, system_id, track, kind, colours in rows:
        group = (system_id, track)
        previous = before.get(group)
        if kind == RankKind.SUB_RANK and previous is not None:
            belt = Belt(previous.colours if not colours else tuple(colours), previous.stripes + 1)
        else:
            belt = Belt(tuple(colours))
        before[group] = belt
        if belt.colours:
            found[str(rank_id)] = belt
    return found
