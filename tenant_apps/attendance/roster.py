"""The roster of one session: who is expected, who was there; and saving it whole."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction

from shared_apps.accounts.models import User
from tatami.api.filters import start_of_day
from tatami.tenancy.scope import current_tenant
from tenant_apps.attendance.errors import NotYours
from tenant_apps.attendance.models import Attendance
from tenant_apps.attendance.refusals import SessionCancelled
from tenant_apps.classes.from_class import local
from tenant_apps.classes.models import ClassSession, Enrolment
from tenant_apps.students.models import Student

PRESENT: Final = "present"
LATE: Final = "late"
ABSENT: Final = "absent"
EXPECTED: Final = "expected"
MARKED_ABSENT: Final = "Marked absent on the roster."


@dataclass(frozen=True, slots=True)
class Line:
    """One student on the roster. `attendance` is the one that stands, if any."""

    student: Student
    state: str
    is_enrolled: bool
    attendance: Attendance | None


def roster_of(session: ClassSession, *, now: datetime) -> list[Line]:
    """Return the roster by name: the enrolled who are not on hold that day, and whoever was there. Two statements.

    Without attendance an enrolled student is expected until the session is over, and absent then. At a cancelled
    session nobody is expected. Who is enrolled is asked as of today: when somebody was enrolled or left is not kept.
    """
    enrolled: set[UUID] = set()
    students: dict[UUID, Student] = {}
    if session.training_class_id and not session.is_cancelled:
        enrolments = Enrolment.objects.expected(on=session.local_date).filter(
            training_class=session.training_class_id
        )
        students = {row.student_id: row.student for row in enrolments.select_related("student")}
        enrolled = set(students)
    standing = Attendance.objects.standing().filter(class_session=session).select_related("student")
    present = {row.student_id: row for row in standing}
    students.update({key: row.student for key, row in present.items()})
    without = ABSENT if session.ends_at <= now else EXPECTED

    def line(student: Student) -> Line:
        row = present.get(student.pk)
        state = without if row is None else LATE if row.late else PRESENT
        return Line(student, state, student.pk in enrolled, row)

    return [line(one) for one in sorted(students.values(), key=lambda one: (one.search_name, one.pk))]


@transaction.atomic
def save_roster(
    *,
    session: ClassSession,
    states: Mapping[UUID, str],
    reason: str,
    by: User,
    only_own: bool,
    now: datetime,
) -> None:
    """Make the attendance of a session what `states` (student id → present, late, absent) say; others stay.

    Absent voids with `reason`; the row stays and no longer counts. Ignores window, capacity, enrolment and rank, as
    recording by hand does. Saving the same again changes nothing. Two at once, or one beside scans: the session is
    locked, and the constraint `attendance_once` lets one attendance stand, which then takes the state said here.
    Five statements at most, whatever their number, one more where it is cancelled. Raises `NotYours` where the caller
    may void only what he recorded himself today, and somebody else's attendance would be voided; `SessionCancelled`
    where somebody would be added to a cancelled session, whose roster may still be corrected: then nothing is saved.
    Call it with the students locked.
    """
    locked = ClassSession.objects.select_for_update(no_key=True, of=("self",)).get(pk=session.pk)
    here = sorted(key for key, state in states.items() if state != ABSENT)
    if locked.is_cancelled:
        _refuse_more(session, here)
    late = [key for key in here if states[key] == LATE]
    gone = [key for key, state in states.items() if state == ABSENT]
    if gone:
        _void(session, gone, reason=reason or MARKED_ABSENT, by=by, only_own=only_own, now=now)
    moment = session.starts_at if session.ends_at <= now else now
    values: dict[str, Any] = {"class_session": session, "checked_in_at": moment, "recorded_by": by}
    rows = [
        Attendance(
            student_id=key, method=Attendance.Method.MANUAL, late=key in late, created_at=now, **values
        )
        for key in here
    ]
    Attendance.objects.bulk_create(rows, ignore_conflicts=True)
    _set_late(session, late, is_late=True, now=now)
    _set_late(session, [key for key in here if states[key] == PRESENT], is_late=False, now=now)


def _refuse_more(session: ClassSession, students: list[UUID]) -> None:
    """Raise `SessionCancelled`, naming those of `students` who have no attendance there."""
    standing = Attendance.objects.standing().filter(class_session=session, student__in=students)
    more = set(students) - set(standing.values_list("student", flat=True))
    if more:
        raise SessionCancelled(details={"students": sorted(map(str, more))})


def _set_late(session: ClassSession, students: list[UUID], *, is_late: bool, now: datetime) -> None:
    if students:
        rows = Attendance.objects.standing().filter(class_session=session, student__in=students)
        rows.exclude(late=is_late).update(late=is_late, updated_at=now)


def _void(
    session: ClassSession, students: list[UUID], *, reason: str, by: User, only_own: bool, now: datetime
) -> None:
    rows = Attendance.objects.standing().filter(class_session=session, student__in=students)
    if only_own:
        zone, today = ZoneInfo(current_tenant().timezone), local(now)
        own = rows.filter(
            recorded_by=by,
            created_at__gte=start_of_day(today, zone),
            created_at__lt=start_of_day(today + timedelta(days=1), zone),
        )
        others = rows.exclude(pk__in=own.values("pk")).values_list("student", flat=True)
        refused = sorted(map(str, others))
        if refused:
            raise NotYours(details={"students": refused})
    rows.update(voided_at=now, voided_by=by, void_reason=reason, updated_at=now)
