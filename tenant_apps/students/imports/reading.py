"""Judging cells by the very fields of the API, made once: the same rules, without a serializer for each line."""

from collections.abc import Iterable, Mapping
from typing import Any

from rest_framework.serializers import Field, ValidationError

Faults = dict[str, list[str]]


class Reader:
    """Reads the cells of some columns. An empty cell says nothing: a new row takes the default, an old one stays."""

    def __init__(self, fields: Mapping[str, Field[Any, Any, Any, Any]], names: Iterable[str]) -> None:
        self._fields = {name: fields[name] for name in names}

    def read(self, cells: Mapping[str, str], faults: Faults, *, prefix: str = "") -> dict[str, Any]:
        """Return the values of the cells that say something; what is wrong goes to `faults`, by column."""
        values = {}
        for name, field in self._fields.items():
            text = cells.get(prefix + name, "")
            if not text:
                continue
            try:
                values[name] = field.run_validation(text)
            except ValidationError as error:
                faults.setdefault(prefix + name, []).extend(map(str, error.detail))
        return values


def require(cells: Mapping[str, str], names: Iterable[str], faults: Faults) -> None:
    """Note which of the cells that must say something are empty."""
    for name in names:
        if not cells.get(name):
            faults.setdefault(name, []).append("This field may not be blank.")


def whole_number(text: str, most: int, column: str, faults: Faults) -> int | None:
    """Return the number in a cell, or note that it is none from 0 to `most`."""
    if text.isascii() and text.isdigit() and len(text) <= len(str(most)) and int(text) <= most:
        return int(text)
    faults.setdefault(column, []).append(f"A whole number from 0 to {most} is needed.")
    return None
