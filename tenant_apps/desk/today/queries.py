"""What the page of today shows and the API does not offer: sessions with counts, birthdays, weeks of visits."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from hashlib import sha256
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db.models import Count, Q
from django.db.models.functions import TruncWeek

from tatami.postgresql.statements import Statement
from tatami.tenancy.scope import current_tenant
from tenant_apps.attendance.models import Attendance, Refusal
from tenant_apps.classes.expectations import expecting
from tenant_apps.classes.models import ClassSession
from tenant_apps.dojo.dates import LeapDayBirthday
from tenant_apps.ranks.civil_dates import birthday, births_celebrated, full_age
from tenant_apps.students.models import Student

WEEKS: Final = 12
UPCOMING_BIRTHDAY_DAYS: Final = 7
REFUSAL_DAYS: Final = 7
"""Of so many days, today included, the page counts the refused scans."""


@dataclass(frozen=True, slots=True)
class Birthday:
    """A student whose birthday is today or within a week."""

    student: Student
    on: date
    age: int


_FINGERPRINT: Final = Statement(
    "desk: fingerprint of today",
    """
WITH today AS MATERIALIZED (
    SELECT training_class_id, id, updated_at, starts_at <= $2 AS begun, ends_at <= $2 AS over
    FROM classes_classsession WHERE local_date = $1
), enrolled AS MATERIALIZED (
    SELECT student_id, updated_at FROM classes_enrolment
    WHERE training_class_id IN (SELECT training_class_id FROM today)
    UNION ALL
    SELECT student_id, updated_at FROM classes_pastenrolment
    WHERE training_class_id IN (SELECT training_class_id FROM today) AND until >= $1
), refused AS MATERIALIZED (
    SELECT student_id, updated_at FROM attendance_refusal WHERE created_at >= $3
)
SELECT count(*), count(*) FILTER (WHERE begun), count(*) FILTER (WHERE over), max(updated_at) FROM today
UNION ALL
SELECT count(*), count(*) FILTER (WHERE voided_at IS NULL), count(*) FILTER (WHERE voided_at IS NULL AND late),
    max(updated_at)
FROM attendance_attendance WHERE class_session_id IN (SELECT id FROM today)
UNION ALL
SELECT count(*), count(student_id), 0, max(updated_at) FROM enrolled
UNION ALL
SELECT count(*), count(student_id), 0, max(updated_at) FROM refused
UNION ALL
SELECT count(*), count(*) FILTER (WHERE archived_at IS NULL), count(*) FILTER (WHERE status IN ('trial', 'active')),
    max(updated_at)
FROM students_student
WHERE id IN (SELECT student_id FROM enrolled UNION ALL SELECT student_id FROM refused)
UNION ALL
SELECT count(*), 0, 0, max(updated_at) FROM students_studenthold
WHERE student_id IN (SELECT student_id FROM enrolled) AND starts_on <= $1 AND (until IS NULL OR until >= $1)
""",
)


def fingerprint(today: date, *, now: datetime) -> str:
    """Return a text that changes whenever the live part of the page does: after a write, or as time passes.

    Times of changes alone are not enough, since a change that began earlier can commit later; so numbers count, too.
    One statement.
    """
    rows = _FINGERPRINT.rows(today, now, _midnight(first_refusal_day(today)))
    return sha256(repr((today, rows)).encode()).hexdigest()[:32]


def first_refusal_day(today: date) -> date:
    """Return the first local date whose refused scans the page counts."""
    return today - timedelta(days=REFUSAL_DAYS - 1)


def count_refusals(today: date) -> int:
    """Return how many refused scans arrived in the last days, today included. One statement."""
    return Refusal.objects.filter(created_at__gte=_midnight(first_refusal_day(today))).count()


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, ZoneInfo(current_tenant().timezone))


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


def sessions_between(first: date, last: date) -> list[SessionCounts]:
    """Return the sessions of these local dates, both included, in their order, with numbers. Three statements."""
    not_voided = Q(attendances__voided_at__isnull=True)
    sessions: Any = ClassSession.objects.between(first, last).annotate(
        present=Count("attendances", filter=not_voided),
        late=Count("attendances", filter=not_voided & Q(attendances__late=True)),
    )
    expected: Counter[Any] = Counter()
    for rows in expecting(session__local_date__range=(first, last)):
        expected.update(
            dict(rows.order_by().values_list("session").annotate(n=Count("student", distinct=True)))
        )
    return [
        SessionCounts(one, one.present, one.late, expected[one.pk])
        for one in sessions.order_by("starts_at", "pk")
    ]


def birthdays(today: date, *, leap_day: LeapDayBirthday) -> list[Birthday]:
    """Return the birthdays of the next week, the nearest first. One statement.

    Which day is the birthday of students born on 29 February follows the setting of the dojo, as in the rank rules.
    """
    days = [today + timedelta(days=number) for number in range(UPCOMING_BIRTHDAY_DAYS + 1)]
    on_one_of_them = Q()
    for day in days:
        for month, number in births_celebrated(day, leap_day):
            on_one_of_them |= Q(birth_date__month=month, birth_date__day=number)
    students = Student.objects.not_archived().exclude(status=Student.Status.INACTIVE).filter(on_one_of_them)
    found = []
    for student in students.order_by("search_name"):
        assert student.birth_date is not None
        born = student.birth_date
        on = next(day for day in days if birthday(born, day.year, leap_day) == day)
        found.append(Birthday(student, on, full_age(born, on, leap_day)))
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
