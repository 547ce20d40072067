"""From one rank to another: the steps, their paths, and from when they count."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tenant_apps.ranks.criteria import Criterion


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
    """One way to take a step: all of its criteria are needed; without any, the step is always open."""

    name: str
    criteria: tuple[Criterion, ...]

    def as_document(self) -> dict[str, Any]:
        return {"name": self.name, "criteria": [criterion.as_document() for criterion in self.criteria]}


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
