"""The report on an import: totals, the outcome of each line, and a letter that a person can read."""

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from tenant_apps.students.csv import decoding
from tenant_apps.students.csv.pipeline import ImportLine, ImportResult, LineOutcome
from tenant_apps.students.models import Student

_MOST_IN_LETTER: Final = 200
_READ_AS: Final = {"dmy": "day/month/year", "mdy": "month/day/year"}
_LEFT_OUT: Final = {LineOutcome.FAILED, LineOutcome.DUPLICATE}


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
    will = "would be" if dry_run else ("was" if len(lines) == 1 else "were")
    written = sum(outcomes[one] for one in outcomes if one not in _LEFT_OUT)
    counted = [
        f"{outcomes[one]} {one.value}"
        for one in (LineOutcome.CREATED, LineOutcome.UPDATED, LineOutcome.RESTORED)
        if outcomes[one]
    ]
    left_out = len(lines) - written
    text = f"{written} of {_count(len(lines), 'line')} {will} imported"
    text += f" ({', '.join(counted)})." if counted else "."
    if left_out:
        verb = "would" if dry_run else ("were" if left_out > 1 else "was")
        text += f" {_count(left_out, 'line')} {verb} not{' be' if dry_run else ''}."
    if dry_run:
        text += " Nothing has been saved yet."
    return text


def _about_the_file(result: ImportResult) -> Iterator[str]:
    table = result.table
    if table.encoding not in {"xlsx", "utf-8"} and not table.warnings:
        yield f"The file was read as {decoding.shown(table.encoding)}."
    yield from table.warnings
    for column, order in result.date_formats.items():
        yield f"Dates in the column '{column}' were read as {_READ_AS[order]}."


def _about_lines(result: ImportResult) -> Iterator[str]:
    shown = [line for line in result.lines if _needs_attention(line)]
    for title, is_left_out in (("Please correct", True), ("Please check", False)):
        found = [line for line in shown if (line.outcome in _LEFT_OUT) is is_left_out]
        if found:
            yield ""
            yield f"{title}:"
        for line in found[:_MOST_IN_LETTER]:
            yield f"- {_whose(line)}: {' '.join(_sentences(line))}"
        if len(found) > _MOST_IN_LETTER:
            yield f"- and {_count(len(found) - _MOST_IN_LETTER, 'more line')}; `rows` has them all."


def _needs_attention(line: ImportLine) -> bool:
    return line.outcome in _LEFT_OUT or bool(line.warnings or line.changes or line.links)


def _whose(line: ImportLine) -> str:
    return f"Line {line.number}, {line.label}" if line.label else f"Line {line.number}"


def _sentences(line: ImportLine) -> Iterator[str]:
    for column, messages in line.errors.items():
        for message in messages:
            yield message if column == "line" else f"{column}: {message}"
    if line.outcome is LineOutcome.DUPLICATE and not line.warnings:
        yield _of_whom(line)
    for messages in line.warnings.values():
        yield from messages
    for change in line.changes:
        if change["to"]:
            yield f"{change['column']} changes from {change['from']!r} to {change['to']!r}."
        else:
            yield f"{change['from']} is no longer listed in {change['column']}."
    for link in line.links:
        name = link["guardian"]["name"]
        where = f"line {link['line']}" if "line" in link else "the dojo"
        yield f"The guardian {name} is the one of {where}."


def _of_whom(line: ImportLine) -> str:
    if line.duplicate_of_line is not None:
        return f"This is the same as line {line.duplicate_of_line}."
    archived = (
        " The existing record is archived." if line.duplicate_of and line.duplicate_of.is_archived else ""
    )
    return f"This is in the dojo already.{archived}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
