"""The results of the engine."""

from datetime import date
from enum import StrEnum
from typing import NamedTuple

from tenant_apps.ranks.definition import StepType


class Status(StrEnum):
    """The status of a criterion (C6)."""

    MET = "met"
    NOT_MET = "not_met"
    UNKNOWN = "unknown"


class Eligibility(StrEnum):
    """The status of a target rank (C6).

    UNKNOWN is not eligible: no known fact prevents the promotion, but a fact is missing.
    """

    ELIGIBLE = "eligible"
    NOT_ELIGIBLE = "not_eligible"
    UNKNOWN = "unknown"


class CriterionResult(NamedTuple):
    """One criterion as of the date asked (C7). `have` and `need` are in its unit; `message` is for a parent.

    `earliest_on` depends on the status. Met: since when (None: always). Not met: the first date from which it will be
    met if no fact changes (None: never, or only with new facts). Unknown: None.
    """

    kind: str
    status: Status
    have: int | float | None
    need: int | float | None
    earliest_on: date | None
    message: str


class PathResult(NamedTuple):
    """One path of a step as of the date asked, by itself: the status of its criteria together, and when it is open.

    `earliest_on` is like that of `StepResult`, for this path alone.
    """

    name: str
    step_type: StepType
    status: Eligibility
    earliest_on: date | None
    criteria: tuple[CriterionResult, ...]


class StepResult(NamedTuple):
    """Whether the student may take a step to this rank as of the date asked, and what each path lacks (C7).

    `paths` lists all paths, the best first: one that is met, else the one that is met first, else the one with the
    fewest criteria that are not met. `path`, `step_type` and `criteria` are those of the best. If no step leads to the
    rank, there is no path, and the only criterion, of kind "step", says so.

    `earliest_on` is the first date of a run of dates on which the rank is open to this student in this rank, if no
    fact changes: the student is eligible on it, and not on the day before. It is the run that includes the date asked
    if the student is eligible, else the next run. It is None if there is no such date, if the student has always been
    eligible, or if a fact is missing on the path. `suggested_rank` is the rank of a conversion from the rank held, if
    the student is too old for the best path of a promotion.
    """

    current_rank: str | None
    target_rank: str
    status: Eligibility
    earliest_on: date | None
    criteria: tuple[CriterionResult, ...]
    paths: tuple[PathResult, ...] = ()
    suggested_rank: str | None = None

    @property
    def path(self) -> str | None:
        """The name of the best path."""
        return self.paths[0].name if self.paths else None

    @property
    def step_type(self) -> StepType | None:
        """The type of the step that the best path belongs to."""
        return self.paths[0].step_type if self.paths else None
