"""Lines that are records about existing students: find each student, by external id or by name and birth date."""

from abc import abstractmethod
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, TypeVar

from tatami.errors import Invalid
from tenant_apps.students.csv.parsing import CellParser
from tenant_apps.students.csv.pipeline import CsvImport, ImportLine, LineOutcome
from tenant_apps.students.models import Student, name_key
from tenant_apps.students.queries import lock_students
from tenant_apps.students.serializers import StudentSerializer

PERSON: Final = ("external_id", "first_name", "last_name", "birth_date")
_NO_STUDENT: Final = "There is no such student."


@dataclass(slots=True)
class RecordLine(ImportLine):
    """A line about an existing student; `person` holds the cells that name the student."""

    person: dict[str, Any] = field(default_factory=dict)

    @property
    def identity(self) -> tuple[str, date | None]:
        """The name, for comparison, and the birth date."""
        return name_key(*self.names), self.person.get("birth_date")

    @property
    def names(self) -> tuple[str, str]:
        """First name and last name."""
        return self.person.get("first_name", ""), self.person.get("last_name", "")

    @property
    def key(self) -> Hashable:
        """The values that are equal if two valid lines are the same record."""
        raise NotImplementedError


RecordT = TypeVar("RecordT", bound=RecordLine)


class RecordImport(CsvImport[RecordT]):
    """An import of records about existing students.

    Students are locked until the transaction ends, so that they cannot be erased meanwhile.
    """

    columns: frozenset[str]
    """The columns beside those that name the student."""

    def is_column(self, name: str) -> bool:
        return name in PERSON or name in self.columns

    def prepare(self, columns: Sequence[str]) -> None:
        if "external_id" not in columns and "first_name" not in columns:
            raise Invalid.field(
                "file", "Name the students by external_id, or by first_name, last_name and birth_date."
            )
        self._person = CellParser(StudentSerializer().fields, PERSON)

    def parse(self, cells: Mapping[str, str], line: RecordT) -> None:
        line.person = self._person.parse(cells, line.errors)
        self.parse_record(cells, line)

    def match(self, lines: Sequence[RecordT], *, dry_run: bool) -> None:
        del dry_run
        _find_students(lines)
        self.check_students(lines)
        valid = _lock_students(lines)
        existing = self.existing_keys({line.student for line in valid if line.student})
        _mark_duplicates(valid, existing)

    @abstractmethod
    def parse_record(self, cells: Mapping[str, str], line: RecordT) -> None:
        """Parse the cells that describe the record, and add errors."""

    def check_students(self, lines: Sequence[RecordT]) -> None:
        """Add errors to lines about students whose record this user may not change."""

    @abstractmethod
    def existing_keys(self, students: set[Student]) -> set[Hashable]:
        """Return the keys of the records that these students have already. One statement."""


def _find_students(lines: Sequence[RecordLine]) -> None:
    """Set the student of each line, or add an error. Two statements, whatever the number of lines."""
    by_id, by_name = _by_external_id(lines), _by_name(lines)
    for line in lines:
        external_id = line.person.get("external_id")
        candidates = by_id.get(external_id, []) if external_id else by_name.get(line.identity, [])
        if len(candidates) == 1:
            line.student = candidates[0]
        else:
            _refuse(
                line, "Several students have this name: give the external_id." if candidates else _NO_STUDENT
            )


def _lock_students(lines: Sequence[RecordT]) -> list[RecordT]:
    """Lock the students of the valid lines until commit, and return these lines. One statement.

    Lines about students who were erased since they were found are not valid.
    """
    valid = [line for line in lines if not line.errors]
    existing = lock_students({line.student.pk for line in valid if line.student})
    for line in valid:
        if line.student and line.student.pk not in existing:
            line.student = None
            _refuse(line, _NO_STUDENT)
    return [line for line in valid if line.student]


def _mark_duplicates(lines: Sequence[RecordLine], existing: set[Hashable]) -> None:
    """Set the outcome of valid lines: duplicate if the key exists, or if an earlier line has it; else created."""
    seen: dict[Hashable, int] = {}
    for line in lines:
        line.duplicate_of_line = seen.get(line.key)
        if line.key in existing:
            line.duplicate_of = line.student
        seen.setdefault(line.key, line.number)
        is_duplicate = line.duplicate_of or line.duplicate_of_line
        line.outcome = LineOutcome.DUPLICATE if is_duplicate else LineOutcome.CREATED


def _refuse(line: RecordLine, message: str) -> None:
    line.add_error("external_id" if line.person.get("external_id") else "first_name", message)


def _by_external_id(lines: Sequence[RecordLine]) -> dict[str, list[Student]]:
    ids = {line.person["external_id"] for line in lines if "external_id" in line.person}
    return {str(student.external_id): [student] for student in Student.objects.filter(external_id__in=ids)}


def _by_name(lines: Sequence[RecordLine]) -> dict[tuple[str, date | None], list[Student]]:
    """Return students by name and birth date; with birth date None, all students of that name."""
    found: dict[tuple[str, date | None], list[Student]] = defaultdict(list)
    names = {line.names for line in lines if "external_id" not in line.person}
    for student in Student.objects.named(names):
        found[student.name_key, None].append(student)
        if student.birth_date:
            found[student.name_key, student.birth_date].append(student)
    return found
