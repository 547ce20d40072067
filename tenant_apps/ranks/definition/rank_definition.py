"""The rules of one rank system as one immutable value: ranks, steps and their paths."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from typing import Any, Self

from tenant_apps.ranks.criteria import Age, Criterion
from tenant_apps.ranks.definition.json_schema import FORMAT
from tenant_apps.ranks.holding import SubRank


class StepType(StrEnum):
    """The type of a step. Checks without a target rank consider only promote steps."""

    PROMOTE = "promote"
    CONVERT = "convert"
    SKIP = "skip"


class ClockSetting(StrEnum):
    """What a conversion does to the clock of the rank converted from (federations differ)."""

    RESTARTS = "restarts"
    CARRIES = "carries"


class Anchor(StrEnum):
    """The event from which a step's waiting time and counts run."""

    RANK = "rank"
    LAST_TEST = "last_test"


@dataclass(frozen=True, slots=True)
class Path:
    """One way to take a step: all criteria are needed; a path without criteria is always open.

    `by_rank`: the last criterion comes from the holding ages of the target rank, not from the path itself.
    """

    name: str
    criteria: tuple[Criterion, ...]
    by_rank: bool = False

    def as_document(self) -> dict[str, Any]:
        own = self.criteria[:-1] if self.by_rank else self.criteria
        return {"name": self.name, "criteria": [criterion.as_document() for criterion in own]}

    def with_holding_ages(self, ages: Age | None) -> "Path":
        """Return the path with the holding ages of its target rank as a criterion, unless it has an age of its own."""
        if ages is None or any(isinstance(criterion, Age) for criterion in self.criteria):
            return self
        return Path(self.name, (*self.criteria, ages), by_rank=True)


@dataclass(frozen=True, slots=True)
class Step:
    """A step from the rank held (None: no rank yet) to a target rank, with the requirements for the target."""

    origin: str | None
    to: str
    type: StepType
    paths: tuple[Path, ...]
    clock: ClockSetting = ClockSetting.RESTARTS
    anchor: Anchor = Anchor.RANK

    def as_document(self) -> dict[str, Any]:
        document: dict[str, Any] = {"from": self.origin, "to": self.to, "type": self.type.value}
        if self.clock is not ClockSetting.RESTARTS:
            document["clock"] = self.clock.value
        if self.anchor is not Anchor.RANK:
            document["anchor"] = self.anchor.value
        return {**document, "paths": [path.as_document() for path in self.paths]}


class Confidence(StrEnum):
    """How reliable the source of the rules is; only OFFICIAL may be shown to users as the federation's own rules."""

    OFFICIAL = "O"
    SECONDARY = "S"
    CLUB = "C"
    MEMORY = "M"


class RankKind(StrEnum):
    """The kind of a rank. A sub-rank is part of the rank before it in the list; a title is held like a rank."""

    RANK = "rank"
    SUB_RANK = "sub_rank"
    TITLE = "title"


@dataclass(frozen=True, slots=True)
class ExamRules:
    """How an exam for a rank is marked, and who examines it.

    Each of `techniques` is marked from 0 to `best_mark` and needs `pass_mark`. `examiners` are needed, all of them with
    the `licence` if one is named.
    """

    techniques: tuple[str, ...] = ()
    best_mark: int | float | None = None
    pass_mark: int | float | None = None
    examiners: int | None = None
    licence: str | None = None

    def as_document(self) -> dict[str, Any]:
        return _without_none(
            techniques=list(self.techniques) or None,
            best_mark=self.best_mark,
            pass_mark=self.pass_mark,
            examiners=self.examiners,
            licence=self.licence,
        )

    def low_marks(self, marks: Mapping[str, float]) -> dict[str, float | None]:
        """Return the techniques that are below the pass mark, with their marks; None: not marked."""
        if self.pass_mark is None:
            return {}
        found = {technique: marks.get(technique) for technique in self.techniques or marks}
        return {one: mark for one, mark in found.items() if mark is None or mark < self.pass_mark}


