"""What the page of today shows and the API does not offer: sessions with counts, birthdays, weeks of visits."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db.models import Count, Max, Q
from django.db.models.functions import TruncWeek

from tenant_apps.attendance.models import Attendance, Refusal
from tenant_apps.classes.expectations import expecting
from tenant_apps.classes.models import ClassSession
from tenant_apps.students.models import Student

WEEKS: Final = 12
UPCOMING_BIRTHDAY_DAYS: Final = 7


@dataclass(frozen=True, slots=True)
class Birthday:
    """A student whose birthday is today or within a week."""

    student: Student
    on: date
    age: int


def fingerprint(today: date) -> str:
    """Return a text that changes whenever the live part of the page does. Two small statements."""
    sessions = ClassSession.objects.filter(local_date=today)
    counted = sessions.aggregate(changed=Max("updated_at"), n=Count("pk"))
    visits = Attendance.objects.filter(class_session__local_date=today).aggregate(
        changed=Max("updated_at"), n=Count("pk")
    )
    refused = Refusal.objects.aggregate(changed=Max("created_at"))
    parts = [counted["changed"], counted["n"], visits["changed"], visits["n"], refused["changed"]]
    return "-".join(f"{part:%H%M%S%f}" if hasattr(part, "year") else str(part or 0) for part in parts)


@dataclass(frozen=True, slots=True)
class SessionCounts:
    """A session of the day with its numbers. `present` counts the late, too."""

    session: ClassSession
    present: int
    late: int
    expected: int

    def phase(self, now: datetime) -> str:
        """Return `cancelled`, `over`, `running` or `coming`."""
        if self.session.is_cancelled:
            return "cancelled"
        if self.session.ends_at <= now:
            return "over"
        return "running" if self.session.starts_at <= now else "coming"


def sessions_on(day: date) -> list[SessionCounts]:
    """Return the sessions of a local date in their order, with numbers. Three statements."""
    not_voided = Q(attendances__voided_at__isnull=True)
    sessions: Any = ClassSession.objects.filter(local_date=day).annotate(
        present=Count("attendances", filter=not_voided),
        late=Count("attendances", filter=not_voided & Q(attendances__late=True)),
    )
    expected: Counter[Any] = Counter()
    for rows in expecting(session__local_date=day):
        expected.update(
            dict(rows.order_by().values_list("session").annotate(n=Count("student", distinct=True)))
        )
    return [
        SessionCounts(one, one.present, one.late, expected[one.pk])
        for one in sessions.order_by("starts_at", "pk")
    ]


def birthdays(today: date) -> list[Birthday]:
    """Return the birthdays of the next week, the nearest first. One statement."""
    days = [today + timedelta(days=number) for number in range(UPCOMING_BIRTHDAY_DAYS + 1)]
    on_one_of_them = Q()
    for day in days:
        on_one_of_them |= Q(birth_date__month=day.month, birth_date__day=day.day)
    students = Student.objects.not_archived().exclude(status=Student.Status.INACTIVE).filter(on_one_of_them)
    found = []
    for student in students.order_by("search_name"):
        assert student.birth_date is not None
        born = student.birth_date
        on = next(day for day in days if (day.month, day.day) == (born.month, born.day))
        found.append(Birthday(student, on, on.year - born.year))
    return sorted(found, key=lambda one: one.on)


def visits_by_week(today: date) -> list[Mapping[str, Any]]:
    """Return `{week, visits}` of the last twelve weeks, the present one last; weeks begin on Monday. One statement."""
    monday = today - timedelta(days=today.weekday())
    first = monday - timedelta(weeks=WEEKS - 1)
    rows = (
        Attendance.objects.not_voided()
        .filter(class_session__local_date__range=(first, today))
        .values(week=TruncWeek("class_session__local_date"))
        .annotate(visits=Count("pk"))
    )
    counted = {row["week"]: row["visits"] for row in rows}
    weeks = [first + timedelta(weeks=number) for number in range(WEEKS)]
    return [{"week": week, "visits": counted.get(week, 0)} for week in weeks]
