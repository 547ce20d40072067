"""How far a student is on the way to the next rank: the promotions check as a bar and as sentences."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

MET: Final = "met"
STANDING: Final = "standing"
"""The criterion that someone is an active student. It is a condition, not a part of the way."""


@dataclass(frozen=True, slots=True)
class Progress:
    """One step to a rank: `paths` are all ways to it, the best first, with criteria as the API gives them."""

    current_rank: Mapping[str, Any] | None
    target_rank: Mapping[str, Any]
    status: str
    earliest_on: str | None
    paths: Sequence[Mapping[str, Any]]
    percent: int

    @property
    def missing(self) -> list[Mapping[str, Any]]:
        """The criteria of the best way that are not met, or not known."""
        return [one for one in self.paths[0]["criteria"] if one["status"] != MET] if self.paths else []


def progress_of(results: Iterable[Mapping[str, Any]]) -> dict[str, list[Progress]]:
    """Return the steps of each student by id, from the `results` of a promotions check. Conversions are left out."""
    found: dict[str, list[Progress]] = {}
    for result in results:
        if result["target_rank"] is None or result["type"] == "convert":
            continue
        found.setdefault(result["student"]["id"], []).append(
            Progress(
                current_rank=result["current_rank"],
                target_rank=result["target_rank"],
                status=result["status"],
                earliest_on=result["earliest_on"],
                paths=result["paths"],
                percent=_percent(result["criteria"]),
            )
        )
    return found


def _percent(criteria: Sequence[Mapping[str, Any]]) -> int:
    """Return how much of the criteria is done: each counts alike, a number counts in part. 0 to 100."""
    shares = [_share(one) for one in criteria if one["kind"] != STANDING]
    return int(100 * sum(shares) / len(shares)) if shares else 100


def _share(criterion: Mapping[str, Any]) -> float:
    if criterion["status"] == MET:
        return 1.0
    have, need = criterion["have"], criterion["need"]
    is_number = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (have, need))
    return max(0.0, min(1.0, have / need)) if is_number and need else 0.0
