"""`approval`: a member of staff has consented, for example the chief instructor to an exam."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Final, Self

from tenant_apps.ranks.criteria.criterion import Criterion, CriterionInput, Finding
from tenant_apps.ranks.criteria.json_schema import NAME, one_of, whole_number
from tenant_apps.ranks.criteria.running_total import total_of_spans
from tenant_apps.ranks.date_intervals import days_between, union
from tenant_apps.ranks.student_facts import facts_named

MOST_APPROVERS: Final = 20


class Approver(StrEnum):
    """The roles that may record an approval."""

    ADMIN = "admin"
    INSTRUCTOR = "instructor"

    def includes(self, role: str) -> bool:
        """Return whether a user of this role counts: an admin counts wherever an instructor is asked."""
        return role in {self, Approver.ADMIN}


@dataclass(frozen=True, slots=True)
class Approved(Criterion):
    """The approval `which`, given after the date of the rank held (C5) and not expired.

    `by`: only approvals by users who have this role now, or a role above it. `count`: how many different approvers are
    needed. An approval that is not recorded counts as not given.
    """

    which: str
    by: Approver | None = None
    count: int = 1

    kind: ClassVar[str] = "approval"
    parameters: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "which": NAME,
        "by": one_of(Approver),
        "count": whole_number(1, MOST_APPROVERS),
    }
    required: ClassVar[tuple[str, ...]] = ("which",)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        role = document.get("by")
        return cls(
            which=document["which"],
            by=None if role is None else Approver(role),
            count=int(document.get("count", 1)),
        )

    def finding(self, data: CriterionInput) -> Finding:
        given = [
            fact
            for fact in facts_named(self.which, data.facts.approvals)
            if fact.span[0] > data.counting_start.after and (self.by is None or self.by.includes(fact.role))
        ]
        approvers = {fact.by for fact in given}
        # Two approvals by the same person count once.
        once_each = (
            union(*(days_between(*fact.span) for fact in given if fact.by == who)) for who in approvers
        )
        total = total_of_spans((span, 1) for spans in once_each for span in spans)
        return Finding(
            total.days_of_at_least(self.count),
            known=True,
            have=total.total_on(data.as_of),
            need=self.count,
        )
