"""`document`: a document has been handed in, for example the article that the Aikikai requires for 2nd dan."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from tenant_apps.ranks.criteria.criterion import Criterion, CriterionInput, Finding, Since
from tenant_apps.ranks.criteria.json_schema import NAME, one_of
from tenant_apps.ranks.date_intervals import BEGINNING, days_between, latest_span, span_at, union
from tenant_apps.ranks.student_facts import facts_named


@dataclass(frozen=True, slots=True)
class DocumentHandedIn(Criterion):
    """The document `which`, handed in after the date of the rank held (or at any time), valid on the day of the check.

    Documents count after that date, like attendance (C5): one handed in on the day of an exam was for that exam. For
    students without a rank, the document may have been handed in at any time. A document that is not recorded counts
    as not handed in, not as unknown.
    """

    which: str
    since: Since = Since.RANK

    kind: ClassVar[str] = "document"
    restarts_after_test: ClassVar[bool] = True
    parameters: ClassVar[Mapping[str, Mapping[str, object]]] = {"which": NAME, "since": one_of(Since)}
    required: ClassVar[tuple[str, ...]] = ("which",)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        return cls(which=document["which"], since=Since(document.get("since", Since.RANK)))

    def finding(self, data: CriterionInput) -> Finding:
        after = data.counting_start.after if self.since is Since.RANK else BEGINNING - 1
        handed_in = [fact.span for fact in facts_named(self.which, data.facts.documents)]
        counted = [span for span in handed_in if span[0] > after]
        valid = union(*(days_between(*span) for span in counted))
        have = int(span_at(valid, data.as_of) is not None)
        latest = latest_span(counted, data.as_of) or latest_span(handed_in, data.as_of)
        return Finding(valid, known=True, have=have, need=1, detail=latest)
