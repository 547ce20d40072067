"""Validation of definition documents: report every fault with its place, so that an author can correct all at once.

The JSON schema finds the faults of form (types, bounds, unknown fields). The functions below find the faults of
meaning, which a schema cannot express: codes exist, steps lead upwards, no name is given twice. Both kinds are reported
together, so these functions must accept any JSON value.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from itertools import islice
from typing import Any, Final, NamedTuple, TypeAlias

from jsonschema import ValidationError

from tatami.text import gettext_noop, is_blank
from tenant_apps.ranks.criteria import KINDS, Age, Criterion
from tenant_apps.ranks.definition.json_schema import MOST_RANKS, MOST_STEPS, validator

MOST_FAULTS: Final = 50
MOST_FAULTS_OF_FORM: Final = 500
"""After so many the rest of the document is not looked at."""
_LONGEST_PLACE: Final = 200

WHOLE: Final = "definition"
"""The place of a fault that concerns the whole document."""

_NO_SUCH_RANK: Final = gettext_noop("is not the code of a rank of this system")
_MUST_BE: Final = gettext_noop("must be {shape}")
_NOT_BLANK: Final = gettext_noop("more than blanks")
_OR: Final = gettext_noop(" or ")

Place: TypeAlias = tuple[str | int, ...]
"""The keys and list indexes that lead to a value."""
Values: TypeAlias = tuple[tuple[str, int | float | str | tuple[str, ...]], ...]
"""What fills the placeholders of a message, by name; a tuple is of texts that are translated as well."""


class Message(NamedTuple):
    """What is wrong: a text in English, marked for translation, and its values. Shown to the author."""

    text: str
    values: Values = ()

    def written(self, translate: Callable[[str], str] = str) -> str:
        """Return the message in English, or in the language of `translate`, a `gettext`."""
        values = {
            name: translate(_OR).join(map(translate, value)) if isinstance(value, tuple) else value
            for name, value in self.values
        }
        return translate(self.text).format(**values)


Faults: TypeAlias = Iterator[tuple[Place, Message]]
"""Places with messages."""


class Fault(NamedTuple):
    """`place` is a dotted path such as `steps.3.paths.0.criteria.1.n`."""

    place: str
    message: Message


def definition_faults(document: object) -> tuple[Fault, ...]:
    """Return all faults in the order of the document, at most `MOST_FAULTS`. A valid document has none."""
    too_long = [
        Fault(name, Message(gettext_noop("must have at most {most} items"), (("most", most),)))
        for name, most in (("ranks", MOST_RANKS), ("steps", MOST_STEPS))
        if len(_items(_mapping(document).get(name))) > most
    ]
    if too_long:  # the items are not looked at: there may be very many
        return tuple(too_long)
    found: dict[tuple[Place, Message], None] = {}
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


def _document_order(fault: tuple[Place, Message]) -> list[tuple[int, str]]:
    return [(part, "") if isinstance(part, int) else (-1, part) for part in fault[0]]


def _mapping(value: object) -> Mapping[str, Any]:
    """Return the value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def _items(value: object) -> Sequence[Any]:
    """Return the value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


# --- form ---------------------------------------------------------------------------------------------------------

_MESSAGES: Final = {
    "minimum": gettext_noop("must be at least {limit}"),
    "maximum": gettext_noop("must be at most {limit}"),
    "minItems": gettext_noop("must have at least {limit}"),
    "maxItems": gettext_noop("must have at most {limit}"),
    "minLength": gettext_noop("must not be empty"),
    "maxLength": gettext_noop("must have at most {limit} characters"),
    "const": gettext_noop("must be {limit}"),
}

_TYPE_NAMES: Final = {
    "object": gettext_noop("an object"),
    "array": gettext_noop("a list"),
    "string": gettext_noop("text"),
    "integer": gettext_noop("a whole number"),
    "number": gettext_noop("a number"),
    "boolean": gettext_noop("true or false"),
    "null": gettext_noop("null"),
}


def _faults_of_form(document: object) -> Faults:
    for error in validator().iter_errors(document):
        place: Place = tuple(error.absolute_path)
        if error.validator == "required":
            for name in _missing(error):
                yield (*place, name), Message(gettext_noop("is required"))
        elif error.validator == "additionalProperties":
            for name in sorted(set(_mapping(error.instance)) - set(_mapping(error.schema)["properties"])):
                yield (*place, name), Message(gettext_noop("is not a known field"))
        else:
            yield place, _message(error)


def _missing(error: ValidationError) -> list[str]:
    required: Any = error.validator_value
    return [str(name) for name in required if name not in _mapping(error.instance)]


def _message(error: ValidationError) -> Message:
    """Return our own message: those of jsonschema repeat the value, which may be a megabyte."""
    limit: Any = error.validator_value
    match error.validator:
        case "type":
            names = [limit] if isinstance(limit, str) else limit
            return Message(_MUST_BE, (("shape", tuple(_TYPE_NAMES[name] for name in names)),))
        case "enum":
            return Message(gettext_noop("must be one of: {values}"), (("values", ", ".join(limit)),))
        case "pattern":
            shape = str(_mapping(error.schema).get("description", _NOT_BLANK))
            return Message(_MUST_BE, (("shape", (shape,)),))
        case other:
            text = _MESSAGES.get(str(other))
            return Message(text, (("limit", limit),)) if text else Message(gettext_noop("is not valid"))


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
                message = gettext_noop("is also the code of rank {number}")
                yield ("ranks", place, "code"), Message(message, (("number", order[code]),))
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
            yield ("effective_on",), Message(gettext_noop("must be a date that exists, YYYY-MM-DD"))


def _invisible_faults(place: Place, value: object) -> Faults:
    """Find text of characters without a glyph; the schema finds text that is empty or white space."""
    if isinstance(value, str):
        if value.strip() and is_blank(value):
            yield place, Message(gettext_noop("must have visible characters"))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _invisible_faults((*place, str(key)), item)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _invisible_faults((*place, number), item)


def _rank_faults(place: int, rank: Mapping[str, Any]) -> Faults:
    if place == 0 and rank.get("kind") == "sub_rank":
        yield ("ranks", place, "kind"), Message(gettext_noop("must not be sub_rank without a rank before it"))
    if isinstance(rank.get("holding_ages"), dict):
        for bound, message in Age.faults(rank["holding_ages"]):
            yield ("ranks", place, "holding_ages", bound), Message(message)
    yield from _exam_faults(("ranks", place, "exam"), _mapping(rank.get("exam")))


def _exam_faults(place: Place, exam: Mapping[str, Any]) -> Faults:
    seen = set()
    for number, name in enumerate(_items(exam.get("techniques"))):
        if isinstance(name, str) and name in seen:
            yield (*place, "techniques", number), Message(gettext_noop("is named twice"))
        seen.add(str(name))
    best, needed = exam.get("best_mark"), exam.get("pass_mark")
    if isinstance(best, int | float) and isinstance(needed, int | float) and needed > best:
        yield (*place, "pass_mark"), Message(gettext_noop("must not be above `best_mark`"))
    if "licence" in exam and "examiners" not in exam:
        yield (*place, "licence"), Message(gettext_noop("needs `examiners`, the number of those who have it"))


def _step_faults(
    place: int, step: Mapping[str, Any], order: Mapping[str, int], pairs: dict[tuple[str | None, str], int]
) -> Faults:
    origin, to = step.get("from"), step.get("to")
    for name, code in (("from", origin), ("to", to)):
        if isinstance(code, str) and code not in order:
            yield ("steps", place, name), Message(_NO_SUCH_RANK)
    if "clock" in step and step.get("type", "promote") != "convert":
        yield ("steps", place, "clock"), Message(gettext_noop("is only valid for conversions"))
    if not isinstance(to, str) or not (origin is None or isinstance(origin, str)):
        return
    if (origin, to) in pairs:
        message = gettext_noop("step {number} already leads there from the same rank")
        yield ("steps", place, "to"), Message(message, (("number", pairs[origin, to]),))
    pairs.setdefault((origin, to), place)
    if origin is not None and origin in order and to in order:
        if step.get("type", "promote") in ("promote", "skip"):
            if order[to] <= order[origin]:
                message = gettext_noop("must be a rank further up the list than `from`")
                yield ("steps", place, "to"), Message(message)
        elif origin == to:
            yield ("steps", place, "to"), Message(gettext_noop("must be another rank than `from`"))


def _path_faults(
    place: Place, path: Mapping[str, Any], step: Mapping[str, Any], order: Mapping[str, int]
) -> Faults:
    earlier = [_mapping(other).get("name") for other in _items(step.get("paths"))[: int(place[-1])]]
    if isinstance(path.get("name"), str) and path["name"] in earlier:
        yield (*place, "name"), Message(gettext_noop("is also the name of another path of this step"))
    for number, item in enumerate(_items(path.get("criteria"))):
        criterion = _mapping(item)
        name = criterion.get("kind")
        if isinstance(name, str) and name in KINDS:
            for parameter, message in _criterion_faults(KINDS[name], criterion, order):
                yield (*place, "criteria", number, parameter), Message(message)


def _criterion_faults(
    kind: type[Criterion], criterion: Mapping[str, Any], order: Mapping[str, int]
) -> Iterator[tuple[str, str]]:
    yield from kind.faults(criterion)
    for parameter, code in kind.ranks_named(criterion):
        if isinstance(code, str) and code not in order:
            yield parameter, _NO_SUCH_RANK
