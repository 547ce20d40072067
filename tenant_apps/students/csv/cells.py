"""Parse the cells of a line into values, with the fields of the API."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from django.utils.translation import gettext, gettext_noop
from rest_framework.serializers import ChoiceField, DateField, Field, ValidationError

from tatami.api.fields import BLANK
from tatami.text import normalise
from tenant_apps.students.csv.dates import DateReader

Errors: TypeAlias = dict[str, list[str]]
"""Column → messages."""

_SHORTENED: Final = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]+)?[eE]\+?[0-9]+")
_SPREADSHEET_ERROR: Final = re.compile(r"#(?:N/A|REF!|NAME\?|VALUE!|DIV/0!|NUM!|NULL!|SPILL!|CALC!)|#{3,}")
_NOT_TO_SHORTEN: Final = frozenset({"phone", "external_id"})
SHORTENED: Final = gettext_noop(
    "A spreadsheet has shortened this number, and digits are lost: format the column as text, "
    "and enter the number again."
)
SPREADSHEET_ERROR: Final = gettext_noop("This cell has an error of the spreadsheet instead of a value.")
_CHOICES_IN_WORDS: Final = {
    "ativo": "active", "ativa": "active", "activo": "active", "activa": "active",
    "inativo": "inactive", "inativa": "inactive", "inactivo": "inactive", "inactiva": "inactive",
    "experimental": "trial", "teste": "trial", "em pausa": "on_hold", "suspenso": "on_hold",
    "importacao": "import", "conversao": "convert", "pontos": "points", "documento": "document",
    "titulo": "achievement", "filiacao": "membership",
}  # fmt: skip
"""Words in Portuguese → values of the API, normalised. English values are matched in any case and spacing."""


class CellParser:
    """Parses the cells of some columns with the fields of the API, so that the same rules apply.

    The fields are created once, not for each line. Empty cells are ignored: new rows get the default, and existing rows
    keep their value.
    """

    def __init__(
        self, fields: Mapping[str, Field[Any, Any, Any, Any]], names: Iterable[str], dates: DateReader
    ) -> None:
        self._fields = {name: fields[name] for name in names}
        self._dates = dates

    def parse(self, cells: Mapping[str, str], errors: Errors, *, prefix: str = "") -> dict[str, Any]:
        """Return the values of the cells that are not empty; add errors to `errors` by column."""
        values = {}
        for name, field in self._fields.items():
            text = cells.get(prefix + name, "")
            if not text:
                continue
            try:
                values[name] = field.run_validation(self._read(prefix + name, name, field, text))
            except ValidationError as error:
                errors.setdefault(prefix + name, []).extend(map(str, error.detail))
            except ValueError as error:
                add_error(errors, prefix + name, str(error))
        return values

    def _read(self, column: str, name: str, field: Field[Any, Any, Any, Any], text: str) -> str:
        """Return the text of a cell as the field reads it. Raises `ValueError` with a message."""
        if _SPREADSHEET_ERROR.fullmatch(text):
            raise ValueError(gettext(SPREADSHEET_ERROR))
        if name in _NOT_TO_SHORTEN and _SHORTENED.fullmatch(text):
            raise ValueError(gettext(SHORTENED))
        if isinstance(field, DateField):
            return self._dates.read(column, text)
        if isinstance(field, ChoiceField) and text not in field.choices:
            word = normalise(text)
            choice = _CHOICES_IN_WORDS.get(word, word.replace(" ", "_"))
            return choice if choice in field.choices else text
        return text


def parse_whole_number(text: str, most: int, column: str, errors: Errors) -> int | None:
    """Return the number in a cell, or add an error if it is not a whole number from 0 to `most`."""
    if text.isascii() and text.isdigit() and len(text) <= len(str(most)) and int(text) <= most:
        return int(text)
    add_error(errors, column, gettext("A whole number from 0 to {most} is needed.").format(most=most))
    return None


def require(cells: Mapping[str, str], names: Iterable[str], errors: Errors) -> None:
    """Add an error for each of the cells that is empty."""
    for name in names:
        if not cells.get(name):
            add_error(errors, name, gettext(BLANK))


def add_error(errors: Errors, column: str, message: str) -> None:
    """Add a message to the errors of a column."""
    errors.setdefault(column, []).append(message)
