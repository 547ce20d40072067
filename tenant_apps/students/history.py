"""Lines of a student's history: added, and struck out with a reason; never changed."""

from datetime import date, datetime

from django.db import IntegrityError, transaction

from shared_apps.accounts.models import User
from tenant_apps.ranks.models import Rank
from tenant_apps.students.errors import AlreadyRecorded, AlreadyVoided, NotForOneself
from tenant_apps.students.models import RankEvent, Student, StudentFact, StudentUser


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
