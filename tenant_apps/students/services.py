"""Create and change students, read them with their ranks, and link them with users."""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Count, Prefetch, Q

from shared_apps.accounts.models import User
from tatami.errors import NotFound
from tatami.usage import Figures
from tenant_apps.students.errors import ExternalIdTaken
from tenant_apps.students.guardians import set_guardians
from tenant_apps.students.models import RankEvent, Student, StudentGuardian, StudentQuerySet, StudentUser
from tenant_apps.students.queries import lock_students


def new_check_in_id() -> bytes:
    """Return a new id for the check-in codes of a student: 16 random bytes."""
    return secrets.token_bytes(16)


def with_details(students: StudentQuerySet, *, as_of: date) -> StudentQuerySet:
    """Return students with their status on a local date, and their guardians (one more statement)."""
    links = Prefetch("guardian_links", StudentGuardian.objects.select_related("guardian"))
    return students.with_status(as_of).prefetch_related(links)


def attach_current_ranks(students: Sequence[Student], *, as_of: date) -> None:
    """Set `current_ranks` of each student: the rank events in force on a local date. One statement for all."""
    held: dict[UUID, list[RankEvent]] = {student.pk: [] for student in students}
    if students:
        for event in RankEvent.objects.current(students=list(held), as_of=as_of):
            held[event.student_id].append(event)
    for student in students:
        student.current_ranks = held[student.pk]  # type: ignore[attr-defined]


def count_students(_: datetime) -> Figures:
    """Count all students, with archived ones, and those whose stored status is active. One statement."""
    is_active = Q(archived_at__isnull=True, status=Student.Status.ACTIVE)
    found: Figures = Student.objects.aggregate(
        students_all=Count("pk"), students_active=Count("pk", filter=is_active)
    )
    return found


@transaction.atomic
def create_student(*, values: Mapping[str, Any]) -> Student:
    """Create a student. Raises `ExternalIdTaken`; `Invalid` for an unknown guardian."""
    fields, guardians = _split(values)
    student = Student(**fields, check_in_id=new_check_in_id())
    _save(student)
    if guardians is not None:
        set_guardians(student, guardians)
    return student


@transaction.atomic
def change_student(*, student: Student, changes: Mapping[str, Any]) -> Student:
    """Change a student; `guardians` replaces the whole list. Raises `ExternalIdTaken`, `Invalid`."""
    fields, guardians = _split(changes)
    for field, value in fields.items():
        setattr(student, field, value)
    _save(student)
    if guardians is not None:
        set_guardians(student, guardians)
    return student


@transaction.atomic
def link_user(*, user: User, students: Iterable[Student]) -> None:
    """Link a user with exactly these students. Raises `NotFound` if one of them was erased."""
    wanted = {student.pk for student in students}
    if lock_students(wanted) != wanted:
        raise NotFound
    StudentUser.objects.filter(user=user).delete()
    StudentUser.objects.bulk_create([StudentUser(user=user, student_id=student) for student in wanted])


def _split(values: Mapping[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]] | None]:
    """Return the fields of the student, and the guardians if they are given."""
    fields = dict(values)
    return fields, fields.pop("guardians", None)


def _save(student: Student) -> None:
    student.set_search_name()
    try:
        with transaction.atomic():
            student.save()
    except IntegrityError as violation:
        if "student_external_id_once" in str(violation):
            raise ExternalIdTaken from None
        raise
