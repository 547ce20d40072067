"""The JSON schema (draft 2020-12) of the definition document of a rank system.

The bounds limit the work and storage for a document; they are far above every known rule book.
"""

from functools import cache
from typing import Any, Final

from jsonschema import Draft202012Validator

from tatami.text import gettext_noop
from tenant_apps.ranks.criteria import KINDS, Age
from tenant_apps.ranks.criteria.json_schema import CODE, STOP, criterion_schema, text

FORMAT: Final = 1
MOST_RANKS: Final = 200
MOST_STEPS: Final = 1000
MOST_PATHS: Final = 20
MOST_CRITERIA: Final = 30
MOST_COLOURS: Final = 4
MOST_TECHNIQUES: Final = 100
MOST_EXAMINERS: Final = 20
BEST_MARK: Final = 1000
LONGEST_NAME: Final = 100
"""Of a system and of a rank, as in the columns of their tables."""
LONGEST_LABEL: Final = 200
LONGEST_NOTE: Final = 4000
LONGEST_SYLLABUS: Final = 20_000

_COLOUR = {
    "type": "string",
    "pattern": rf"^#[0-9a-fA-F]{{6}}{STOP}",
    "description": gettext_noop("a colour such as #1a2b3c"),
}

_EXAM = {
    "type": "object",
    "properties": {
        "techniques": {
            "type": "array",
            "minItems": 1,
            "maxItems": MOST_TECHNIQUES,
            "items": text(LONGEST_NAME),
        },
        "best_mark": {"type": "number", "minimum": 1, "maximum": BEST_MARK},
        "pass_mark": {"type": "number", "minimum": 0, "maximum": BEST_MARK},
        "examiners": {"type": "integer", "minimum": 1, "maximum": MOST_EXAMINERS},
        "licence": text(LONGEST_NAME),
    },
    "additionalProperties": False,
}

_RANK = {
    "type": "object",
    "properties": {
        "code": CODE,
        "name": text(LONGEST_NAME),
        "native_name": text(LONGEST_NAME),
        "kind": {"enum": ["rank", "sub_rank", "title"]},
        "track": CODE,
        "colours": {"type": "array", "maxItems": MOST_COLOURS, "items": _COLOUR},
        "holding_ages": {"type": "object", "properties": Age.parameters, "additionalProperties": False},
        "syllabus": text(LONGEST_SYLLABUS, lines=True),
        "exam": _EXAM,
    },
    "required": ["code", "name"],
    "additionalProperties": False,
}


def _path() -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "name": text(LONGEST_LABEL),
            "criteria": {"type": "array", "maxItems": MOST_CRITERIA, "items": criterion_schema(KINDS)},
        },
        "required": ["name", "criteria"],
        "additionalProperties": False,
    }


def definition_schema() -> dict[str, Any]:
    """Return the published schema. `parse_definition` also checks what a schema cannot (codes exist, steps go up)."""
    step = {
        "type": "object",
        "properties": {
            "from": {**CODE, "type": ["string", "null"]},
            "to": CODE,
            "type": {"enum": ["promote", "convert", "skip"]},
            "clock": {"enum": ["restarts", "carries"]},
            "anchor": {"enum": ["rank", "last_test"]},
            "paths": {"type": "array", "minItems": 1, "maxItems": MOST_PATHS, "items": _path()},
        },
        "required": ["from", "to", "paths"],
        "additionalProperties": False,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Rank system definition",
        "type": "object",
        "properties": {
            "format": {"type": "integer", "const": FORMAT},
            "name": text(LONGEST_NAME),
            "art": text(LONGEST_LABEL),
            "source": text(LONGEST_NOTE),
            "confidence": {"enum": ["O", "S", "C", "M"]},
            "edition": text(LONGEST_LABEL),
            "effective_on": {
                "type": "string",
                "pattern": rf"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}{STOP}",
                "description": gettext_noop("a date, YYYY-MM-DD"),
            },
            "note": text(LONGEST_NOTE, lines=True),
            "ranks": {"type": "array", "minItems": 1, "maxItems": MOST_RANKS, "items": _RANK},
            "steps": {"type": "array", "maxItems": MOST_STEPS, "items": step},
        },
        "required": ["format", "name", "art", "source", "confidence", "ranks", "steps"],
        "additionalProperties": False,
    }


@cache
def validator() -> Draft202012Validator:
    """Return the validator, compiled once per process."""
    return Draft202012Validator(definition_schema())
