"""`document`: something has been handed in, such as the Aikikai's article for 2nd dan."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from tenant_apps.ranks.criteria.criterion import Candidacy, Criterion, Finding, Since, one_of
from tenant_apps.ranks.facts import DocumentFact
from tenant_apps.ranks.spans import BEGINNING, END, Spans, days_between, span_at, union


@dataclass(frozen=True, slots=True)
class DocumentHandedIn(Criterion):
    """The document `which`, handed in after the date of the rank held (or ever), and valid on the day asked.

    After, as attendance is (C5): what was handed in on the day of an exam served that exam. Who holds no
    rank yet may have handed it in at any time. A document that is not there is not met, rather than
    unknown: the dojo would know of it.
    """

    which: str
    since: Since = Since.RANK

    kind: ClassVar[str] = "document"
    parameters: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "which": {"type": "string", "minLength": 1, "maxLength": 64, "pattern": r"\S"},
        "since": one_of(Since),
    }
    required: ClassVar[tuple[str, ...]] = ("which",)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        return cls(which=document["which"], since=Since(document.get("since", Since.RANK)))

    def finding(self, candidacy: Candidacy) -> Finding:
        holding = candidacy.holding
        after = holding.since if self.since is Since.RANK and holding.rank is not None else BEGINNING - 1
        valid = union(
            *(
                _validity(fact)
                for fact in candidacy.facts.documents
                if fact.which == self.which and fact.on.toordinal() > after
            )
        )
        return Finding(valid, known=True, have=int(span_at(valid, candidacy.as_of) is not None), need=1)


def _validity(fact: DocumentFact) -> Spans:
    return days_between(fact.on.toordinal(), END if fact.expires_on is None else fact.expires_on.toordinal())
