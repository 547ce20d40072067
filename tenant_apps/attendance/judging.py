"""Judging one scan by the facts: whose visit to which session it is, or the named reason why it is refused. Pure."""

from datetime import datetime
from uuid import UUID

from shared_apps.accounts.models import Role
from tatami.errors import DomainError, Invalid, PermissionDenied
from tenant_apps.attendance.alerts import alerts_about
from tenant_apps.attendance.codes import Code, Kind, QrInvalid, QrRevoked
from tenant_apps.attendance.facts import Facts, Person
from tenant_apps.attendance.models import Attendance
from tenant_apps.attendance.recording import Visit
from tenant_apps.attendance.refusals import (
    AmbiguousStudent,
    BelowMinRank,
    NotEnrolled,
    StudentInactive,
)
from tenant_apps.attendance.scans import Scan, Scanner, Verdict
from tenant_apps.attendance.selection import candidates, meant_session, named_session, window_of
from tenant_apps.classes.models import ClassSession
from tenant_apps.dojo.models import CardPolicy, Policy
from tenant_apps.students.models import Student


def judge(scan: Scan, code: Code | None, facts: Facts, *, scanner: Scanner, now: datetime) -> Verdict:
    """Return the verdict on a scan. `code` is None for one that is none of ours. Raises `Invalid` for values."""
    verdict = Verdict(scan)
    if isinstance(scan.fault, Invalid):
        raise scan.fault
    try:
        _judge(verdict, code, facts, scanner, now)
    except Invalid:
        raise
    except DomainError as refusal:
        verdict.refusal = refusal
    return verdict


def _judge(verdict: Verdict, code: Code | None, facts: Facts, scanner: Scanner, now: datetime) -> None:
    scan = verdict.scan
    if code is None:
        raise QrInvalid
    wanted, method = _subject(verdict, code, facts, scanner)
    assert verdict.person is not None
    student = verdict.person.student
    if student.is_archived or student.status == Student.Status.INACTIVE:
        raise StudentInactive
    at = scan.scanned_at
    session = (
        named_session(facts, student, wanted, at=at)
        if wanted is not None
        else meant_session(facts, student, at=at, location=scanner.location)
    )
    verdict.session = session
    verdict.alerts = alerts_about(verdict.person, session, facts)
    if verdict.pair not in facts.standing:
        _refuse_by_policy(verdict.person, session, facts)
    verdict.visit = Visit(
        student=student.pk,
        session=session.pk,
        at=at,
        method=method,
        late=at >= window_of(session, facts.settings).late_from,
        uploaded_late=now > session.ends_at and at <= session.ends_at,
        capacity=session.capacity if facts.settings.capacity_policy == Policy.ENFORCE else None,
    )


def _subject(verdict: Verdict, code: Code, facts: Facts, scanner: Scanner) -> tuple[UUID | None, str]:
    """Set whom the scan is about; return the session that was named, if any, and the method."""
    scan = verdict.scan
    if code.names_session:
        if scanner.device:
            raise QrInvalid  # a kiosk shows such codes; a student's own phone scans them
        _refuse_stale(scan, code)
        verdict.person = _speaker(scan, facts, scanner)
        return UUID(bytes=code.id), Attendance.Method.SESSION_CODE
    if scanner.role == Role.STUDENT:
        raise PermissionDenied("Scan the code of the class session instead.")
    subject = facts.subjects.get(code.id.hex())
    if subject is None:
        raise QrInvalid
    verdict.person, verdict.card = facts.people[subject.student], subject.card
    _refuse_stale(scan, code)
    if code.kind is Kind.STUDENT:
        return scan.class_session, Attendance.Method.QR_ROTATING
    if subject.is_revoked or facts.settings.card_policy == CardPolicy.FORBID:
        raise QrRevoked
    return scan.class_session, Attendance.Method.QR_CARD


def _refuse_stale(scan: Scan, code: Code) -> None:
    if scan.fault is not None:
        raise scan.fault
    code.refuse_stale(scan.scanned_at)


def _speaker(scan: Scan, facts: Facts, scanner: Scanner) -> Person:
    """Return the student for whom a session's code was scanned: the one named, or the only one spoken for."""
    if scan.student is not None:
        may_name = scanner.is_staff or scan.student in facts.spoken_for
        person = facts.people.get(scan.student) if may_name else None
        if person is None or person.student.is_archived:
            raise Invalid.field("student", "There is no such student.")
        return person
    people = [facts.people[student] for student in facts.spoken_for]
    if len(people) == 1:
        return people[0]
    if scanner.is_staff and not people:
        raise AmbiguousStudent("Say for whom this session's code was scanned.")
    if not people:
        raise PermissionDenied("You speak for no student here.")
    raise AmbiguousStudent(details={"candidates": candidates(person.student for person in people)})


def _refuse_by_policy(person: Person, session: ClassSession, facts: Facts) -> None:
    """Raise `NotEnrolled` or `BelowMinRank` where the dojo enforces that rule and it is not met."""
    settings = facts.settings
    if (
        settings.enrolment_policy == Policy.ENFORCE
        and session.training_class_id
        and not facts.is_enrolled(person.student, session)
    ):
        raise NotEnrolled
    if settings.rank_policy == Policy.ENFORCE and session.min_rank_id:
        system, position = facts.min_ranks[session.min_rank_id]
        held = person.ranks_held(session.local_date)
        if not any(UUID(one["system_id"]) == system and one["position"] >= position for one in held):
            raise BelowMinRank
