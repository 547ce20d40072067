"""`credential`: a certificate that must be recent, for example the referee certificate of the IBJJF."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from tenant_apps.ranks.civil_dates import months_later
from tenant_apps.ranks.criteria.criterion import Criterion, CriterionInput, Finding
from tenant_apps.ranks.criteria.json_schema import MONTHS, NAME
from tenant_apps.ranks.date_intervals import END, Spans, days_between, latest_span, span_at, union
from tenant_apps.ranks.student_facts import NamedFact, facts_named


@dataclass(frozen=True, slots=True)
class CredentialHeld(Criterion):
    """The credential `which`, valid on the day of the check and at most `max_age_months` calendar months old (C2).

    It is still valid on the day on which it is exactly that old. A credential that is not recorded counts as not held.
    """

    which: str
    max_age_months: int | None = None

    kind: ClassVar[str] = "credential"
    parameters: ClassVar[Mapping[str, Mapping[str, object]]] = {"which": NAME, "max_age_months": MONTHS}
    required: ClassVar[tuple[str, ...]] = ("which",)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        months = document.get("max_age_months")
        return cls(which=document["which"], max_age_months=None if months is None else int(months))

    def finding(self, data: CriterionInput) -> Finding:
        held = facts_named(self.which, data.facts.credentials)
        valid = union(*map(self._valid, held))
        have = int(span_at(valid, data.as_of) is not None)
        shown = [span for fact in held for span in self._valid(fact)] if have else [one.span for one in held]
        latest = latest_span(shown, data.as_of)
        return Finding(valid, known=True, have=have, need=1, detail=latest)

    def _valid(self, fact: NamedFact) -> Spans:
        first, last = fact.span
        oldest = None if self.max_age_months is None else months_later(first, self.max_age_months)
        return days_between(first, min(last, END if oldest is None else oldest))
