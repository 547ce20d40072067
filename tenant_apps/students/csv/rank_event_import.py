"""Import of rank events: for each line a student, a rank, the kind of event and its date."""

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from django.utils.translation import gettext, gettext_noop

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
from tenant_apps.students.rank_history import (
    BEFORE_BIRTH,
    birth_error,
    conversions_in_force,
    history_errors,
)
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
            gettext_noop("One of these events was recorded in the meantime: import the file again."),
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

    def match(self, lines: Sequence[RankEventLine], *, dry_run: bool) -> None:
        super().match(lines, dry_run=dry_run)
        self._refuse_impossible(self._events_of(lines))

    def write(self, lines: Sequence[RankEventLine]) -> None:
        add_rank_events([event for event, _ in self._events_of(lines)])

    def _events_of(self, lines: Sequence[RankEventLine]) -> list[tuple[RankEvent, RankEventLine]]:
        """Return the events that are to be created, each with its line."""
        return [
            (
                RankEvent(
                    student=line.student,
                    rank=line.rank,
                    system_id=line.rank.system_id,
                    recorded_by=self._by,
                    **line.event,
                ),
                line,
            )
            for line in lines
            if line.outcome is LineOutcome.CREATED and line.student and line.rank
        ]

    def _refuse_impossible(self, events: Sequence[tuple[RankEvent, RankEventLine]]) -> None:
        """Add errors to lines whose events do not fit into the histories, with the other lines.

        Three statements, and none for a file of imports.
        """
        histories: defaultdict[tuple[UUID, UUID], list[RankEvent]] = defaultdict(list)
        for event, line in events:
            assert line.student is not None
            if birth_error(line.student, event.effective_on):
                self._refuse(line, "effective_on", gettext(BEFORE_BIRTH))
            else:
                histories[event.student_id, event.system_id].append(event)
        if all(event.kind == RankEvent.Kind.IMPORT for event, _ in events):
            return
        lines = {event.pk: line for event, line in events}
        conversions = conversions_in_force()
        students = {student for student, _ in histories}
        rows = RankEvent.objects.not_voided().filter(student__in=students).select_related("rank", "student")
        existing: defaultdict[tuple[UUID, UUID], list[RankEvent]] = defaultdict(list)
        for event in rows:
            existing[event.student_id, event.system_id].append(event)
        for key, new in histories.items():
            for refused, error in history_errors(new, existing[key], conversions).items():
                self._refuse(lines[refused], "rank", error.message)

    @staticmethod
    def _refuse(line: RankEventLine, column: str, message: str) -> None:
        line.add_error(column, message)
        line.outcome = LineOutcome.FAILED
