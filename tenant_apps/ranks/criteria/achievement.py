"""`achievement`: a title won, such as the IBJJF's Adult World Champion."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from tenant_apps.ranks.criteria.criterion import Criterion, CriterionInput, Finding
from tenant_apps.ranks.criteria.json_schema import CODE, NAME
from tenant_apps.ranks.date_intervals import days_between, latest_span, span_at, union
from tenant_apps.ranks.student_facts import facts_named


@dataclass(frozen=True, slots=True)
class AchievementWon(Criterion):
    """The achievement `which`; if `at_rank` is given, it must have been won on a day on which that rank was held."""

    which: str
    at_rank: str | None = None

    kind: ClassVar[str] = "achievement"
    parameters: ClassVar[Mapping[str, Mapping[str, object]]] = {"which": NAME, "at_rank": CODE}
    required: ClassVar[tuple[str, ...]] = ("which",)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        return cls(which=document["which"], at_rank=document.get("at_rank"))

    @classmethod
    def ranks_named(cls, document: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
        if "at_rank" in document:
            yield "at_rank", document["at_rank"]

    def finding(self, data: CriterionInput) -> Finding:
        won = [fact.span for fact in facts_named(self.which, data.facts.achievements)]
        spans = union(*(days_between(*span) for span in won if self._at_rank(span[0], data)))
        have = int(span_at(spans, data.as_of) is not None)
        return Finding(spans, known=True, have=have, need=1, detail=latest_span(won, data.as_of))

    def _at_rank(self, day: int, data: CriterionInput) -> bool:
        return self.at_rank is None or any(
            holding.since <= day <= holding.until and data.is_one_of(holding.rank, (self.at_rank,))
            for holding in data.history
        )
