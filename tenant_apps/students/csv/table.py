"""Read a file as a table: columns by their names, and lines numbered as an editor or a spreadsheet shows them."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from django.utils.translation import gettext, gettext_noop

from tatami.api.renderers import unescape_formulas
from tatami.errors import Invalid
from tatami.text import is_blank
from tenant_apps.students.csv import decoding, xlsx
from tenant_apps.students.csv.dates import DateFormat
from tenant_apps.students.csv.headings import FROM_WHOLE_NAME, WHOLE_NAME, Headings

DELIMITERS: Final = ",;\t|"
MOST_LINES: Final = 20_000
MOST_LINES_WITH_BLANKS: Final = 10 * MOST_LINES
"""Also counts blank lines, and line breaks within cells."""
LONGEST_CELL: Final = 20_000
MOST_COLUMNS: Final = 100
_SEPARATOR_LINE: Final = re.compile(r'"?sep=([^\w\s"]|\t)"?[ \t,;]*(\r\n|\r|\n)', re.IGNORECASE)
_LISTED: Final = 10
_NOTATION_FAULTS: Final = (
    gettext_noop("unexpected end of data"),
    gettext_noop("'{delimiter}' expected after '\"'"),
    gettext_noop("field larger than field limit (131072)"),
    gettext_noop("new-line character seen in unquoted field - do you need to open the file with newline=''?"),
)
"""The words of Python's `csv` for a file that breaks the rules of its notation."""


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read a file, where the file itself does not tell."""

    date_format: DateFormat = DateFormat.AUTO
    encoding: str = decoding.AUTO
    ignores_unknown_columns: bool = False


@dataclass(frozen=True, slots=True)
class TableLine:
    """A record of the file. `number` is the number of its first line or its row; cells are trimmed."""

    number: int
    cells: dict[str, str]
    error: str = ""


@dataclass(slots=True)
class Table:
    """The columns and lines of a file, and what a person should know about how it was read."""

    columns: list[str]
    lines: list[TableLine]
    encoding: str
    """`xlsx` for a workbook."""
    headings: dict[str, str] = field(default_factory=dict)
    """Column → the heading in the file."""
    ignored_columns: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def cells_of(self, column: str) -> Iterator[tuple[int, str]]:
        """Yield the line number and text of each cell of a column that is not empty."""
        return ((line.number, line.cells[column]) for line in self.lines if line.cells.get(column))


DEFAULT_OPTIONS: Final = ReadOptions()
Records: TypeAlias = Iterator[tuple[int, list[str]]]


def read_table(content: bytes, headings: Headings, required: Sequence[str], options: ReadOptions) -> Table:
    """Return the table in a text file with delimiters, or in the first sheet of an `.xlsx` workbook.

    The first row that is not empty has the headings. Raises `Invalid` for the field `file`, with the column or line,
    if the content is not such a table.
    """
    warnings: list[str] = []
    records, encoding = _records(content, headings, options, warnings)
    header = next((cells for _, cells in records if _has_content(cells)), None)
    if header is None:
        raise Invalid.field("file", gettext("The file is empty."))
    columns = _columns(header, headings)
    rows = []
    for number, cells in records:
        if _has_content(cells):
            rows.append((number, cells))
        if len(rows) > MOST_LINES:
            raise _too_long()
    ignored = _check_columns(header, columns, headings, required, rows, options)
    if ignored:
        names = ", ".join(repr(name) for name in ignored[:_LISTED])
        if len(ignored) > _LISTED:
            names = gettext("{names} and {count} more").format(names=names, count=len(ignored) - _LISTED)
        warnings.append(gettext("These columns are unknown and were ignored: {names}.").format(names=names))
    lines = [_line(number, columns, cells) for number, cells in rows]
    shown = {name: heading.strip()[:60] for name, heading in zip(columns, header, strict=True) if name}
    return Table(list(shown), lines, encoding, shown, ignored, warnings)


# --- records ------------------------------------------------------------------------------------------------------


def _records(
    content: bytes, headings: Headings, options: ReadOptions, warnings: list[str]
) -> tuple[Records, str]:
    xlsx.refuse_other_spreadsheets(content)
    if content.startswith(xlsx.MAGIC):
        return xlsx.read_xlsx(content, most_columns=MOST_COLUMNS), "xlsx"
    decoded = decoding.decode(content, options.encoding)
    text = decoded.text
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise Invalid.field("file", gettext("Line {line}: NUL is not accepted.").format(line=line))
    if text.count("\n") + text.count("\r") > MOST_LINES_WITH_BLANKS:
        raise _too_long()
    if decoded.is_guess:
        line, word = decoding.example_of_a_guess(text)
        warnings.append(
            gettext(
                "The file is not UTF-8. It was read as {encoding}: "
                "check the letters, for example {word!r} in line {line}."
            ).format(encoding=decoding.shown(decoded.encoding), word=word, line=line)
        )
    first = 1
    if named := _SEPARATOR_LINE.match(text):
        text, first, delimiter = text[named.end() :], 2, named[1]
    else:
        header = next((line for line in io.StringIO(text, newline=None) if line.strip()), "")
        delimiter = max(DELIMITERS, key=lambda one: (_known(header, one, headings), header.count(one)))
    return _split(text, delimiter, first), decoded.encoding


def _split(text: str, delimiter: str, first: int) -> Records:
    """Yield each record with the number of its first line: a quoted cell may span several lines."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    number = first
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            fault = gettext("Line {line}: {fault}.").format(
                line=number, fault=_notation_fault(error, delimiter)
            )
            raise Invalid.field("file", fault) from None
        if cells is None:
            return
        yield number, cells
        number = reader.line_num + first


