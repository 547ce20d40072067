"""Writing down who trains here."""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Prefetch

from shared_apps.accounts.models import User
from tatami.errors import NotFound
from tenant_apps.students.errors import AlreadyVoided, ExternalIdTaken
from tenant_apps.students.guardians import set_guardians
from tenant_apps.students.locking import lock_students
from tenant_apps.students.models import RankEvent, Student, StudentGuardian, StudentQuerySet, StudentUser

__all__ = [
    "AlreadyVoided",
    "attach_current_ranks",
    "change_student",
    "create_student",
    "link_user",
    "new_check_in_id",
    "with_details",
]


def new_check_in_id() -> bytes:
    """Return what a student's codes will say: random, and nothing about her."""
    return secrets.token_bytes(16)


def with_details(students: StudentQuerySet, *, as_of: date) -> StudentQuerySet:
    """Return `students` with their status on a local date; listing their guardians costs one statement more."""
    links = Prefetch("guardian_links", StudentGuardian.objects.select_related("guardian"))
    return students.with_status(as_of).prefetch_related(links)


def attach_current_ranks(students: Sequence[Student], *, as_of: date) -> None:
    """Give each of `students` its `current_ranks` on a local date. One statement, whatever their number."""
    held: dict[UUID, list[RankEvent]] = {student.pk: [] for student in students}
    if students:
        for event in RankEvent.objects.current(students=list(held), as_of=as_of):
            held[event.student_id].append(event)
    for student in students:
        student.current_ranks = held[student.pk]  # type: ignore[attr-defined]


@transaction.atomic
def create_student(*, values: Mapping[str, Any]) -> Student:
    """Create a student. Raises `ExternalIdTaken`; `Invalid` for an unknown guardian."""
    own, guardians = _apart(values)
    student = Student(**own, check_in_id=new_check_in_id())
    _save(student)
    if guardians is not None:
        set_guardians(student, guardians)
    return student


@transaction.atomic
def change_student(*, student: Student, changes: Mapping[str, Any]) -> Student:
    """Change a student; `guardians` are replaced whole. Raises `ExternalIdTaken`, `Invalid`."""
    own, guardians = _apart(changes)
    for field, value in own.items():
        setattr(student, field, value)
    _save(student)
    if guardians is not None:
        set_guardians(student, guardians)
    return student


@transaction.atomic
def link_user(*, user: User, students: Iterable[Student]) -> None:
    """Let a user speak for exactly these students. Raises `NotFound` if one of them was erased meanwhile."""
    wanted = {student.pk for student in students}
    if lock_students(wanted) != wanted:
        raise NotFound
    StudentUser.objects.filter(user=user).delete()
    StudentUser.objects.bulk_create([StudentUser(user=user, student_id=student) for student in wanted])


def _apart(values: Mapping[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]] | None]:
    own = dict(values)
    return own, own.pop("guardians", None)


def _save(student: Student) -> None:
    student.set_search_name()
    try:
        with transaction.atomic():
            student.save()
    except IntegrityError as violation:
        if "student_external_id_once" in str(violation):
            raise ExternalIdTaken from None
        raise
