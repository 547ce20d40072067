"""Classes and enrolments: making them, changing them for the days to come, putting them away."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db import transaction

from shared_apps.accounts.models import User
from tatami.errors import Invalid
from tenant_apps.classes.from_class import local
from tenant_apps.classes.materialise import horizon, materialise, remake
from tenant_apps.classes.models import ClassInstructor, ClassSession, Enrolment, TrainingClass
from tenant_apps.students.locking import lock_student
from tenant_apps.students.models import Student

FURTHEST: Final = timedelta(days=400)
"""How far ahead sessions are made on demand."""


@transaction.atomic
def create_class(*, values: Mapping[str, Any], instructors: Iterable[User], now: datetime) -> TrainingClass:
    """Create a class and its sessions from the recurrence's first day to the horizon."""
    training_class: TrainingClass = TrainingClass.objects.create(**values)
    _set_instructors(training_class, instructors)
    materialise(until=horizon(now), now=now, only=[training_class])
    return training_class


@transaction.atomic
def change_class(
    *,
    training_class: TrainingClass,
    changes: Mapping[str, Any],
    instructors: Iterable[User] | None,
    apply_from: date | None,
    now: datetime,
) -> TrainingClass:
    """Change a class. Sessions before `apply_from` (default: today there), or with attendance, stay as they are.

    Days before `apply_from` that have no sessions yet are given them by the rule that held until now. Two changes at
    once take turns. Raises `Invalid` for an `apply_from` further ahead than sessions are planned.
    """
    first = apply_from or local(now)
    _refuse_beyond(first, "apply_from", now=now)
    materialise(until=max(first - timedelta(days=1), local(now)), now=now, only=[training_class])
    changed: TrainingClass = TrainingClass.objects.select_for_update(no_key=True).get(pk=training_class.pk)
    for field, value in changes.items():
        setattr(changed, field, value)
    changed.save()
    if instructors is not None:
        _set_instructors(changed, instructors)
    if not changed.is_archived:
        remake([changed], first=first)
        materialise(until=horizon(now), now=now, only=[changed])
    return changed


@transaction.atomic
def archive_class(*, training_class: TrainingClass, now: datetime) -> None:
    """Put a class away: sessions to come go with it, but for those that were attended, moved or cancelled."""
    training_class.archive(now=now)
    to_come = ClassSession.objects.filter(
        training_class=training_class, starts_at__gt=now, status=ClassSession.Status.SCHEDULED
    ).exclude(set_by_hand__contains=["starts_at"])
    keys = [row.pk for row in to_come.select_for_update().order_by("pk")]
    ClassSession.objects.filter(pk__in=keys).exclude(attendances__isnull=False).delete()


def ensure_sessions_until(last: date, *, now: datetime) -> None:
    """Make sessions up to the local date `last`, as far ahead as that is sensible. Raises `Invalid` beyond."""
    _refuse_beyond(last, "to", now=now)
    materialise(until=max(last, local(now)), now=now)


@transaction.atomic
def enrol(*, training_class: TrainingClass, student: Student) -> tuple[Enrolment, bool]:
    """Expect a student at a class; say whether that is new. Twice, or at once, changes nothing.

    Raises `NotFound` if she was erased meanwhile.
    """
    lock_student(student.pk)
    return Enrolment.objects.get_or_create(training_class=training_class, student=student)


def _refuse_beyond(day: date, field: str, *, now: datetime) -> None:
    if day > local(now) + FURTHEST:
        raise Invalid.field(field, f"Sessions are planned {FURTHEST.days} days ahead at most.")


def _set_instructors(training_class: TrainingClass, instructors: Iterable[User]) -> None:
    ClassInstructor.objects.filter(training_class=training_class).delete()
    ClassInstructor.objects.bulk_create(
        [ClassInstructor(training_class=training_class, user=user) for user in instructors]
    )
