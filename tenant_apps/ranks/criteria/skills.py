"""`skills`: skills that the student must have shown, for example a breakfall or a kata."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any, ClassVar, Self

from tenant_apps.ranks.criteria.criterion import Criterion, CriterionInput, Finding
from tenant_apps.ranks.criteria.json_schema import NAME, several
from tenant_apps.ranks.date_intervals import Spans, days_between, intersection, span_at, union
from tenant_apps.ranks.student_facts import facts_named


@dataclass(frozen=True, slots=True)
class SkillsShown(Criterion):
    """All skills in `which`, shown at any time and not expired. A skill that is not recorded counts as not shown."""

    which: tuple[str, ...]

    kind: ClassVar[str] = "skills"
    parameters: ClassVar[Mapping[str, Mapping[str, object]]] = {"which": several(NAME)}
    required: ClassVar[tuple[str, ...]] = ("which",)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        return cls(which=tuple(dict.fromkeys(document["which"])))

    def finding(self, data: CriterionInput) -> Finding:
        shown = [_shown(skill, data) for skill in self.which]
        missing = tuple(
            skill
            for skill, spans in zip(self.which, shown, strict=True)
            if span_at(spans, data.as_of) is None
        )
        have = len(self.which) - len(missing)
        return Finding(
            reduce(intersection, shown), known=True, have=have, need=len(self.which), detail=missing
        )


def _shown(skill: str, data: CriterionInput) -> Spans:
    return union(*(days_between(*fact.span) for fact in facts_named(skill, data.facts.skills)))
