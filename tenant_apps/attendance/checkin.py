"""Check-in: from a scanned code to one attendance, or to the named reason why there is none.

What must be remembered although it is not a success (a refusal, a nonce's answer) is returned as an `Outcome`, so that
the caller commits it; exceptions roll back. Exactly one standing attendance per student and session is a constraint.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection
from django.db.models import Count, Exists, IntegerField, OuterRef, Q, Subquery, Value
from django.db.models.functions import Coalesce

from shared_apps.accounts.models import Role, User
from tatami.errors import DomainError, Invalid, PermissionDenied
from tatami.tenancy.scope import current_tenant
from tenant_apps.attendance.codes import Code, Kind, QrInvalid, QrRevoked, read_token
from tenant_apps.attendance.models import Attendance, Card
from tenant_apps.classes.models import ClassSession, Enrolment
from tenant_apps.dojo.models import CardPolicy, DojoSettings, Policy
from tenant_apps.students.models import RankEvent, Student

OLDEST_SCAN: Final = timedelta(hours=72)


class StudentInactive(DomainError):
    """This student does not train here at present."""

    code = "student_inactive"


class ClassSessionNotFound(DomainError):
    """There is no such class session."""

    code = "class_session_not_found"
    status = 404


class SessionCancelled(DomainError):
    """This class session is cancelled."""

    code = "session_cancelled"


class NoOpenSession(DomainError):
    """No class session is open for check-in now."""

    code = "no_open_session"


class AmbiguousSession(DomainError):
    """Several class sessions are open: say which one."""

    code = "ambiguous_session"


class AmbiguousStudent(DomainError):
    """You speak for several students: say which one."""

    code = "ambiguous_student"


class OutsideCheckInWindow(DomainError):
    """Check-in for this class session is not open now."""

    code = "outside_check_in_window"


class NotEnrolled(DomainError):
    """This student is not enrolled in this class."""

    code = "not_enrolled"


class BelowMinRank(DomainError):
    """This student's rank is below the one this class asks for."""

    code = "below_min_rank"


class SessionFull(DomainError):
    """This class session is full."""

    code = "session_full"


@dataclass(frozen=True, slots=True)
class Scan:
    """What was asked: the text of a code, and what the caller said beside it."""

    token: str
    class_session: str | None
    student: str | None
    scanned_at: datetime


@dataclass(slots=True)
class Outcome:
    """What became of a scan: an attendance (new or not), or a refusal. Known parts are set in either case."""

    attendance: Attendance | None = None
    is_new: bool = False
    refusal: DomainError | None = None
    student: Student | None = None
    session: ClassSession | None = None
    alerts: list[str] = field(default_factory=list)


def check_in(scan: Scan, *, caller: User, now: datetime) -> Outcome:
    """Record that a student is here. Runs in the caller's transaction, which must commit whatever the outcome is.

    Raises nothing for a refusal that the contract names: it is in the outcome, and is to be kept.
    """
    outcome = Outcome()
    try:
        _record(scan, outcome, caller=caller, now=now)
    except DomainError as refusal:
        if isinstance(refusal, PermissionDenied):
            raise
        outcome.refusal = refusal
    return outcome


def _record(scan: Scan, outcome: Outcome, *, caller: User, now: datetime) -> None:
    tenant = current_tenant()
    settings = DojoSettings.current()
    code = read_token(scan.token, tenant_id=tenant.tenant_id)
    code.refuse_stale(scan.scanned_at)
    student, wanted_session, method = _subjects(code, scan, caller, settings)
    outcome.student = student
    if student.is_archived or student.status == Student.Status.INACTIVE:
        raise StudentInactive
    sessions = candidate_sessions(student, at=scan.scanned_at, only=wanted_session)
    session = choose_session(sessions, settings, at=scan.scanned_at, is_named=wanted_session is not None)
    outcome.session = session
    outcome.alerts = alerts_for(student, on=session.local_date)
    if not session.is_recorded:  # type: ignore[attr-defined]
        refuse_by_policy(session, student, settings)
    outcome.attendance, outcome.is_new = record_attendance(
        student=student,
        session=session,
        method=method,
        checked_in_at=scan.scanned_at,
        late=scan.scanned_at >= window_of(session, settings).late_from,
        recorded_by=caller,
        now=now,
    )


