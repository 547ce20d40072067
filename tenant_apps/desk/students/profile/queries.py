"""What the profile of a student shows and the API does not offer."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db.models import Count

from shared_apps.accounts.models import User
from tenant_apps.attendance.models import Attendance
from tenant_apps.classes.models import Enrolment
from tenant_apps.students.models import Student, StudentUser


def visits_by_day(student: UUID, *, first: date, last: date) -> Mapping[date, int]:
    """Return how many sessions a student attended on each local date, without the days of none. One statement."""
    rows = (
        Attendance.objects.not_voided()
        .filter(student=student, class_session__local_date__range=(first, last))
        .values("class_session__local_date")
        .annotate(visits=Count("pk"))
    )
    return dict(rows.order_by("class_session__local_date").values_list("class_session__local_date", "visits"))


def enrolments(student: UUID) -> Sequence[Enrolment]:
    """Return the enrolments in force, with their classes, by name. One statement."""
    rows = Enrolment.objects.filter(student=student, training_class__archived_at__isnull=True)
    return list(rows.select_related("training_class").order_by("training_class__name", "pk"))


def linked_users(student: UUID) -> Sequence[User]:
    """Return the users who are linked with a student: themselves or their parents. One statement."""
    links = StudentUser.objects.filter(student=student, user__archived_at__isnull=True)
    return [link.user for link in links.select_related("user").order_by("user__name", "pk")]


def namesakes(student: Mapping[str, Any]) -> Sequence[Student]:
    """Return the students who may be the same person as this one of the API, not archived. One statement."""
    born = student["birth_date"]
    others = Student.objects.not_archived().exclude(pk=student["id"])
    born_on = date.fromisoformat(born) if born else None
    found: list[Student] = others.namesakes(student["first_name"], student["last_name"], born_on=born_on)
    return found


def own_records(student: UUID, by: User, now: datetime) -> set[str]:
    """Return the ids of the attendances that a user recorded today: those that an assistant may void. One statement."""
    rows = Attendance.objects.recorded_by(by, now).filter(student=student)
    return {str(key) for key in rows.values_list("pk", flat=True)}
