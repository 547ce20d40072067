"""Import of attendances from a file: for each line a student and a class session, by its id or by date and name."""

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.utils.translation import gettext, gettext_noop
from rest_framework import serializers

from shared_apps.accounts.models import User
from shared_apps.webhooks.events import publish
from tatami.api.fields import BLANK, InstantField
from tatami.errors import Invalid
from tatami.ids import uuid7
from tatami.tenancy.scope import current_tenant
from tatami.text import normalise
from tenant_apps.attendance.check_in.types import RECORDED, attendance_event
from tenant_apps.attendance.errors import ClassSessionNotFound, SessionCancelled
from tenant_apps.attendance.models import Attendance
from tenant_apps.classes.check_in_window import check_in_window
from tenant_apps.classes.models import ClassSession
from tenant_apps.students.csv.cells import CellParser
from tenant_apps.students.csv.dates import DateReader
from tenant_apps.students.csv.pipeline import LineOutcome, insert_rows
from tenant_apps.students.csv.report import report
from tenant_apps.students.csv.student_matching import RecordImport, RecordLine, record_headings
from tenant_apps.students.csv.table import DEFAULT_OPTIONS, ReadOptions
from tenant_apps.students.errors import AlreadyRecorded

NO_SESSION: Final = gettext_noop("There is no such session on this date.")
SEVERAL_SESSIONS: Final = gettext_noop(
    "There are several such sessions on this date: give the time or the class_session_id."
)
NAME_THE_SESSION: Final = gettext_noop("Give the class or the class_session, or the class_session_id.")
OTHER_DATE: Final = gettext_noop("The session with this class_session_id is on another date.")
NOT_BEGUN: Final = gettext_noop("This session has not begun yet.")
IN_FUTURE: Final = gettext_noop("This is in the future.")
VOIDED: Final = gettext_noop("This attendance was voided.")

_READ: Final = ("date", "time", "starts_at", "class_session_id", "checked_in_at", "late")
_NAMES: Final = ("class", "class_session")
_IGNORED: Final = ("id", "student_id", "method", "voided_at", "void_reason")
"""Columns of the export of attendances that say nothing new."""
_COLUMNS: Final = (
    "student_id", "class_session_id", "checked_in_at", "method", "late", "recorded_by_id", "created_at", "updated_at",
)  # fmt: skip


class LocalInstantField(InstantField):
    """An instant, or a local time without a zone: workbooks know no zones, so exported ones have local times."""

    def enforce_timezone(self, value: datetime) -> datetime:
        zone = ZoneInfo(current_tenant().timezone)
        return super().enforce_timezone(value if value.tzinfo else value.replace(tzinfo=zone))


class AttendanceCells(serializers.Serializer[Any]):
    """The cells of a line that have a type."""

    date = serializers.DateField()
    time = serializers.TimeField()
    starts_at = LocalInstantField()
    class_session_id = serializers.UUIDField()
    checked_in_at = LocalInstantField()
    late = serializers.BooleanField()


@dataclass(slots=True)
class AttendanceLine(RecordLine):
    """An attendance of a student."""

    values: dict[str, Any] = field(default_factory=dict)
    session_names: dict[str, str] = field(default_factory=dict)
    """The names of class and session, for comparison."""
    session: ClassSession | None = None

    @property
    def key(self) -> tuple[Any, ...]:
        """The columns of the constraint `attendance_once`."""
        assert self.student is not None
        assert self.session is not None
        return self.student.pk, self.session.pk


