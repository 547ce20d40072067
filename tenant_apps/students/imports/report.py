"""What a file is answered with: the sums, and for every line what became of it."""

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Protocol

from tenant_apps.students.imports.reading import Faults
from tenant_apps.students.models import Student


class Outcome(StrEnum):
    """What became of a line, or in a dry run would."""

    CREATED = "created"
    UPDATED = "updated"
    FAILED = "failed"
    """Something in it is wrong; `errors` says what, by column. Not written."""
    DUPLICATE = "duplicate"
    """It seems to be there already. Not written."""


class Judged(Protocol):
    """A line that was judged."""

    number: int
    outcome: Outcome
    student: Student | None
    duplicate_of: Student | None
    duplicate_of_line: int | None
    faults: Faults


def report(lines: Sequence[Judged], *, dry_run: bool) -> dict[str, Any]:
    """Return the answer. A student that a dry run would create is not there yet, and so not named."""
    counted = Counter(line.outcome for line in lines)
    return {
        "dry_run": dry_run,
        "created": counted[Outcome.CREATED],
        "updated": counted[Outcome.UPDATED],
        "failed": counted[Outcome.FAILED],
        "duplicates": counted[Outcome.DUPLICATE],
        "rows": [_row(line) for line in lines],
    }


def _row(line: Judged) -> dict[str, Any]:
    row: dict[str, Any] = {"line": line.number, "outcome": line.outcome.value}
    if line.student is not None:
        row["student"] = _reference(line.student)
    if line.duplicate_of is not None:
        row["duplicate_of"] = _reference(line.duplicate_of)
    if line.duplicate_of_line is not None:
        row["duplicate_of_line"] = line.duplicate_of_line
    row["errors"] = line.faults
    return row


def _reference(student: Student) -> dict[str, Any]:
    return {"id": student.pk, "name": student.name}
