"""What families see and the API does not offer: the coming sessions at which their students are expected."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from tatami.clock import tenant_date
from tenant_apps.classes.expectations import expecting
from tenant_apps.classes.models import ClassSession
from tenant_apps.promotions.models import Certificate

DAYS_AHEAD: Final = 14


@dataclass(frozen=True, slots=True)
class ComingSession:
    """A session, and the ids of those of the students who are expected."""

    session: ClassSession
    students: frozenset[str]


def coming_sessions(students: Collection[UUID | str], *, now: datetime) -> list[ComingSession]:
    """Return the sessions of the next two weeks that are not over, the earliest first; cancelled ones, too.

    Three statements.
    """
    expected: defaultdict[UUID, set[str]] = defaultdict(set)
    last = tenant_date(now) + timedelta(days=DAYS_AHEAD)
    for rows in expecting(student__in=students, session__ends_at__gt=now, session__local_date__lte=last):
        for session, student in rows.order_by().values_list("session", "student"):
            expected[session].add(str(student))
    sessions = ClassSession.objects.filter(pk__in=expected).order_by("starts_at", "pk")
    return [ComingSession(session, frozenset(expected[session.pk])) for session in sessions]


def certified_events(student: UUID) -> set[str]:
    """Return the ids of the rank events of a student that have a certificate. One statement."""
    return {
        str(event)
        for event in Certificate.objects.filter(event__student=student).values_list("event", flat=True)
    }
