"""Disciplines, rank systems and their rules."""

from typing import Any, Final

from rest_framework import serializers

from config.openapi import values
from config.openapi.frequent import listed, made, resource
from tatami.api.openapi import Described
from tenant_apps.ranks.definition_schema import definition_schema
from tenant_apps.ranks.models import RankSystem


class PresetSerializer(serializers.Serializer[Any]):
    """A rank system to start from. Only with the confidence O or S is it a federation's own word."""

    key = serializers.CharField()
    name = serializers.CharField()
    art = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]
    confidence = serializers.ChoiceField(choices=RankSystem.Confidence.choices)


_ID: Final = {"type": "string", "format": "uuid"}
_DEFINITION: Final = {name: value for name, value in definition_schema().items() if name != "$schema"}


def _beside(properties: dict[str, Any], required: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the schema of a definition with other fields beside it."""
    return {
        **_DEFINITION,
        "properties": {**properties, **_DEFINITION["properties"]},
        "required": [*required, *_DEFINITION["required"]],
    }


_DISCIPLINE_TAKEN: Final = {**_ID, "type": ["string", "null"]}
_BY_PRESET: Final = {
    "type": "object",
    "title": "By a preset",
    "properties": {"preset": {"type": "string"}, "discipline": _DISCIPLINE_TAKEN},
    "required": ["preset"],
    "additionalProperties": False,
}
_VERSION: Final = {"type": "integer", "minimum": 1}
_VERSION_SEEN: Final = {
    "type": ["integer", "null"],
    "minimum": 1,
    "description": "The version one has seen: a 409 where it is not the latest any more.",
}
_SHOWN_RULES: Final = _beside({"version": _VERSION}, ("version",))

_AIKIDO: Final = values.row(values.DISCIPLINE, name="Aikido", archived=False)
_IAIDO: Final = {**_AIKIDO, "id": values.NEW_DISCIPLINE, "name": "Iaido"}


def _rank(id_: str, code: str, name: str, native_name: str, order: int) -> dict[str, Any]:
    about = {"code": code, "name": name, "native_name": native_name, "order": order}
    return {"id": id_, **about, "kind": "rank", "track": "", "colours": ["#ffffff"]}


_SYSTEM: Final = values.row(
    values.RANK_SYSTEM,
    name="Aikikai Hombu grades",
    discipline=values.AIKIDO,
    preset="aikikai",
    ranks=[
        _rank(values.RANK, "5-kyu", "5th kyu", "五級", 0),
        _rank(values.NEXT_RANK, "4-kyu", "4th kyu", "四級", 1),
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
_OURS_MADE: Final = {
    **_SYSTEM,
    "name": "Our own grades",
    "preset": "",
    "ranks": [
        _rank(values.RANK, "5-kyu", "5th kyu", "", 0),
        _rank(values.NEXT_RANK, "4-kyu", "4th kyu", "四級", 1),
    ],
}
_AT: Final = {"id": values.RANK_SYSTEM}

RANKS: Final = {
    "disciplines": {"GET": listed(_AIKIDO), "POST": made({"name": "Iaido"}, _IAIDO)},
    "discipline": resource({"id": values.DISCIPLINE}, _AIKIDO, {"name": "Aikido and weapons"}),
    "rank-system-presets": {
        "GET": Described(
            answer=PresetSerializer(many=True),
            shown=[
                {
                    "key": "aikikai",
                    "name": "Aikikai Hombu grades",
                    "art": "Aikido",
                    "source": "Aikikai Hombu Dojo's examination requirements, as reproduced by secondary pages",
                    "confidence": "S",
                }
            ],
        )
    },
    "rank-systems": {
        "GET": listed(_SYSTEM),
        "POST": made(
            {"discipline": values.DISCIPLINE, **_OURS},
            _OURS_MADE,
            takes={"anyOf": [_BY_PRESET, _beside({"discipline": _DISCIPLINE_TAKEN})]},
        ),
    },
    "rank-system": resource(_AT, _SYSTEM, {"name": "Our grades"}),
    "rank-system-rules": {
        "GET": Described(
            at=_AT,
            query={"version": _VERSION},
            answer=_SHOWN_RULES,
            shown={"version": 1, **_OURS},
        ),
        "PUT": Described(
            at=_AT,
            takes=_beside({"version": _VERSION_SEEN}),
            body={"version": 1, **_OURS},
            answer=_SHOWN_RULES,
            shown={"version": 2, **_OURS},
        ),
    },
}
