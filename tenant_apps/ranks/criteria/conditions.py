"""Criteria that say to whom another one applies: `applies_if`."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tenant_apps.ranks.criteria.achievement import AchievementWon
from tenant_apps.ranks.criteria.age import Age
from tenant_apps.ranks.criteria.criterion import Candidacy, Criterion, Finding
from tenant_apps.ranks.criteria.rank_held_before import RankHeldBefore
from tenant_apps.ranks.criteria.schema import criterion_schema
from tenant_apps.ranks.spans import complement, span_at, union

_KINDS: Final[Mapping[str, type[Criterion]]] = {
    kind.kind: kind for kind in (Age, RankHeldBefore, AchievementWon)
}

CONDITION: Final[Mapping[str, object]] = criterion_schema(_KINDS)


def read_condition(document: Mapping[str, Any]) -> Criterion:
    """The condition in a document that obeys the schema and has no faults."""
    return _KINDS[document["kind"]].from_document(document)


def condition_faults(parameter: str, document: object) -> Iterator[tuple[str, str]]:
    """What a schema cannot say about it, with the place within the criterion."""
    for kind, found in _kind_of(document):
        for place, message in kind.faults(found):
            yield f"{parameter}.{place}", message


def ranks_of_condition(parameter: str, document: object) -> Iterator[tuple[str, object]]:
    """The ranks that it refers to."""
    for kind, found in _kind_of(document):
        for place, code in kind.ranks_named(found):
            yield f"{parameter}.{place}", code


def _kind_of(document: object) -> Iterator[tuple[type[Criterion], Mapping[str, Any]]]:
    if isinstance(document, dict) and isinstance(name := document.get("kind"), str) and name in _KINDS:
        yield _KINDS[name], document


def only_where(condition: Criterion, asked: Finding, candidacy: Candidacy) -> Finding:
    """The finding of a criterion that is asked only of those who meet the condition.

    Where it is not known who does, whoever meets the criterion itself does so either way.
    """
    applies = condition.finding(candidacy)
    if not applies.known:
        return asked._replace(known=False)
    applies_now = span_at(applies.spans, candidacy.as_of) is not None
    return Finding(
        union(complement(applies.spans), asked.spans),
        known=asked.known or not applies_now,
        have=asked.have,
        need=asked.need if applies_now else None,
    )
