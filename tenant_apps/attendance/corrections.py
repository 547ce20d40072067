"""Attendance that staff record and correct: one attendance by hand, or a void. `roster.py` saves a whole session."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef

from shared_apps.accounts.models import User
from shared_apps.webhooks.events import publish
from tatami.clock import tenant_date
from tatami.errors import NotFound
from tenant_apps.attendance.check_in.queries import load_facts
from tenant_apps.attendance.check_in.responses import build_response
from tenant_apps.attendance.check_in.rules import alerts_for
from tenant_apps.attendance.check_in.store import insert_attendances
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
from tenant_apps.classes.models import ClassSession
from tenant_apps.students.errors import AlreadyVoided
from tenant_apps.students.models import Student
from tenant_apps.students.queries import lock_student

VOIDED: Final = "attendance.voided"


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
    at = checked_in_at or default_check_in_time(session, now)
    facts = load_facts(LookupKeys(students=[student.pk], sessions=[session.pk]))
    student_facts = facts.students.get(student.pk)
    if student_facts is None:
        raise NotFound
    window = check_in_window(session, facts.settings)
    if not facts.recorded and not window.accepts_by_hand(now):
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
    rows = facts.recorded or insert_attendances(
        [attendance], user=by.pk, device=None, has_webhooks=facts.has_webhooks, now=now
    )
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
    publish(VOIDED, [attendance_event(row.pk, row.student_id, row.class_session_id)], now=now)
    row.voided_at, row.voided_by, row.void_reason, row.updated_at = now, by, reason, now
    return row  # type: ignore[no-any-return]


def default_check_in_time(session: ClassSession, now: datetime) -> datetime:
    """Return when a student checked in who is recorded by hand: the start of a session that is over, else now."""
    return session.starts_at if session.is_over(now) else now
