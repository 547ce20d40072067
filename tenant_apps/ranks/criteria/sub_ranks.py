"""`sub_ranks`: stripes on the belt that the student holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

from tenant_apps.ranks.criteria.criterion import Candidacy, Criterion, Finding
from tenant_apps.ranks.criteria.schema import whole_number
from tenant_apps.ranks.date_intervals import days_between, span_at, union
from tenant_apps.ranks.holding import Holding

MOST_SUB_RANKS: Final = 50


@dataclass(frozen=True, slots=True)
class SubRanks(Criterion):
    """`n` sub-ranks of the rank held.

    A student with the third stripe has three, even if the others are not recorded.
    """

    n: int

    kind: ClassVar[str] = "sub_ranks"
    parameters: ClassVar[Mapping[str, Mapping[str, object]]] = {"n": whole_number(1, MOST_SUB_RANKS)}
    required: ClassVar[tuple[str, ...]] = ("n",)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        return cls(n=int(document["n"]))

    def finding(self, candidacy: Candidacy) -> Finding:
        spans = union(
            *(
                days_between(worn.since, worn.until)
                for worn in candidacy.history
                if _number(worn, candidacy) >= self.n
            )
        )
        now = (worn for worn in candidacy.history if span_at(((worn.since, worn.until),), candidacy.as_of))
        return Finding(spans, known=True, have=_number(next(now), candidacy), need=self.n)


def _number(worn: Holding, candidacy: Candidacy) -> int:
    """Return which sub-rank of the rank held this is; 0 for none."""
    sub_rank = candidacy.sub_ranks.get(worn.rank or "")
    return sub_rank.number if sub_rank is not None and sub_rank.of == candidacy.holding.rank else 0
