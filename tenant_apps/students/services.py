"""Writing down who trains here."""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from shared_apps.accounts.models import User
from tatami.errors import DomainError, Invalid
from tenant_apps.ranks.models import Rank
from tenant_apps.students.models import (
    Guardian,
    RankEvent,
    Student,
    StudentFact,
    StudentGuardian,
    StudentQuerySet,
    StudentUser,
)


class ExternalIdTaken(DomainError):
    """Another student has this external id."""


class AlreadyRecorded(DomainError):
    """This line stands in the rank history already."""


class AlreadyVoided(DomainError):
    """This was voided before."""

    code = "already_voided"


class NotForOneself(DomainError):
    """Nobody changes his own ranks."""

    code = "permission_denied"
    status = 403


def with_details(students: StudentQuerySet) -> StudentQuerySet:
    """Return `students` so that listing them with their guardians costs one more statement."""
    return students.prefetch_related("guardian_links__guardian")


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
    student = Student(**own, check_in_id=secrets.token_bytes(16))
    _save(student)
    if guardians is not None:
        _set_guardians(student, guardians)
    return student


@transaction.atomic
def change_student(*, student: Student, changes: Mapping[str, Any]) -> Student:
    """Change a student; `guardians` are replaced whole. Raises `ExternalIdTaken`, `Invalid`."""
    own, guardians = _apart(changes)
    for field, value in own.items():
        setattr(student, field, value)
    _save(student)
    if guardians is not None:
        _set_guardians(student, guardians)
    return student


@transaction.atomic
def link_user(*, user: User, students: Iterable[Student]) -> None:
    """Let a user speak for exactly these students."""
    StudentUser.objects.filter(user=user).delete()
    StudentUser.objects.bulk_create([StudentUser(user=user, student=student) for student in students])


@transaction.atomic
def record_rank_event(
    *,
    student: Student,
    rank: Rank,
    kind: str,
    effective_on: date,
    recorded_by: User,
    note: str = "",
) -> RankEvent:
    """Add a line to a student's rank history. Raises `NotForOneself`; `AlreadyRecorded` for the same line twice."""
    _refuse_own(student, recorded_by)
    event = RankEvent(
        student=student,
        system=rank.system,
        rank=rank,
        kind=kind,
        effective_on=effective_on,
        recorded_by=recorded_by,
        note=note,
    )
    try:
        with transaction.atomic():
            event.save()
    except IntegrityError as violation:
        if "rank_event_once" in str(violation):
            raise AlreadyRecorded from None
        raise
    return event


@transaction.atomic
def void(*, row: RankEvent | StudentFact, reason: str, by: User, now: datetime) -> None:
    """Strike a line out, with a reason; it stays readable. Raises `AlreadyVoided`, `NotForOneself`."""
    if isinstance(row, RankEvent):
        _refuse_own(row.student, by)
    values = {"voided_at": now, "voided_by": by, "void_reason": reason, "updated_at": now}
    # Of two at once one finds the row standing.
    if not type(row).objects.filter(pk=row.pk, voided_at__isnull=True).update(**values):
        raise AlreadyVoided
    row.refresh_from_db()


def _refuse_own(student: Student, user: User) -> None:
    if StudentUser.objects.filter(student=student, user=user).exists():
        raise NotForOneself


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


def _set_guardians(student: Student, wanted: Sequence[Mapping[str, Any]]) -> None:
    """Replace a student's guardians; one who answers for nobody any more is forgotten."""
    known = Guardian.objects.in_bulk([entry["id"] for entry in wanted if "id" in entry])
    unknown = {
        f"guardians.{place}.id": ["There is no such guardian."]
        for place, entry in enumerate(wanted)
        if "id" in entry and entry["id"] not in known
    }
    if unknown:
        raise Invalid(details=unknown)
    before = set(StudentGuardian.objects.filter(student=student).values_list("guardian", flat=True))
    StudentGuardian.objects.filter(student=student).delete()
    links = []
    for entry in wanted:
        guardian = known.get(entry["id"]) if "id" in entry else Guardian()
        assert guardian is not None
        for field in ("name", "email", "phone"):
            if field in entry:
                setattr(guardian, field, entry[field])
        guardian.set_search_name()
        guardian.save()
        links.append(StudentGuardian(student=student, guardian=guardian, relation=entry.get("relation", "")))
    if len({link.guardian_id for link in links}) < len(links):
        raise Invalid.field("guardians", "The same guardian is named twice.")
    StudentGuardian.objects.bulk_create(links)
    _forget_unlinked(Guardian.objects.filter(pk__in=before))


def _forget_unlinked(guardians: QuerySet[Guardian]) -> None:
    guardians.filter(student_links__isnull=True).delete()
