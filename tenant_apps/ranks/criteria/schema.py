"""The JSON schemas that parameters of criteria are made of."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

LONGEST_CODE: Final = 40
MOST_MONTHS: Final = 1200
MOST_NAMED: Final = 50

# `$` would let a final line break pass in Python's `re`.
STOP: Final = r"(?![\s\S])"

CODE: Final = {
    "type": "string",
    "maxLength": LONGEST_CODE,
    "pattern": rf"^[a-z0-9][a-z0-9._-]*{STOP}",
    "description": "made of a-z, 0-9, dots, dashes and underscores, a letter or digit first",
}

MONTHS: Final[Mapping[str, object]] = {"type": "integer", "minimum": 1, "maximum": MOST_MONTHS}


_ONE_LINE: Final = {
    "pattern": rf"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*{STOP}",
    "description": "one line, without control characters",
}
_LINES: Final = {
    "pattern": rf"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*{STOP}",
    "description": "without control characters",
}


def text(longest: int, *, lines: bool = False) -> dict[str, object]:
    """Of text that is more than blanks: one line, or with line breaks and tabs where `lines` are asked for."""
    shape = _LINES if lines else _ONE_LINE
    return {"type": "string", "minLength": 1, "maxLength": longest, "pattern": r"\S", "allOf": [shape]}


NAME: Final[Mapping[str, object]] = text(100)
"""What a dojo calls a document, a skill, a title, a class type."""


def whole_number(least: int, most: int) -> dict[str, object]:
    """Of a whole number between two bounds, both included."""
    return {"type": "integer", "minimum": least, "maximum": most}


def one_of(choices: type[StrEnum]) -> dict[str, object]:
    """Of one of an enumeration's values."""
    return {"enum": [choice.value for choice in choices]}


def several(item: Mapping[str, object]) -> dict[str, object]:
    """Of a list of at least one such item."""
    return {"type": "array", "minItems": 1, "maxItems": MOST_NAMED, "items": item}


def criterion_schema(kinds: Mapping[str, Any]) -> dict[str, Any]:
    """Of a criterion of one of these kinds: if it is of that kind, it has that kind's parameters and no others."""
    return {
        "type": "object",
        "properties": {"kind": {"enum": sorted(kinds)}},
        "required": ["kind"],
        "allOf": [
            {
                "if": {"type": "object", "properties": {"kind": {"const": name}}, "required": ["kind"]},
                "then": {
                    "properties": {"kind": True, **kind.parameters},
                    "required": list(kind.required),
                    "additionalProperties": False,
                },
            }
            for name, kind in kinds.items()
        ],
    }
