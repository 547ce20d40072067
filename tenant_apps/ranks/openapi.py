"""Examples and schemas of the routes of disciplines and rank systems for the OpenAPI document."""

from typing import Any, Final

from tatami.api.openapi import examples
from tatami.api.openapi.spec import OperationSpec, create_spec, list_spec, resource_specs
from tenant_apps.ranks.definition.json_schema import definition_schema
from tenant_apps.ranks.serializers import PresetSerializer

_ID: Final = {"type": "string", "format": "uuid"}


def _with_components(node: Any, name: str = "") -> Any:
    """Return a copy of a schema in which each kind of object, criteria among them, is a component."""
    if isinstance(node, list):
        return [_with_components(member) for member in node]
    if not isinstance(node, dict):
        return node
    if "allOf" in node and all("if" in one for one in node["allOf"]):
        return {"oneOf": [_criterion(one) for one in node["allOf"]]}
    found = {key: _with_components(member, key) for key, member in node.items()}
    if "properties" in found:
        found["properties"] = {key: _with_components(one, key) for key, one in node["properties"].items()}
    items = found.get("items")
    if name in _COMPONENTS and isinstance(items, dict) and items.get("type") == "object":
        items["x-component"] = _COMPONENTS[name]
    elif found.get("type") == "object" and name in _COMPONENTS:
        found["x-component"] = _COMPONENTS[name]
    return found


def _criterion(condition: dict[str, Any]) -> dict[str, Any]:
    """Return one alternative of a criterion, from `if` (its kind) and `then` (its parameters)."""
    kind = condition["if"]["properties"]["kind"]["const"]
    then = _with_components(condition["then"])
    return {
        "x-component": "".join(word.capitalize() for word in kind.split("_")) + "Criterion",
        "type": "object",
        **then,
        "properties": {**then["properties"], "kind": {"type": "string", "const": kind}},
        "required": ["kind", *then["required"]],
    }


_COMPONENTS: Final = {
    "ranks": "DefinedRank",
    "steps": "Step",
    "paths": "StepPath",
    "exam": "DefinedExam",
    "holding_ages": "AgeRange",
    "registered_at_age": "AgeRange",
}
"""Property of the definition → name of the component of its value, or of the items of its value."""
_DEFINITION: Final = _with_components({k: one for k, one in definition_schema().items() if k != "$schema"})


def _definition_with(name: str, properties: dict[str, Any], required: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the schema of a definition with additional fields, as the component `name`."""
    return {
        **_DEFINITION,
        "x-component": name,
        "title": name,
        "properties": {**properties, **_DEFINITION["properties"]},
        "required": [*required, *_DEFINITION["required"]],
    }


_DISCIPLINE_ID: Final = {**_ID, "type": ["string", "null"]}
_BY_PRESET: Final = {
    "x-component": "PresetChoiceRequest",
    "type": "object",
    "properties": {"preset": {"type": "string"}, "discipline": _DISCIPLINE_ID},
    "required": ["preset"],
    "additionalProperties": False,
}
_VERSION: Final = {"type": "integer", "minimum": 1}
_VERSION_READ: Final = {
    "type": ["integer", "null"],
    "minimum": 1,
    "description": "The version that you have read: 409 if it is no longer the latest.",
}
_RULES_RESPONSE: Final = _definition_with("Rules", {"version": _VERSION}, ("version",))

_AIKIDO: Final = examples.row(examples.DISCIPLINE, name="Aikido", archived=False)
_IAIDO: Final = {**_AIKIDO, "id": examples.NEW_DISCIPLINE, "name": "Iaido"}


def _rank(id_: str, code: str, name: str, native_name: str, order: int) -> dict[str, Any]:
    about = {"code": code, "name": name, "native_name": native_name, "order": order}
    return {"id": id_, **about, "kind": "rank", "track": "", "colours": ["#ffffff"]}


_SYSTEM: Final = examples.row(
    examples.RANK_SYSTEM,
    name="Aikikai Hombu grades",
    discipline=examples.AIKIDO,
    preset="aikikai",
    ranks=[
        _rank(examples.RANK, "5-kyu", "5th kyu", "五級", 0),
        _rank(examples.NEXT_RANK, "4-kyu", "4th kyu", "四級", 1),
    ],
    archived=False,
)
_OURS: Final = {
    "format": 1,
    "name": "Our own grades",
    "art": "Aikido",
    "source": "Our dojo",
    "confidence": "C",
    "ranks": [
        {"code": "5-kyu", "name": "5th kyu", "colours": ["#ffffff"]},
        {"code": "4-kyu", "name": "4th kyu", "native_name": "四級"},
    ],
    "steps": [
        {
            "from": "5-kyu",
            "to": "4-kyu",
            "type": "promote",
            "paths": [
                {
                    "name": "regular",
                    "criteria": [
                        {"kind": "attendance_count", "n": 40, "unit": "day"},
                        {"kind": "time_in_rank", "months": 3},
                    ],
                }
            ],
        }
    ],
}
_OURS_CREATED: Final = {
    **_SYSTEM,
    "name": "Our own grades",
    "preset": "",
    "ranks": [
        _rank(examples.RANK, "5-kyu", "5th kyu", "", 0),
        _rank(examples.NEXT_RANK, "4-kyu", "4th kyu", "四級", 1),
    ],
}
_AT: Final = {"id": examples.RANK_SYSTEM}

DISCIPLINES: Final = {"GET": list_spec(_AIKIDO), "POST": create_spec({"name": "Iaido"}, _IAIDO)}
DISCIPLINE: Final = resource_specs({"id": examples.DISCIPLINE}, _AIKIDO, {"name": "Aikido and weapons"})
PRESETS: Final = {
    "GET": OperationSpec(
        response=PresetSerializer(many=True),
        response_example=[
            {
                "key": "aikikai",
                "name": "Aikikai Hombu grades",
                "art": "Aikido",
                "source": "Aikikai Hombu Dojo's examination requirements, as reproduced by secondary pages",
                "confidence": "S",
            }
        ],
    )
}
RANK_SYSTEMS: Final = {
    "GET": list_spec(_SYSTEM),
    "POST": create_spec(
        {"discipline": examples.DISCIPLINE, **_OURS},
        _OURS_CREATED,
        request={
            "anyOf": [_BY_PRESET, _definition_with("NewRankSystemRequest", {"discipline": _DISCIPLINE_ID})]
        },
    ),
}
RANK_SYSTEM: Final = resource_specs(_AT, _SYSTEM, {"name": "Our grades"})
RULES: Final = {
    "GET": OperationSpec(
        path=_AT,
        query={"version": _VERSION},
        response=_RULES_RESPONSE,
        response_example={"version": 1, **_OURS},
    ),
    "PUT": OperationSpec(
        path=_AT,
        request=_definition_with("RulesRequest", {"version": _VERSION_READ}),
        request_example={"version": 1, **_OURS},
        response=_RULES_RESPONSE,
        response_example={"version": 2, **_OURS},
    ),
}
