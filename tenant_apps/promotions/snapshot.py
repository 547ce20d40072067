"""The nightly check of every active student, kept for the desk and for whoever plans the next exam."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Final

import structlog
from django.db import transaction
from django.db.models import QuerySet

from tatami.work import DONE, Turn, job
from tenant_apps.dojo.dates import dojo_today
from tenant_apps.promotions.check import Check
from tenant_apps.promotions.halving import WRONG_WITH_A_RECORD, by_halves
from tenant_apps.students.models import EligibilitySnapshot, Student

logger = structlog.get_logger(__name__)

PIECE: Final = 500
"""Students of one piece: a second or two of work."""


@job("promotions.snapshot")
def take_snapshot(turn: Turn) -> str | None:
    """Check the next students in key order, and put what the rules say in the place of what they said before.

    They are locked: whoever changes a history meanwhile comes before, and is seen, or after, and forgets what is said.
    Of one with whom something is wrong nothing is said.
    """
    try:
        return _replace_piece(turn, _write)
    except WRONG_WITH_A_RECORD:
        return _replace_piece(turn, _write_by_halves)


@transaction.atomic
def _replace_piece(turn: Turn, write: Callable[[Sequence[Student], date], None]) -> str | None:
    today = dojo_today(turn.now)
    following = Student.objects.promotable(today).locked()
    if turn.cursor:
        following = following.filter(pk__gt=turn.cursor)
    students = list(following[:PIECE])
    is_last = len(students) < PIECE
    _snapshots_between(turn.cursor, "" if is_last else str(students[-1].pk)).delete()
    if students:
        write(students, today)
    return DONE if is_last else str(students[-1].pk)


def _write(students: Sequence[Student], today: date) -> None:
    EligibilitySnapshot.objects.bulk_create(
        EligibilitySnapshot(
            student=answer.student,
            system=answer.rules.system,
            target=answer.target,
            status=answer.result.status.value,
            earliest_on=answer.result.earliest_on,
            as_of=today,
        )
        for answer in Check(students=students, as_of=today).answers()
    )


def _write_by_halves(students: Sequence[Student], today: date) -> None:
    by_halves(students, lambda few: _write(few, today), _pass_over)


def _pass_over(student: Student, fault: Exception) -> None:
    logger.error("promotions.student_not_checked", student=str(student.pk), exc_info=fault)


def _snapshots_between(after: str, until: str) -> QuerySet[EligibilitySnapshot]:
    """Those of the students of this piece, and of those between them who are not active any more."""
    found = EligibilitySnapshot.objects.all()
    if after:
        found = found.filter(student__gt=after)
    if until:
        found = found.filter(student__lte=until)
    return found
