"""`total_training_time`: calendar months since training began, regardless of the ranks received."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from tenant_apps.ranks.civil_dates import complete_months, months_later
from tenant_apps.ranks.criteria.criterion import Criterion, CriterionInput, Finding
from tenant_apps.ranks.criteria.json_schema import MONTHS
from tenant_apps.ranks.date_intervals import NEVER, days_from
from tenant_apps.ranks.student_facts import StudentFacts


@dataclass(frozen=True, slots=True)
class TotalTrainingTime(Criterion):
    """`months` calendar months (C2) after joining, or after the first recorded rank if that is earlier.

    Unknown if neither is recorded.
    """

    months: int

    kind: ClassVar[str] = "total_training_time"
    parameters: ClassVar[Mapping[str, Mapping[str, object]]] = {"months": MONTHS}
    required: ClassVar[tuple[str, ...]] = ("months",)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        return cls(months=int(document["months"]))

    def finding(self, data: CriterionInput) -> Finding:
        began = _began(data.facts)
        if began is None:
            return Finding(NEVER, known=False, have=None, need=self.months)
        return Finding(
            days_from(months_later(began, self.months)),
            known=True,
            have=complete_months(began, data.as_of),
            need=self.months,
            detail=began,
        )


def _began(facts: StudentFacts) -> int | None:
    dates = [event.on for event in facts.rank_events]
    if facts.joined_on is not None:
        dates.append(facts.joined_on)
    return min(dates).toordinal() if dates else None
