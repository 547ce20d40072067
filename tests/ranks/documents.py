"""Definition documents for tests: valid ones, changed copies, and their faults."""

from copy import deepcopy
from typing import Any

import pytest

from tenant_apps.ranks.definition import DefinitionError, parse_definition

VALID: dict[str, Any] = {
    "format": 1,
    "name": "Our belts",
    "art": "Judo",
    "source": "our rule book",
    "confidence": "O",
    "ranks": [
        {"code": "white", "name": "White"},
        {"code": "yellow", "name": "Yellow", "colours": ["#FFEB3B"]},
    ],
    "steps": [
        {"from": None, "to": "white", "paths": [{"name": "regular", "criteria": []}]},
        {
            "from": "white",
            "to": "yellow",
            "type": "promote",
            "paths": [
                {
                    "name": "regular",
                    "criteria": [
                        {"kind": "time_in_rank", "months": 3},
                        {"kind": "attendance_count", "n": 30, "unit": "session"},
                        {"kind": "age", "min": 6},
                        {"kind": "document", "which": "licence"},
                    ],
                }
            ],
        },
    ],
}


def faults(document: object) -> dict[str, list[str]]:
    """Return the faults of an invalid document: place → messages."""
    with pytest.raises(DefinitionError) as caught:
        parse_definition(document)
    return caught.value.by_place()


def changed(place: str, value: object, document: dict[str, Any] = VALID) -> dict[str, Any]:
    """Return a copy of a document with another value at a place; a missing last key is added."""
    document = deepcopy(document)
    *parents, last = place.split(".")
    at: Any = document
    for part in parents:
        at = at[int(part)] if isinstance(at, list) else at[part]
    at[int(last) if isinstance(at, list) else last] = value
    return document


CRITERIA = "steps.1.paths.0.criteria"


KIDS: dict[str, Any] = {
    "format": 1,
    "name": "Kids",
    "art": "Judo",
    "source": "Our own",
    "confidence": "C",
    "ranks": [
        {"code": "white", "name": "White", "colours": ["#ffffff"]},
        {"code": "yellow", "name": "Yellow"},
    ],
    "steps": [
        {"from": None, "to": "white", "paths": [{"name": "regular", "criteria": []}]},
        {
            "from": "white",
            "to": "yellow",
            "paths": [
                {
                    "name": "regular",
                    "criteria": [{"kind": "time_in_rank", "months": 3}, {"kind": "age", "min": 6}],
                }
            ],
        },
    ],
}
