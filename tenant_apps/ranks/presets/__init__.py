"""Rank systems that a dojo can start from and edit: one JSON document per file; the file name is the key.

Each document names its source and how reliable it is (`confidence`). Only presets with confidence O may be presented
to users as official.
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
    """Return all presets by key, in the order of the keys. Read and validated once per process."""
    documents = sorted(
        (entry.name.removesuffix(_SUFFIX), entry.read_text(encoding="utf-8"))
        for entry in files(__name__).iterdir()
        if entry.name.endswith(_SUFFIX)
    )
    return MappingProxyType({key: parse_definition(json.loads(text)) for key, text in documents})


def preset(key: str) -> RankDefinition:
    """Return one preset. Raises `UnknownPresetError`."""
    try:
        return presets()[key]
    except KeyError:
        raise UnknownPresetError(key) from None
