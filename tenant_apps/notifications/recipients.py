"""Who receives mail about a student: an adult student, or the guardians of a minor. Each address once.

Also the students of an audience that staff select.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import chain
from typing import Any, Final
from uuid import UUID

from tatami.text import email_key
from tenant_apps.dojo.dates import LeapDayBirthday
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.notifications.addresses import is_deliverable
from tenant_apps.notifications.email_messages import MAX_CERTIFICATES
from tenant_apps.promotions.student_filters import filter_students
from tenant_apps.ranks.civil_dates import full_age
from tenant_apps.students.events import Notice
from tenant_apps.students.models import Guardian, Status, Student, StudentGuardian, StudentQuerySet

AGE_OF_MAJORITY: Final = 18


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
    """Return the students of a validated audience, with their status on a local date."""
    if "students" in audience:
        return list(audience["students"])
    status = audience.get("status", Status.ACTIVE)
    if status == Status.ACTIVE:
        return filter_students(audience, on=on)
    students: StudentQuerySet = Student.objects.not_archived().with_status(on).filter(shown_status=status)
    return students


def deliveries_for(notices: Sequence[Notice], *, settings: DojoSettings, on: date) -> list[NewDelivery]:
    """Return the deliveries for notices, in the order of the notices. Two statements.

    The students stay locked until the transaction ends, so that an erasure waits and then finds the deliveries.

    Archived and erased students are left out. If no one can be reached about a student, there is a delivery without an
    address. An address gets one delivery, and further ones if it would have too many certificates.
    """
    ids = {notice.student for notice in notices}
    students = _lock_students(Student.objects.not_archived().filter(pk__in=ids)) if ids else {}
    guardians = _guardians(students)
    leap_day = LeapDayBirthday(settings.leap_day_birthday)
    by_address: dict[str, list[NewDelivery]] = {}
    unreachable: dict[UUID, NewDelivery] = {}
    for notice in notices:
        student = students.get(notice.student)
        if student is None:
            continue
        values = _values(student, notice)
        recipients = list(_recipients(student, guardians.get(student.pk, ()), on, leap_day))
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
    age = full_age(student.birth_date, on, leap_day) if student.birth_date else None
    reachable = [
        NewDelivery(one.name, one.email, guardian_id=one.pk) for one in guardians if is_deliverable(one.email)
    ]
    if age is not None and age >= AGE_OF_MAJORITY:
        reachable = []
    yield from reachable
    may_be_adult = age is None or age >= AGE_OF_MAJORITY
    if not reachable and may_be_adult and is_deliverable(student.email):
        yield NewDelivery(student.name, student.email)


def _guardians(students: Mapping[UUID, Student]) -> dict[UUID, list[Guardian]]:
    links = StudentGuardian.objects.filter(student__in=list(students)).select_related("guardian")
    found: dict[UUID, list[Guardian]] = {}
    for link in links.order_by("created_at", "pk"):
        found.setdefault(link.student_id, []).append(link.guardian)
    return found
