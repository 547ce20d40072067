"""`points`: earned in contests and for merits, as the Kodokan's, which trade against time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

from tenant_apps.ranks.criteria.criterion import Candidacy, Criterion, Finding
from tenant_apps.ranks.criteria.naming import folded
from tenant_apps.ranks.criteria.schema import NAME, whole_number
from tenant_apps.ranks.criteria.tally import tally_of_spans

MOST_POINTS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class PointsEarned(Criterion):
    """`n` points earned after the date of the rank held (C5) and not expired; of one `category` if it is named.

    Points that are not recorded were not earned. Who holds no rank yet counts from ever.
    """

    n: int
    category: str | None = None

    kind: ClassVar[str] = "points"
    parameters: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "n": whole_number(1, MOST_POINTS),
        "category": NAME,
    }
    required: ClassVar[tuple[str, ...]] = ("n",)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        return cls(n=int(document["n"]), category=document.get("category"))

    def finding(self, candidacy: Candidacy) -> Finding:
        category = None if self.category is None else folded(self.category)
        total = tally_of_spans(
            (fact.span, fact.points)
            for fact in candidacy.facts.points
            if fact.span[0] > candidacy.clock.after and category in {None, folded(fact.category)}
        )
        return Finding(
            total.days_of_at_least(self.n), known=True, have=total.total_on(candidacy.as_of), need=self.n
        )
