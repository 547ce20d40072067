"""When somebody would have reached which rank, by a federation's rules and a human pace. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Final

from tenant_apps.ranks.civil_dates import LeapDayBirthday, birthday, months_later
from tenant_apps.ranks.criteria.age import Age
from tenant_apps.ranks.criteria.attendance_count import AttendanceCount
from tenant_apps.ranks.criteria.time_in_rank import TimeInRank
from tenant_apps.ranks.definition import RankDefinition, Step, StepType

_DAYS_TRAINED_A_MONTH: Final = 6.5
_SATURDAY: Final = 5


@dataclass(frozen=True, slots=True)
class Rung:
    """A rank and the day on which it would be reached. `is_given`: it asks for nothing (the white belt)."""

    code: str
    on: date
    is_given: bool


def rungs(
    definition: RankDefinition,
    *,
    birth_date: date,
    began_on: date,
    until: date,
    usual_months: int,
    rng: Random,
) -> Iterator[Rung]:
    """Yield the ranks reached from `began_on` to `until`, lowest first.

    Each step takes at least what its usual path asks in months, visits and age, and no less than `usual_months`.
    """
    held, on = None, began_on
    while step := _promotion(definition, held):
        criteria = step.paths[0].criteria
        if criteria:
            months = max(usual_months, *map(_months, criteria)) * rng.triangular(1.0, 2.6, 1.2)
            reached = date.fromordinal(months_later(on.toordinal(), round(months)) or date.max.toordinal())
            on = _next_saturday(max(reached, *(_of_age(criterion, birth_date) for criterion in criteria)))
        if on > until:
            return
        yield Rung(step.to, on, is_given=not criteria)
        held = step.to


def _promotion(definition: RankDefinition, held: str | None) -> Step | None:
    return next((step for step in definition.steps_from(held) if step.type is StepType.PROMOTE), None)


def _months(criterion: object) -> float:
    match criterion:
        case TimeInRank(months=months):
            return months
        case AttendanceCount(n=n):
            return n / _DAYS_TRAINED_A_MONTH
        case _:
            return 0


def _of_age(criterion: object, birth_date: date) -> date:
    """Return the birthday that an age asks for; it is late enough where birth years are counted, too."""
    if isinstance(criterion, Age) and criterion.min is not None:
        return birthday(birth_date, birth_date.year + criterion.min, LeapDayBirthday.MAR1)
    return birth_date


def _next_saturday(day: date) -> date:
    return day + timedelta(days=(_SATURDAY - day.weekday()) % 7)
