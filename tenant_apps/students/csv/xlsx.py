"""Read the first sheet of an `.xlsx` workbook as text, cell by cell, as a person sees it.

openpyxl reads the sheet as a stream. Before that, the size of the unpacked parts is limited, and defusedxml refuses
XML entities, so a small file cannot fill the memory.
"""

import io
import re
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time
from typing import Any, Final

import openpyxl
from defusedxml import DefusedXmlException
from django.utils.translation import gettext
from openpyxl.utils.exceptions import InvalidFileException

from tatami.errors import Invalid

MAGIC: Final = b"PK\x03\x04"
_OLE: Final = b"\xd0\xcf\x11\xe0"
MOST_UNPACKED_BYTES: Final = 64 * 1024 * 1024
MOST_PARTS: Final = 1_000
_LAST_ROW: Final = 1_048_576  # of a sheet
_ZEROS: Final = re.compile(r"0{1,15}")
_ESCAPED: Final = re.compile(r"_x00(09|0A|0D|5F)_", re.IGNORECASE)
"""A tab, a line break or an underscore, as XML in a workbook writes them; openpyxl leaves them so."""
_READ_ERRORS: Final = (
    zipfile.BadZipFile, InvalidFileException, DefusedXmlException, SyntaxError, LookupError, ValueError, TypeError,
    AttributeError, ArithmeticError, EOFError, OSError, RuntimeError,
)  # fmt: skip
"""What openpyxl, zipfile and the XML parser raise for a damaged file (`ParseError` is a SyntaxError)."""


def refuse_other_spreadsheets(content: bytes) -> None:
    """Raise `Invalid` for the files of spreadsheets that are not read, with what to do instead."""
    if content.startswith(_OLE):
        raise Invalid.field(
            "file",
            gettext(
                "This is an .xls workbook or one with a password: save it as .xlsx without a password, or as CSV."
            ),
        )
    if content.startswith(b"%PDF"):
        raise Invalid.field("file", gettext("This is a PDF: save the table as .xlsx or CSV."))


def read_xlsx(content: bytes, *, most_columns: int) -> Iterator[tuple[int, list[str]]]:
    """Yield each row of the first visible sheet with its number. Raises `Invalid` for the field `file`.

    Dates are ISO 8601, whole numbers have no fraction, and leading zeros that a format shows are kept. Formulas give
    the value that was stored with them. At most `most_columns` + 1 cells of a row are read.
    """
    _check_parts(content)
    try:
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
        sheets = [one for one in book.worksheets if one.sheet_state == "visible"]
        if not sheets:
            raise Invalid.field("file", gettext("The workbook has no visible sheet."))
        rows = sheets[0].iter_rows(max_row=_LAST_ROW, max_col=most_columns + 1)
        filler = None
        for number, row in enumerate(rows, start=1):
            if row is filler:  # openpyxl yields one and the same tuple for each of the rows that are missing
                continue
            filler = row
            cells = [_text(cell) for cell in row]
            while cells and not cells[-1]:
                cells.pop()
            yield number, cells
    except _READ_ERRORS as error:
        if isinstance(error, Invalid):
            raise
        raise _damaged() from None


def _damaged() -> Invalid:
    return Invalid.field("file", gettext("This .xlsx file is damaged and cannot be read."))


def _check_parts(content: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            listed = parts.infolist()
            names = {part.filename for part in listed}
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError):
        raise _damaged() from None
    if "xl/workbook.xml" not in names and "[Content_Types].xml" not in names:
        raise Invalid.field("file", gettext("This is not an .xlsx workbook: save the table as .xlsx or CSV."))
    # zipfile never unpacks more of a part than its entry says.
    if len(listed) > MOST_PARTS or sum(part.file_size for part in listed) > MOST_UNPACKED_BYTES:
        raise Invalid.field(
            "file",
            gettext("This .xlsx file is too large when it is unpacked: remove pictures, or save it as CSV."),
        )


def _text(cell: Any) -> str:
    match cell.value:
        case None:
            text = ""
        case bool() as value:
            text = str(value).lower()
        case int() as value:
            text = _padded(str(value), cell.number_format)
        case float() as value:
            text = _padded(str(int(value)), cell.number_format) if value.is_integer() else repr(value)
        case datetime() as value:
            at_midnight = value.time() == time.min
            text = value.date().isoformat() if at_midnight else value.isoformat(" ", "seconds")
        case date() | time() as value:
            text = value.isoformat()
        case value:
            text = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), str(value))
    return text


def _padded(digits: str, number_format: object) -> str:
    """Return a number with the leading zeros of its format: 7 in the format 0000 is 0007."""
    zeros = number_format if isinstance(number_format, str) and _ZEROS.fullmatch(number_format) else ""
    return digits if digits.startswith("-") else digits.zfill(len(zeros))
