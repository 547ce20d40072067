"""Create and change students, read them with their ranks, and link them with users."""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db import IntegrityError, connection, transaction
from django.db.models import Count, OuterRef, Prefetch, Q
from django.utils.translation import gettext

from shared_apps.accounts.models import User
from shared_apps.webhooks.events import publish
from tatami.errors import Invalid, NotFound
from tatami.text import normalise
from tatami.usage import Figures
from tenant_apps.dojo.models import NameOrder
from tenant_apps.dojo.services import lock_name_order
from tenant_apps.students.errors import ExternalIdTaken
from tenant_apps.students.guardians import set_guardians
from tenant_apps.students.models import (
    RankEvent,
    Student,
    StudentGuardian,
    StudentQuerySet,
    StudentUser,
    full_name,
)
from tenant_apps.students.queries import lock_students

_RENAME: Final = """
UPDATE students_student s SET family_first = %s, search_name = renamed.name, updated_at = %s
FROM unnest(%s::uuid[], %s::text[]) AS renamed(id, name) WHERE s.id = renamed.id
"""


def new_check_in_id() -> bytes:
    """Return a new id for the check-in codes of a student: 16 random bytes."""
    return secrets.token_bytes(16)


def with_details(students: StudentQuerySet, *, as_of: date) -> StudentQuerySet:
    """Return students with their status on a local date, and their guardians (one more statement)."""
    links = Prefetch("guardian_links", StudentGuardian.objects.select_related("guardian"))
    return students.with_status(as_of).prefetch_related(links)


def with_held_ranks(students: StudentQuerySet, *, as_of: date) -> StudentQuerySet:
    """Add the alias `held_ranks`: the ids of the ranks that a student holds on a local date, to filter by them."""
    held = RankEvent.objects.filter(student=OuterRef("pk")).held(as_of=as_of)
    return students.alias(held_ranks=ArraySubquery(held.values("rank")))


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
    student.set_name_order(lock_name_order())
    _save(student)
    if guardians is not None:
        set_guardians(student, guardians)
    publish("student.created", [{"id": student.pk}])
    return student


@transaction.atomic
def change_student(*, student: Student, changes: Mapping[str, Any]) -> Student:
    """Change a student; `guardians` replaces the whole list.

    Raises `ExternalIdTaken`; `Invalid` for an unknown guardian, or a birth date after the student received a rank.

    Lock the student before, and before that the order of names (`lock_name_order`) if `name_order` changes.
    """
    fields, guardians = _split(changes)
    if born_on := fields.get("birth_date"):
        _refuse_birth_after_ranks(student, born_on)
    for field, value in fields.items():
        setattr(student, field, value)
    if "name_order" in fields:
        student.set_name_order(lock_name_order())
    _save(student)
    if guardians is not None:
        set_guardians(student, guardians)
    publish("student.updated", [{"id": student.pk}])
    return student


@transaction.atomic
def apply_name_order(order: NameOrder, now: datetime) -> None:
    """Write the names of the students without an order of their own in this order. Two statements.

    Concurrent changes of a student wait. Repeating the call changes nothing.
    """
    is_family_first = order == NameOrder.FAMILY_FIRST
    rows = Student.objects.filter(name_order__isnull=True, family_first=not is_family_first).locked()
    names = {
        key: normalise(full_name(first, last, is_family_first))
        for key, first, last in rows.values_list("pk", "first_name", "last_name")
    }
    if names:
        with connection.cursor() as cursor:
            cursor.execute(_RENAME, [is_family_first, now, list(names), list(names.values())])


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


def _refuse_birth_after_ranks(student: Student, born_on: date) -> None:
    ranks = RankEvent.objects.not_voided().filter(student=student)
    if ranks.filter(effective_on__lt=born_on).exists():
        raise Invalid.field("birth_date", gettext("The student received a rank before this day."))


def _save(student: Student) -> None:
    student.set_search_name()
    try:
        with transaction.atomic():
            student.save()
    except IntegrityError as violation:
        if "student_external_id_once" in str(violation):
            raise ExternalIdTaken from None
        raise
