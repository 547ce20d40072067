"""Reading a CSV file as an editor would show it: with its line numbers, whatever program wrote it."""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tatami.api.renderers import unescape_formulas
from tatami.errors import Invalid

DELIMITERS: Final = ",;\t"
MOST_LINES: Final = 20_000
LONGEST_CELL: Final = 20_000
MOST_COLUMNS: Final = 100


@dataclass(frozen=True, slots=True)
class Line:
    """A record of the file. `number` is that of its first line in an editor; cells are trimmed."""

    number: int
    cells: dict[str, str]
    fault: str = ""


def read_table(
    content: bytes, *, is_column: Callable[[str], bool], required: Sequence[str]
) -> tuple[list[str], list[Line]]:
    """Return the columns and the lines of a CSV file with a header.

    UTF-8, with or without a byte order mark; separated by comma, semicolon or tab. Raises `Invalid` at `file` for what
    is no such table, naming the column or line at fault.
    """
    text = _decoded(content)
    header = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=lambda one: (_known(header, one, is_column), header.count(one)))
    records = _records(text, delimiter)
    columns = _columns(next(records, (1, []))[1])
    _refuse_header(columns, is_column, required)
    lines = []
    for number, cells in records:
        if _says_something(cells):
            lines.append(_line(number, columns, cells))
        if len(lines) > MOST_LINES:
            raise Invalid.field("file", f"More than {MOST_LINES} lines: split the file.")
    return columns, lines


def _decoded(content: bytes) -> str:
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
    """Yield each record, as it is written, with the number of its first line: a quoted cell may hold several."""
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
    """Return how many of the first cells are columns of ours."""
    cells = header.split(delimiter, MOST_COLUMNS)[:MOST_COLUMNS]
    return sum(is_column(_column_name(cell.strip().strip('"'))) for cell in cells)


def _columns(cells: list[str]) -> list[str]:
    """Return the names in the header. Raises `Invalid` for more than any table of ours has."""
    while cells and not cells[-1].strip():  # what a spreadsheet leaves of a column that was emptied
        cells.pop()
    if len(cells) > MOST_COLUMNS:
        raise Invalid.field("file", f"More than {MOST_COLUMNS} columns.")
    return [_column_name(unescape_formulas(cell.strip())) for cell in cells]


def _column_name(cell: str) -> str:
    return re.sub(r"[\s_]+", "_", cell.strip().lower())


def _refuse_header(columns: Sequence[str], is_column: Callable[[str], bool], required: Sequence[str]) -> None:
    faults = [f"There is no column {name[:60]!r}." for name in dict.fromkeys(columns) if not is_column(name)]
    faults += [
        f"The column {name!r} is there twice."
        for name, times in sorted(Counter(columns).items())
        if times > 1
    ]
    faults += [f"The column {name!r} is missing." for name in required if name not in columns]
    if faults:
        raise Invalid(details={"file": faults})


def _line(number: int, columns: Sequence[str], cells: Sequence[str]) -> Line:
    said = [cell.strip() for cell in cells[: len(columns)]]
    if _says_something(cells[len(columns) :]) or len(said) < len(columns):
        return Line(number, {}, f"This line has {len(cells)} cells, the header {len(columns)}.")
    if any(len(cell) > LONGEST_CELL for cell in said):
        return Line(number, {}, f"A cell has more than {LONGEST_CELL} characters.")
    return Line(number, dict(zip(columns, map(unescape_formulas, said), strict=True)))


def _says_something(cells: Sequence[str]) -> bool:
    return any(not cell.isspace() for cell in cells if cell)
