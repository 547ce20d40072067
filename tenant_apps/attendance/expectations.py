"""Expected against actual attendance, class by class."""

from datetime import date, datetime
from typing import Any, Final

from django.db.models import Count, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from tenant_apps.attendance.models import Attendance
from tenant_apps.attendance.period import Period
from tenant_apps.attendance.reports import Row
from tenant_apps.classes.models import ClassSession, Enrolment, TrainingClass
from tenant_apps.classes.schedule import read_recurrence
from tenant_apps.students.models import Status

DAYS_A_WEEK: Final = 7


def expected_attendance(period: Period, *, today: date, now: datetime) -> list[Row]:
    """Return for each class what was expected in a period and what came. One statement.

    Expected are, where the class says `per_week`: per_week × weeks × enrolled (weeks: days of the period / 7, from the
    rule's first day to its last and not beyond today); else rate × enrolled × sessions, with the rate 1 where the class
    says nothing, as its roster does. Sessions are those that are over and were not cancelled. Enrolled are those who
    are today and train at present: since when is not kept. Students on trial are neither in `enrolled` nor in `actual`:
    their visits are `trial`.
    """
    sessions = ClassSession.objects.filter(
        period.of_sessions(), ends_at__lte=now, status=ClassSession.Status.SCHEDULED
    )
    enrolled = Enrolment.objects.expected(on=today).exclude(student__status=Status.TRIAL)
    visits = Attendance.objects.standing().filter(
        period.of_sessions("class_session__"),
        class_session__ends_at__lte=now,
        class_session__status=ClassSession.Status.SCHEDULED,
    )
    of_trial = Q(student__status=Status.TRIAL)
    rows = TrainingClass.objects.annotate(
        sessions_held=_count(sessions, "training_class"),
        enrolled=_count(enrolled, "training_class"),
        actual=_count(visits.exclude(of_trial), "class_session__training_class"),
        trial=_count(visits.filter(of_trial), "class_session__training_class"),
    ).filter(Q(archived_at__isnull=True) | Q(sessions_held__gt=0))
    return [_row(one, period, today) for one in rows.order_by("name", "pk")]


def _count(rows: QuerySet[Any], leads_to_class: str) -> Coalesce:
    counted = rows.filter(**{leads_to_class: OuterRef("pk")}).order_by().values(leads_to_class)
    found = counted.annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(found, output_field=IntegerField()), 0)


def _row(training_class: Any, period: Period, today: date) -> Row:
    said = training_class.expected_attendance
    weeks = _weeks(training_class, period, today)
    if said.get("per_week") is not None:
        basis, expected = "per_week", said["per_week"] * weeks * training_class.enrolled
    else:
        rate = said.get("rate")
        basis = "rate"
        expected = (1 if rate is None else rate) * training_class.enrolled * training_class.sessions_held
    return {
        "class": {"id": training_class.pk, "name": training_class.name},
        "enrolled": training_class.enrolled,
        "sessions": training_class.sessions_held,
        "weeks": round(weeks, 2),
        "basis": basis,
        "expected": round(expected, 1),
        "actual": training_class.actual,
        "share": round(training_class.actual / expected, 3) if expected else None,
        "trial": training_class.trial,
    }


def _weeks(training_class: TrainingClass, period: Period, today: date) -> float:
    rule = read_recurrence(training_class.recurrence)
    first = max(period.first_day, rule.first)
    last = min(period.last_day, rule.last or today, today)
    return max(0, (last - first).days + 1) / DAYS_A_WEEK
