"""The JSON schema (draft 2020-12) of a rank system's definition document.

Bounds keep a document's work and storage sane; they are far beyond every rule book we know.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from jsonschema import Draft202012Validator

from tenant_apps.ranks.criteria import KINDS, Criterion

FORMAT: Final = 1
MOST_RANKS: Final = 200
MOST_STEPS: Final = 1000
MOST_PATHS: Final = 20
MOST_CRITERIA: Final = 30
MOST_COLOURS: Final = 4
LONGEST_CODE: Final = 64
LONGEST_NAME: Final = 200
LONGEST_NOTE: Final = 4000

# `$` would let a final line break pass in Python's `re`.
_STOP = r"(?![\s\S])"


def _text(longest: int) -> dict[str, object]:
    return {"type": "string", "minLength": 1, "maxLength": longest, "pattern": r"\S"}


_CODE = {
    "type": "string",
    "maxLength": LONGEST_CODE,
    "pattern": rf"^[a-z0-9][a-z0-9._-]*{_STOP}",
    "description": "made of a-z, 0-9, dots, dashes and underscores, a letter or digit first",
}

_COLOUR = {
    "type": "string",
    "pattern": rf"^#[0-9a-fA-F]{{6}}{_STOP}",
    "description": "a colour such as #1a2b3c",
}

_RANK = {
    "type": "object",
    "properties": {
        "code": _CODE,
        "name": _text(LONGEST_NAME),
        "native_name": _text(LONGEST_NAME),
        "kind": {"enum": ["rank", "sub_rank", "title"]},
        "track": _CODE,
        "colours": {"type": "array", "maxItems": MOST_COLOURS, "items": _COLOUR},
    },
    "required": ["code", "name"],
    "additionalProperties": False,
}


def _criterion(kind: type[Criterion]) -> dict[str, Any]:
    """If it is of that kind, then it has that kind's parameters and no others."""
    return {
        "if": {"type": "object", "properties": {"kind": {"const": kind.kind}}, "required": ["kind"]},
        "then": {
            "properties": {"kind": True, **kind.parameters},
            "required": list(kind.required),
            "additionalProperties": False,
        },
    }


def _path(kinds: Mapping[str, type[Criterion]]) -> dict[str, Any]:
    criterion = {
        "type": "object",
        "properties": {"kind": {"enum": sorted(kinds)}},
        "required": ["kind"],
        "allOf": [_criterion(kind) for kind in kinds.values()],
    }
    return {
        "type": "object",
        "properties": {
            "name": _text(LONGEST_NAME),
            "criteria": {"type": "array", "maxItems": MOST_CRITERIA, "items": criterion},
        },
        "required": ["name", "criteria"],
        "additionalProperties": False,
    }


def definition_schema() -> dict[str, Any]:
    """The schema as published. What it cannot say (codes exist, steps go up), `parse_definition` does."""
    step = {
        "type": "object",
        "properties": {
            "from": {**_CODE, "type": ["string", "null"]},
            "to": _CODE,
            "type": {"enum": ["promote", "convert", "skip"]},
            "paths": {"type": "array", "minItems": 1, "maxItems": MOST_PATHS, "items": _path(KINDS)},
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
            "name": _text(LONGEST_NAME),
            "art": _text(LONGEST_NAME),
            "source": _text(LONGEST_NOTE),
            "confidence": {"enum": ["O", "S", "C", "M"]},
            "edition": _text(LONGEST_NAME),
            "effective_on": {
                "type": "string",
                "pattern": rf"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}{_STOP}",
                "description": "a date, YYYY-MM-DD",
            },
            "note": _text(LONGEST_NOTE),
            "ranks": {"type": "array", "minItems": 1, "maxItems": MOST_RANKS, "items": _RANK},
            "steps": {"type": "array", "maxItems": MOST_STEPS, "items": step},
        },
        "required": ["format", "name", "art", "source", "confidence", "ranks", "steps"],
        "additionalProperties": False,
    }


@cache
def validator() -> Draft202012Validator:
    """Compiled once per process."""
    return Draft202012Validator(definition_schema())
