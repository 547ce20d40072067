"""Lines that are records about existing students: find each student, by external id or by name and birth date."""

from abc import abstractmethod
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, TypeVar

from django.utils.translation import gettext, gettext_noop

from tatami.errors import Invalid
from tenant_apps.students.csv.cells import CellParser
from tenant_apps.students.csv.dates import DateReader
from tenant_apps.students.csv.external_ids import StudentsById, lost_zeros
from tenant_apps.students.csv.headings import RECORD_IN_WORDS, WHOLE_NAME, Headings
from tenant_apps.students.csv.pipeline import FileImport, ImportLine, LineOutcome
from tenant_apps.students.models import Student
from tenant_apps.students.queries import lock_students
from tenant_apps.students.serializers import StudentSerializer

PERSON: Final = ("external_id", "first_name", "last_name", "birth_date")
_NO_STUDENT: Final = gettext_noop("There is no such student.")


@dataclass(slots=True)
class RecordLine(ImportLine):
    """A line about an existing student; `person` holds the cells that name the student."""

    person: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> Hashable:
        """The values that are equal if two valid lines are the same record."""
        raise NotImplementedError


RecordT = TypeVar("RecordT", bound=RecordLine)


class RecordImport(FileImport[RecordT]):
    """An import of records about existing students.

    Students are locked until the transaction ends, so that they cannot be erased meanwhile.
    """

    def prepare(self, columns: Sequence[str], dates: DateReader) -> None:
        if not {"external_id", "first_name", WHOLE_NAME} & set(columns):
            raise Invalid.field(
                "file",
                gettext("Name the students by external_id, or by first_name, last_name and birth_date."),
            )
        self._person = CellParser(StudentSerializer().fields, PERSON, dates)

    def parse(self, cells: Mapping[str, str], line: RecordT) -> None:
        line.person = self._person.parse(cells, line.errors)
        line.set_names(line.person)
        self.parse_record(cells, line)

    def match(self, lines: Sequence[RecordT], *, dry_run: bool) -> None:
        del dry_run
        _find_students(lines)
        _lock_students(lines)
        existing = self.match_records(lines)
        _mark_duplicates([line for line in lines if not line.errors], existing)

    @abstractmethod
    def parse_record(self, cells: Mapping[str, str], line: RecordT) -> None:
        """Parse the cells that describe the record, and add errors."""

    @abstractmethod
    def match_records(self, lines: Sequence[RecordT]) -> set[Hashable]:
        """Finish all lines, and return the keys of the records that their students have already."""


def record_headings(columns: Iterable[str]) -> Headings:
    """Return the headings of an import with these columns beside those that name the student."""
    accepted = {*PERSON, WHOLE_NAME, *columns}
    return Headings(accepted.__contains__, RECORD_IN_WORDS)


def _find_students(lines: Sequence[RecordLine]) -> None:
    """Set the student of each line, or add an error. Two statements, whatever the number of lines."""
    by_id, by_name = StudentsById(line.person.get("external_id") for line in lines), _by_name(lines)
    for line in lines:
        external_id = line.person.get("external_id")
        if external_id:
            candidates = by_id.find(external_id)
            if candidates and line.name_keys and candidates[0].external_id != external_id:
                candidates = [one for one in candidates if one.name_key in line.name_keys]
        else:
            born_on = line.person.get("birth_date")
            found = (by_name[key, born_on] for key in line.name_keys if (key, born_on) in by_name)
            candidates = next(found, [])
        if len(candidates) == 1:
            line.student = candidates[0]
            if external_id and line.student.external_id != external_id:
                line.warn("external_id", lost_zeros(external_id, line.student))
        else:
            several = (
                gettext("Several ids differ from {external_id} only in zeros.").format(
                    external_id=external_id
                )
                if external_id
                else gettext("Several students have this name: give the external_id.")
            )
            _refuse(line, several if candidates else gettext(_NO_STUDENT))


def _lock_students(lines: Sequence[RecordT]) -> None:
    """Lock the students of the valid lines until commit. One statement.

    Lines about students who were erased since they were found are not valid.
    """
    valid = [line for line in lines if not line.errors]
    existing = lock_students({line.student.pk for line in valid if line.student})
    for line in valid:
        if line.student and line.student.pk not in existing:
            line.student = None
            _refuse(line, gettext(_NO_STUDENT))


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


def _by_name(lines: Sequence[RecordLine]) -> dict[tuple[str, date | None], list[Student]]:
    """Return students by name and birth date; with birth date None, all students of that name."""
    found: dict[tuple[str, date | None], list[Student]] = defaultdict(list)
    names = {line.names for line in lines if "external_id" not in line.person}
    for student in Student.objects.named(names):
        found[student.name_key, None].append(student)
        if student.birth_date:
            found[student.name_key, student.birth_date].append(student)
    return found
