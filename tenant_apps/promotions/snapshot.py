"""The nightly snapshot: the promotions that every active student is due for, or will be, for the check-in desk and for
planning exams. Skips and conversions are left out: someone has to ask for them.
"""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Final

import structlog
from django.db import transaction
from django.db.models import QuerySet

from tatami.clock import tenant_date
from tatami.jobs import DONE, JobRun, job
from tenant_apps.promotions.bisect import RECORD_ERRORS, bisect_failures
from tenant_apps.promotions.check import Check
from tenant_apps.students.models import EligibilitySnapshot, Student

logger = structlog.get_logger(__name__)

CHUNK_SIZE: Final = 500
"""Students of one chunk: a second or two of work."""


@job("promotions.snapshot")
def take_snapshot(run: JobRun) -> str | None:
    """Check the next students in key order, and replace their snapshots. Returns the key after which to continue.

    The students are locked. A concurrent change of a rank history is either committed before and seen, or comes after
    and deletes the student's snapshots. A student whose record cannot be checked has no snapshot; the error is logged.
    """
    try:
        return _replace_chunk(run, _write)
    except RECORD_ERRORS:
        return _replace_chunk(run, _write_bisecting)


@transaction.atomic
def _replace_chunk(run: JobRun, write: Callable[[Sequence[Student], date], None]) -> str | None:
    today = tenant_date(run.now)
    following = Student.objects.promotable(today).locked()
    if run.cursor:
        following = following.filter(pk__gt=run.cursor)
    students = list(following[:CHUNK_SIZE])
    is_last = len(students) < CHUNK_SIZE
    _snapshots_between(run.cursor, "" if is_last else str(students[-1].pk)).delete()
    if students:
        write(students, today)
    return DONE if is_last else str(students[-1].pk)


def _write(students: Sequence[Student], today: date) -> None:
    EligibilitySnapshot.objects.bulk_create(
        EligibilitySnapshot(
            student=result.student,
            system=result.rules.system,
            target=result.target,
            status=result.step.status.value,
            earliest_on=result.step.earliest_on,
            as_of=today,
        )
        for result in Check(students=students, as_of=today).each()
        if result.is_promotion
    )


def _write_bisecting(students: Sequence[Student], today: date) -> None:
    bisect_failures(students, lambda several: _write(several, today), _log_failure)


def _log_failure(student: Student, error: Exception) -> None:
    logger.error("promotions.student_not_checked", student=str(student.pk), exc_info=error)


def _snapshots_between(after: str, until: str) -> QuerySet[EligibilitySnapshot]:
    """Return the snapshots of the chunk's students, and of students between them who are no longer active."""
    found = EligibilitySnapshot.objects.all()
    if after:
        found = found.filter(student__gt=after)
    if until:
        found = found.filter(student__lte=until)
    return found