@dataclass(frozen=True, slots=True)
class RankDescription:
    """One rank; its order is its place in the list of the definition.

    `holding_ages`: the ages for which the rank is meant. They are criteria of the paths that lead to the rank; a
    rank that is held is never taken away by age. `syllabus`: what is examined for the rank.
    """

    code: str
    name: str
    native_name: str | None = None
    kind: RankKind = RankKind.RANK
    track: str | None = None
    colours: tuple[str, ...] = ()
    holding_ages: Age | None = None
    syllabus: str | None = None
    exam: ExamRules | None = None

    def as_document(self) -> dict[str, Any]:
        return _without_none(
            code=self.code,
            name=self.name,
            native_name=self.native_name,
            kind=self.kind.value,
            track=self.track,
            colours=list(self.colours) or None,
            holding_ages=None if self.holding_ages is None else self.holding_ages.bounds(),
            syllabus=self.syllabus,
            exam=None if self.exam is None else self.exam.as_document(),
        )


@dataclass(frozen=True)
class RankDefinition:
    """The rules of one rank system."""

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
    """Code → place in the list of ranks, 0 the lowest; for an older version, in today's list (`with_current_ranks`)."""
    sub_ranks: Mapping[str, SubRank] = field(init=False, repr=False, compare=False)
    """Code of each sub-rank → its rank (the last rank before it in the list) and its number."""
    _names: Mapping[str, str] = field(init=False, repr=False, compare=False)
    _steps_by_origin: Mapping[str | None, tuple[Step, ...]] = field(init=False, repr=False, compare=False)
    _kinds: frozenset[type[Criterion]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_origin: dict[str | None, tuple[Step, ...]] = {}
        for step in self.steps:
            by_origin[step.origin] = (*by_origin.get(step.origin, ()), step)
        object.__setattr__(self, "order", {rank.code: place for place, rank in enumerate(self.ranks)})
        object.__setattr__(self, "sub_ranks", _sub_ranks(self.ranks))
        object.__setattr__(self, "_names", {rank.code: rank.name for rank in self.ranks})
        object.__setattr__(self, "_steps_by_origin", by_origin)
        criteria = (one for step in self.steps for path in step.paths for one in path.criteria)
        object.__setattr__(self, "_kinds", frozenset(map(type, criteria)))

    def uses(self, kind: type[Criterion]) -> bool:
        """Return whether a path has a criterion of this kind."""
        return kind in self._kinds

    def with_current_ranks(self, order: Mapping[str, int]) -> Self:
        """Return these rules, perhaps of an older version, with the ranks that the system has now (code → place).

        Steps to ranks that were removed since are left out, and seniority is today's, as in the table of ranks.
        """
        if order == self.order:
            return self
        found = replace(self, steps=tuple(step for step in self.steps if step.to in order))
        object.__setattr__(found, "order", dict(order))
        return found

    def steps_from(self, code: str | None) -> tuple[Step, ...]:
        """Return the steps of every type from a rank (None: without a rank), in the order of the document."""
        return self._steps_by_origin.get(code, ())

    def step(self, origin: str | None, to: str) -> Step | None:
        """Return the step between two ranks, if there is one."""
        return next((step for step in self.steps_from(origin) if step.to == to), None)

    def is_to_a_sub_rank(self, step: Step) -> bool:
        """Return whether the step leads to a sub-rank of the rank from which it starts."""
        sub_rank = self.sub_ranks.get(step.to)
        return sub_rank is not None and sub_rank.of == step.origin

    def exam_rules(self, code: str) -> ExamRules:
        """Return how an exam for a rank is marked; without rules about it, anything goes."""
        found = next((rank.exam for rank in self.ranks if rank.code == code), None)
        return found or ExamRules()

    def rank_name(self, code: str) -> str:
        """Return the name of a rank; the code if these rules do not have the rank."""
        return self._names.get(code, code)

    def as_document(self) -> dict[str, Any]:
        """Return the canonical JSON document, without defaults. Parsing it gives an equal definition."""
        return _without_none(
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


def _without_none(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