class AttendanceImport(RecordImport[AttendanceLine]):
    """Attendances, recorded by `by`, without regard to window, capacity, enrolment and rank. Seven statements.

    A line is about the session with its `class_session_id`, or else about the one on its `date` whose class and session
    have the names of the line; `time` (local) or `starts_at` tells apart those that remain. An attendance that exists
    is reported as a duplicate and stays. Without `checked_in_at` it is the start of the session, and not late.
    """

    required = ()
    headings = record_headings({*_READ, *_NAMES, *_IGNORED})
    line_class = AttendanceLine
    conflicts = {
        "attendance_once": (
            AlreadyRecorded,
            gettext_noop("One of these attendances was recorded in the meantime: import the file again."),
        )
    }

    def __init__(self, *, by: User, now: datetime) -> None:
        self._by, self._now = by, now

    def prepare(self, columns: Sequence[str], dates: DateReader) -> None:
        super().prepare(columns, dates)
        if "class_session_id" not in columns and ("date" not in columns or not {*_NAMES} & {*columns}):
            raise Invalid.field(
                "file", gettext("Name the sessions by class_session_id, or by date and class.")
            )
        self._cells = CellParser(AttendanceCells().fields, _READ, dates)
        self._zone = ZoneInfo(current_tenant().timezone)

    def parse_record(self, cells: Mapping[str, str], line: AttendanceLine) -> None:
        line.values = self._cells.parse(cells, line.errors)
        line.session_names = {name: normalise(cells[name]) for name in _NAMES if cells.get(name)}
        if cells.get("voided_at"):
            line.add_error("voided_at", gettext(VOIDED))
        if line.values.get("checked_in_at", self._now) > self._now:
            line.add_error("checked_in_at", gettext(IN_FUTURE))
        if "class_session_id" not in line.values and "class_session_id" not in line.errors:
            if not line.session_names:
                line.add_error("class", gettext(NAME_THE_SESSION))
            if "date" not in line.values and "date" not in line.errors:
                line.add_error("date", gettext(BLANK))

    def match_records(self, lines: Sequence[AttendanceLine]) -> set[Hashable]:
        """Set the session of each line, or add an error; return the keys of the attendances that exist."""
        by_id, by_date = _sessions(lines)
        for line in lines:
            if not line.errors:
                self._find_session(line, by_id, by_date)
        found = [line for line in lines if line.session and line.student]
        rows = Attendance.objects.not_voided().filter(
            student__in={line.student.pk for line in found if line.student},
            class_session__in={line.session.pk for line in found if line.session},
        )
        return set(rows.order_by().values_list("student_id", "class_session_id"))

    def _find_session(
        self,
        line: AttendanceLine,
        by_id: Mapping[Any, ClassSession],
        by_date: Mapping[date, Sequence[ClassSession]],
    ) -> None:
        key, day = line.values.get("class_session_id"), line.values.get("date")
        column = "class_session_id" if key else next(iter(line.session_names))
        if key:
            session = by_id.get(key)
            if session is None:
                line.add_error(column, ClassSessionNotFound().message)
            elif day and session.local_date != day:
                line.add_error("date", gettext(OTHER_DATE))
        else:
            candidates = [one for one in by_date.get(day, ()) if self._is_meant(one, line)]  # type: ignore[arg-type]
            session = candidates[0] if len(candidates) == 1 else None
            if session is None:
                line.add_error(column, gettext(SEVERAL_SESSIONS if candidates else NO_SESSION))
        if session is None or line.errors:
            return
        if session.is_cancelled:
            line.add_error(column, SessionCancelled().message)
        elif not check_in_window(session, self.settings).accepts_by_hand(self._now):
            line.add_error(column, gettext(NOT_BEGUN))
        else:
            line.session = session

    def _is_meant(self, session: ClassSession, line: AttendanceLine) -> bool:
        """Return whether a session on the date of a line has the names and the start that the line gives."""
        time, starts_at = line.values.get("time"), line.values.get("starts_at")
        of_class = session.training_class.name if session.training_class else session.name
        names = {"class": of_class, "class_session": session.name}
        return (
            all(normalise(names[name]) == wanted for name, wanted in line.session_names.items())
            and (time is None or session.starts_at.astimezone(self._zone).time() == time)
            and (starts_at is None or session.starts_at == starts_at)
        )

    def write(self, lines: Sequence[AttendanceLine]) -> None:
        created = [line for line in lines if line.outcome is LineOutcome.CREATED]
        rows = [(uuid7(), self._row(line)) for line in created]
        insert_rows(Attendance, ("id", *_COLUMNS), [(key, *row) for key, row in rows])
        publish(RECORDED, [attendance_event(key, row[0], row[1]) for key, row in rows], now=self._now)

    def _row(self, line: AttendanceLine) -> tuple[Any, ...]:
        assert line.session is not None
        at = line.values.get("checked_in_at", line.session.starts_at)
        late, method = line.values.get("late", False), Attendance.Method.IMPORT.value
        return *line.key, at, method, late, self._by.pk, self._now, self._now


def _sessions(
    lines: Sequence[AttendanceLine],
) -> tuple[dict[Any, ClassSession], dict[date, list[ClassSession]]]:
    """Return the sessions that the lines may mean, by id and by local date. Two statements."""
    ids = {line.values["class_session_id"] for line in lines if "class_session_id" in line.values}
    days = {line.values["date"] for line in lines if "date" in line.values} if _by_name(lines) else set()
    sessions = ClassSession.objects.select_related("training_class")
    by_date: dict[date, list[ClassSession]] = defaultdict(list)
    for session in sessions.filter(local_date__in=days):
        by_date[session.local_date].append(session)
    return sessions.in_bulk(ids), by_date


def _by_name(lines: Sequence[AttendanceLine]) -> bool:
    return any("class_session_id" not in line.values for line in lines)


def import_attendance(
    content: bytes, *, by: User, now: datetime, dry_run: bool, options: ReadOptions = DEFAULT_OPTIONS
) -> dict[str, Any]:
    """Import a file of attendances, one per line, or preview it. Return the report on every line.

    Attendances that exist are reported as duplicates. Concurrent imports of a dojo run one after the other. Raises
    `Invalid`; `AlreadyRecorded` if one of the attendances is recorded meanwhile, and then nothing is written.
    """
    return report(AttendanceImport(by=by, now=now).run(content, dry_run=dry_run, options=options))
