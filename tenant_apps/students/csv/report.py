"""The report on an import: totals, the outcome of each line, and a letter that a person can read."""

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from tenant_apps.students.csv import decoding
from tenant_apps.students.csv.pipeline import ImportLine, ImportResult, LineOutcome
from tenant_apps.students.models import Student

_MOST_IN_LETTER: Final = 200
_READ_AS: Final = {"dmy": "day/month/year", "mdy": "month/day/year"}
_WRITTEN: Final = {
    LineOutcome.CREATED: "new",
    LineOutcome.UPDATED: "updated",
    LineOutcome.RESTORED: "restored",
}


def report(result: ImportResult) -> dict[str, Any]:
    """Return the response of an import, as `ImportedSerializer` documents it.

    A dry run does not name the students that it would create, because they have no id.
    """
    outcomes = Counter(line.outcome for line in result.lines)
    return {
        "dry_run": result.dry_run,
        "created": outcomes[LineOutcome.CREATED],
        "updated": outcomes[LineOutcome.UPDATED],
        "restored": outcomes[LineOutcome.RESTORED],
        "failed": outcomes[LineOutcome.FAILED],
        "duplicates": outcomes[LineOutcome.DUPLICATE],
        "encoding": result.table.encoding,
        "date_formats": dict(result.date_formats),
        "ignored_columns": result.table.ignored_columns,
        "warnings": result.table.warnings,
        "letter": letter(result),
        "rows": [_row(line) for line in result.lines],
    }


def _row(line: ImportLine) -> dict[str, Any]:
    row: dict[str, Any] = {"line": line.number, "outcome": line.outcome.value}
    if line.student is not None:
        row["student"] = _reference(line.student)
    if line.duplicate_of is not None:
        row["duplicate_of"] = _reference(line.duplicate_of)
        if line.duplicate_of.is_archived:
            row["duplicate_of"]["archived"] = True
    if line.duplicate_of_line is not None:
        row["duplicate_of_line"] = line.duplicate_of_line
    row["errors"] = line.errors
    if line.warnings:
        row["warnings"] = line.warnings
    if line.changes:
        row["changes"] = line.changes
    if line.links:
        row["links"] = line.links
    return row


def _reference(student: Student) -> dict[str, Any]:
    return {"id": student.pk, "name": student.name}


# --- the letter ---------------------------------------------------------------------------------------------------


def letter(result: ImportResult) -> str:
    """Return the report as text: what happened or would happen, then each line that a person should look at."""
    return "\n".join([_summary(result), *_about_the_file(result), *_about_lines(result)])


def _summary(result: ImportResult) -> str:
    lines, dry_run = result.lines, result.dry_run
    outcomes = Counter(line.outcome for line in lines)
    written = sum(outcomes[one] for one in _WRITTEN)
    counted = ", ".join(f"{outcomes[one]} {word}" for one, word in _WRITTEN.items() if outcomes[one])
    verb = "would be" if dry_run else ("was" if len(lines) == 1 else "were")
    text = f"{written} of {_count(len(lines), 'line')} {verb} imported{f' ({counted})' if counted else ''}."
    return f"{text} Nothing has been saved yet." if dry_run else text


def _about_the_file(result: ImportResult) -> Iterator[str]:
    table = result.table
    if table.encoding not in {"xlsx", "utf-8"} and not table.warnings:
        yield f"The file was read as {decoding.shown(table.encoding)}."
    yield from table.warnings
    for column, order in result.date_formats.items():
        yield f"Dates in the column {_heading(result, column)} were read as {_READ_AS[order]}."


def _about_lines(result: ImportResult) -> Iterator[str]:
    left_out = [line for line in result.lines if not line.is_written]
    to_check = [
        line for line in result.lines if line.is_written and (line.warnings or line.changes or line.links)
    ]
    if result.dry_run:
        titles = "These lines would not be imported:", "These lines would be imported; please check:"
    else:
        titles = "These lines were not imported:", "These lines were imported; please check:"
    for title, found in zip(titles, (left_out, to_check), strict=True):
        if found:
            yield ""
            yield title
        for line in found[:_MOST_IN_LETTER]:
            yield f"- Line {line.number}{line.label and f', {line.label}'}: {' '.join(_sentences(result, line))}"
        if len(found) > _MOST_IN_LETTER:
            yield f"- and {_count(len(found) - _MOST_IN_LETTER, 'more line')}; `rows` has them all."


def _sentences(result: ImportResult, line: ImportLine) -> Iterator[str]:
    for column, messages in line.errors.items():
        for message in messages:
            yield message if column == "line" else f"{_heading(result, column)}: {message}"
    if line.outcome is LineOutcome.DUPLICATE and not line.warnings:
        yield _of_whom(line)
    for messages in line.warnings.values():
        yield from messages
    for change in line.changes:
        if change["to"]:
            yield f'{_heading(result, change["column"])} changes from "{change["from"]}" to "{change["to"]}".'
        else:
            yield f"{change['from']} is no longer one of the {change['column']}."
    for link in line.links:
        whose = f"as in line {link['line']}" if "line" in link else "that the dojo has already"
        yield f"The guardian {link['guardian']['name']} is the same person {whose}."


def _of_whom(line: ImportLine) -> str:
    if line.duplicate_of_line is not None:
        return f"This repeats line {line.duplicate_of_line}."
    return "The dojo has this already."


def _heading(result: ImportResult, column: str) -> str:
    """Return the heading of a column in the file, or a name for a column that the file does not have."""
    return result.table.headings.get(column, column.replace("_", " "))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
