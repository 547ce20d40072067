"""`retest_gap`: the waiting time after a failed test, for example three months in the WKKI."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from tenant_apps.ranks.civil_dates import complete_months, months_later
from tenant_apps.ranks.criteria.criterion import Criterion, CriterionInput, Finding
from tenant_apps.ranks.criteria.json_schema import MONTHS
from tenant_apps.ranks.date_intervals import END, complement, days_between, union


@dataclass(frozen=True, slots=True)
class RetestGap(Criterion):
    """`months` calendar months (C2) after the last failed test since the rank held was received.

    The wait begins on the day after the test, because a check as of the day of a test is about that test. Without
    a failed test there is no wait.
    """

    months: int

    kind: ClassVar[str] = "retest_gap"
    parameters: ClassVar[Mapping[str, Mapping[str, object]]] = {"months": MONTHS}
    required: ClassVar[tuple[str, ...]] = ("months",)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        return cls(months=int(document["months"]))

    def finding(self, data: CriterionInput) -> Finding:
        tests = [day for on in data.facts.failed_tests if (day := on.toordinal()) > data.counting_start.after]
        last = max((day for day in tests if day < data.as_of), default=None)
        return Finding(
            complement(union(*(days_between(day + 1, self._due(day) - 1) for day in tests))),
            known=True,
            have=None if last is None else complete_months(last, data.as_of),
            need=None if last is None else self.months,
            detail=last,
        )

    def _due(self, day: int) -> int:
        return months_later(day, self.months) or END + 1
