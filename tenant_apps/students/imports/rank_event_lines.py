"""Lines of a file of rank events: who, which rank, how and since when."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from shared_apps.accounts.models import User
from tatami.errors import Invalid
from tatami.text import normalise
from tenant_apps.ranks.matching import RankBook, UnknownRank
from tenant_apps.ranks.models import Rank
from tenant_apps.students.imports.reading import Faults, Reader, require
from tenant_apps.students.imports.report import Outcome
from tenant_apps.students.imports.table import Line
from tenant_apps.students.models import RankEvent, Student, StudentUser
from tenant_apps.students.serializers import RankEventSerializer, StudentSerializer

PERSON: Final = ("external_id", "first_name", "last_name", "birth_date")
EVENT: Final = ("kind", "effective_on", "note")
REQUIRED: Final = ("rank", "effective_on")
_BATCH: Final = 5_000


def is_column(name: str) -> bool:
    """Return whether a file of rank events may have this column."""
    return name in {*PERSON, *EVENT, "rank_system", "rank"}


def refuse_nameless(columns: Sequence[str]) -> None:
    """Raise `Invalid` for a file that cannot say whose ranks it is about."""
    if "external_id" not in columns and not {"first_name", "last_name"} <= set(columns):
        raise Invalid.field(
            "file", "Name the students by external_id, or by first_name, last_name and birth_date."
        )


@dataclass(slots=True)
class RankEventLine:
    """A line, and what becomes of it. `kind` is `import` where the line does not say."""

    number: int
    person: dict[str, Any] = field(default_factory=dict)
    event: dict[str, Any] = field(default_factory=dict)
    rank: Rank | None = None
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
    def place(self) -> tuple[Any, ...]:
        """Return the columns of the constraint `rank_event_once`."""
        assert self.student is not None
        assert self.rank is not None
        return self.student.pk, self.rank.pk, self.event["kind"], self.event["effective_on"]


class RankEventReader:
    """Reads the lines of one file."""

    def __init__(self, ranks: RankBook) -> None:
        self._person = Reader(StudentSerializer().fields, PERSON)
        self._event = Reader(RankEventSerializer().fields, EVENT)
        self._book = ranks

    def read(self, line: Line) -> RankEventLine:
        """Return what the line says, with its faults."""
        if line.fault:
            return RankEventLine(line.number, faults={"line": [line.fault]})
        found = RankEventLine(line.number)
        require(line.cells, REQUIRED, found.faults)
        found.person = self._person.read(line.cells, found.faults)
        found.event = {"kind": RankEvent.Kind.IMPORT.value, **self._event.read(line.cells, found.faults)}
        if line.cells.get("rank"):
            try:
                found.rank = self._book.find(line.cells.get("rank_system", ""), line.cells["rank"])
            except UnknownRank as fault:
                found.faults.setdefault(fault.column, []).append(str(fault))
        return found


def judge(lines: Sequence[RankEventLine], *, by: User) -> None:
    """Find each line's student, and what stands in the histories already. Four statements, however many lines."""
    by_id = _by_external_id(lines)
    by_name = _by_name(lines)
    own = set(StudentUser.objects.filter(user=by).values_list("student_id", flat=True))
    for line in lines:
        given = line.person.get("external_id")
        candidates = by_id.get(given, []) if given else by_name.get(line.identity, [])
        column = "external_id" if given else "first_name"
        if len(candidates) != 1:
            message = (
                "There is no such student."
                if not candidates
                else "Several students are called so: give the id."
            )
            line.faults.setdefault(column, []).append(message)
        else:
            line.student = candidates[0]
            if line.student.pk in own:
                line.faults.setdefault("rank", []).append("Nobody changes his own ranks.")
    _look_for_twins([line for line in lines if not line.faults])


def write(lines: Sequence[RankEventLine], *, by: User) -> None:
    """Add the new lines to the histories. One statement. Call it in a transaction, with the lines judged."""
    events = [
        RankEvent(
            student=line.student, rank=line.rank, system_id=line.rank.system_id, recorded_by=by, **line.event
        )
        for line in lines
        if line.outcome is Outcome.CREATED and line.rank
    ]
    RankEvent.objects.bulk_create(events, batch_size=_BATCH)


def _by_external_id(lines: Sequence[RankEventLine]) -> dict[str, list[Student]]:
    ids = {line.person["external_id"] for line in lines if "external_id" in line.person}
    return {str(student.external_id): [student] for student in Student.objects.filter(external_id__in=ids)}


def _by_name(lines: Sequence[RankEventLine]) -> dict[tuple[str, date | None], list[Student]]:
    """Return students by name and birth date; a line that gives no birth date means whoever bears the name alone."""
    found: dict[tuple[str, date | None], list[Student]] = defaultdict(list)
    names = {line.identity[0] for line in lines if "external_id" not in line.person}
    for student in Student.objects.filter(search_name__in=names):
        found[student.search_name, None].append(student)
        if student.birth_date:
            found[student.search_name, student.birth_date].append(student)
    return found


def _look_for_twins(lines: Sequence[RankEventLine]) -> None:
    students = {line.student.pk for line in lines if line.student}
    standing = RankEvent.objects.standing().filter(student__in=students)
    there = set(standing.values_list("student_id", "rank_id", "kind", "effective_on"))
    seen: dict[tuple[Any, ...], int] = {}
    for line in lines:
        line.duplicate_of_line = seen.get(line.place)
        if line.place in there:
            line.duplicate_of = line.student
        seen.setdefault(line.place, line.number)
        is_there = line.duplicate_of or line.duplicate_of_line
        line.outcome = Outcome.DUPLICATE if is_there else Outcome.CREATED
