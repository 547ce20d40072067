"""Attendance by hand, its correction, and cards."""

import secrets
from datetime import datetime

from django.db import transaction

from shared_apps.accounts.models import User
from tatami import clock
from tatami.tenancy.scope import current_tenant
from tenant_apps.attendance.checkin import Outcome, record_attendance, window_of
from tenant_apps.attendance.errors import NotYours
from tenant_apps.attendance.models import Attendance, Card
from tenant_apps.classes.models import ClassSession
from tenant_apps.dojo.models import DojoSettings
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
) -> Outcome:
    """Record an attendance whatever window, capacity, enrolment and rank say.

    Without `checked_in_at`: the start of a session that is over, else now. Twice gives the first attendance.
    """
    moment = checked_in_at or (session.starts_at if session.ends_at <= now else now)
    is_late = late if late is not None else moment >= window_of(session, DojoSettings.current()).late_from
    row, is_new = record_attendance(
        student=student,
        session=session,
        method=Attendance.Method.MANUAL,
        checked_in_at=moment,
        late=is_late,
        recorded_by=by,
        now=now,
    )
    return Outcome(attendance=row, is_new=is_new, student=student, session=session)


@transaction.atomic
def void(*, attendance: Attendance, reason: str, by: User, only_own: bool, now: datetime) -> None:
    """Strike an attendance out, with a reason; the row stays and no longer counts.

    Raises `AlreadyVoided`; `NotYours` where the caller may void only what he recorded himself today.
    """
    zone = current_tenant().timezone
    is_of_today = clock.local_date(attendance.created_at, zone) == clock.local_date(now, zone)
    if only_own and not (attendance.recorded_by_id == by.pk and is_of_today):
        raise NotYours
    values = {"voided_at": now, "voided_by": by, "void_reason": reason, "updated_at": now}
    if not Attendance.objects.standing().filter(pk=attendance.pk).update(**values):
        raise AlreadyVoided
    for field, value in values.items():
        setattr(attendance, field, value)


@transaction.atomic
def valid_card(*, student: Student) -> Card:
    """Return a student's card, which is made when it is first asked for. Two at once get the same."""
    Student.objects.select_for_update().get(pk=student.pk)
    card = Card.objects.filter(student=student, revoked_at__isnull=True).first()
    return card or Card.objects.create(student=student, code=secrets.token_bytes(16))


@transaction.atomic
def reissue_card(*, student: Student, now: datetime) -> Card:
    """Revoke a student's card and return a new one."""
    Student.objects.select_for_update().get(pk=student.pk)
    revoke_card(student=student, now=now)
    return Card.objects.create(student=student, code=secrets.token_bytes(16))


def revoke_card(*, student: Student, now: datetime) -> None:
    """Revoke a student's card; where there is none nothing changes."""
    Card.objects.filter(student=student, revoked_at__isnull=True).update(revoked_at=now, updated_at=now)
