"""Reports about attendance, absence and ranks: each is one statement over the whole dojo, whatever its size.

Only attendances that are not voided count; their day is the local date of the session. Students on trial are counted
separately. Status (on trial, inactive, on hold) is that of today, because its history is not kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Count, Expression, F, IntegerField, Max, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, JSONObject, TruncMonth, TruncWeek

from tatami.clock import tenant_date
from tatami.usage import Figures
from tenant_apps.attendance.models import Attendance
from tenant_apps.classes.models import ClassSession, Enrolment, TrainingClass
from tenant_apps.classes.recurrence import read_recurrence
from tenant_apps.ranks.models import SYSTEM_IN_USE
from tenant_apps.students.models import (
    ERASED_NAME,
    RankEvent,
    Status,
    Student,
    StudentGuardian,
    full_name_sql,
)

Row = dict[str, Any]
DAYS_PER_WEEK: Final = 7
USAGE_PERIOD: Final = timedelta(days=30)
_TRIAL: Final = Q(student__status=Status.TRIAL)
_GROUPS: Final[Mapping[str, tuple[Expression | F, Expression | F | Value]]] = {
    "day": (F("class_session__local_date"), Value("")),
    "week": (TruncWeek("class_session__local_date"), Value("")),
    "month": (TruncMonth("class_session__local_date"), Value("")),
    "class": (F("class_session__training_class"), F("class_session__training_class__name")),
    "discipline": (F("class_session__discipline"), F("class_session__discipline__name")),
    "student": (F("student"), full_name_sql("student__")),
}
"""Name of a grouping → the key of a group and its name."""
GROUPS: Final = tuple(_GROUPS)
DATE_GROUPS: Final = frozenset({"day", "week", "month"})


@dataclass(frozen=True, slots=True)
class Period:
    """The period of a report. Each bound is a local date, which is included, or an instant (`until` excluded)."""

    since: date
    until: date

    @property
    def first_day(self) -> date:
        return tenant_date(self.since) if isinstance(self.since, datetime) else self.since

    @property
    def last_day(self) -> date:
        return tenant_date(self.until) if isinstance(self.until, datetime) else self.until

    def filter_sessions(self, prefix: str = "") -> Q:
        """Return the condition on sessions; `prefix` is the lookup that leads to them (`"class_session__"`)."""
        return self._bound(prefix, self.since, "gte", "gte") & self._bound(prefix, self.until, "lte", "lt")

    @staticmethod
    def _bound(prefix: str, bound: date, date_lookup: str, instant_lookup: str) -> Q:
        if isinstance(bound, datetime):
            return Q(**{f"{prefix}starts_at__{instant_lookup}": bound})
        return Q(**{f"{prefix}local_date__{date_lookup}": bound})


def attendance(period: Period, *, group_by: str) -> list[Row]:
    """Return the attendances of a period, counted by day, week (its Monday), month, class, discipline or student.

    `attendances`, `late` and `students` (each counted once) exclude students on trial, who are counted as `trial`.
    Sessions without class or discipline are counted under null.
    """
    key, name = _GROUPS[group_by]
    order = ("key",) if group_by in DATE_GROUPS else ("-attendances", "name", "key")
    rows = (
        Attendance.objects.not_voided()
        .filter(period.filter_sessions("class_session__"))
        .order_by()
        .values(key=key)
        .annotate(
            # An aggregate instead of a second grouping key, which would double the cost of the sort.
            name=Max(name),
            attendances=Count("pk", filter=~_TRIAL),
            late=Count("pk", filter=~_TRIAL & Q(late=True)),
            students=Count("student", distinct=True, filter=~_TRIAL),
            trial=Count("pk", filter=_TRIAL),
        )
        .order_by(*order)
    )
    return [{group_by: _group(group_by, row), **_counts(row)} for row in rows]


def _counts(row: Mapping[str, Any]) -> Row:
    return {name: row[name] for name in ("attendances", "late", "students", "trial")}


def _group(group_by: str, row: Mapping[str, Any]) -> Any:
    key = row["key"]
    if group_by in DATE_GROUPS:
        return f"{key:%Y-%m}" if group_by == "month" else key
    return {"id": key, "name": row["name"] or ERASED_NAME} if key else None


def expected_attendance(period: Period, *, today: date, now: datetime) -> list[Row]:
    """Return for each class the attendance that was expected in a period, and the actual one. One statement.

    If the class sets `per_week`, expected is per_week × weeks × enrolled. Weeks are days / 7, from the first day of the
    recurrence to its last within the period, and not beyond `today`. Else it is rate × enrolled × sessions; the rate is
    1 if the class sets none, as on its roster. Sessions are those that are over and were not cancelled. Enrolled are
    the students who are enrolled today and train at present, because the history of enrolments is not kept. Students on
    trial are neither in `enrolled` nor in `actual`; their attendances are `trial`.
    """
    sessions = ClassSession.objects.filter(
        period.filter_sessions(), ends_at__lte=now, status=ClassSession.Status.SCHEDULED
    )
    enrolled = Enrolment.objects.expected(on=today).exclude(student__status=Status.TRIAL)
    attendances = Attendance.objects.not_voided().filter(
        period.filter_sessions("class_session__"),
        class_session__ends_at__lte=now,
        class_session__status=ClassSession.Status.SCHEDULED,
    )
    rows = TrainingClass.objects.annotate(
        sessions_held=_count_per_class(sessions, "training_class"),
        enrolled=_count_per_class(enrolled, "training_class"),
        actual=_count_per_class(attendances.exclude(_TRIAL), "class_session__training_class"),
        trial=_count_per_class(attendances.filter(_TRIAL), "class_session__training_class"),
    ).filter(Q(archived_at__isnull=True) | Q(sessions_held__gt=0))
    return [_expected_row(one, period, today) for one in rows.order_by("name", "pk")]


def _count_per_class(rows: QuerySet[Any], class_lookup: str) -> Coalesce:
    groups = rows.filter(**{class_lookup: OuterRef("pk")}).order_by().values(class_lookup)
    counts = groups.annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counts, output_field=IntegerField()), 0)


def _expected_row(training_class: Any, period: Period, today: date) -> Row:
    rule = training_class.expected_attendance
    weeks = _weeks(training_class, period, today)
    if rule.get("per_week") is not None:
        basis, expected = "per_week", rule["per_week"] * weeks * training_class.enrolled
    else:
        rate = rule.get("rate")
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
    recurrence = read_recurrence(training_class.recurrence)
    first = max(period.first_day, recurrence.first)
    last = min(period.last_day, recurrence.last or today, today)
    return max(0, (last - first).days + 1) / DAYS_PER_WEEK


def absentees(*, days: int, today: date) -> list[Row]:
    """Return the active students without an attendance for `days` days, longest absence first, with their contacts.

    Students who joined within these days are not listed yet. Students who never came and have no `joined_on` are listed
    first. Students on trial, on hold or inactive are not listed. Children are contacted through their guardians.
    """
    attendances = Attendance.objects.not_voided().filter(student=OuterRef("pk")).order_by("-checked_in_at")
    guardians = StudentGuardian.objects.filter(student=OuterRef("pk")).order_by("created_at", "pk")
    contact = JSONObject(name="guardian__name", phone="guardian__phone", email="guardian__email")
    rows = (
        Student.objects.promotable(today)
        .annotate(last_visit=Subquery(attendances.values("class_session__local_date")[:1]))
        .annotate(last_seen=Coalesce("last_visit", "joined_on"))
        .filter(Q(last_seen__isnull=True) | Q(last_seen__lte=today - timedelta(days=days)))
        .annotate(contacts=ArraySubquery(guardians.values(contact=contact)))
        .order_by(F("last_visit").asc(nulls_first=True), "search_name", "pk")
    )
    return [
        {
            "student": {"id": row.pk, "name": row.name},
            "last_visit": row.last_visit,
            "days": (today - row.last_visit).days if row.last_visit else None,
            "joined_on": row.joined_on,
            "phone": row.phone,
            "email": row.email,
            "guardians": row.contacts,
        }
        for row in rows
    ]


def ranks(*, today: date) -> list[Row]:
    """Return how many students hold which rank today, by rank system and from the lowest rank up.

    Active students and those on hold are counted as `students`, students on trial as `trial`. Students without a rank
    are not counted.
    """
    students: QuerySet[Student] = Student.objects.not_archived().exclude(status=Status.INACTIVE)
    held = RankEvent.objects.current(students=students.values("pk"), as_of=today)  # type: ignore[arg-type]
    rows = (
        RankEvent.objects.filter(SYSTEM_IN_USE, pk__in=held.select_related(None).values("pk"))
        .order_by()
        .values("system", "system__name", "rank", "rank__name", "rank__code", "rank__position")
        .annotate(students=Count("pk", filter=~_TRIAL), trial=Count("pk", filter=_TRIAL))
        .order_by("system__name", "system", "rank__position")
    )
    return [
        {
            "rank_system": {"id": row["system"], "name": row["system__name"]},
            "rank": {"id": row["rank"], "name": row["rank__name"]},
            "code": row["rank__code"],
            "students": row["students"],
            "trial": row["trial"],
        }
        for row in rows
    ]


def count_attendances(now: datetime) -> Figures:
    """Return the usage figures: attendances in all and of the last 30 days, and the last one. One statement."""
    recent = Q(checked_in_at__gt=now - USAGE_PERIOD)
    return Attendance.objects.not_voided().aggregate(
        attendances_all=Count("pk"),
        attendances_30_days=Count("pk", filter=recent),
        last_attendance_at=Max("checked_in_at"),
    )
