"""The rules of one rank system as one value."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from typing import Any, Self

from tenant_apps.ranks.criteria import Age
from tenant_apps.ranks.definition.steps import Step
from tenant_apps.ranks.definition_schema import FORMAT
from tenant_apps.ranks.holding import SubRank


class Confidence(StrEnum):
    """How well a preset's rules are sourced; only OFFICIAL may be shown to a user as the body's own rules."""

    OFFICIAL = "O"
    SECONDARY = "S"
    CLUB = "C"
    MEMORY = "M"


class RankKind(StrEnum):
    """What a rank is. A sub-rank is part of the rank before it in the list; a title is held like a rank."""

    RANK = "rank"
    SUB_RANK = "sub_rank"
    TITLE = "title"


@dataclass(frozen=True, slots=True)
class RankDescription:
    """One rank; its order is its place in the definition's list.

    `holding_ages`: of whom it is for. They take it from nobody; the paths that lead to it ask for them.
    `syllabus`: what is examined for it.
    """

    code: str
    name: str
    native_name: str | None = None
    kind: RankKind = RankKind.RANK
    track: str | None = None
    colours: tuple[str, ...] = ()
    holding_ages: Age | None = None
    syllabus: str | None = None

    def as_document(self) -> dict[str, Any]:
        return _without_gaps(
            code=self.code,
            name=self.name,
            native_name=self.native_name,
            kind=self.kind.value,
            track=self.track,
            colours=list(self.colours) or None,
            holding_ages=None if self.holding_ages is None else self.holding_ages.bounds(),
            syllabus=self.syllabus,
        )


@dataclass(frozen=True)
class RankDefinition:
    """The rules of one rank system, as one immutable value."""

    name: str
    art: str
    source: str
    confidence: Confidence
    ranks: tuple[RankDescription, ...]
    steps: tuple[Step, ...]
    edition: str | None = None
    effective_on: date | None = None
    note: str | None = None
    order: Mapping[str, int] = field(init=False, repr=False, compare=False)
    """Each code's place in the list of ranks, 0 the lowest; of an older version, in today's list (`among`)."""
    sub_ranks: Mapping[str, SubRank] = field(init=False, repr=False, compare=False)
    """Of which rank each sub-rank is which: the last one before it in the list that is none itself."""
    _names: Mapping[str, str] = field(init=False, repr=False, compare=False)
    _open: Mapping[str | None, tuple[Step, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        leaving: dict[str | None, tuple[Step, ...]] = {}
        for step in self.steps:
            leaving[step.origin] = (*leaving.get(step.origin, ()), step)
        object.__setattr__(self, "order", {rank.code: place for place, rank in enumerate(self.ranks)})
        object.__setattr__(self, "sub_ranks", _sub_ranks(self.ranks))
        object.__setattr__(self, "_names", {rank.code: rank.name for rank in self.ranks})
        object.__setattr__(self, "_open", leaving)

    def among(self, order: Mapping[str, int]) -> Self:
        """These rules among the ranks that the system has now, each code with its place: of an older version.

        Nothing leads to a rank that was left out since, and seniority is today's, as in the rows of ranks.
        """
        if order == self.order:
            return self
        found = replace(self, steps=tuple(step for step in self.steps if step.to in order))
        object.__setattr__(found, "order", dict(order))
        return found

    def steps_from(self, code: str | None) -> tuple[Step, ...]:
        """The steps of every type open to a holder of that rank (None: of none), in the document's order."""
        return self._open.get(code, ())

    def step(self, origin: str | None, to: str) -> Step | None:
        """The one step between two ranks, if there is one."""
        return next((step for step in self.steps_from(origin) if step.to == to), None)

    def is_to_a_sub_rank(self, step: Step) -> bool:
        """Whether the step leads to a stripe on the rank that it leaves."""
        sub_rank = self.sub_ranks.get(step.to)
        return sub_rank is not None and sub_rank.of == step.origin

    def rank_name(self, code: str) -> str:
        """The name of a rank; the code itself for a rank that these rules do not have (any more)."""
        return self._names.get(code, code)

    def as_document(self) -> dict[str, Any]:
        """The canonical JSON document, defaults left out; `parse_definition` makes an equal one of it."""
        return _without_gaps(
            format=FORMAT,
            name=self.name,
            art=self.art,
            source=self.source,
            confidence=self.confidence.value,
            edition=self.edition,
            effective_on=None if self.effective_on is None else self.effective_on.isoformat(),
            note=self.note,
            ranks=[rank.as_document() for rank in self.ranks],
            steps=[step.as_document() for step in self.steps],
        )


def _sub_ranks(ranks: Iterable[RankDescription]) -> dict[str, SubRank]:
    found: dict[str, SubRank] = {}
    whole, number = None, 0
    for rank in ranks:
        if rank.kind is not RankKind.SUB_RANK:
            whole, number = rank.code, 0
        elif whole is not None:
            number += 1
            found[rank.code] = SubRank(whole, number)
    return found


def _without_gaps(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
