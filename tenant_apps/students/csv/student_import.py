"""Import of students: one student per line, with guardians, ranks and an opening balance of attendance."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from uuid import UUID

from django.utils.translation import gettext, gettext_noop

from shared_apps.accounts.models import User
from tenant_apps.dojo.services import lock_name_order
from tenant_apps.ranks.rank_lookup import RankLookup, UnknownRank
from tenant_apps.students.csv import student_lines
from tenant_apps.students.csv.dates import DateReader
from tenant_apps.students.csv.guardian_matching import GuardianLookup
from tenant_apps.students.csv.pipeline import FileImport, LineOutcome
from tenant_apps.students.csv.student_lines import OPENING, StudentLine, StudentLineParser
from tenant_apps.students.csv.student_writes import StudentHistories, write_students
from tenant_apps.students.csv.twins import StudentLookup, repeated_ids
from tenant_apps.students.errors import ExternalIdTaken, OwnRankChange
from tenant_apps.students.models import StudentUser


class StudentImport(FileImport[StudentLine]):
    """Students, recorded by `by` at `now`, the local date `today`.

    `twins.StudentLookup` decides whether a line updates a student, or may repeat one that the dojo or the file has
    already. Such a duplicate is written only if `allow_duplicates` is true. Archived students are updated, and restored
    if `restore` is true.
    """

    required = student_lines.NAMES
    headings = student_lines.HEADINGS
    line_class = StudentLine
    conflicts = {
        "student_external_id_once": (
            ExternalIdTaken,
            gettext_noop("One of these external ids was used in the meantime: import the file again."),
        )
    }

    def __init__(
        self, *, by: User, today: date, now: datetime, allow_duplicates: bool, restore: bool
    ) -> None:
        self._by, self._today, self._now = by, today, now
        self._allow_duplicates, self._restore = allow_duplicates, restore

    def prepare(self, columns: Sequence[str], dates: DateReader) -> None:
        self._parser = StudentLineParser(columns, dates)
        has_ranks = any(name.startswith("rank") for name in columns)
        self._ranks = RankLookup.load() if has_ranks else RankLookup(())

    def parse(self, cells: Mapping[str, str], line: StudentLine) -> None:
        self._parser.parse(cells, line)

    def match(self, lines: Sequence[StudentLine], *, dry_run: bool) -> None:
        if not dry_run:
            self._name_order = lock_name_order()  # before the students
        repeated_ids(lines)
        StudentLookup(lines, locked=not dry_run).match(lines, allow_duplicates=self._allow_duplicates)
        self._histories = StudentHistories.of(lines)
        own = StudentUser.objects.student_ids_of(self._by)
        for line in lines:
            self._match_ranks(line, own)
            if line.errors:
                line.student, line.duplicate_of, line.duplicate_of_line = None, None, None
                line.outcome = LineOutcome.FAILED
                line.warnings.clear()
        written = [line for line in lines if line.is_written]
        self._guardians = GuardianLookup(written, locked=not dry_run)
        for line in written:
            line.keep_split_name()
            self._note_changes(line)
            self._guardians.match(line)

    def _match_ranks(self, line: StudentLine, own: frozenset[UUID]) -> None:
        """Set the ranks that the line adds. A rank that the history has is accepted, also of an archived system."""
        systems = set()
        for cells in line.rank_cells:
            present = [
                rank
                for rank in self._ranks.candidates(cells.system, cells.rank)
                if line.student and (line.student.pk, rank.pk, cells.on) in self._histories.ranks
            ]
            try:
                rank = present[0] if present else self._ranks.find(cells.system, cells.rank)
            except UnknownRank as error:
                line.add_error(error.column + cells.suffix, str(error))
                continue
            if rank.system_id in systems:
                line.add_error("rank_system" + cells.suffix, gettext("This rank system is named twice."))
            systems.add(rank.system_id)
            line.opening_system = line.opening_system or rank.system
            if cells.on and not present:
                line.ranks.append((rank, cells.on))
        if line.student is not None and line.ranks and line.student.pk in own:
            line.add_error("rank", OwnRankChange().message)

    def _note_changes(self, line: StudentLine) -> None:
        """Set the outcome of an archived student, and list the values that the line overwrites."""
        student = line.student
        if student is None:
            return
        if student.is_archived and self._restore:
            line.outcome = LineOutcome.RESTORED
        elif student.is_archived:
            line.warn(
                "status",
                gettext("{name} is archived and stays archived: send restore=true to restore them.").format(
                    name=student.name
                ),
            )
        for name, value in line.values.items():
            before = getattr(student, name)
            if before not in {None, "", value}:
                line.add_change(name, before, value)
        balance = self._histories.opening(line)
        if line.opening is not None and balance is not None and balance.value != line.opening:
            line.add_change(OPENING, balance.value, line.opening)

    def write(self, lines: Sequence[StudentLine]) -> None:
        write_students(
            lines,
            self._histories,
            self._guardians,
            name_order=self._name_order,
            by=self._by,
            today=self._today,
            now=self._now,
        )
