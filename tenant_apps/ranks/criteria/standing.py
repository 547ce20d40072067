"""`standing`: the student trains here now, and is not on hold."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

from tenant_apps.ranks.criteria.criterion import Criterion, CriterionInput, Finding
from tenant_apps.ranks.date_intervals import ALWAYS, NEVER, Spans, complement, span_at, union
from tenant_apps.ranks.student_facts import StudentFacts

ALWAYS_IN_GOOD_STANDING: Final = Finding(ALWAYS, known=True, have=1, need=1)
"""What is found about most students."""


@dataclass(frozen=True, slots=True)
class GoodStanding(Criterion):
    """The student is active, on a day without a hold.

    Past statuses are not recorded: a student who is active now counts as active on every date.
    """

    kind: ClassVar[str] = "standing"
    parameters: ClassVar[Mapping[str, Mapping[str, object]]] = {}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        del document
        return cls()

    def finding(self, data: CriterionInput) -> Finding:
        facts = data.facts
        if facts.active and not facts.holds:
            return ALWAYS_IN_GOOD_STANDING
        spans = days_off_hold(facts) if facts.active else NEVER
        have = int(span_at(spans, data.as_of) is not None)
        return Finding(spans, known=True, have=have, need=1, detail=None if facts.active else facts.status)


def days_off_hold(facts: StudentFacts) -> Spans:
    """Return all days except those of the student's holds, which include their first and last day."""
    return complement(union(tuple(hold.span for hold in facts.holds))) if facts.holds else ALWAYS
