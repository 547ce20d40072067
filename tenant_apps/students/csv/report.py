"""The report on an import: totals, the outcome of each line, and a letter that a person can read."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from django.utils.translation import gettext, gettext_noop, ngettext

from tenant_apps.students.csv import decoding
from tenant_apps.students.csv.pipeline import ImportLine, ImportResult, LineOutcome
from tenant_apps.students.models import Student

_MOST_IN_LETTER: Final = 200
_READ_AS: Final = {"dmy": gettext_noop("day/month/year"), "mdy": gettext_noop("month/day/year")}
_WRITTEN: Final[Mapping[LineOutcome, Callable[[int], str]]] = {
    LineOutcome.CREATED: lambda number: ngettext("{number} new", "{number} new", number),
    LineOutcome.UPDATED: lambda number: ngettext("{number} updated", "{number} updated", number),
    LineOutcome.RESTORED: lambda number: ngettext("{number} restored", "{number} restored", number),
}
"""The outcomes of lines that are written → their number in words."""


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
    lines = len(result.lines)
    outcomes = Counter(line.outcome for line in result.lines)
    written = sum(outcomes[one] for one in _WRITTEN)
    counted = ", ".join(
        words(outcomes[one]).format(number=outcomes[one]) for one, words in _WRITTEN.items() if outcomes[one]
    )
    if result.dry_run:
        text = ngettext(
            "{written} of {lines} line would be imported{counted}. Nothing has been saved yet.",
            "{written} of {lines} lines would be imported{counted}. Nothing has been saved yet.",
            lines,
        )
    else:
        text = ngettext(
            "{written} of {lines} line was imported{counted}.",
            "{written} of {lines} lines were imported{counted}.",
            lines,
        )
    return text.format(written=written, lines=lines, counted=f" ({counted})" if counted else "")


def _about_the_file(result: ImportResult) -> Iterator[str]:
    table = result.table
    if table.encoding not in {"xlsx", "utf-8"} and not table.warnings:
        yield gettext("The file was read as {encoding}.").format(encoding=decoding.shown(table.encoding))
    yield from table.warnings
    for column, order in result.date_formats.items():
        yield gettext("Dates in the column {column} were read as {order}.").format(
            column=_heading(result, column), order=gettext(_READ_AS[order])
        )


def _about_lines(result: ImportResult) -> Iterator[str]:
    left_out = [line for line in result.lines if not line.is_written]
    to_check = [
        line for line in result.lines if line.is_written and (line.warnings or line.changes or line.links)
    ]
    if result.dry_run:
        titles = (
            gettext("These lines would not be imported:"),
            gettext("These lines would be imported; please check:"),
        )
    else:
        titles = (
            gettext("These lines were not imported:"),
            gettext("These lines were imported; please check:"),
        )
    for title, found in zip(titles, (left_out, to_check), strict=True):
        if found:
            yield ""
            yield title
        for line in found[:_MOST_IN_LETTER]:
            text = (
                gettext("- Line {number}, {name}: {faults}")
                if line.label
                else gettext("- Line {number}: {faults}")
            )
            faults = " ".join(_sentences(result, line))
            yield text.format(number=line.number, name=line.label, faults=faults)
        if (more := len(found) - _MOST_IN_LETTER) > 0:
            yield ngettext(
                "- and {number} more line; `rows` has them all.",
                "- and {number} more lines; `rows` has them all.",
                more,
            ).format(number=more)


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
            yield gettext('{column} changes from "{before}" to "{after}".').format(
                column=_heading(result, change["column"]), before=change["from"], after=change["to"]
            )
        elif change["column"] == "guardians":
            yield gettext("{name} is no longer one of the guardians.").format(name=change["from"])
        else:
            yield gettext("{value} is no longer one of the {column}.").format(
                value=change["from"], column=change["column"]
            )
    for link in line.links:
        if "line" in link:
            text = gettext("The guardian {name} is the same person as in line {line}.")
        else:
            text = gettext("The guardian {name} is the same person that the dojo has already.")
        yield text.format(name=link["guardian"]["name"], line=link.get("line"))


def _of_whom(line: ImportLine) -> str:
    if line.duplicate_of_line is not None:
        return gettext("This repeats line {line}.").format(line=line.duplicate_of_line)
    return gettext("The dojo has this already.")


def _heading(result: ImportResult, column: str) -> str:
    """Return the heading of a column in the file, or a name for a column that the file does not have."""
    return result.table.headings.get(column, column.replace("_", " "))
