"""`event_count`: seminars attended, tournaments fought, courses taught."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

from tenant_apps.ranks.civil_dates import months_later
from tenant_apps.ranks.criteria.criterion import Criterion, CriterionInput, Finding
from tenant_apps.ranks.criteria.json_schema import MONTHS, NAME, whole_number
from tenant_apps.ranks.criteria.running_total import total_of_spans
from tenant_apps.ranks.date_intervals import END, Span
from tenant_apps.ranks.student_facts import comparable_name, facts_named

MOST_EVENTS: Final = 1000


@dataclass(frozen=True, slots=True)
class EventCount(Criterion):
    """`n` days with an `event` after the date of the rank held (C5), or within the last `window_months` (C2).

    An event is a session of the class type of that name, in any discipline, or an achievement of that name. Several
    events on one day count once. For "per year", use `window_months` 12. A day counts until the day before it is
    that old, and until everything recorded for it has expired.
    """

    event: str
    n: int
    window_months: int | None = None

    kind: ClassVar[str] = "event_count"
    restarts_after_test: ClassVar[bool] = True
    parameters: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "event": NAME,
        "n": whole_number(1, MOST_EVENTS),
        "window_months": MONTHS,
    }
    required: ClassVar[tuple[str, ...]] = ("event", "n")

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        months = document.get("window_months")
        return cls(
            event=document["event"],
            n=int(document["n"]),
            window_months=None if months is None else int(months),
        )

    def finding(self, data: CriterionInput) -> Finding:
        lasting: dict[int, int] = {}
        for day, expires in self._days(data):
            lasting[day] = max(expires, lasting.get(day, expires))
        total = total_of_spans(((day, min(self._last(day), until)), 1) for day, until in lasting.items())
        return Finding(
            total.days_of_at_least(self.n), known=True, have=total.total_on(data.as_of), need=self.n
        )

    def _days(self, data: CriterionInput) -> Iterator[Span]:
        """Yield the day of each event, and the last day on which it counts."""
        name = comparable_name(self.event)
        for series in data.facts.attendance:
            if comparable_name(series.class_type) == name:
                yield from ((day, END) for day in series.days if self._counts(day, data))
        for fact in facts_named(self.event, data.facts.achievements):
            if self._counts(fact.span[0], data):
                yield fact.span

    def _counts(self, day: int, data: CriterionInput) -> bool:
        return self.window_months is not None or day > data.counting_start.after

    def _last(self, day: int) -> int:
        leaves = None if self.window_months is None else months_later(day, self.window_months)
        return END if leaves is None else leaves - 1
