"""`time_in_rank`: a waiting time in calendar months since the rank held was received (C2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

from tenant_apps.ranks.civil_dates import complete_months, months_later
from tenant_apps.ranks.criteria.criterion import Candidacy, Criterion, Finding, whole_number
from tenant_apps.ranks.spans import BEGINNING, NEVER, days_from

MOST_MONTHS: Final = 1200
MOST_GRACE_DAYS: Final = 366


@dataclass(frozen=True, slots=True)
class TimeInRank(Criterion):
    """`months` calendar months after the date of the rank held, clamped to the month's end.

    `grace_days`: the wait counts as met that many days early (JKF: 30), though never before the rank is held.
    Who holds no rank yet waits from the day of joining; where that is not recorded, the answer is unknown.
    """

    months: int
    grace_days: int = 0

    kind: ClassVar[str] = "time_in_rank"
    parameters: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "months": whole_number(0, MOST_MONTHS),
        "grace_days": whole_number(0, MOST_GRACE_DAYS),
    }
    required: ClassVar[tuple[str, ...]] = ("months",)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        return cls(months=int(document["months"]), grace_days=int(document.get("grace_days", 0)))

    def finding(self, candidacy: Candidacy) -> Finding:
        anchor = _anchor(candidacy)
        if anchor is None:
            return Finding(NEVER, known=False, have=None, need=self.months)
        due = months_later(anchor, self.months)
        early = due if due is None else max(due - self.grace_days, anchor, BEGINNING)
        return Finding(
            days_from(early),
            known=True,
            have=complete_months(anchor, candidacy.as_of),
            need=self.months,
        )


def _anchor(candidacy: Candidacy) -> int | None:
    if candidacy.holding.rank is not None:
        return candidacy.holding.since
    joined_on = candidacy.facts.joined_on
    return None if joined_on is None else joined_on.toordinal()
