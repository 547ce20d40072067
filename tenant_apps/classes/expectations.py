"""Who is expected at which session: the one answer for rosters, reports, mail and rules about attendance.

An enrolment is a period, so the answer about the past does not change when someone enrols or leaves today.
`EnrolmentPeriodQuerySet.expecting` says what else counts.
"""

from collections import defaultdict
from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.db.models import DateField, Q, Value

from tenant_apps.classes.models import Enrolment, EnrolmentPeriodQuerySet, PastEnrolment
from tenant_apps.ranks.date_intervals import BEGINNING, END
from tenant_apps.ranks.student_facts import EnrolmentPeriod
from tenant_apps.students.models import Student, StudentQuerySet


def expecting(*conditions: Q, **lookups: Any) -> list[EnrolmentPeriodQuerySet[Any]]:
    """Return, for each table of enrolments, the rows of `EnrolmentPeriodQuerySet.expecting` that match."""
    return [model.objects.expecting(*conditions, **lookups) for model in (Enrolment, PastEnrolment)]


def expected_students(**lookups: Any) -> StudentQuerySet:
    """Return the students who are expected at a session that matches: `session=key`, `session__starts_at__gt=now`.

    Sessions that are cancelled count, too. One statement.
    """
    matches = Q()
    for rows in expecting(**lookups):
        matches |= Q(pk__in=rows.values("student"))
    students: StudentQuerySet = Student.objects.filter(matches)
    return students


def enrolment_periods(students: Collection[UUID]) -> dict[UUID, tuple[EnrolmentPeriod, ...]]:
    """Return the enrolments of each student, those that ended, too. One statement.

    Rules about attendance take the sessions of these periods, without the days on hold and those before joining, as
    `EnrolmentPeriodQuerySet.expecting` does. They ask about all students at once, over years: a row for each student
    and session would be too many.
    """
    columns = ("student", "training_class", "starts_on")
    current = (
        Enrolment.objects.filter(student__in=students)
        .order_by()
        .values_list(*columns, Value(None, DateField()))
    )
    past = PastEnrolment.objects.filter(student__in=students).order_by().values_list(*columns, "until")
    found: defaultdict[UUID, list[EnrolmentPeriod]] = defaultdict(list)
    for student, training_class, first, last in current.union(past, all=True):
        found[student].append(
            EnrolmentPeriod(
                training_class,
                BEGINNING if first is None else first.toordinal(),
                END if last is None else last.toordinal(),
            )
        )
    return {student: tuple(periods) for student, periods in found.items()}
