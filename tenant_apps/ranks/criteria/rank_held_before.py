"""`rank_held_before`: a rank held in the past; for example, IBJJF kids' belts shorten the wait for purple."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar, Self

from tenant_apps.ranks.civil_dates import months_later
from tenant_apps.ranks.criteria.age import Age
from tenant_apps.ranks.criteria.criterion import Criterion, CriterionInput, Finding
from tenant_apps.ranks.criteria.json_schema import CODE, MONTHS, several
from tenant_apps.ranks.date_intervals import NEVER, Spans, days_from, span_at, union


@dataclass(frozen=True, slots=True)
class RankHeldBefore(Criterion):
    """The student holds or has held one of `ranks`.

    `min_months`: without interruption for at least this many calendar months. `registered_at_age`: the age on the day
    on which the rank was received, counted as by the criterion `age`. Unknown if such a rank was held and the age
    is needed but no date of birth is recorded.
    """

    ranks: tuple[str, ...]
    min_months: int = 0
    registered_at_age: Age | None = None

    kind: ClassVar[str] = "rank_held_before"
    parameters: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "ranks": several(CODE),
        "min_months": MONTHS,
        "registered_at_age": {"type": "object", "properties": Age.parameters, "additionalProperties": False},
    }
    required: ClassVar[tuple[str, ...]] = ("ranks",)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        age = document.get("registered_at_age")
        return cls(
            ranks=tuple(dict.fromkeys(document["ranks"])),
            min_months=int(document.get("min_months", 0)),
            registered_at_age=None if age is None else Age.from_document(age),
        )

    @classmethod
    def faults(cls, document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        age = document.get("registered_at_age")
        if isinstance(age, dict):
            for parameter, message in Age.faults(age):
                yield f"registered_at_age.{parameter}", message

    @classmethod
    def ranks_named(cls, document: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
        ranks = document.get("ranks")
        for place, code in enumerate(ranks if isinstance(ranks, list) else ()):
            yield f"ranks.{place}", code

    def as_document(self) -> dict[str, Any]:
        document = super(RankHeldBefore, self).as_document()
        if self.registered_at_age is not None:
            document["registered_at_age"] = self.registered_at_age.bounds()
        return document

    def finding(self, data: CriterionInput) -> Finding:
        received = [event.on for event in data.facts.rank_events if data.is_one_of(event.rank, self.ranks)]
        birth = data.facts.birth_date
        if received and self.registered_at_age is not None and birth is None:
            return Finding(NEVER, known=False, have=None, need=1)
        spans = union(*(self._held(on, data) for on in received if self._of_age(on, data)))
        return Finding(spans, known=True, have=int(span_at(spans, data.as_of) is not None), need=1)

    def _of_age(self, on: date, data: CriterionInput) -> bool:
        age, birth = self.registered_at_age, data.facts.birth_date
        if age is None or birth is None:
            return True
        return age.admits(age.years(birth, on, data.facts.leap_day_birthday))

    def _held(self, on: date, data: CriterionInput) -> Spans:
        """Return the days from which on a rank received on a date has been held long enough."""
        since = on.toordinal()
        if not self.min_months:
            return days_from(since)
        enough = months_later(since, self.min_months)
        left = next(
            (
                holding.since
                for holding in data.history
                if holding.until >= since and not data.is_one_of(holding.rank, self.ranks)
            ),
            None,
        )
        return NEVER if enough is None or (left is not None and enough >= left) else days_from(enough)
