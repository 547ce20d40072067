"""Rules as their page shows them: each rank with the steps that lead to it, and each path as sentences."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext_lazy

from tenant_apps.desk.belts import Belt
from tenant_apps.desk.promotions.rank_systems.sentences import Reader, sentence
from tenant_apps.ranks.definition import RankDefinition, accepted_definition
from tenant_apps.ranks.definition.rank_definition import (
    Anchor,
    ClockSetting,
    RankDescription,
    RankKind,
    Step,
    StepType,
)

CONFIDENCES: Final = {
    "O": gettext_lazy("official: the federation's own text was read"),
    "S": gettext_lazy("a secondary page reproduces it"),
    "C": gettext_lazy("from the page of a club"),
    "M": gettext_lazy("from memory, not verified"),
}

STEP_TYPES: Final = {
    StepType.PROMOTE: gettext_lazy("promotion"),
    StepType.SKIP: gettext_lazy("skip"),
    StepType.CONVERT: gettext_lazy("conversion"),
}


@dataclass(frozen=True, slots=True)
class ShownStep:
    """A step that leads to a rank: from which rank (`None`: without a rank), and its paths as sentences."""

    origin: str | None
    type: str
    type_name: Any
    notes: list[Any]
    paths: list[tuple[str, list[str]]]


@dataclass(frozen=True, slots=True)
class ShownRank:
    """A rank of a version of the rules, its belt, and the steps that lead to it."""

    rank: RankDescription
    belt: Belt | None
    steps: list[ShownStep]
    exam: list[tuple[Any, Any]]


def shown_ranks(document: Mapping[str, Any]) -> list[ShownRank]:
    """Return the ranks of a document that was accepted, the lowest first."""
    definition = accepted_definition(document)
    return [
        ShownRank(
            rank,
            belt,
            [_shown(step, definition) for step in definition.steps if step.to == rank.code],
            _exam(rank),
        )
        for rank, belt in zip(definition.ranks, definition_belts(definition), strict=True)
    ]


def definition_belts(definition: RankDefinition) -> list[Belt | None]:
    """Return the belt of each rank of a definition. A sub-rank is a stripe on the belt before it."""
    found: list[Belt | None] = []
    before: dict[str | None, Belt] = {}
    for rank in definition.ranks:
        previous = before.get(rank.track)
        if rank.kind is RankKind.SUB_RANK and previous is not None:
            belt = Belt(rank.colours or previous.colours, previous.stripes + 1)
        else:
            belt = Belt(rank.colours)
        before[rank.track] = belt
        found.append(belt if belt.colours else None)
    return found


def _shown(step: Step, definition: RankDefinition) -> ShownStep:
    notes = []
    reader = Reader(definition.rank_name, has_rank=step.origin is not None)
    if step.clock is ClockSetting.CARRIES:
        notes.append(gettext_lazy("Waits and counts continue from the rank before."))
    if step.anchor is Anchor.LAST_TEST:
        notes.append(gettext_lazy("Waits and counts begin again after a failed test."))
    return ShownStep(
        origin=None if step.origin is None else definition.rank_name(step.origin),
        type=step.type.value,
        type_name=STEP_TYPES[step.type],
        notes=notes,
        paths=[
            (path.name, [sentence(criterion, reader) for criterion in path.criteria]) for path in step.paths
        ],
    )


def _exam(rank: RankDescription) -> list[tuple[Any, Any]]:
    """Return how an exam for a rank is marked, as names and values."""
    rules = rank.exam
    if rules is None:
        return []
    rows = [
        (gettext_lazy("Techniques"), ", ".join(rules.techniques)),
        (gettext_lazy("Best mark"), rules.best_mark),
        (gettext_lazy("Pass mark"), rules.pass_mark),
        (gettext_lazy("Examiners"), rules.examiners),
        (gettext_lazy("Licence of the examiners"), rules.licence),
    ]
    return [(name, value) for name, value in rows if value not in (None, "")]
