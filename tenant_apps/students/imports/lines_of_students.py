"""Lines about students who are here already, named by an id, or by name and birth date."""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from tatami.errors import Invalid
from tatami.text import normalise
from tenant_apps.students.imports.reading import Faults
from tenant_apps.students.imports.report import Outcome
from tenant_apps.students.locking import lock_students
from tenant_apps.students.models import Student

PERSON: Final = ("external_id", "first_name", "last_name", "birth_date")
_NOBODY: Final = "There is no such student."


def refuse_nameless(columns: Sequence[str]) -> None:
    """Raise `Invalid` for a file that cannot say whom it is about."""
    if "external_id" not in columns and not {"first_name", "last_name"} <= set(columns):
        raise Invalid.field(
            "file", "Name the students by external_id, or by first_name, last_name and birth_date."
        )


@dataclass(slots=True)
class LineOfStudent:
    """A line, and what becomes of it. `person` is what it says of who is meant."""

    number: int
    person: dict[str, Any] = field(default_factory=dict)
    faults: Faults = field(default_factory=dict)
    outcome: Outcome = Outcome.FAILED
    student: Student | None = None
    duplicate_of: Student | None = None
    duplicate_of_line: int | None = None

    @property
    def identity(self) -> tuple[str, date | None]:
        name = f"{self.person.get('first_name', '')} {self.person.get('last_name', '')}"
        return normalise(name), self.person.get("birth_date")

    @property
    def place(self) -> Hashable:
        """Return by what two sound lines say the same."""
        raise NotImplementedError


def find_students(lines: Sequence[LineOfStudent]) -> None:
    """Give each line its student, or a fault. Two statements, however many lines."""
    by_id, by_name = _by_external_id(lines), _by_name(lines)
    for line in lines:
        given = line.person.get("external_id")
        candidates = by_id.get(given, []) if given else by_name.get(line.identity, [])
        if len(candidates) == 1:
            line.student = candidates[0]
            continue
        _refuse(line, "Several students are called so: give the id." if candidates else _NOBODY)


def lock_students_of(lines: Sequence[LineOfStudent]) -> list[LineOfStudent]:
    """Lock the students of sound lines until commit, and return these lines. One statement, however many lines.

    A line about one who was erased since she was found is faulty: she is not here.
    """
    sound = [line for line in lines if not line.faults]
    here = lock_students({line.student.pk for line in sound if line.student})
    for line in sound:
        if line.student and line.student.pk not in here:
            line.student = None
            _refuse(line, _NOBODY)
    return [line for line in sound if line.student]


def settle(lines: Sequence[LineOfStudent], there: set[Hashable]) -> None:
    """Say of each sound line whether it is new, or says what stands in `there` or in an earlier line."""
    seen: dict[Hashable, int] = {}
    for line in lines:
        line.duplicate_of_line = seen.get(line.place)
        if line.place in there:
            line.duplicate_of = line.student
        seen.setdefault(line.place, line.number)
        is_there = line.duplicate_of or line.duplicate_of_line
        line.outcome = Outcome.DUPLICATE if is_there else Outcome.CREATED


def _refuse(line: LineOfStudent, message: str) -> None:
    column = "external_id" if line.person.get("external_id") else "first_name"
    line.faults.setdefault(column, []).append(message)


def _by_external_id(lines: Sequence[LineOfStudent]) -> dict[str, list[Student]]:
    ids = {line.person["external_id"] for line in lines if "external_id" in line.person}
    return {str(student.external_id): [student] for student in Student.objects.filter(external_id__in=ids)}


def _by_name(lines: Sequence[LineOfStudent]) -> dict[tuple[str, date | None], list[Student]]:
    """Return students by name and birth date; a line that gives no birth date means whoever bears the name alone."""
    found: dict[tuple[str, date | None], list[Student]] = defaultdict(list)
    names = {line.identity[0] for line in lines if "external_id" not in line.person}
    for student in Student.objects.filter(search_name__in=names):
        found[student.search_name, None].append(student)
        if student.birth_date:
            found[student.search_name, student.birth_date].append(student)
    return found
