"""Parse a CSV file into lines, numbered as an editor shows them, and cells into values."""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from rest_framework.serializers import Field, ValidationError

from tatami.api.renderers import unescape_formulas
from tatami.errors import Invalid

DELIMITERS: Final = ",;\t"
MOST_LINES: Final = 20_000
MOST_LINES_WITH_BLANKS: Final = 10 * MOST_LINES
"""Also counts blank lines, and line breaks within cells."""
LONGEST_CELL: Final = 20_000
MOST_COLUMNS: Final = 100

Errors: TypeAlias = dict[str, list[str]]
"""Column → messages."""


@dataclass(frozen=True, slots=True)
class CsvLine:
    """A record of the file. `number` is the number of its first line in an editor; cells are trimmed."""

    number: int
    cells: dict[str, str]
    error: str = ""


def read_csv(
    content: bytes, *, is_column: Callable[[str], bool], required: Sequence[str]
) -> tuple[list[str], list[CsvLine]]:
    """Return the columns and the lines of a CSV file with a header.

    The file is UTF-8, with or without a byte order mark, separated by comma, semicolon or tab. Raises `Invalid` for the
    field `file`, with the column or line, if the content is not such a table.
    """
    text = _decode(content)
    header = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=lambda one: (_known(header, one, is_column), header.count(one)))
    records = _records(text, delimiter)
    if text.count("\n") > MOST_LINES_WITH_BLANKS:
        raise Invalid.field("file", f"More than {MOST_LINES} lines: split the file.")
    columns = _columns(next(records, (1, []))[1])
    _validate_header(columns, is_column, required)
    lines = []
    for number, cells in records:
        if _has_content(cells):
            lines.append(_line(number, columns, cells))
        if len(lines) > MOST_LINES:
            raise Invalid.field("file", f"More than {MOST_LINES} lines: split the file.")
    return columns, lines


def _decode(content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Invalid.field("file", f"Line {line}: this is not UTF-8 text.") from None
    if "\0" in text:
        raise Invalid.field(
            "file", f"Line {text.count(chr(10), 0, text.index(chr(0))) + 1}: NUL is not accepted."
        )
    if not text.strip():
        raise Invalid.field("file", "The file is empty.")
    return text


def _records(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each record with the number of its first line: a quoted cell may span several lines."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    first = 1
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise Invalid.field("file", f"Line {first}: {error}.") from None
        if cells is None:
            return
        yield first, cells
        first = reader.line_num + 1


def _known(header: str, delimiter: str, is_column: Callable[[str], bool]) -> int:
    """Return how many of the first cells are known columns if the file has this delimiter."""
    cells = header.split(delimiter, MOST_COLUMNS)[:MOST_COLUMNS]
    return sum(is_column(_column_name(cell.strip().strip('"'))) for cell in cells)


def _columns(cells: list[str]) -> list[str]:
    """Return the names in the header. Raises `Invalid` if there are more than any import has."""
    while cells and not cells[-1].strip():  # spreadsheets keep empty columns at the end
        cells.pop()
    if len(cells) > MOST_COLUMNS:
        raise Invalid.field("file", f"More than {MOST_COLUMNS} columns.")
    return [_column_name(unescape_formulas(cell.strip())) for cell in cells]


def _column_name(cell: str) -> str:
    return re.sub(r"[\s_]+", "_", cell.strip().lower())


def _validate_header(
    columns: Sequence[str], is_column: Callable[[str], bool], required: Sequence[str]
) -> None:
    errors = [f"There is no column {name[:60]!r}." for name in dict.fromkeys(columns) if not is_column(name)]
    errors += [
        f"The column {name!r} is there twice."
        for name, times in sorted(Counter(columns).items())
        if times > 1
    ]
    errors += [f"The column {name!r} is missing." for name in required if name not in columns]
    if errors:
        raise Invalid(details={"file": errors})


def _line(number: int, columns: Sequence[str], cells: Sequence[str]) -> CsvLine:
    trimmed = [cell.strip() for cell in cells[: len(columns)]]
    if _has_content(cells[len(columns) :]) or len(trimmed) < len(columns):
        return CsvLine(number, {}, f"This line has {len(cells)} cells, the header {len(columns)}.")
    if any(len(cell) > LONGEST_CELL for cell in trimmed):
        return CsvLine(number, {}, f"A cell has more than {LONGEST_CELL} characters.")
    return CsvLine(number, dict(zip(columns, map(unescape_formulas, trimmed), strict=True)))


def _has_content(cells: Sequence[str]) -> bool:
    return any(not cell.isspace() for cell in cells if cell)


# --- cells --------------------------------------------------------------------------------------------------------


class CellParser:
    """Parses the cells of some columns with the fields of the API, so that the same rules apply.

    The fields are created once, not for each line. Empty cells are ignored: new rows get the default, and existing rows
    keep their value.
    """

    def __init__(self, fields: Mapping[str, Field[Any, Any, Any, Any]], names: Iterable[str]) -> None:
        self._fields = {name: fields[name] for name in names}

    def parse(self, cells: Mapping[str, str], errors: Errors, *, prefix: str = "") -> dict[str, Any]:
        """Return the values of the cells that are not empty; add errors to `errors` by column."""
        values = {}
        for name, field in self._fields.items():
            text = cells.get(prefix + name, "")
            if not text:
                continue
            try:
                values[name] = field.run_validation(text)
            except ValidationError as error:
                errors.setdefault(prefix + name, []).extend(map(str, error.detail))
        return values


def parse_whole_number(text: str, most: int, column: str, errors: Errors) -> int | None:
    """Return the number in a cell, or add an error if it is not a whole number from 0 to `most`."""
    if text.isascii() and text.isdigit() and len(text) <= len(str(most)) and int(text) <= most:
        return int(text)
    add_error(errors, column, f"A whole number from 0 to {most} is needed.")
    return None


def require(cells: Mapping[str, str], names: Iterable[str], errors: Errors) -> None:
    """Add an error for each of the cells that is empty."""
    for name in names:
        if not cells.get(name):
            add_error(errors, name, "This field may not be blank.")


def add_error(errors: Errors, column: str, message: str) -> None:
    """Add a message to the errors of a column."""
    errors.setdefault(column, []).append(message)
