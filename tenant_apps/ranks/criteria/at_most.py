"""`at_most`: how many exams or promotions there may be in some time, such as two exams in a calendar year."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, ClassVar, Final, Self

from tenant_apps.ranks.civil_dates import months_later
from tenant_apps.ranks.criteria.criterion import Criterion, CriterionInput, Finding
from tenant_apps.ranks.criteria.json_schema import MONTHS, one_of, whole_number
from tenant_apps.ranks.criteria.running_total import total_of_spans
from tenant_apps.ranks.date_intervals import END, complement
from tenant_apps.ranks.student_facts import RankEventKind

MOST_OCCASIONS: Final = 100


class Occasion(StrEnum):
    """What is limited: exams taken (passed or failed), exams failed, or ranks awarded."""

    EXAM = "exam"
    FAILED_EXAM = "failed_exam"
    AWARD = "award"


@dataclass(frozen=True, slots=True)
class AtMost(Criterion):
    """This one and those before it are at most `n`: in the last `window_months` (C2), in the calendar year, or ever.

    Only earlier days count, because a check as of the day of an exam is about that exam. Several on one day count once.
    With `window_months`, a day counts until the day before it is that old; with `calendar_year`, until the end of its
    year; with both, until the earlier of these. Limits count across all ranks of the system, also after a promotion.
    """

    n: int
    of: Occasion
    window_months: int | None = None
    calendar_year: bool = False

    kind: ClassVar[str] = "at_most"
    parameters: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "n": whole_number(1, MOST_OCCASIONS),
        "of": one_of(Occasion),
        "window_months": MONTHS,
        "calendar_year": {"type": "boolean"},
    }
    required: ClassVar[tuple[str, ...]] = ("n", "of")

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        months = document.get("window_months")
        return cls(
            n=int(document["n"]),
            of=Occasion(document["of"]),
            window_months=None if months is None else int(months),
            calendar_year=bool(document.get("calendar_year", False)),
        )

    def finding(self, data: CriterionInput) -> Finding:
        total = total_of_spans(((day + 1, self._last(day)), 1) for day in self._days(data))
        return Finding(
            complement(total.days_of_at_least(self.n)),
            known=True,
            have=total.total_on(data.as_of),
            need=self.n,
        )

    def _days(self, data: CriterionInput) -> set[int]:
        facts = data.facts
        if self.of is Occasion.AWARD:
            awards = (event.on for event in facts.rank_events if event.kind is RankEventKind.AWARD)
            return {on.toordinal() for on in awards}
        return {on.toordinal() for on in (facts.exams if self.of is Occasion.EXAM else facts.failed_tests)}

    def _last(self, day: int) -> int:
        """Return the last day on which a day counts."""
        leaves = None if self.window_months is None else months_later(day, self.window_months)
        last = END if leaves is None else leaves - 1
        end_of_year = date(date.fromordinal(day).year, 12, 31).toordinal()
        return min(last, end_of_year) if self.calendar_year else last
