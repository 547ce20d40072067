"""What the engine answers."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from tenant_apps.ranks.definition import StepType


class Status(StrEnum):
    """A criterion's answer (C6)."""

    MET = "met"
    NOT_MET = "not_met"
    UNKNOWN = "unknown"


class Eligibility(StrEnum):
    """The answer about a rank. UNKNOWN is not eligible: no known fact speaks against it, but one is missing (C6)."""

    ELIGIBLE = "eligible"
    NOT_ELIGIBLE = "not_eligible"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CriterionResult:
    """One criterion as of the date asked (C7). `have` and `need` in its unit; `message` is for a parent.

    `earliest_on`: met → since when (None: always); not met → the first date from which it will be met if no
    fact changes (None: never, or it takes new facts); unknown → None.
    """

    kind: str
    status: Status
    have: int | float | None
    need: int | float | None
    earliest_on: date | None
    message: str


@dataclass(frozen=True, slots=True)
class StepResult:
    """May the student take a step to this rank as of the date asked, by which path, and what is missing (C7).

    `earliest_on` is the first date of a run of dates on which the rank is (eligible: the run of the date
    asked; else the next one) open to this student in this rank, if no fact changes: eligible on it, not on
    the day before. None where there is no such date (or, if eligible, where it has always been so), or
    where a fact is missing on the path. `step_type` is that of the path's step; None where no step leads there.
    """

    current_rank: str | None
    target_rank: str
    step_type: StepType | None
    status: Eligibility
    path: str | None
    earliest_on: date | None
    criteria: tuple[CriterionResult, ...]
