"""`sub_ranks`: stripes on the belt that the student holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

from tenant_apps.ranks.criteria.criterion import Criterion, CriterionInput, Finding
from tenant_apps.ranks.criteria.json_schema import whole_number
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

    def finding(self, data: CriterionInput) -> Finding:
        spans = union(
            *(days_between(worn.since, worn.until) for worn in data.history if _number(worn, data) >= self.n)
        )
        now = (worn for worn in data.history if span_at(((worn.since, worn.until),), data.as_of))
        return Finding(spans, known=True, have=_number(next(now), data), need=self.n)


def _number(worn: Holding, data: CriterionInput) -> int:
    """Return which sub-rank of the rank held this is; 0 for none."""
    sub_rank = data.sub_ranks.get(worn.rank or "")
    return sub_rank.number if sub_rank is not None and sub_rank.of == data.holding.rank else 0
