"""Lines of a file of rank events: who, which rank, how and since when."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from shared_apps.accounts.models import User
from tenant_apps.ranks.matching import RankBook, UnknownRank
from tenant_apps.ranks.models import Rank
from tenant_apps.students.history import add_rank_events
from tenant_apps.students.imports.lines_of_students import (
    PERSON,
    LineOfStudent,
    find_students,
    lock_students_of,
    settle,
)
from tenant_apps.students.imports.reading import Reader, require
from tenant_apps.students.imports.report import Outcome
from tenant_apps.students.imports.table import Line
from tenant_apps.students.models import RankEvent, StudentUser
from tenant_apps.students.serializers import RankEventSerializer, StudentSerializer

EVENT: Final = ("kind", "effective_on", "note")
REQUIRED: Final = ("rank", "effective_on")


def is_column(name: str) -> bool:
    """Return whether a file of rank events may have this column."""
    return name in {*PERSON, *EVENT, "rank_system", "rank"}


@dataclass(slots=True)
class RankEventLine(LineOfStudent):
    """A line, and what becomes of it. `kind` is `import` where the line does not say."""

    event: dict[str, Any] = field(default_factory=dict)
    rank: Rank | None = None

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
    """Find each line's student, and what stands in the histories already. Five statements, however many lines.

    The students stay locked until the transaction ends: nobody decides about a rank of theirs meanwhile.
    """
    find_students(lines)
    own = set(StudentUser.objects.filter(user=by).values_list("student_id", flat=True))
    for line in lines:
        if line.student and line.student.pk in own:
            line.faults.setdefault("rank", []).append("Nobody changes his own ranks.")
    sound = lock_students_of(lines)
    standing = RankEvent.objects.standing().filter(student__in={line.student for line in sound})
    settle(sound, set(standing.values_list("student_id", "rank_id", "kind", "effective_on")))


def write(lines: Sequence[RankEventLine], *, by: User) -> None:
    """Add the new lines to the histories. Two statements. Call it in a transaction, with the lines judged."""
    events = [
        RankEvent(
            student=line.student, rank=line.rank, system_id=line.rank.system_id, recorded_by=by, **line.event
        )
        for line in lines
        if line.outcome is Outcome.CREATED and line.rank
    ]
    add_rank_events(events)
