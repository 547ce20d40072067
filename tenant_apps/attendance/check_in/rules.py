"""The rules of check-in: which student and which session a scan means, and whether it is recorded or refused.

Pure: everything is decided from `CheckInFacts`. Errors are raised in the order in which `errors.py` lists them.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils.translation import gettext

from shared_apps.accounts.models import Role
from tatami.errors import DomainError, Invalid, PermissionDenied
from tenant_apps.attendance.check_in.codes import Code, CodeKind
from tenant_apps.attendance.check_in.types import (
    LONG_ABSENCE,
    CheckInFacts,
    Method,
    NewAttendance,
    Scan,
    ScanDecision,
    ScannedStudent,
    Scanner,
)
from tenant_apps.attendance.errors import (
    AmbiguousSession,
    AmbiguousStudent,
    BelowMinRank,
    ClassSessionNotFound,
    NoOpenSession,
    NotEnrolled,
    OutsideCheckInWindow,
    QrInvalid,
    QrRevoked,
    SessionCancelled,
    StudentInactive,
)
from tenant_apps.classes.check_in_window import check_in_window
from tenant_apps.classes.models import ClassSession
from tenant_apps.dojo.dates import LeapDayBirthday
from tenant_apps.dojo.models import CardPolicy, DojoSettings, Policy
from tenant_apps.ranks.civil_dates import birthday
from tenant_apps.ranks.holding import holdings
from tenant_apps.ranks.student_facts import HistoryEvent, RankEventKind
from tenant_apps.students.models import Student


def decide_scan(
    scan: Scan, code: Code | None, facts: CheckInFacts, *, scanner: Scanner, now: datetime
) -> ScanDecision:
    """Return the decision on a scan; a refusal is part of it. `code` is `None` if the token is not a valid code.

    Raises `Invalid` for values in the body that no error code names.
    """
    decision = ScanDecision(scan)
    if isinstance(scan.scanned_at_error, Invalid):
        raise scan.scanned_at_error
    try:
        _apply_rules(decision, code, facts, scanner, now)
    except Invalid:
        raise
    except DomainError as refusal:
        decision.refusal = refusal
    return decision


def _apply_rules(
    decision: ScanDecision, code: Code | None, facts: CheckInFacts, scanner: Scanner, now: datetime
) -> None:
    scan = decision.scan
    if code is None:
        raise QrInvalid
    session_id, method = _identify_student(decision, code, facts, scanner)
    assert decision.student is not None
    student = decision.student.student
    if student.is_archived or student.status == Student.Status.INACTIVE:
        raise StudentInactive
    session = (
        _named_session(facts, student, session_id, at=scan.scanned_at)
        if session_id is not None
        else _best_session(facts, student, at=scan.scanned_at, location=scanner.location)
    )
    decision.session = session
    decision.alerts = alerts_for(decision.student, session, facts.settings)
    if decision.key not in facts.recorded:
        _check_policies(decision.student, session, facts)
    decision.attendance = NewAttendance(
        student=student.pk,
        session=session.pk,
        checked_in_at=scan.scanned_at,
        method=method,
        late=check_in_window(session, facts.settings).is_late(scan.scanned_at),
        uploaded_late=now > session.ends_at and scan.scanned_at <= session.ends_at,
        capacity=session.capacity if facts.settings.capacity_policy == Policy.ENFORCE else None,
    )


# --- the student ----------------------------------------------------------------------------------------------------


def _identify_student(
    decision: ScanDecision, code: Code, facts: CheckInFacts, scanner: Scanner
) -> tuple[UUID | None, str]:
    """Set the student of the decision; return the session that the scan names, if any, and the method."""
    scan = decision.scan
    if code.is_of_session:
        if scanner.device:
            raise QrInvalid  # A kiosk shows such codes. Students scan them with their own phones.
        _check_time(scan, code)
        decision.student = _student_of_session_scan(scan, facts, scanner)
        return UUID(bytes=code.id), Method.SESSION_CODE
    if scanner.role == Role.STUDENT:
        raise PermissionDenied(gettext("Scan the code of the class session instead."))
    owner = facts.code_owners.get(code.id.hex())
    if owner is None:
        raise QrInvalid
    decision.student, decision.card = facts.students[owner.student], owner.card
    _check_time(scan, code)
    if code.kind is CodeKind.STUDENT:
        return scan.class_session, Method.QR_ROTATING
    if owner.is_revoked or facts.settings.card_policy == CardPolicy.FORBID:
        raise QrRevoked
    return scan.class_session, Method.QR_CARD


def _check_time(scan: Scan, code: Code) -> None:
    if scan.scanned_at_error is not None:
        raise scan.scanned_at_error
    code.check_not_expired(scan.scanned_at)


def _student_of_session_scan(scan: Scan, facts: CheckInFacts, scanner: Scanner) -> ScannedStudent:
    """Return the student who checks in by the code of a session: the one named, or the only one linked."""
    if scan.student is not None:
        may_name = scanner.is_staff or scan.student in facts.linked_students
        named = facts.students.get(scan.student) if may_name else None
        if named is None or named.student.is_archived:
            raise Invalid.field("student", gettext("There is no such student."))
        return named
    linked = [facts.students[student] for student in facts.linked_students]
    if len(linked) == 1:
        return linked[0]
    if scanner.is_staff and not linked:
        raise AmbiguousStudent(gettext("Choose the student who checks in."))
    if not linked:
        raise PermissionDenied(gettext("No student is linked with your account."))
    raise AmbiguousStudent(details={"candidates": _candidates(found.student for found in linked)})


# --- the session ----------------------------------------------------------------------------------------------------


def _named_session(facts: CheckInFacts, student: Student, session_id: UUID, *, at: datetime) -> ClassSession:
    """Return the session that the scan names. A student who is recorded there may be scanned again at any time.

    Raises `ClassSessionNotFound`, `SessionCancelled`, `OutsideCheckInWindow`.
    """
    session = facts.sessions.get(session_id)
    if session is None:
        raise ClassSessionNotFound
    if session.is_cancelled:
        raise SessionCancelled
    is_recorded = (student.pk, session.pk) in facts.recorded
    if not is_recorded and not check_in_window(session, facts.settings).contains(at):
        raise OutsideCheckInWindow
    return session


def _best_session(facts: CheckInFacts, student: Student, *, at: datetime, location: str) -> ClassSession:
    """Return the open session that a scan at `at` means if it names none.

    Sessions at the device's `location` go first, then those where the student is enrolled, then the nearest start. If
    several remain, it is the one where the student is recorded already. Raises `NoOpenSession`, `SessionCancelled` (all
    open sessions are cancelled), `AmbiguousSession` (several remain).
    """
    open_now = [one for one in facts.sessions.values() if check_in_window(one, facts.settings).contains(at)]
    scheduled = [one for one in open_now if one.status == ClassSession.Status.SCHEDULED]
    if not scheduled:
        raise SessionCancelled if open_now else NoOpenSession

    def preference(session: ClassSession) -> tuple[bool, bool, timedelta]:
        return (
            bool(location) and not _same_place(session.location, location),
            not facts.is_enrolled(student, session),
            abs(session.starts_at - at),
        )

    best = min(map(preference, scheduled))
    preferred = [session for session in scheduled if preference(session) == best]
    recorded = [session for session in preferred if (student.pk, session.pk) in facts.recorded]
    if len(recorded or preferred) > 1:
        raise AmbiguousSession(details={"candidates": _candidates(preferred)})
    return (recorded or preferred)[0]


def _candidates(rows: Iterable[ClassSession | Student]) -> list[dict[str, str]]:
    """Return references to rows among which the caller must choose, in a stable order."""
    return [{"id": str(row.pk), "name": row.name} for row in sorted(rows, key=lambda row: row.pk)]


def _same_place(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()


# --- policies, ranks and alerts -------------------------------------------------------------------------------------


def _check_policies(student: ScannedStudent, session: ClassSession, facts: CheckInFacts) -> None:
    """Raise `NotEnrolled` or `BelowMinRank` if the dojo enforces that rule and the student does not meet it."""
    settings = facts.settings
    if (
        settings.enrolment_policy == Policy.ENFORCE
        and session.training_class_id
        and not facts.is_enrolled(student.student, session)
    ):
        raise NotEnrolled
    if settings.rank_policy == Policy.ENFORCE and session.min_rank_id:
        system, position = facts.min_ranks[session.min_rank_id]
        held = ranks_held(student, session.local_date)
        if not any(UUID(one["system_id"]) == system and one["position"] >= position for one in held):
            raise BelowMinRank


def ranks_held(student: ScannedStudent, on: date) -> list[Mapping[str, Any]]:
    """Return, for each rank system, the event of the rank held on a local date (by `ranks.holding.holdings`)."""
    by_system = (_rank_held(events, on.toordinal()) for events in student.rank_events.values())
    return [event for event in by_system if event is not None]


def _rank_held(rows: Sequence[Mapping[str, Any]], day: int) -> Mapping[str, Any] | None:
    events = [
        HistoryEvent(row["code"], RankEventKind(row["kind"]), date.fromisoformat(row["effective_on"]))
        for row in rows
    ]
    for held in holdings(events, {row["code"]: row["position"] for row in rows}):
        if held.since <= day <= held.until and held.rank is not None:
            on = date.fromordinal(held.since).isoformat()
            return next(row for row in rows if row["code"] == held.rank and row["effective_on"] == on)
    return None


def alerts_for(student: ScannedStudent, session: ClassSession, settings: DojoSettings) -> list[str]:
    """Return the codes of the alerts about a student on the local date of a session (`responses.ALERTS`)."""
    found = []
    if _is_birthday(student.student.birth_date, session.local_date, settings.leap_day_birthday):
        found.append("birthday")
    if student.is_on_hold(session.local_date):
        found.append("on_hold")
    if student.has_medical_notes:
        found.append("medical")
    last = student.last_attended_on
    if last is not None and session.local_date - last > LONG_ABSENCE:
        found.append("absent_for_long")
    if student.is_promotion_due:
        found.append("promotion_due")
    return found


def _is_birthday(birth_date: date | None, on: date, leap_day: str) -> bool:
    return birth_date is not None and birthday(birth_date, on.year, LeapDayBirthday(leap_day)) == on
