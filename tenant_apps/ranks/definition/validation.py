"""Validation of definition documents: report every fault with its place, so that an author can correct all at once.

The JSON schema finds the faults of form (types, bounds, unknown fields). The functions below find the faults of
meaning, which a schema cannot express: codes exist, steps lead upwards, no name is given twice. Both kinds are reported
together, so these functions must accept any JSON value.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import islice
from typing import Any, Final, NamedTuple, TypeAlias

from jsonschema import ValidationError

from tatami.text import is_blank
from tenant_apps.ranks.criteria import KINDS, Age, Criterion
from tenant_apps.ranks.definition.json_schema import MOST_RANKS, MOST_STEPS, validator

MOST_FAULTS: Final = 50
MOST_FAULTS_OF_FORM: Final = 500
"""After so many the rest of the document is not looked at."""
_LONGEST_PLACE: Final = 200

WHOLE: Final = "definition"
"""The place of a fault that concerns the whole document."""

_NO_SUCH_RANK: Final = "is not the code of a rank of this system"

Place: TypeAlias = tuple[str | int, ...]
"""The keys and list indexes that lead to a value."""
Faults: TypeAlias = Iterator[tuple[Place, str]]
"""Places with messages."""


class Fault(NamedTuple):
    """`place` is a dotted path such as `steps.3.paths.0.criteria.1.n`; `message` is shown to the author."""

    place: str
    message: str


def definition_faults(document: object) -> tuple[Fault, ...]:
    """Return all faults in the order of the document, at most `MOST_FAULTS`. A valid document has none."""
    too_long = [
        Fault(name, f"must have at most {most} items")
        for name, most in (("ranks", MOST_RANKS), ("steps", MOST_STEPS))
        if len(_items(_mapping(document).get(name))) > most
    ]
    if too_long:  # the items are not looked at: there may be very many
        return tuple(too_long)
    found: dict[tuple[Place, str], None] = {}
    for fault in islice(_faults_of_form(document), MOST_FAULTS_OF_FORM):
        found[fault] = None
    if len(found) < MOST_FAULTS_OF_FORM:
        for fault in _faults_of_meaning(document):
            found[fault] = None
    ordered = sorted(found, key=_document_order)
    return tuple(
        Fault(".".join(map(str, place))[:_LONGEST_PLACE] or WHOLE, message)
        for place, message in ordered[:MOST_FAULTS]
    )


def _document_order(fault: tuple[Place, str]) -> list[tuple[int, str]]:
    return [(part, "") if isinstance(part, int) else (-1, part) for part in fault[0]]


def _mapping(value: object) -> Mapping[str, Any]:
    """Return the value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def _items(value: object) -> Sequence[Any]:
    """Return the value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


# --- form ---------------------------------------------------------------------------------------------------------

_MESSAGES: Final = {
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
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}


def _faults_of_form(document: object) -> Faults:
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


def _message(error: ValidationError) -> str:
    """Return our own message: those of jsonschema repeat the value, which may be a megabyte."""
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
            return _MESSAGES.get(str(other), "is not valid").format(limit)


# --- meaning ------------------------------------------------------------------------------------------------------


def _faults_of_meaning(document: object) -> Faults:
    root = _mapping(document)
    yield from _date_faults(root)
    yield from _invisible_faults((), document)
    ranks = [(place, _mapping(rank)) for place, rank in enumerate(_items(root.get("ranks")))]
    order: dict[str, int] = {}
    for place, rank in ranks:
        yield from _rank_faults(place, rank)
        code = rank.get("code")
        if isinstance(code, str):
            if code in order:
                yield ("ranks", place, "code"), f"is also the code of rank {order[code]}"
            order.setdefault(code, place)
    pairs: dict[tuple[str | None, str], int] = {}
    for place, item in enumerate(_items(root.get("steps"))):
        step = _mapping(item)
        yield from _step_faults(place, step, order, pairs)
        for number, path in enumerate(_items(step.get("paths"))):
            yield from _path_faults(("steps", place, "paths", number), _mapping(path), step, order)


def _date_faults(root: Mapping[str, Any]) -> Faults:
    effective_on = root.get("effective_on")
    if isinstance(effective_on, str):
        try:
            date.fromisoformat(effective_on)
        except ValueError:
            yield ("effective_on",), "must be a date that exists, YYYY-MM-DD"


def _invisible_faults(place: Place, value: object) -> Faults:
    """Find text of characters without a glyph; the schema finds text that is empty or white space."""
    if isinstance(value, str):
        if value.strip() and is_blank(value):
            yield place, "must have visible characters"
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _invisible_faults((*place, str(key)), item)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _invisible_faults((*place, number), item)


def _rank_faults(place: int, rank: Mapping[str, Any]) -> Faults:
    if place == 0 and rank.get("kind") == "sub_rank":
        yield ("ranks", place, "kind"), "must not be sub_rank without a rank before it"
    if isinstance(rank.get("holding_ages"), dict):
        for bound, message in Age.faults(rank["holding_ages"]):
            yield ("ranks", place, "holding_ages", bound), message
    yield from _exam_faults(("ranks", place, "exam"), _mapping(rank.get("exam")))


def _exam_faults(place: Place, exam: Mapping[str, Any]) -> Faults:
    seen = set()
    for number, name in enumerate(_items(exam.get("techniques"))):
        if isinstance(name, str) and name in seen:
            yield (*place, "techniques", number), "is named twice"
        seen.add(str(name))
    best, needed = exam.get("best_mark"), exam.get("pass_mark")
    if isinstance(best, int | float) and isinstance(needed, int | float) and needed > best:
        yield (*place, "pass_mark"), "must not be above `best_mark`"
    if "licence" in exam and "examiners" not in exam:
        yield (*place, "licence"), "needs `examiners`, the number of those who have it"


def _step_faults(
    place: int, step: Mapping[str, Any], order: Mapping[str, int], pairs: dict[tuple[str | None, str], int]
) -> Faults:
    origin, to = step.get("from"), step.get("to")
    for name, code in (("from", origin), ("to", to)):
        if isinstance(code, str) and code not in order:
            yield ("steps", place, name), _NO_SUCH_RANK
    if "clock" in step and step.get("type", "promote") != "convert":
        yield ("steps", place, "clock"), "is only valid for conversions"
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


def _path_faults(
    place: Place, path: Mapping[str, Any], step: Mapping[str, Any], order: Mapping[str, int]
) -> Faults:
    earlier = [_mapping(other).get("name") for other in _items(step.get("paths"))[: int(place[-1])]]
    if isinstance(path.get("name"), str) and path["name"] in earlier:
        yield (*place, "name"), "is also the name of another path of this step"
    for number, item in enumerate(_items(path.get("criteria"))):
        criterion = _mapping(item)
        name = criterion.get("kind")
        if isinstance(name, str) and name in KINDS:
            for parameter, message in _criterion_faults(KINDS[name], criterion, order):
                yield (*place, "criteria", number, parameter), message


def _criterion_faults(
    kind: type[Criterion], criterion: Mapping[str, Any], order: Mapping[str, int]
) -> Iterator[tuple[str, str]]:
    yield from kind.faults(criterion)
    for parameter, code in kind.ranks_named(criterion):
        if isinstance(code, str) and code not in order:
            yield parameter, _NO_SUCH_RANK
