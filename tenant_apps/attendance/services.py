"""Attendance by hand, its correction, and cards."""

import secrets
from datetime import datetime

from django.db import transaction

from shared_apps.accounts.models import User
from tatami import clock
from tatami.errors import NotFound
from tatami.tenancy.scope import current_tenant
from tenant_apps.attendance.alerts import alerts_about
from tenant_apps.attendance.answers import Answer, answer_of
from tenant_apps.attendance.checkin import scanner_of
from tenant_apps.attendance.errors import NotYours
from tenant_apps.attendance.facts import Wanted
from tenant_apps.attendance.gathering import gather
from tenant_apps.attendance.models import Attendance, Card
from tenant_apps.attendance.recording import Visit, record
from tenant_apps.attendance.refusals import SessionCancelled
from tenant_apps.attendance.scans import Scan, Verdict
from tenant_apps.attendance.selection import window_of
from tenant_apps.classes.models import ClassSession
from tenant_apps.students.locking import lock_student
from tenant_apps.students.models import Student
from tenant_apps.students.services import AlreadyVoided


@transaction.atomic
def record_by_hand(
    *,
    student: Student,
    session: ClassSession,
    checked_in_at: datetime | None,
    late: bool | None,
    by: User,
    now: datetime,
) -> Answer:
    """Record an attendance whatever window, capacity, enrolment and rank say; answer like a scan.

    Without `checked_in_at`: the start of a session that is over, else now. Twice, or at once, gives the first one.
    Raises `SessionCancelled`; `NotFound` if the student was erased meanwhile.
    """
    if session.is_cancelled:
        raise SessionCancelled
    moment = checked_in_at or (session.starts_at if session.ends_at <= now else now)
    facts = gather(Wanted(students=[student.pk], sessions=[session.pk]))
    person = facts.people.get(student.pk)
    if person is None:
        raise NotFound
    visit = Visit(
        student=student.pk,
        session=session.pk,
        at=moment,
        method=Attendance.Method.MANUAL,
        late=late if late is not None else moment >= window_of(session, facts.settings).late_from,
    )
    verdict = Verdict(Scan(token="", scanned_at=moment), person=person, session=session, visit=visit)
    verdict.alerts = alerts_about(person, session, facts)
    rows = facts.standing or record([visit], user=by.pk, device=None, now=now)
    row, scanner = rows[verdict.pair], scanner_of(by)
    today = clock.local_date(now, current_tenant().timezone)
    return answer_of(verdict, row, is_new=row.is_new, scanner=scanner, today=today)


@transaction.atomic
def void(*, attendance: Attendance, reason: str, by: User, only_own: bool, now: datetime) -> None:
    """Strike an attendance out, with a reason; the row stays and no longer counts.

    Raises `AlreadyVoided`; `NotYours` where the caller may void only what he recorded himself today; `NotFound` if the
    student was erased: what she has left is counted, and nothing is written beside it.
    """
    zone = current_tenant().timezone
    is_of_today = clock.local_date(attendance.created_at, zone) == clock.local_date(now, zone)
    if only_own and not (attendance.recorded_by_id == by.pk and is_of_today):
        raise NotYours
    lock_student(attendance.student_id)
    values = {"voided_at": now, "voided_by": by, "void_reason": reason, "updated_at": now}
    if not Attendance.objects.standing().filter(pk=attendance.pk).update(**values):
        raise AlreadyVoided
    for field, value in values.items():
        setattr(attendance, field, value)


@transaction.atomic
def valid_card(*, student: Student) -> Card:
    """Return a student's card, which is made when it is first asked for. Two at once get the same.

    Raises `NotFound` if she was erased meanwhile.
    """
    lock_student(student.pk)
    card = Card.objects.filter(student=student, revoked_at__isnull=True).first()
    return card or Card.objects.create(student=student, code=secrets.token_bytes(16))


@transaction.atomic
def reissue_card(*, student: Student, now: datetime) -> Card:
    """Revoke a student's card and return a new one. Raises `NotFound` if she was erased meanwhile."""
    lock_student(student.pk)
    revoke_card(student=student, now=now)
    return Card.objects.create(student=student, code=secrets.token_bytes(16))


def revoke_card(*, student: Student, now: datetime) -> None:
    """Revoke a student's card; where there is none nothing changes."""
    Card.objects.filter(student=student, revoked_at__isnull=True).update(revoked_at=now, updated_at=now)
