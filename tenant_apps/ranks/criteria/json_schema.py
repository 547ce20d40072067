"""Building blocks for the JSON schemas of parameters."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from tatami.text import gettext_noop

LONGEST_CODE: Final = 40
MOST_MONTHS: Final = 1200
MOST_NAMED: Final = 50

# `$` would let a final line break pass in Python's `re`.
STOP: Final = r"(?![\s\S])"

CODE: Final = {
    "type": "string",
    "maxLength": LONGEST_CODE,
    "pattern": rf"^[a-z0-9][a-z0-9._-]*{STOP}",
    "description": gettext_noop("made of a-z, 0-9, dots, dashes and underscores, a letter or digit first"),
}

MONTHS: Final[Mapping[str, object]] = {"type": "integer", "minimum": 1, "maximum": MOST_MONTHS}


_ONE_LINE: Final = {
    "pattern": rf"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*{STOP}",
    "description": gettext_noop("one line, without control characters"),
}
_LINES: Final = {
    "pattern": rf"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*{STOP}",
    "description": gettext_noop("without control characters"),
}


def text(longest: int, *, lines: bool = False) -> dict[str, object]:
    """Return the schema of non-blank text: one line, or with line breaks and tabs if `lines` is true."""
    shape = _LINES if lines else _ONE_LINE
    return {"type": "string", "minLength": 1, "maxLength": longest, "pattern": r"\S", "allOf": [shape]}


NAME: Final[Mapping[str, object]] = text(100)
"""The name that a dojo gives to a document, a skill, a title or a class type."""


def whole_number(least: int, most: int) -> dict[str, object]:
    """Return the schema of a whole number between two bounds, both included."""
    return {"type": "integer", "minimum": least, "maximum": most}


def one_of(choices: type[StrEnum]) -> dict[str, object]:
    """Return the schema of one value of an enumeration."""
    return {"enum": [choice.value for choice in choices]}


def several(item: Mapping[str, object]) -> dict[str, object]:
    """Return the schema of a list of at least one item."""
    return {"type": "array", "minItems": 1, "maxItems": MOST_NAMED, "items": item}


def criterion_schema(kinds: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a criterion of one of these kinds, with the parameters of its kind and no others."""
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
