"""Response bodies: JSON for every response and error, CSV for spreadsheets, HTML for pages.

A view that offers CSV names `CsvRenderer` after `JsonRenderer`. Errors are always JSON (`exception_mapping`).
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Final

import orjson
from django.utils.functional import Promise
from rest_framework.renderers import BaseRenderer

JSON: Final = "application/json"


def format_instant(moment: datetime) -> str:
    """Return an aware datetime as ISO 8601 in UTC with `Z`. Raises `TypeError` if it has no time zone."""
    if moment.tzinfo is None:
        raise TypeError(f"{moment!r} has no time zone")
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _number(value: Decimal) -> int | float | str:
    """Return a number if JSON represents it exactly, else its digits as text."""
    if not value.is_finite():
        raise TypeError(f"JSON cannot represent {value}")
    if value == value.to_integral_value() and abs(value) < 2**53:
        return int(value)
    return float(value) if Decimal(repr(float(value))) == value else str(value)


def _encode(value: Any) -> Any:
    match value:
        case datetime():
            return format_instant(value)
        case date() | time():
            return value.isoformat()
        case Decimal():
            return _number(value)
        case Promise():
            return str(value)
        case Mapping():
            return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be encoded as JSON")


def json_bytes(data: Any) -> bytes:
    """Encode `data` as UTF-8 JSON: UUIDs as text, instants in UTC. Raises `TypeError` for other Python types."""
    return orjson.dumps(data, default=_encode, option=orjson.OPT_PASSTHROUGH_DATETIME)


class PassthroughRenderer(BaseRenderer):
    """Declares the media type of a body that the view builds itself. Errors are still JSON."""

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the view's body unchanged."""
        return data


class JsonRenderer(BaseRenderer):
    """The default renderer of all views."""

    media_type = JSON
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Return the encoded body, or an empty one for `None` (204)."""
        return b"" if data is None else json_bytes(data)


class HtmlRenderer(PassthroughRenderer):
    """For views that respond with an HTML page."""

    media_type = "text/html"
    format = "html"


# --- CSV ---------------------------------------------------------------------------------------------------------

CSV: Final = "text/csv"
_FORMULA_START: Final = "=+\\-@＝＋－＠\t\r\n"
"""Characters that start a formula, the wide forms of East Asian keyboards included, and cell separators."""
_BLANK: Final = r"[^\S\t\r\n]"
# A program that opens a CSV file runs a cell that begins with one of these characters. If the program splits cells at
# another separator, that also holds for the text after each possible separator. `escape_formulas` puts an apostrophe
# before each such place, which a spreadsheet hides. `unescape_formulas` removes exactly these, so an exported file can
# be imported unchanged.
# The patterns match the start of a cell, with blanks and quotes before it. No two parts match the same blanks, and an
# apostrophe is searched from the last separator before it only. So the time is linear even for long runs of blanks.
_UNESCAPED: Final = re.compile(rf"(^|[,;\t\r\n](?:\s*\"+)?\s*)(?='*[{_FORMULA_START}])")
_ESCAPED: Final = re.compile(rf"(^|[,;\t\r\n](?:{_BLANK}*\"+)?{_BLANK}*)'(?='*[{_FORMULA_START}])")


def escape_formulas(text: str) -> str:
    """Return `text` with an apostrophe before each place where a spreadsheet could start a formula."""
    return _UNESCAPED.sub(r"\1'", text)


def unescape_formulas(text: str) -> str:
    """Return the text that `escape_formulas` received."""
    return _ESCAPED.sub(r"\1", text)


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


def csv_text(columns: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Return a CSV table with one header line. A value that a row lacks is an empty cell."""
    out = io.StringIO(newline="")
    names = list(columns)
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(names)
    writer.writerows([csv_cell(row.get(name)) for name in names] for row in rows)
    return out.getvalue()


class CsvRenderer(BaseRenderer):
    """Renders the `results` of a response, with the columns of the view's `csv_columns(data)`."""

    media_type = CSV
    format = "csv"
    charset = "utf-8"

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Return the table as UTF-8, after the byte order mark by which a spreadsheet recognises that."""
        view: Any = (renderer_context or {}).get("view")
        return csv_text(view.csv_columns(data), map(flatten_row, data["results"])).encode("utf-8-sig")