def _subjects(code: Code, scan: Scan, caller: User, settings: DojoSettings) -> tuple[Student, Any, str]:
    """Return the student, the session that was named (or None) and the method. One statement."""
    if code.kind in {Kind.SESSION, Kind.SESSION_ROTATING}:
        return _speaker(scan, caller), session_id_of(code), Attendance.Method.SESSION_CODE
    if caller.role == Role.STUDENT:
        raise PermissionDenied("Scan the code of the class session instead.")
    if code.kind is Kind.STUDENT:
        found = Student.objects.filter(check_in_id=code.id).first()
        if found is None:
            raise QrInvalid
        return found, scan.class_session, Attendance.Method.QR_ROTATING
    card = Card.objects.select_related("student").filter(code=code.id).first()
    if card is None:
        raise QrInvalid
    if card.revoked_at is not None or settings.card_policy == CardPolicy.FORBID:
        raise QrRevoked
    return card.student, scan.class_session, Attendance.Method.QR_CARD


def session_id_of(code: Code) -> str:
    """Return the id of the session that a session's code names."""
    return code.id.hex()


def _speaker(scan: Scan, caller: User) -> Student:
    """Return the student for whom a session's code was scanned."""
    students = Student.objects.live()
    if caller.role == Role.STUDENT:
        students = students.filter(links__user=caller)
    elif scan.student is None:
        raise Invalid.field("student", "Say for whom this session's code was scanned.")
    if scan.student is not None:
        students = students.filter(pk=scan.student)
    found = list(students.order_by("pk")[:50])
    if not found:
        raise Invalid.field("student", "There is no such student.") if scan.student else QrInvalid()
    if len(found) > 1:
        raise AmbiguousStudent(details={"candidates": [{"id": str(s.pk), "name": s.name} for s in found]})
    return found[0]


def candidate_sessions(student: Student, *, at: datetime, only: str | None) -> list[ClassSession]:
    """Return the named session, or all near `at`, each with what the rules below ask about it. One statement."""
    sessions = ClassSession.objects.filter(pk=only) if only else ClassSession.objects.near(at)
    standing = Attendance.objects.standing().filter(class_session=OuterRef("pk"))
    present = standing.order_by().values("class_session").annotate(n=Count("pk")).values("n")
    enrolled = Enrolment.objects.filter(training_class=OuterRef("training_class"), student=student)
    return list(
        sessions.annotate(
            is_recorded=Exists(standing.filter(student=student)),
            is_enrolled=Exists(enrolled),
            present=Coalesce(Subquery(present, output_field=IntegerField()), Value(0)),
        ).select_related("min_rank")
    )


@dataclass(frozen=True, slots=True)
class Window:
    """When check-in for a session opens and closes, and from when it is late. Both bounds are included."""

    opens_at: datetime
    closes_at: datetime
    late_from: datetime

    def contains(self, instant: datetime) -> bool:
        return self.opens_at <= instant <= self.closes_at


def window_of(session: ClassSession, settings: DojoSettings) -> Window:
    """Return a session's check-in window: its own bounds, or the dojo's, in minutes from the start."""

    def bound(name: str) -> timedelta:
        own = getattr(session, name)
        return timedelta(minutes=own if own is not None else getattr(settings, name))

    return Window(
        opens_at=session.starts_at - bound("opens_minutes_before"),
        closes_at=session.starts_at + bound("closes_minutes_after"),
        late_from=session.starts_at + bound("late_after_minutes"),
    )


