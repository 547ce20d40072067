"""Every fault of a definition document, each with its place, so that an author can mend them in one go."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final, NamedTuple

from jsonschema import ValidationError

from tenant_apps.ranks.criteria import KINDS
from tenant_apps.ranks.definition_schema import validator

MOST_FAULTS: Final = 100
_LONGEST_PLACE: Final = 200

WHOLE: Final = "definition"
"""The place of a fault that concerns the document as a whole."""

Place = tuple[str | int, ...]
_Found = Iterator[tuple[Place, str]]


class Fault(NamedTuple):
    """`place` is a dotted path such as `steps.3.paths.0.criteria.1.n`; `message` goes to the author."""

    place: str
    message: str


def definition_faults(document: object) -> tuple[Fault, ...]:
    """All faults in the order of the document, at most `MOST_FAULTS` of them; none if it is sound."""
    found: dict[tuple[Place, str], None] = {}
    for fault in (*_faults_of_form(document), *_faults_of_meaning(document)):
        found[fault] = None
    ordered = sorted(found, key=_reading_order)
    return tuple(
        Fault(".".join(map(str, place))[:_LONGEST_PLACE] or WHOLE, message)
        for place, message in ordered[:MOST_FAULTS]
    )


def _reading_order(fault: tuple[Place, str]) -> list[tuple[int, str]]:
    return [(part, "") if isinstance(part, int) else (-1, part) for part in fault[0]]


def _faults_of_form(document: object) -> _Found:
    for error in validator().iter_errors(document):
        place: Place = tuple(error.absolute_path)
        if error.validator == "required":
            for name in _missing(error):
                yield (*place, name), "is required"
        elif error.validator == "additionalProperties":
            for name in sorted(set(_mapping(error.instance)) - set(_mapping(error.schema)["properties"])):
                yield (*place, name), "is not a known field"
        else:
            yield place, _message(error)


def _missing(error: ValidationError) -> list[str]:
    required: Any = error.validator_value
    return [str(name) for name in required if name not in _mapping(error.instance)]


_IN_OUR_WORDS: Final = {
    "minimum": "must be at least {}",
    "maximum": "must be at most {}",
    "minItems": "must have at least {}",
    "maxItems": "must have at most {}",
    "minLength": "must not be empty",
    "maxLength": "must have at most {} characters",
    "const": "must be {}",
}

_TYPE_NAMES: Final = {
    "object": "an object",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "null",
}


def _message(error: ValidationError) -> str:
    """In our own words: jsonschema's repeat the value, which may be a megabyte."""
    limit: Any = error.validator_value
    match error.validator:
        case "type":
            names = [limit] if isinstance(limit, str) else limit
            return "must be " + " or ".join(_TYPE_NAMES[name] for name in names)
        case "enum":
            return "must be one of: " + ", ".join(limit)
        case "pattern":
            return f"must be {_mapping(error.schema).get('description', 'more than blanks')}"
        case other:
            return _IN_OUR_WORDS.get(str(other), "is not valid").format(limit)


def _faults_of_meaning(document: object) -> _Found:
    """What a schema cannot say. Must bear any JSON value, for form and meaning are judged in one go."""
    root = _mapping(document)
    yield from _date_faults(root)
    ranks = [(place, _mapping(rank)) for place, rank in enumerate(_list(root.get("ranks")))]
    order: dict[str, int] = {}
    for place, rank in ranks:
        code = rank.get("code")
        if isinstance(code, str):
            if code in order:
                yield ("ranks", place, "code"), f"is also the code of rank {order[code]}"
            order.setdefault(code, place)
    pairs: dict[tuple[str | None, str], int] = {}
    for place, item in enumerate(_list(root.get("steps"))):
        step = _mapping(item)
        yield from _step_faults(place, step, order, pairs)
        for number, path in enumerate(_list(step.get("paths"))):
            yield from _path_faults(("steps", place, "paths", number), _mapping(path), step)


def _date_faults(root: Mapping[str, Any]) -> _Found:
    effective_on = root.get("effective_on")
    if isinstance(effective_on, str):
        try:
            date.fromisoformat(effective_on)
        except ValueError:
            yield ("effective_on",), "must be a date that exists, YYYY-MM-DD"


def _step_faults(
    place: int, step: Mapping[str, Any], order: Mapping[str, int], pairs: dict[tuple[str | None, str], int]
) -> _Found:
    origin, to = step.get("from"), step.get("to")
    for name, code in (("from", origin), ("to", to)):
        if isinstance(code, str) and code not in order:
            yield ("steps", place, name), "is not the code of a rank of this system"
    if not isinstance(to, str) or not (origin is None or isinstance(origin, str)):
        return
    if (origin, to) in pairs:
        yield ("steps", place, "to"), f"step {pairs[origin, to]} already leads there from the same rank"
    pairs.setdefault((origin, to), place)
    if origin is not None and origin in order and to in order:
        if step.get("type", "promote") in ("promote", "skip"):
            if order[to] <= order[origin]:
                yield ("steps", place, "to"), "must be a rank further up the list than `from`"
        elif origin == to:
            yield ("steps", place, "to"), "must be another rank than `from`"


def _path_faults(place: Place, path: Mapping[str, Any], step: Mapping[str, Any]) -> _Found:
    earlier = [_mapping(other).get("name") for other in _list(step.get("paths"))[: int(place[-1])]]
    if isinstance(path.get("name"), str) and path["name"] in earlier:
        yield (*place, "name"), "is also the name of another path of this step"
    for number, item in enumerate(_list(path.get("criteria"))):
        criterion = _mapping(item)
        kind = criterion.get("kind")
        if isinstance(kind, str) and kind in KINDS:
            for parameter, message in KINDS[kind].faults(criterion):
                yield (*place, "criteria", number, parameter), message


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else []