def _notation_fault(error: csv.Error, delimiter: str) -> str:
    """Return the words of Python's reader for a fault of the notation, in the language of the dojo if it has them."""
    quoted = f"'{delimiter}'"
    return gettext(str(error).replace(quoted, "'{delimiter}'")).replace("'{delimiter}'", quoted)


def _too_long() -> Invalid:
    return Invalid.field("file", gettext("More than {most} lines: split the file.").format(most=MOST_LINES))


def _known(header: str, delimiter: str, headings: Headings) -> int:
    """Return how many of the first cells are known columns if the file has this delimiter."""
    cells = header.split(delimiter, MOST_COLUMNS)[:MOST_COLUMNS]
    return sum(headings.is_known(cell.strip().strip('"')) for cell in cells)


# --- columns ------------------------------------------------------------------------------------------------------


def _columns(cells: list[str], headings: Headings) -> list[str]:
    """Return the names of the columns. Raises `Invalid` if there are more than any import has."""
    while cells and is_blank(cells[-1]):  # spreadsheets keep empty columns at the end
        cells.pop()
    if len(cells) > MOST_COLUMNS:
        raise Invalid.field("file", gettext("More than {most} columns.").format(most=MOST_COLUMNS))
    return headings.columns([unescape_formulas(cell.strip()) for cell in cells])


def _check_columns(
    header: Sequence[str],
    columns: list[str],
    headings: Headings,
    required: Sequence[str],
    rows: Sequence[tuple[int, list[str]]],
    options: ReadOptions,
) -> list[str]:
    """Blank the names of the columns that are left out, and return the headings of those that were ignored.

    A column without a heading and without content is left out. Raises `Invalid` for other unknown columns, unless they
    are to be ignored; for repeated columns; and for required columns that are missing.
    """
    errors: list[str] = []
    ignored: list[str] = []
    for place, name in enumerate(columns):
        if name and headings.is_column(name):
            continue
        columns[place] = ""
        if not name and not any(len(cells) > place and not is_blank(cells[place]) for _, cells in rows):
            continue
        if options.ignores_unknown_columns:
            ignored.append(header[place].strip()[:60] or gettext("column {number}").format(number=place + 1))
        elif not name:
            errors.append(gettext("Column {number} has no heading.").format(number=place + 1))
        else:
            errors.append(gettext("There is no column {name!r}.").format(name=name[:60]))
    errors = list(dict.fromkeys(errors))
    counts = Counter(name for name in columns if name)
    twice = sorted(name for name, times in counts.items() if times > 1)
    errors += [gettext("The column {name!r} is there twice.").format(name=name) for name in twice]
    present = counts.keys() | (FROM_WHOLE_NAME if WHOLE_NAME in counts else set())
    missing = [name for name in required if name not in present]
    errors += [gettext("The column {name!r} is missing.").format(name=name) for name in missing]
    if errors:
        raise Invalid(details={"file": errors})
    return ignored


# --- lines --------------------------------------------------------------------------------------------------------


def _line(number: int, columns: Sequence[str], cells: Sequence[str]) -> TableLine:
    """Return a line. Spreadsheets leave out empty cells at the end of a line, so a missing cell is empty."""
    if _has_content(cells[len(columns) :]):
        fault = gettext("This line has {cells} cells, the header {columns}.")
        return TableLine(number, {}, fault.format(cells=len(cells), columns=len(columns)))
    trimmed = [cell.strip() for cell in cells[: len(columns)]]
    if any(len(cell) > LONGEST_CELL for cell in trimmed):
        return TableLine(
            number, {}, gettext("A cell has more than {most} characters.").format(most=LONGEST_CELL)
        )
    shown = ("" if is_blank(cell) else unescape_formulas(cell) for cell in trimmed)
    found = {name: cell for name, cell in zip(columns, shown, strict=False) if name}
    return TableLine(number, dict.fromkeys(filter(None, columns), "") | found)


def _has_content(cells: Iterable[str]) -> bool:
    return any(not cell.isspace() for cell in cells if cell)
