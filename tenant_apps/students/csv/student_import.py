"""Import of students: one student per line, with guardians, ranks and an opening balance of attendance."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from shared_apps.accounts.models import User
from tenant_apps.dojo.services import lock_name_order
from tenant_apps.students.csv import student_lines
from tenant_apps.students.csv.pipeline import CsvImport, LineOutcome
from tenant_apps.students.csv.student_lines import StudentLine, StudentLineParser
from tenant_apps.students.csv.student_writes import write_students
from tenant_apps.students.errors import ExternalIdTaken, OwnRankChange
from tenant_apps.students.models import Student, StudentQuerySet, StudentUser


class StudentImport(CsvImport[StudentLine]):
    """Students, recorded by `by` at `now`, the local date `today`.

    A known `external_id` updates, also archived students. A line without an `external_id` is a possible duplicate if an
    existing student or an earlier line has its name and birth date; it is written only if `allow_duplicates` is true.
    """

    required = student_lines.NAMES
    line_class = StudentLine
    conflicts = {
        "student_external_id_once": (
            ExternalIdTaken,
            "One of these external ids was used in the meantime: import the file again.",
        )
    }

    def __init__(self, *, by: User, today: date, now: datetime, allow_duplicates: bool) -> None:
        self._by, self._today, self._now = by, today, now
        self._allow_duplicates = allow_duplicates

    def is_column(self, name: str) -> bool:
        return student_lines.is_column(name)

    def prepare(self, columns: Sequence[str]) -> None:
        self._parser = StudentLineParser(columns)

    def parse(self, cells: Mapping[str, str], line: StudentLine) -> None:
        self._parser.parse(cells, line)

    def match(self, lines: Sequence[StudentLine], *, dry_run: bool) -> None:
        if not dry_run:
            self._name_order = lock_name_order()  # before the students
        _refuse_repeated_ids(lines)
        known = _students_by_external_id(lines, locked=not dry_run)
        students_by_name_and_birth_date = _students_by_name_and_birth_date(lines)
        own = StudentUser.objects.student_ids_of(self._by)
        seen: dict[Any, int] = {}
        for line in lines:
            line.student = known.get(line.external_id or "")
            _refuse_own_ranks(line, own)
            if line.errors:
                line.student = None
                continue
            line.outcome = LineOutcome.UPDATED if line.student else LineOutcome.CREATED
            if line.student is None:
                self._find_duplicates(line, students_by_name_and_birth_date, seen)

    def _find_duplicates(
        self, line: StudentLine, students_by_name_and_birth_date: dict[Any, Student], seen: dict[Any, int]
    ) -> None:
        existing = students_by_name_and_birth_date.get(line.identity)
        # Two different external ids are two different people.
        if existing is not None and not (line.external_id and existing.external_id):
            line.duplicate_of = existing
        if not line.external_id:
            line.duplicate_of_line = seen.get(line.identity)
            seen.setdefault(line.identity, line.number)
            if (line.duplicate_of or line.duplicate_of_line) and not self._allow_duplicates:
                line.outcome = LineOutcome.DUPLICATE

    def write(self, lines: Sequence[StudentLine]) -> None:
        write_students(lines, name_order=self._name_order, by=self._by, today=self._today, now=self._now)


def _refuse_repeated_ids(lines: Sequence[StudentLine]) -> None:
    first: dict[str, int] = {}
    for line in lines:
        if line.external_id and first.setdefault(line.external_id, line.number) != line.number:
            line.add_error("external_id", f"Line {first[line.external_id]} has this external id already.")


def _students_by_external_id(lines: Sequence[StudentLine], *, locked: bool) -> dict[str, Student]:
    ids = {line.external_id for line in lines if line.external_id}
    rows: StudentQuerySet = Student.objects.filter(external_id__in=ids).order_by("pk")
    rows = rows.select_for_update() if locked else rows
    return {str(student.external_id): student for student in rows} if ids else {}


def _students_by_name_and_birth_date(lines: Sequence[StudentLine]) -> dict[Any, Student]:
    names = {line.names for line in lines if not line.errors}
    rows = Student.objects.named(names).order_by("-pk")
    return {(student.name_key, student.birth_date): student for student in rows} if names else {}


def _refuse_own_ranks(line: StudentLine, own: frozenset[UUID]) -> None:
    if line.student is not None and line.ranks and line.student.pk in own:
        line.add_error("rank", OwnRankChange().message)