def choose_session(
    sessions: Sequence[ClassSession], settings: DojoSettings, *, at: datetime, is_named: bool
) -> ClassSession:
    """Return the session that a scan at `at` means.

    Of those open: one where the student is enrolled before others, then the nearest start; a tie is refused. Raises
    `ClassSessionNotFound`, `SessionCancelled`, `NoOpenSession`, `AmbiguousSession`, `OutsideCheckInWindow`.
    """
    if is_named:
        if not sessions:
            raise ClassSessionNotFound
        return _named(sessions[0], settings, at)
    open_now = [session for session in sessions if window_of(session, settings).contains(at)]
    scheduled = [session for session in open_now if session.status == ClassSession.Status.SCHEDULED]
    if not scheduled:
        raise SessionCancelled if open_now else NoOpenSession

    def preference(session: ClassSession) -> tuple[bool, timedelta]:
        return (not session.is_enrolled, abs(session.starts_at - at))  # type: ignore[attr-defined]

    best = min(map(preference, scheduled))
    chosen = [session for session in scheduled if preference(session) == best]
    if len(chosen) > 1:
        raise AmbiguousSession(
            details={"candidates": [{"id": str(session.pk), "name": session.name} for session in chosen]}
        )
    return chosen[0]


def _named(session: ClassSession, settings: DojoSettings, at: datetime) -> ClassSession:
    if session.status == ClassSession.Status.CANCELLED:
        raise SessionCancelled
    if not session.is_recorded and not window_of(session, settings).contains(at):  # type: ignore[attr-defined]
        raise OutsideCheckInWindow
    return session


def refuse_by_policy(session: Any, student: Student, settings: DojoSettings) -> None:
    """Raise `NotEnrolled`, `BelowMinRank` or `SessionFull` where the dojo enforces that rule and it is not met."""
    if settings.enrolment_policy == Policy.ENFORCE and session.training_class_id and not session.is_enrolled:
        raise NotEnrolled
    if settings.rank_policy == Policy.ENFORCE and session.min_rank and not _reaches(student, session):
        raise BelowMinRank
    if settings.capacity_policy == Policy.ENFORCE and session.capacity is not None:
        # The count above may be stale by now: take turns per session, and count again.
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [str(session.pk)])
        present = Attendance.objects.standing().filter(class_session=session.pk).aggregate(
            n=Count("pk", filter=~Q(student=student))
        )["n"]  # fmt: skip
        if present >= session.capacity:
            raise SessionFull


def _reaches(student: Student, session: ClassSession) -> bool:
    assert session.min_rank is not None
    held = RankEvent.objects.current(students=[student.pk], as_of=session.local_date)
    return any(
        event.system_id == session.min_rank.system_id and event.rank.position >= session.min_rank.position
        for event in held
    )


def record_attendance(
    *,
    student: Student,
    session: ClassSession,
    method: str,
    checked_in_at: datetime,
    late: bool,
    recorded_by: User,
    now: datetime,
) -> tuple[Attendance, bool]:
    """Record that a student was at a session; return the standing attendance and whether it is new.

    At once, or twice, from anywhere: the constraint `attendance_once` lets one row stand, and everybody is told of it.
    """
    row = Attendance(
        student=student,
        class_session=session,
        checked_in_at=checked_in_at,
        method=method,
        late=late,
        recorded_by=recorded_by,
        created_at=now,
    )
    # ON CONFLICT DO NOTHING waits for a twin in flight; whose row it is shows the id that stands afterwards.
    Attendance.objects.bulk_create([row], ignore_conflicts=True)
    standing = Attendance.objects.standing().get(student=student, class_session=session)
    standing.student, standing.class_session = student, session
    return standing, standing.pk == row.pk


def alerts_for(student: Student, *, on: Any) -> list[str]:
    """Return the codes of what the desk should know about a student on a local date."""
    alerts = []
    if student.birth_date and (student.birth_date.month, student.birth_date.day) == (on.month, on.day):
        alerts.append("birthday")
    if student.status == Student.Status.ON_HOLD:
        alerts.append("on_hold")
    if student.medical_notes:
        alerts.append("medical")
    return alerts
