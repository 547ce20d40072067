"""A rank system's definition: its ranks, the steps between them, and what each step asks for.

One document, edited as a whole. `parse_definition` turns JSON into an immutable, hashable `RankDefinition`,
or names every fault with its place. Two documents that mean the same are equal once parsed, and have the
same `as_document()`. The document's fields:

    format          1
    name, art       "IBJJF adult", "Brazilian jiu-jitsu"
    source          where the rules were read
    confidence      O the body's own text was read, S a secondary page has it, C a club's page, M memory
    edition, effective_on (YYYY-MM-DD), note      optional
    ranks           lowest first; a rank's place in the list is its order
      code, name    the code is what steps and students' rank events refer to
      native_name, track, colours (["#1a2b3c", …], for drawing the belt)      optional
      kind          rank (default), sub_rank, title; told apart for display, held and left alike
    steps
      from, to      codes; from null: the step of somebody who holds no rank of this system yet
      type          promote (default), convert (to the same grade of another track), skip (a jump promotion)
      paths         alternatives (OR), the usual one first
        name        names the path in an answer
        criteria    all needed (AND); each {kind, …parameters}, see `tenant_apps.ranks.criteria`
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any, Final

from tenant_apps.ranks.criteria import KINDS, Criterion
from tenant_apps.ranks.definition_faults import Fault, definition_faults
from tenant_apps.ranks.definition_schema import FORMAT


class Confidence(StrEnum):
    """How well a preset's rules are sourced; only OFFICIAL may be shown to a user as the body's own rules."""

    OFFICIAL = "O"
    SECONDARY = "S"
    CLUB = "C"
    MEMORY = "M"


class RankKind(StrEnum):
    """What a rank is. Told apart for display; the engine holds and leaves all of them alike."""

    RANK = "rank"
    SUB_RANK = "sub_rank"
    TITLE = "title"


class StepType(StrEnum):
    """How a step leads on. Only promote steps are proposed unasked."""

    PROMOTE = "promote"
    CONVERT = "convert"
    SKIP = "skip"


class DefinitionError(ValueError):
    """The definition of a rank system is not valid. `faults` has all of its faults."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        self.faults: Final = faults
        super().__init__("; ".join(f"{fault.place}: {fault.message}" for fault in faults[:5]))

    def by_place(self) -> dict[str, list[str]]:
        """Dotted path → messages: the `details` of a `validation_error`."""
        places: dict[str, list[str]] = {}
        for fault in self.faults:
            places.setdefault(fault.place, []).append(fault.message)
        return places


@dataclass(frozen=True, slots=True)
class RankDescription:
    """One rank; its order is its place in the definition's list."""

    code: str
    name: str
    native_name: str | None = None
    kind: RankKind = RankKind.RANK
    track: str | None = None
    colours: tuple[str, ...] = ()

    def as_document(self) -> dict[str, Any]:
        return _without_gaps(
            code=self.code,
            name=self.name,
            native_name=self.native_name,
            kind=self.kind.value,
            track=self.track,
            colours=list(self.colours) or None,
        )


@dataclass(frozen=True, slots=True)
class Path:
    """One way to take a step: all of its criteria are needed; without any, the step is always open."""

    name: str
    criteria: tuple[Criterion, ...]

    def as_document(self) -> dict[str, Any]:
        return {"name": self.name, "criteria": [criterion.as_document() for criterion in self.criteria]}


@dataclass(frozen=True, slots=True)
class Step:
    """From a rank held (None: none yet) to another; the requirements belong to the target rank."""

    origin: str | None
    to: str
    type: StepType
    paths: tuple[Path, ...]

    def as_document(self) -> dict[str, Any]:
        return {
            "from": self.origin,
            "to": self.to,
            "type": self.type.value,
            "paths": [path.as_document() for path in self.paths],
        }


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
    """Each code's place in the list of ranks, 0 the lowest."""
    _open: Mapping[str | None, tuple[Step, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        leaving: dict[str | None, tuple[Step, ...]] = {}
        for step in self.steps:
            leaving[step.origin] = (*leaving.get(step.origin, ()), step)
        object.__setattr__(self, "order", {rank.code: place for place, rank in enumerate(self.ranks)})
        object.__setattr__(self, "_open", leaving)

    def steps_from(self, code: str | None) -> tuple[Step, ...]:
        """The steps of every type open to a holder of that rank (None: of none), in the document's order."""
        return self._open.get(code, ())

    def step(self, origin: str | None, to: str) -> Step | None:
        """The one step between two ranks, if there is one."""
        return next((step for step in self.steps_from(origin) if step.to == to), None)

    def rank_name(self, code: str) -> str:
        """The name of a rank; the code itself for a rank that these rules do not have (any more)."""
        place = self.order.get(code)
        return code if place is None else self.ranks[place].name

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


def parse_definition(document: object) -> RankDefinition:
    """The definition that a decoded JSON document describes.

    Raises DefinitionError with all faults of form and of meaning, each with its place.
    """
    faults = definition_faults(document)
    if faults or not isinstance(document, dict):
        raise DefinitionError(faults)
    effective_on = document.get("effective_on")
    return RankDefinition(
        name=document["name"],
        art=document["art"],
        source=document["source"],
        confidence=Confidence(document["confidence"]),
        edition=document.get("edition"),
        effective_on=None if effective_on is None else date.fromisoformat(effective_on),
        note=document.get("note"),
        ranks=tuple(map(_rank, document["ranks"])),
        steps=tuple(map(_step, document["steps"])),
    )


def _rank(document: Mapping[str, Any]) -> RankDescription:
    return RankDescription(
        code=document["code"],
        name=document["name"],
        native_name=document.get("native_name"),
        kind=RankKind(document.get("kind", RankKind.RANK)),
        track=document.get("track"),
        colours=tuple(colour.lower() for colour in document.get("colours", ())),
    )


def _step(document: Mapping[str, Any]) -> Step:
    return Step(
        origin=document["from"],
        to=document["to"],
        type=StepType(document.get("type", StepType.PROMOTE)),
        paths=tuple(
            Path(path["name"], tuple(KINDS[item["kind"]].from_document(item) for item in path["criteria"]))
            for path in document["paths"]
        ),
    )


def _without_gaps(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
