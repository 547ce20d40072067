"""Who receives mail about a student: an adult student, or the guardians of a minor. Each address once.

Also the students of an audience that staff select.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import chain
from typing import Any, Final
from uuid import UUID

from django.db.models import Q

from tatami.text import email_key
from tenant_apps.attendance.models import Attendance
from tenant_apps.classes.expectations import expected_students
from tenant_apps.dojo.dates import LeapDayBirthday
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.notifications.addresses import is_deliverable
from tenant_apps.notifications.email_messages import MAX_CERTIFICATES
from tenant_apps.promotions.models import Candidate
from tenant_apps.promotions.student_filters import meeting
from tenant_apps.ranks.civil_dates import full_age
from tenant_apps.students.events import Notice
from tenant_apps.students.models import Guardian, Status, Student, StudentGuardian, StudentQuerySet

AGE_OF_MAJORITY: Final = 18

AUDIENCE_STATUSES: Final = (Status.ACTIVE, Status.TRIAL, Status.ON_HOLD)
"""The students that an audience may have."""


@dataclass(slots=True)
class NewDelivery:
    """A delivery that is not stored yet: the recipient, and the template values of each student it is about.

    An empty `address` means that no one can be reached.
    """

    recipient: str
    address: str = ""
    guardian_id: UUID | None = None
    students: list[dict[str, Any]] = field(default_factory=list)

    @property
    def student_ids(self) -> list[UUID]:
        """Return the distinct students it is about; none for a test, whose student is made up."""
        return list(dict.fromkeys(UUID(one["id"]) for one in self.students if "id" in one))

    def has_room_for(self, values: Mapping[str, Any]) -> bool:
        """Return whether the student's certificate, if there is one, fits into this e-mail."""
        if "certificate" not in values:
            return True
        return sum("certificate" in one for one in self.students) < MAX_CERTIFICATES


def students_in(audience: Mapping[str, Any], *, on: date) -> StudentQuerySet | list[Student]:
    """Return the students of a validated audience, with their status on a local date.

    Those who are named, one by one, as candidates of an exam or as expected or present at a session, may be on trial or
    on hold; otherwise only if the audience asks for that status.
    """
    if "students" in audience:
        return list(audience["students"])
    is_named = "exam" in audience or "class_session" in audience
    statuses = list(AUDIENCE_STATUSES) if is_named else [Status.ACTIVE]
    if "status" in audience:
        statuses = [audience["status"]]
    students = Student.objects.not_archived().with_status(on).filter(shown_status__in=statuses)
    if "exam" in audience:
        students = students.filter(pk__in=Candidate.objects.filter(exam=audience["exam"]).values("student"))
    if "class_session" in audience:
        session = audience["class_session"]
        present = Attendance.objects.not_voided().filter(class_session=session)
        expected = expected_students(session=session.pk)
        students = students.filter(Q(pk__in=expected.values("pk")) | Q(pk__in=present.values("student")))
    return meeting(students, audience, on=on)


def deliveries_for(
    notices: Sequence[Notice], *, settings: DojoSettings, on: date, guardians_only: bool = False
) -> list[NewDelivery]:
    """Return the deliveries for notices, in the order of the notices. Two statements.

    The students stay locked until the transaction ends, so that an erasure waits and then finds the deliveries.

    Archived and erased students are left out. If no one can be reached about a student, there is a delivery without an
    address. An address gets one delivery, and further ones if it would have too many certificates.

    With `guardians_only`, no mail goes to a student, and adult students are left out.
    """
    ids = {notice.student for notice in notices}
    students = _lock_students(Student.objects.not_archived().filter(pk__in=ids)) if ids else {}
    guardians = _guardians(students)
    leap_day = LeapDayBirthday(settings.leap_day_birthday)
    by_address: dict[str, list[NewDelivery]] = {}
    unreachable: dict[UUID, NewDelivery] = {}
    for notice in notices:
        student = students.get(notice.student)
        if student is None or (guardians_only and _is_adult(student, on, leap_day)):
            continue
        values = _values(student, notice)
        recipients = [
            one
            for one in _recipients(student, guardians.get(student.pk, ()), on, leap_day)
            if one.guardian_id or not guardians_only
        ]
        for recipient in recipients:
            deliveries = by_address.setdefault(email_key(recipient.address), [recipient])
            if not deliveries[-1].has_room_for(values):
                deliveries.append(recipient)
            deliveries[-1].students.append(values)
        if not recipients:
            unreachable.setdefault(student.pk, NewDelivery(student.name)).students.append(values)
    return [*chain.from_iterable(by_address.values()), *unreachable.values()]


def _lock_students(students: StudentQuerySet) -> dict[UUID, Student]:
    """Return students by id, locked in key order, without those that were erased in the meantime. One statement.

    FOR KEY SHARE, which Django does not support, is the weakest lock that an erasure waits for. Promotions and
    check-ins do not wait for it.
    """
    sql, params = students.order_by("pk").query.sql_with_params()
    return {student.pk: student for student in Student.objects.raw(f"{sql} FOR KEY SHARE", params)}


def _values(student: Student, notice: Notice) -> dict[str, Any]:
    certificate = {"certificate": str(notice.certificate)} if notice.certificate else {}
    return {**notice.values, "id": str(student.pk), "name": student.name, **certificate}


def _recipients(
    student: Student, guardians: Iterable[Guardian], on: date, leap_day: LeapDayBirthday
) -> Iterator[NewDelivery]:
    """Yield the recipients for a student. Without a birth date the student may be a minor: guardians come first."""
    is_adult = _is_adult(student, on, leap_day)
    reachable = [
        NewDelivery(one.name, one.email, guardian_id=one.pk) for one in guardians if is_deliverable(one.email)
    ]
    if is_adult:
        reachable = []
    yield from reachable
    may_be_adult = is_adult is not False
    if not reachable and may_be_adult and is_deliverable(student.email):
        yield NewDelivery(student.name, student.email)


def _is_adult(student: Student, on: date, leap_day: LeapDayBirthday) -> bool | None:
    """Return whether a student is of age on a local date; None without a birth date."""
    if student.birth_date is None:
        return None
    return full_age(student.birth_date, on, leap_day) >= AGE_OF_MAJORITY


def _guardians(students: Mapping[UUID, Student]) -> dict[UUID, list[Guardian]]:
    links = StudentGuardian.objects.filter(student__in=list(students)).select_related("guardian")
    found: dict[UUID, list[Guardian]] = {}
    for link in links.order_by("created_at", "pk"):
        found.setdefault(link.student_id, []).append(link.guardian)
    return found
