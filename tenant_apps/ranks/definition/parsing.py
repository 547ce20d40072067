"""Parse a JSON document into a definition."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Final

from tenant_apps.ranks.criteria import KINDS, Age, Criterion
from tenant_apps.ranks.definition.rank_definition import (
    Anchor,
    ClockSetting,
    Confidence,
    ExamRules,
    Path,
    RankDefinition,
    RankDescription,
    RankKind,
    Step,
    StepType,
)
from tenant_apps.ranks.definition.validation import Fault, definition_faults


class DefinitionError(ValueError):
    """The definition of a rank system is not valid. `faults` lists all faults."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        self.faults: Final = faults
        super().__init__("; ".join(f"{fault.place}: {fault.message.written()}" for fault in faults[:5]))

    def by_place(self, translate: Callable[[str], str] = str) -> dict[str, list[str]]:
        """Return dotted path → messages, as in the `details` of a `validation_error`, in English or translated."""
        places: dict[str, list[str]] = {}
        for fault in self.faults:
            places.setdefault(fault.place, []).append(fault.message.written(translate))
        return places


def parse_definition(document: object) -> RankDefinition:
    """Return the definition that a decoded JSON document describes.

    Raises `DefinitionError` with all faults, each with its place.
    """
    faults = definition_faults(document)
    if faults or not isinstance(document, dict):
        raise DefinitionError(faults)
    return accepted_definition(document)


def accepted_definition(document: Mapping[str, Any]) -> RankDefinition:
    """Return the definition in a document that was validated when it was saved.

    The document is not validated again: saved versions never change, and validation may have become stricter since.
    """
    effective_on = document.get("effective_on")
    ranks = tuple(map(_rank, document["ranks"]))
    ages = {rank.code: rank.holding_ages for rank in ranks}
    return RankDefinition(
        name=document["name"],
        art=document["art"],
        source=document["source"],
        confidence=Confidence(document["confidence"]),
        edition=document.get("edition"),
        effective_on=None if effective_on is None else date.fromisoformat(effective_on),
        note=document.get("note"),
        ranks=ranks,
        steps=tuple(_step(step, ages.get(step["to"])) for step in document["steps"]),
    )


def _rank(document: Mapping[str, Any]) -> RankDescription:
    ages = document.get("holding_ages")
    return RankDescription(
        code=document["code"],
        name=document["name"],
        native_name=document.get("native_name"),
        kind=RankKind(document.get("kind", RankKind.RANK)),
        track=document.get("track"),
        colours=tuple(colour.lower() for colour in document.get("colours", ())),
        holding_ages=None if ages is None else Age.from_document(ages),
        syllabus=document.get("syllabus"),
        exam=_exam(document["exam"]) if "exam" in document else None,
    )


def _exam(document: Mapping[str, Any]) -> ExamRules:
    techniques = tuple(document.get("techniques", ()))
    return ExamRules(**{**document, "techniques": techniques})


def _step(document: Mapping[str, Any], ages: Age | None) -> Step:
    return Step(
        origin=document["from"],
        to=document["to"],
        type=StepType(document.get("type", StepType.PROMOTE)),
        clock=ClockSetting(document.get("clock", ClockSetting.RESTARTS)),
        anchor=Anchor(document.get("anchor", Anchor.RANK)),
        paths=tuple(
            Path(path["name"], tuple(map(_criterion, path["criteria"]))).with_holding_ages(ages)
            for path in document["paths"]
        ),
    )


def _criterion(document: Mapping[str, Any]) -> Criterion:
    return KINDS[document["kind"]].from_document(document)
