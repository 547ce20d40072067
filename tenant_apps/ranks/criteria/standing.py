"""`standing`: trains here at present, and is not on hold."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from tenant_apps.ranks.criteria.criterion import Candidacy, Criterion, Finding
from tenant_apps.ranks.facts import StudentFacts
from tenant_apps.ranks.spans import ALWAYS, NEVER, Spans, complement, span_at, union


@dataclass(frozen=True, slots=True)
class GoodStanding(Criterion):
    """An active student on a day without a hold. Whether somebody was active in the past is not recorded:
    who is active now counts as active on every date."""

    kind: ClassVar[str] = "standing"
    parameters: ClassVar[Mapping[str, Mapping[str, object]]] = {}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        del document
        return cls()

    def finding(self, candidacy: Candidacy) -> Finding:
        if candidacy.facts.active is None:
            return Finding(NEVER, known=False, have=None, need=1)
        spans = days_off_hold(candidacy.facts) if candidacy.facts.active else NEVER
        return Finding(spans, known=True, have=int(span_at(spans, candidacy.as_of) is not None), need=1)


def days_off_hold(facts: StudentFacts) -> Spans:
    """All days but those of the student's holds, whose first and last day are part of them."""
    return complement(union(tuple(hold.span for hold in facts.holds))) if facts.holds else ALWAYS
