"""Where faults of a definition are, and looking at a document of which nothing is certain yet."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Place = tuple[str | int, ...]
Found = Iterator[tuple[Place, str]]


def mapping(value: object) -> Mapping[str, Any]:
    """The object that the value should be; an empty one where it is none."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> Sequence[Any]:
    """The list that the value should be; an empty one where it is none."""
    return value if isinstance(value, list) else []
