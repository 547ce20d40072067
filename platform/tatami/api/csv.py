"""Tables for spreadsheets: `Accept: text/csv` beside JSON, without cells that a spreadsheet would run.

A program that opens a CSV file runs what looks like a formula: a cell that begins with = + - @ or their wide forms,
a tab or a line break, or, where another separator splits it, whatever follows that. Each such place gets an apostrophe,
which a spreadsheet hides; reading takes exactly it away again, so that what was exported is imported unchanged. Numbers
stay numbers. A view that offers CSV names `CsvRenderer` after `JsonRenderer`; errors are JSON whatever was asked for
(`tatami.api.errors`).
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from rest_framework.renderers import BaseRenderer

from tatami.api.renderers import instant, json_bytes

CSV: Final = "text/csv"
_ACTIVE: Final = "=+\\-@＝＋－＠\t\r\n"
_BLANK: Final = r"[^\S\t\r\n]"
# Where a cell begins, with blanks and quotes before it. No two parts match the same blanks; and a guard, which is not
# active itself, is looked for from the last separator before it only. So a long run of blanks costs no more than text.
_UNGUARDED: Final = re.compile(rf"(^|[,;\t\r\n](?:\s*\"+)?\s*)(?='*[{_ACTIVE}])")
_GUARDED: Final = re.compile(rf"(^|[,;\t\r\n](?:{_BLANK}*\"+)?{_BLANK}*)'(?='*[{_ACTIVE}])")


def guarded(text: str) -> str:
    """Return `text` so that no part of it is run."""
    return _UNGUARDED.sub(r"\1'", text)


def without_guard(text: str) -> str:
    """Return what `guarded` was given."""
    return _GUARDED.sub(r"\1", text)


def safe_cell(value: Any) -> Any:
    """Return `value` as one cell: text that a spreadsheet would run is made plain, numbers stay as they are."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | float():
            return value
        case datetime():
            return instant(value)
    return guarded(str(value))


def flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of an answer as columns: `student: {id, name}` becomes `student_id` and `student`."""
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
    """Return a table with one line of headings; what a row lacks is an empty cell."""
    out = io.StringIO(newline="")
    names = list(columns)
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(names)
    writer.writerows([safe_cell(row.get(name)) for name in names] for row in rows)
    return out.getvalue()


class CsvRenderer(BaseRenderer):
    """The rows of an answer's `results`, under the view's `csv_columns`."""

    media_type = CSV
    format = "csv"
    charset = "utf-8"

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Return the table as UTF-8."""
        view = (renderer_context or {}).get("view")
        return csv_text(view.csv_columns(data), map(flat, data["results"])).encode()  # type: ignore[union-attr]
