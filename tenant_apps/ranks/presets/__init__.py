"""Rank systems that a dojo may start from and edit; one JSON document a file, the file's name is its key.

Each names its source and how well it was read (`confidence`). A preset is a starting point: nothing whose
confidence is not O may be presented to a user as official.
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final

from tenant_apps.ranks.definition import RankDefinition, parse_definition

_SUFFIX: Final = ".json"


class UnknownPresetError(LookupError):
    """There is no rank system preset with this key."""


@cache
def presets() -> Mapping[str, RankDefinition]:
    """Every preset by its key, in the keys' order. Read and checked once per process."""
    documents = sorted(
        (entry.name.removesuffix(_SUFFIX), entry.read_text(encoding="utf-8"))
        for entry in files(__name__).iterdir()
        if entry.name.endswith(_SUFFIX)
    )
    return MappingProxyType({key: parse_definition(json.loads(text)) for key, text in documents})


def preset(key: str) -> RankDefinition:
    """One preset. Raises UnknownPresetError."""
    try:
        return presets()[key]
    except KeyError:
        raise UnknownPresetError(key) from None
