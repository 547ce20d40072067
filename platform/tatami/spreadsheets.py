"""Tables as files for spreadsheets: CSV and `.xlsx`. All reports and exported lists are written here.

A table is its columns, and rows that map columns to values; a column that a row lacks is an empty cell.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, tzinfo
from typing import Any, Final

import xlsxwriter
from django.utils.translation import gettext

from tatami.api.renderers import escape_formulas, format_instant, json_bytes, unescape_formulas
from tatami.errors import Invalid

DELIMITERS: Final[Mapping[str, str]] = {
    ",": ",",
    "comma": ",",
    ";": ";",
    "semicolon": ";",
    "\t": "\t",
    "tab": "\t",
}
"""What `?delimiter=` accepts → the delimiter of the cells."""
_FIRST_YEAR: Final = 1900
"""The calendar of spreadsheets begins in this year. Earlier dates are text."""
_EXACT_NUMBERS: Final = 2**53
"""Spreadsheets have numbers of 53 bits. Larger whole numbers are text."""
_LONGEST_CELL: Final = 32_767
_COLUMN_WIDTH: Final = 18


def read_delimiter(text: str) -> str:
    """Return the delimiter that a client names by itself or by its name. Raises `Invalid` for `delimiter`."""
    if text not in DELIMITERS:
        raise Invalid.field(
            "delimiter", gettext("This must be one of: {values}.").format(values="comma, semicolon, tab")
        )
    return DELIMITERS[text]


def flatten_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of a response as columns: `student: {id, name}` becomes `student_id` and `student`."""
    columns: dict[str, Any] = {}
    for name, value in row.items():
        match value:
            case {"id": key, "name": shown}:
                columns.update({f"{name}_id": key, name: shown})
            case list() | dict():
                columns[name] = json_bytes(value).decode()
            case _:
                columns[name] = value
    return columns


# --- CSV ------------------------------------------------------------------------------------------------------------


def csv_bytes(columns: Sequence[str], rows: Iterable[Mapping[str, Any]], *, delimiter: str = ",") -> bytes:
    """Return a table as CSV with one header line, in UTF-8.

    It begins with a byte order mark, without which spreadsheets read another encoding. Text that a spreadsheet would
    execute is escaped; instants are in UTC.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([csv_cell(row.get(name)) for name in columns] for row in rows)
    return out.getvalue().encode("utf-8-sig")


def csv_cell(value: Any) -> Any:
    """Return `value` as one CSV cell: formulas in text are escaped, numbers stay numbers."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | float():
            return value
        case datetime():
            return format_instant(value)
    return escape_formulas(str(value))


# --- .xlsx ----------------------------------------------------------------------------------------------------------


def xlsx_bytes(
    name: str, columns: Sequence[str], rows: Iterable[Mapping[str, Any]], *, zone: tzinfo
) -> bytes:
    """Return a table as an `.xlsx` file with one sheet of this name, its heading frozen and filterable.

    Numbers and dates are typed cells. Instants are local times in `zone`, because such files know no time zones. Text
    is never a formula. Rows are stored on disk while they are written, so that memory is bounded.
    """
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {"constant_memory": True}) as book:
        sheet = book.add_worksheet(name)
        heading = book.add_format({"bold": True})
        formats: dict[type, Any] = {
            date: book.add_format({"num_format": "yyyy-mm-dd"}),
            datetime: book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"}),
        }
        sheet.freeze_panes(1, 0)
        sheet.set_column(0, len(columns) - 1, _COLUMN_WIDTH)
        for place, column in enumerate(columns):
            sheet.write_string(0, place, column, heading)
        last = 0
        for last, row in enumerate(rows, start=1):
            for place, value in _cells(columns, row):
                _write(sheet, last, place, value, formats, zone)
        sheet.autofilter(0, 0, last, len(columns) - 1)
    return content.getvalue()


def _cells(columns: Sequence[str], row: Mapping[str, Any]) -> Iterator[tuple[int, Any]]:
    for place, column in enumerate(columns):
        value = row.get(column)
        if value is not None and value != "":
            yield place, value


def _write(sheet: Any, row: int, place: int, value: Any, formats: Mapping[type, Any], zone: tzinfo) -> None:
    match value:
        case bool():
            sheet.write_boolean(row, place, value)
        case int() | float() if abs(value) < _EXACT_NUMBERS:
            sheet.write_number(row, place, value)
        case datetime() if value.year > _FIRST_YEAR:
            sheet.write_datetime(row, place, value.astimezone(zone).replace(tzinfo=None), formats[datetime])
        case datetime():
            sheet.write_string(row, place, format_instant(value))
        case date() if value.year >= _FIRST_YEAR:
            sheet.write_datetime(row, place, value, formats[date])
        case _:
            sheet.write_string(row, place, _xlsx_text(str(value))[:_LONGEST_CELL])


def _xlsx_text(text: str) -> str:
    """Return the text of a cell. It is never a formula, but an import removes an apostrophe as from a CSV file."""
    return text if unescape_formulas(text) == text else escape_formulas(text)
