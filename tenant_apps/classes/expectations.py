"""Who is expected at which session: the one answer for rosters, reports, mail and rules about attendance.

An enrolment is a period, so the answer about the past does not change when someone enrols or leaves today.
`EnrolmentPeriodQuerySet.expecting` says what else counts.
"""

from collections import defaultdict
from collections.abc import Collection
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Q

from tenant_apps.classes.models import ClassSession, Enrolment, EnrolmentPeriodQuerySet, PastEnrolment
from tenant_apps.students.models import Student, StudentQuerySet


class OfferedSession(NamedTuple):
    """A session that a student was expected at and that was not cancelled."""

    id: UUID
    local_date: date
    training_class: UUID
    discipline: UUID | None
    counts_toward_promotion: bool


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


def offered_sessions(
    *, students: Collection[UUID], first: date, last: date
) -> dict[UUID, list[OfferedSession]]:
    """Return the sessions offered to each student on the local dates from `first` to `last`, both included, in order.

    Offered is a session of a class in which the student was enrolled that day, had joined, was not archived and not on
    hold, and which was neither cancelled nor in a closure. A student without such sessions has no entry. One statement.
    """
    lookups = {
        "student__in": list(students),
        "session__status": ClassSession.Status.SCHEDULED,
        "session__local_date__gte": first,
        "session__local_date__lte": last,
    }
    columns = (
        "student",
        "session",
        "session__local_date",
        "training_class",
        "session__discipline",
        "session__counts_toward_promotion",
    )
    current, past = (rows.order_by().values_list(*columns) for rows in expecting(**lookups))
    found: defaultdict[UUID, list[OfferedSession]] = defaultdict(list)
    for student, *session in current.union(past, all=True):
        found[student].append(OfferedSession(*session))
    for sessions in found.values():
        sessions.sort(key=lambda one: (one.local_date, one.id))
    return dict(found)
