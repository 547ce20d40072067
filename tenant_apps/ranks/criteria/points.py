"""`points`: points earned in contests and for merits; the Kodokan accepts them in place of waiting time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

from tenant_apps.ranks.criteria.criterion import Criterion, CriterionInput, Finding
from tenant_apps.ranks.criteria.json_schema import NAME, whole_number
from tenant_apps.ranks.criteria.running_total import total_of_spans
from tenant_apps.ranks.student_facts import comparable_name

MOST_POINTS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class PointsEarned(Criterion):
    """`n` points earned after the date of the rank held (C5) and not expired; only of `category` if it is given.

    Points that are not recorded count as not earned. For students without a rank, all points count.
    """

    n: int
    category: str | None = None

    kind: ClassVar[str] = "points"
    restarts_after_test: ClassVar[bool] = True
    parameters: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "n": whole_number(1, MOST_POINTS),
        "category": NAME,
    }
    required: ClassVar[tuple[str, ...]] = ("n",)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        return cls(n=int(document["n"]), category=document.get("category"))

    def finding(self, data: CriterionInput) -> Finding:
        category = None if self.category is None else comparable_name(self.category)
        total = total_of_spans(
            (fact.span, fact.points)
            for fact in data.facts.points
            if fact.span[0] > data.counting_start.after and category in {None, comparable_name(fact.category)}
        )
        return Finding(
            total.days_of_at_least(self.n), known=True, have=total.total_on(data.as_of), need=self.n
        )
