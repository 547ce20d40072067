"""Import of rank events: for each line a student, a rank, the kind of event and its date."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from shared_apps.accounts.models import User
from tenant_apps.ranks.models import Rank
from tenant_apps.ranks.rank_lookup import RankLookup, UnknownRank
from tenant_apps.students.csv.cells import CellParser
from tenant_apps.students.csv.dates import DateReader
from tenant_apps.students.csv.pipeline import LineOutcome
from tenant_apps.students.csv.student_matching import RecordImport, RecordLine, record_headings
from tenant_apps.students.errors import AlreadyRecorded, OwnRankChange
from tenant_apps.students.history import add_rank_events
from tenant_apps.students.models import RankEvent, StudentUser
from tenant_apps.students.serializers import NewRankEventSerializer

EVENT: Final = ("kind", "effective_on", "note")


@dataclass(slots=True)
class RankEventLine(RecordLine):
    """A rank event about a student. `kind` is `import` if the line has none."""

    event: dict[str, Any] = field(default_factory=dict)
    rank_cells: tuple[str, str] = ("", "")
    """The rank system and the rank as the file names them."""
    rank: Rank | None = None

    @property
    def key(self) -> tuple[Any, ...]:
        """The columns of the constraint `rank_event_once`."""
        assert self.student is not None
        assert self.rank is not None
        return self.student.pk, self.rank.pk, self.event["kind"], self.event["effective_on"]


class RankEventImport(RecordImport[RankEventLine]):
    """Rank events, recorded by `by`. Nine statements, whatever the number of lines."""

    required = ("rank", "effective_on")
    headings = record_headings({*EVENT, "rank_system", "rank"})
    line_class = RankEventLine
    conflicts = {
        "rank_event_once": (
            AlreadyRecorded,
            "One of these events was recorded in the meantime: import the file again.",
        )
    }

    def __init__(self, *, by: User) -> None:
        self._by = by

    def prepare(self, columns: Sequence[str], dates: DateReader) -> None:
        super().prepare(columns, dates)
        self._event = CellParser(NewRankEventSerializer().fields, EVENT, dates)
        self._ranks = RankLookup.load()

    def parse_record(self, cells: Mapping[str, str], line: RankEventLine) -> None:
        line.event = {"kind": RankEvent.Kind.IMPORT.value, **self._event.parse(cells, line.errors)}
        line.rank_cells = system, text = cells.get("rank_system", ""), cells.get("rank", "")
        if text and not self._ranks.candidates(system, text):
            self._find(line)

    def match_records(self, lines: Sequence[RankEventLine]) -> set[Hashable]:
        """Find the ranks. An event that the history has is accepted, also of an archived rank system."""
        students = {line.student for line in lines if line.student}
        events = RankEvent.objects.not_voided().filter(student__in=students)
        existing = set(events.values_list("student_id", "rank_id", "kind", "effective_on"))
        for line in lines:
            system, text = line.rank_cells
            for candidate in self._ranks.candidates(system, text):
                line.rank = candidate
                if line.student and "effective_on" in line.event and line.key in existing:
                    break
            else:
                if line.rank is not None:
                    self._find(line)
        self._refuse_own(lines)
        return set(existing)

    def _find(self, line: RankEventLine) -> None:
        try:
            line.rank = self._ranks.find(*line.rank_cells)
        except UnknownRank as error:
            line.add_error(error.column, str(error))

    def _refuse_own(self, lines: Sequence[RankEventLine]) -> None:
        own = StudentUser.objects.student_ids_of(self._by)
        for line in lines:
            if line.student and line.student.pk in own:
                line.add_error("rank", OwnRankChange().message)

    def write(self, lines: Sequence[RankEventLine]) -> None:
        add_rank_events(
            [
                RankEvent(
                    student=line.student,
                    rank=line.rank,
                    system_id=line.rank.system_id,
                    recorded_by=self._by,
                    **line.event,
                )
                for line in lines
                if line.outcome is LineOutcome.CREATED and line.rank
            ]
        )
