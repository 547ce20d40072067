"""Attendance that staff record and correct: one attendance by hand, a void, the roster of a session."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef

from shared_apps.accounts.models import User
from shared_apps.webhooks.events import Subscribers, publish, subscribers
from tatami.clock import tenant_date
from tatami.errors import DomainError, NotFound
from tenant_apps.attendance.check_in.queries import load_facts
from tenant_apps.attendance.check_in.responses import build_response
from tenant_apps.attendance.check_in.rules import alerts_for
from tenant_apps.attendance.check_in.store import RECORDED, insert_attendances
from tenant_apps.attendance.check_in.types import (
    LookupKeys,
    Method,
    NewAttendance,
    Scan,
    ScanDecision,
    Scanner,
    ScanResponse,
    attendance_event,
)
from tenant_apps.attendance.errors import NotRecordedByYou, SessionCancelled, SessionNotBegun
from tenant_apps.attendance.models import Attendance
from tenant_apps.classes.check_in_window import check_in_window
from tenant_apps.classes.expectations import expected_students
from tenant_apps.classes.models import ClassSession
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.students.errors import AlreadyVoided
from tenant_apps.students.models import Student
from tenant_apps.students.queries import lock_student

PRESENT: Final = "present"
LATE: Final = "late"
ABSENT: Final = "absent"
EXPECTED: Final = "expected"
UPDATED: Final = "attendance.updated"
VOIDED: Final = "attendance.voided"
MARKED_ABSENT: Final = "Marked absent on the roster."
"""The reason of a void if the roster gives none."""


# --- one attendance -------------------------------------------------------------------------------------------------


@transaction.atomic
def record_by_hand(
    *,
    student: Student,
    session: ClassSession,
    checked_in_at: datetime | None,
    late: bool | None,
    by: User,
    now: datetime,
) -> ScanResponse:
    """Record an attendance without regard to window, capacity, enrolment and rank; return the response of a scan.

    Without `checked_in_at`: the start of a session that is over, else now. If an attendance exists already, also by a
    concurrent request, it stays and is returned. Raises `SessionCancelled`; `SessionNotBegun`; `NotFound` if the
    student was erased.
    """
    if session.is_cancelled:
        raise SessionCancelled
    at = checked_in_at or _default_check_in_time(session, now)
    facts = load_facts(LookupKeys(students=[student.pk], sessions=[session.pk]))
    student_facts = facts.students.get(student.pk)
    if student_facts is None:
        raise NotFound
    window = check_in_window(session, facts.settings)
    if not facts.recorded and not window.has_come(now):
        raise SessionNotBegun
    attendance = NewAttendance(
        student=student.pk,
        session=session.pk,
        checked_in_at=at,
        method=Method.MANUAL,
        late=late if late is not None else window.is_late(at),
    )
    decision = ScanDecision(
        Scan(token="", scanned_at=at),
        student=student_facts,
        session=session,
        attendance=attendance,
        alerts=alerts_for(student_facts, session, facts.settings),
    )
    rows = facts.recorded or insert_attendances([attendance], user=by.pk, device=None, now=now)
    row = rows[decision.key]
    to_staff = Scanner.from_caller(by).is_staff
    return build_response(decision, row, is_new=row.is_new, to_staff=to_staff, today=tenant_date(now))


@transaction.atomic
def void_attendance(
    *, attendance_id: UUID, reason: str, by: User, only_recorded_today: bool, now: datetime
) -> Attendance:
    """Void an attendance with a reason; return it. The row stays and no longer counts.

    Raises `NotFound` if there is no such attendance or its student was erased; `NotRecordedByYou` if
    `only_recorded_today` is true and `by` did not record it today; `AlreadyVoided`, also for the second of two
    concurrent calls.
    """
    may_void = Attendance.objects.recorded_by(by, now) if only_recorded_today else Attendance.objects.all()
    row: Any = (
        Attendance.objects.select_related("student", "class_session")
        .annotate(may_void=Exists(may_void.filter(pk=OuterRef("pk"))))
        .filter(pk=attendance_id)
        .first()
    )
    if row is None:
        raise NotFound
    if not row.may_void:
        raise NotRecordedByYou
    lock_student(row.student_id)
    if not Attendance.objects.filter(pk=row.pk).void(reason=reason, by=by, now=now):
        raise AlreadyVoided
    publish("attendance.voided", [attendance_event(row.pk, row.student_id, row.class_session_id)], now=now)
    row.voided_at, row.voided_by, row.void_reason, row.updated_at = now, by, reason, now
    return row  # type: ignore[no-any-return]


def _default_check_in_time(session: ClassSession, now: datetime) -> datetime:
    return session.starts_at if session.is_over(now) else now


# --- the roster of a session ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RosterEntry:
    """One student on the roster, with the attendance that is not voided, if there is one."""

    student: Student
    state: str
    is_enrolled: bool
    attendance: Attendance | None

    @property
    def is_trial(self) -> bool:
        return bool(self.student.status == Student.Status.TRIAL)

    @property
    def attendance_id(self) -> UUID | None:
        return self.attendance.pk if self.attendance else None

    @property
    def checked_in_at(self) -> datetime | None:
        return self.attendance.checked_in_at if self.attendance else None

    @property
    def method(self) -> str | None:
        return self.attendance.method if self.attendance else None


def roster_of(session: ClassSession, *, now: datetime) -> list[RosterEntry]:
    """Return the roster, ordered by name: the students who are expected that day, and those who came.

    A student who is expected and has no attendance is `expected` until the session is over, and `absent` then. Who is
    expected on the day of the session is the answer of `expectations.expected_students`. No one is expected at a
    cancelled session. Two statements.
    """
    students: dict[UUID, Student] = {}
    if session.training_class_id and not session.is_cancelled:
        students = {row.pk: row for row in expected_students(session=session.pk)}
    enrolled = set(students)
    attendances = {row.student_id: row for row in _attendances(session).select_related("student")}
    students.update({key: row.student for key, row in attendances.items()})
    state_without_attendance = ABSENT if session.is_over(now) else EXPECTED

    def entry(student: Student) -> RosterEntry:
        row = attendances.get(student.pk)
        state = state_without_attendance if row is None else LATE if row.late else PRESENT
        return RosterEntry(student, state, student.pk in enrolled, row)

    return [entry(one) for one in sorted(students.values(), key=lambda one: (one.search_name, one.pk))]


@transaction.atomic
def save_roster(
    *,
    session: ClassSession,
    states: Mapping[UUID, str],
    reason: str,
    by: User,
    only_recorded_today: bool,
    now: datetime,
) -> None:
    """Set the attendance of a session to `states` (student id → present, late or absent). Other students keep theirs.

    `absent` voids with `reason`. Ignores window, capacity, enrolment and rank, as `record_by_hand` does. Saving the
    same again changes nothing. Concurrent saves wait for each other (the session is locked); beside concurrent scans,
    the constraint `attendance_once` lets one attendance exist, which then takes the state given here. Call it with the
    students locked. At most six statements, whatever the number of students, and two more if the session is cancelled
    or has not begun, and two for each kind of event that a webhook asked for.

    Raises `NotRecordedByYou` if `only_recorded_today` is true and an attendance to void was not recorded by `by` today;
    `SessionCancelled` or `SessionNotBegun` if a student would be added to a session that is cancelled or has not begun,
    whose roster may still be corrected. Then nothing is saved.
    """
    locked = ClassSession.objects.select_for_update(no_key=True, of=("self",)).get(pk=session.pk)
    came = sorted(key for key, state in states.items() if state != ABSENT)
    if locked.is_cancelled:
        _check_no_additions(session, came, SessionCancelled)
    elif locked.starts_at > now and not check_in_window(locked, DojoSettings.current()).has_come(now):
        _check_no_additions(session, came, SessionNotBegun)
    late = [key for key in came if states[key] == LATE]
    absent = [key for key, state in states.items() if state == ABSENT]
    webhooks = subscribers(RECORDED, UPDATED, VOIDED)
    if absent:
        _void_absent(
            session,
            absent,
            reason=reason or MARKED_ABSENT,
            by=by,
            only_recorded_today=only_recorded_today,
            now=now,
            webhooks=webhooks,
        )
    values: dict[str, Any] = {
        "class_session": session,
        "checked_in_at": _default_check_in_time(session, now),
        "recorded_by": by,
        "method": Method.MANUAL,
        "created_at": now,
    }
    rows = [Attendance(student_id=key, late=key in late, **values) for key in came]
    Attendance.objects.bulk_create(rows, ignore_conflicts=True)
    if webhooks.want(RECORDED):
        _publish(webhooks, RECORDED, Attendance.objects.filter(pk__in=[row.pk for row in rows]), now)
    on_time = [key for key in came if states[key] == PRESENT]
    _set_late(session, late, late=True, now=now, webhooks=webhooks)
    _set_late(session, on_time, late=False, now=now, webhooks=webhooks)


def _attendances(session: ClassSession, students: Iterable[UUID] | None = None) -> Any:
    """Return the attendances of a session, or of some students there, that are not voided."""
    rows = Attendance.objects.not_voided().filter(class_session=session)
    return rows if students is None else rows.filter(student__in=students)


def _check_no_additions(session: ClassSession, students: list[UUID], error: type[DomainError]) -> None:
    """Raise `error`, naming those of `students` who have no attendance at the session."""
    added = set(students) - set(_attendances(session, students).values_list("student", flat=True))
    if added:
        raise error(details={"students": sorted(map(str, added))})


def _set_late(
    session: ClassSession, students: list[UUID], *, late: bool, now: datetime, webhooks: Subscribers
) -> None:
    if students:
        rows = _attendances(session, students).exclude(late=late)
        if webhooks.want(UPDATED):
            _publish(webhooks, UPDATED, rows, now)
        rows.update(late=late, updated_at=now)


def _publish(webhooks: Subscribers, type_: str, rows: Any, now: datetime) -> None:
    """Tell webhooks about attendances. Two statements."""
    found = rows.order_by("pk").values_list("pk", "student", "class_session")
    webhooks.publish(type_, [attendance_event(*row) for row in found], now=now)


def _void_absent(
    session: ClassSession,
    students: list[UUID],
    *,
    reason: str,
    by: User,
    only_recorded_today: bool,
    now: datetime,
    webhooks: Subscribers,
) -> None:
    """Void the attendances of `students`. Raises `NotRecordedByYou`, naming the students, as `save_roster` says."""
    rows = _attendances(session, students)
    if only_recorded_today:
        own = rows.recorded_by(by, now)
        others = sorted(map(str, rows.exclude(pk__in=own.values("pk")).values_list("student", flat=True)))
        if others:
            raise NotRecordedByYou(details={"students": others})
    if webhooks.want(VOIDED):
        _publish(webhooks, VOIDED, rows, now)
    rows.void(reason=reason, by=by, now=now)
