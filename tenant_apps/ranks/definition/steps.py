"""From one rank to another: the steps, their paths, and from when they count."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tenant_apps.ranks.criteria import Age, Criterion


class StepType(StrEnum):
    """How a step leads on. Only promote steps are proposed unasked."""

    PROMOTE = "promote"
    CONVERT = "convert"
    SKIP = "skip"


class ClockSetting(StrEnum):
    """What a conversion does to the clock of the rank converted from (Kukkiwon: the bodies differ)."""

    RESTARTS = "restarts"
    CARRIES = "carries"


class Anchor(StrEnum):
    """The event from which a step's waiting time and counts run."""

    RANK = "rank"
    LAST_TEST = "last_test"


@dataclass(frozen=True, slots=True)
class Path:
    """One way to take a step: all of its criteria are needed; without any, the step is always open.

    `by_rank`: the last of them is not the path's own, but the holding ages of the rank that it leads to.
    """

    name: str
    criteria: tuple[Criterion, ...]
    by_rank: bool = False

    def as_document(self) -> dict[str, Any]:
        own = self.criteria[:-1] if self.by_rank else self.criteria
        return {"name": self.name, "criteria": [criterion.as_document() for criterion in own]}

    def to_be_held_at(self, ages: Age | None) -> "Path":
        """The same path to a rank with these holding ages, which it asks for unless it has an age of its own."""
        if ages is None or any(isinstance(criterion, Age) for criterion in self.criteria):
            return self
        return Path(self.name, (*self.criteria, ages), by_rank=True)


@dataclass(frozen=True, slots=True)
class Step:
    """From a rank held (None: none yet) to another; the requirements belong to the target rank."""

    origin: str | None
    to: str
    type: StepType
    paths: tuple[Path, ...]
    clock: ClockSetting = ClockSetting.RESTARTS
    anchor: Anchor = Anchor.RANK

    def as_document(self) -> dict[str, Any]:
        document: dict[str, Any] = {"from": self.origin, "to": self.to, "type": self.type.value}
        if self.clock is not ClockSetting.RESTARTS:
            document["clock"] = self.clock.value
        if self.anchor is not Anchor.RANK:
            document["anchor"] = self.anchor.value
        return {**document, "paths": [path.as_document() for path in self.paths]}
