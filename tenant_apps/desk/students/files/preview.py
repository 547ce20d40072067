"""The preview of an import: what the file has in each line, and what would become of it."""

from collections.abc import Mapping
from typing import Any, Final

from tenant_apps.attendance.attendance_import import AttendanceImport
from tenant_apps.students.csv.fact_import import FactImport
from tenant_apps.students.csv.pipeline import FileImport
from tenant_apps.students.csv.rank_event_import import RankEventImport
from tenant_apps.students.csv.student_import import StudentImport
from tenant_apps.students.csv.table import ReadOptions, Table, read_table

MOST_SHOWN: Final = 200
"""So many lines are shown; those that need a look come first."""
SHOWN_CELLS: Final = 4
LONGEST_CELL: Final = 40
_IMPORTS: Final[Mapping[str, type[FileImport[Any]]]] = {
    "students": StudentImport,
    "rank-events": RankEventImport,
    "facts": FactImport,
    "attendance": AttendanceImport,
}


def lines_of(report: Mapping[str, Any], content: bytes, kind: str) -> list[dict[str, Any]]:
    """Return the lines of an import's report with the first cells of each; at most `MOST_SHOWN`.

    Lines with errors come first, then those with something to check, then the others, each in the order of the file.
    """
    rows = sorted(report["rows"], key=lambda row: (_urgency(row), row["line"]))[:MOST_SHOWN]
    cells = {line.number: line.cells for line in _table(content, kind).lines}
    return [_line(row, cells.get(row["line"], {})) for row in rows]


def _table(content: bytes, kind: str) -> Table:
    """Read the file as the import has read it. The import has accepted it, so nothing is raised."""
    chosen = _IMPORTS[kind]
    return read_table(content, chosen.headings, (), ReadOptions(ignores_unknown_columns=True))


def _urgency(row: Mapping[str, Any]) -> int:
    if row["errors"]:
        return 0
    return 1 if row.get("warnings") or row["outcome"] == "duplicate" else 2


def _line(row: Mapping[str, Any], cells: Mapping[str, str]) -> dict[str, Any]:
    filled = [text[:LONGEST_CELL] for text in cells.values() if text]
    messages = [
        f"{'' if column == 'line' else column + ': '}{message}"
        for found in (row["errors"], row.get("warnings", {}))
        for column, texts in found.items()
        for message in texts
    ]
    return {
        **row,
        "cells": " · ".join(filled[:SHOWN_CELLS]),
        "messages": messages,
        "more_cells": max(0, len(filled) - SHOWN_CELLS),
    }
