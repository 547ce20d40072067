"""What this app holds about a student: her row, guardians, users, holds, notes, facts, rank history."""

from datetime import datetime
from typing import Any
from uuid import UUID

from shared_apps.accounts.models import User
from shared_apps.accounts.users import erase_users
from tenant_apps.students import personal_data
from tenant_apps.students.answers import forget_answers_about
from tenant_apps.students.dates import dojo_today
from tenant_apps.students.guardians import forget_unlinked
from tenant_apps.students.models import (
    RankEvent,
    Student,
    StudentFact,
    StudentGuardian,
    StudentHold,
    StudentNote,
    StudentUser,
)
from tenant_apps.students.serializers import (
    FactSerializer,
    HoldSerializer,
    NoteSerializer,
    RankEventSerializer,
    StudentSerializer,
)
from tenant_apps.students.services import attach_current_ranks, new_check_in_id, with_details

_RANK_EVENTS = RankEvent.objects.select_related("student", "system", "rank", "recorded_by")


def collect_person(student: Student) -> Any:
    """Return the student as the API shows her, with her guardians and ranks."""
    today = dojo_today()
    row = with_details(Student.objects.filter(pk=student.pk), as_of=today).get()
    attach_current_ranks([row], as_of=today)
    return StudentSerializer(row).data


def collect_users(student: Student) -> Any:
    """Return the users who speak for the student."""
    return list(User.objects.filter(student_links__student=student).values("id", "name", "email", "role"))


def collect_notes(student: Student) -> Any:
    """Return what staff wrote down."""
    return NoteSerializer(student.notes.select_related("author"), many=True).data


def collect_facts(student: Student) -> Any:
    """Return the facts, voided ones too."""
    return FactSerializer(student.facts.select_related("rank_system", "recorded_by"), many=True).data


def collect_holds(student: Student) -> Any:
    """Return the breaks from training."""
    return HoldSerializer(student.holds.all(), many=True).data


def collect_rank_events(student: Student) -> Any:
    """Return the rank history, voided lines too."""
    return RankEventSerializer(_RANK_EVENTS.filter(student=student), many=True).data


def erase_person(student: Student, now: datetime) -> None:
    """Blank the row; forget what was only about this person, and guardians and sign-ins that were there for her alone.

    That ranks were awarded stays, so that counts do; what was written beside them goes. Facts go with the notes: their
    values name documents and people, and nobody counts them.
    """
    for rows in (student.notes, student.facts, student.holds):
        rows.all().delete()
    student.rank_events.update(note="", void_reason="", updated_at=now)
    forgotten = [student.pk, *_erase_guardians(student), *_erase_users(student, now)]
    for field in ("first_name", "last_name", "email", "phone", "gender", "medical_notes"):
        setattr(student, field, "")
    student.birth_date = student.joined_on = student.external_id = None
    student.check_in_id = new_check_in_id()  # codes that were handed out mean nobody any more
    student.status = Student.Status.INACTIVE
    student.archived_at = student.archived_at or now
    student.erased_at = now
    student.set_search_name()
    student.save()
    forget_answers_about(forgotten)


def _erase_guardians(student: Student) -> list[UUID]:
    links = StudentGuardian.objects.filter(student=student)
    ids = list(links.values_list("guardian_id", flat=True))
    links.delete()
    return forget_unlinked(ids)


def _erase_users(student: Student, now: datetime) -> list[UUID]:
    """Forget the sign-ins of role student that spoke for nobody else: the student's own, or a parent's."""
    links = StudentUser.objects.filter(student=student)
    ids = list(links.values_list("user_id", flat=True))
    links.delete()
    return erase_users(User.objects.filter(pk__in=ids, role="student", student_links__isnull=True), now=now)


def register() -> None:
    """Register what this app holds; the person comes first, and so is erased last, all parts of her at once."""
    own = (StudentGuardian, StudentUser, StudentNote, StudentFact, StudentHold, RankEvent)
    personal_data.register("student", collect=collect_person, erase=erase_person, models=own)
    for name, collect in (
        ("users", collect_users),
        ("notes", collect_notes),
        ("facts", collect_facts),
        ("holds", collect_holds),
        ("rank_events", collect_rank_events),
    ):
        personal_data.register(name, collect=collect)
