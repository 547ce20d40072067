"""What a schema cannot say about a definition: codes exist, steps go up, names are not given twice."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Final

from tenant_apps.ranks.criteria import KINDS, Age, Criterion
from tenant_apps.ranks.definition_places import Found, Place, items, mapping

_NO_SUCH_RANK: Final = "is not the code of a rank of this system"


def faults_of_meaning(document: object) -> Found:
    """What a schema cannot say. Must bear any JSON value, for form and meaning are judged in one go."""
    root = mapping(document)
    yield from _date_faults(root)
    ranks = [(place, mapping(rank)) for place, rank in enumerate(items(root.get("ranks")))]
    order: dict[str, int] = {}
    for place, rank in ranks:
        yield from _rank_faults(place, rank)
        code = rank.get("code")
        if isinstance(code, str):
            if code in order:
                yield ("ranks", place, "code"), f"is also the code of rank {order[code]}"
            order.setdefault(code, place)
    pairs: dict[tuple[str | None, str], int] = {}
    for place, item in enumerate(items(root.get("steps"))):
        step = mapping(item)
        yield from _step_faults(place, step, order, pairs)
        for number, path in enumerate(items(step.get("paths"))):
            yield from _path_faults(("steps", place, "paths", number), mapping(path), step, order)


def _date_faults(root: Mapping[str, Any]) -> Found:
    effective_on = root.get("effective_on")
    if isinstance(effective_on, str):
        try:
            date.fromisoformat(effective_on)
        except ValueError:
            yield ("effective_on",), "must be a date that exists, YYYY-MM-DD"


def _rank_faults(place: int, rank: Mapping[str, Any]) -> Found:
    if place == 0 and rank.get("kind") == "sub_rank":
        yield ("ranks", place, "kind"), "must not be sub_rank where no rank stands before it"
    if isinstance(rank.get("holding_ages"), dict):
        for bound, message in Age.faults(rank["holding_ages"]):
            yield ("ranks", place, "holding_ages", bound), message


def _step_faults(
    place: int, step: Mapping[str, Any], order: Mapping[str, int], pairs: dict[tuple[str | None, str], int]
) -> Found:
    origin, to = step.get("from"), step.get("to")
    for name, code in (("from", origin), ("to", to)):
        if isinstance(code, str) and code not in order:
            yield ("steps", place, name), _NO_SUCH_RANK
    if "clock" in step and step.get("type", "promote") != "convert":
        yield ("steps", place, "clock"), "has a meaning for conversions only"
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
) -> Found:
    earlier = [mapping(other).get("name") for other in items(step.get("paths"))[: int(place[-1])]]
    if isinstance(path.get("name"), str) and path["name"] in earlier:
        yield (*place, "name"), "is also the name of another path of this step"
    for number, item in enumerate(items(path.get("criteria"))):
        criterion = mapping(item)
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
