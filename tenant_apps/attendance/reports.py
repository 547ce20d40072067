"""Reports about attendance, absence and ranks: each is one statement over the whole dojo, whatever its size.

Only attendances that are not voided count; their day is the local date of the session. Students on trial are counted
separately. Whether a student is on trial or inactive is that of today, because its history is not kept.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import (
    Count,
    DateField,
    Expression,
    F,
    IntegerField,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
)
from django.db.models.functions import Coalesce, Greatest, JSONObject, TruncMonth, TruncWeek
from django.utils.translation import gettext

from tatami.clock import tenant_date
from tatami.usage import Figures
from tenant_apps.attendance.models import Attendance
from tenant_apps.classes.expectations import expecting
from tenant_apps.classes.models import ClassSession, Closure, Enrolment, TrainingClass
from tenant_apps.classes.recurrence import read_recurrence
from tenant_apps.ranks.models import SYSTEM_IN_USE
from tenant_apps.students.models import (
    ERASED_NAME,
    RankEvent,
    Status,
    Student,
    StudentGuardian,
    StudentHold,
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
    return {"id": key, "name": row["name"] or gettext(ERASED_NAME)} if key else None


def expected_attendance(period: Period, *, today: date, now: datetime) -> list[Row]:
    """Return for each class the attendance that was expected in a period, and the actual one. One statement.

    Sessions are those that are over. `enrolled` are the students who were expected at one of them at least, by
    `EnrolmentPeriodQuerySet.expecting`. Cancelled sessions, also those of closures, are expected of no one.

    If the class sets `per_week`, expected is per_week × weeks for each of these students, as far as the sessions were
    offered to them: if two of eight sessions were cancelled, three quarters of it. Weeks are days / 7, from the first
    day of the recurrence to its last within the period, and not beyond `today`. Else expected is the rate of all
    offers; it is 1 if the class sets none, as on its roster. Students on trial are neither in `enrolled` nor in
    `actual`; their attendances are `trial`.
    """
    is_over = period.filter_sessions() & Q(ends_at__lte=now)
    is_held = Q(status=ClassSession.Status.SCHEDULED)
    attendances = Attendance.objects.not_voided().filter(
        period.filter_sessions("class_session__"),
        class_session__ends_at__lte=now,
        class_session__status=ClassSession.Status.SCHEDULED,
    )
    at_these = period.filter_sessions("session__") & Q(session__ends_at__lte=now)
    offers = [rows.exclude(_TRIAL) for rows in expecting(at_these)]
    offers_held = [
        rows.exclude(_TRIAL) for rows in expecting(at_these, session__status=ClassSession.Status.SCHEDULED)
    ]
    rows = TrainingClass.objects.annotate(
        planned=_count_per_class(ClassSession.objects.filter(is_over), "training_class"),
        sessions_held=_count_per_class(ClassSession.objects.filter(is_over & is_held), "training_class"),
        enrolled=_count_students(offers),
        offered=_count_per_class(offers_held[0], "training_class")
        + _count_per_class(offers_held[1], "training_class"),
        actual=_count_per_class(attendances.exclude(_TRIAL), "class_session__training_class"),
        trial=_count_per_class(attendances.filter(_TRIAL), "class_session__training_class"),
    ).filter(Q(archived_at__isnull=True) | Q(sessions_held__gt=0))
    return [_expected_row(one, period, today) for one in rows.order_by("name", "pk")]


def _count_per_class(rows: QuerySet[Any], class_lookup: str) -> Coalesce:
    groups = rows.filter(**{class_lookup: OuterRef("pk")}).order_by().values(class_lookup)
    counts = groups.annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counts, output_field=IntegerField()), 0)


def _count_students(enrolments: Iterable[QuerySet[Any]]) -> Coalesce:
    """Return the number of students of a class in several tables of enrolments, each student once."""
    matches = Q()
    for rows in enrolments:
        of_class = rows.filter(training_class=OuterRef(OuterRef("pk")))
        matches |= Q(pk__in=of_class.values("student"))
    counts = Student.objects.filter(matches).order_by().values("tenant_id").annotate(n=Count("pk"))
    return Coalesce(Subquery(counts.values("n"), output_field=IntegerField()), 0)


def _expected_row(training_class: Any, period: Period, today: date) -> Row:
    rule = training_class.expected_attendance
    planned = training_class.planned
    weeks = _weeks(training_class, period, today)
    if rule.get("per_week") is not None:
        basis = "per_week"
        expected = rule["per_week"] * weeks * training_class.offered / planned if planned else 0
    else:
        rate = rule.get("rate")
        basis = "rate"
        expected = (1 if rate is None else rate) * training_class.offered
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


# --- absence ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Absentee:
    """An active student who has been absent for a long time, with the dates that their absence is counted from."""

    student: Student
    last_visit: date | None
    absent_since: date | None
    """The last visit; without one, the day of joining or of the first enrolment. A hold that ended later counts as one.
    Null if none is known."""
    open_days: int | None
    """The days since then on which the dojo was not closed."""
    contacts: list[Row]


def find_absentees(*, days: int, today: date) -> list[Absentee]:
    """Return the active students without an attendance for `days` days on which the dojo was open. One statement.

    A visit is on the date of its session, whenever it was recorded. The longest absence comes first, before it the
    students who never came. Students on trial, on hold or inactive are not absent.
    """
    visits = Attendance.objects.not_voided().filter(
        student=OuterRef("pk"), class_session__local_date__lte=today
    )
    holds = StudentHold.objects.filter(student=OuterRef("pk"), until__lt=today)
    first_enrolment = Enrolment.objects.filter(student=OuterRef("pk"), starts_on__lte=today)
    guardians = StudentGuardian.objects.filter(student=OuterRef("pk")).order_by("created_at", "pk")
    contact = JSONObject(name="guardian__name", phone="guardian__phone", email="guardian__email")
    closures = Closure.objects.of_the_dojo().filter(starts_on__lte=today)
    rows = (
        Student.objects.promotable(today)
        .annotate(last_visit=_latest(visits, "class_session__local_date"))
        .annotate(
            absent_since=Greatest(
                Coalesce("last_visit", "joined_on", _latest(first_enrolment, "starts_on")),
                _latest(holds, "until"),
            )
        )
        .filter(Q(absent_since__isnull=True) | Q(absent_since__lte=today - timedelta(days=days)))
        .annotate(
            contacts=ArraySubquery(guardians.values(contact=contact)),
            closed=ArraySubquery(
                closures.order_by("starts_on").values(days=JSONObject(first="starts_on", last="until"))
            ),
        )
        .order_by(F("last_visit").asc(nulls_first=True), "search_name", "pk")
    )
    found = []
    for row in rows:
        spans = [(date.fromisoformat(one["first"]), date.fromisoformat(one["last"])) for one in row.closed]
        open_days = None if row.absent_since is None else _open_days(row.absent_since, today, spans)
        if open_days is None or open_days >= days:
            found.append(Absentee(row, row.last_visit, row.absent_since, open_days, row.contacts))
    return found


def absentees(*, days: int, today: date) -> list[Row]:
    """Return the rows of the report on `find_absentees`, with contacts. Children are contacted through guardians."""
    return [
        {
            "student": {"id": one.student.pk, "name": one.student.name},
            "last_visit": one.last_visit,
            "days": (today - one.last_visit).days if one.last_visit else None,
            "joined_on": one.student.joined_on,
            "phone": one.student.phone,
            "email": one.student.email,
            "guardians": one.contacts,
        }
        for one in find_absentees(days=days, today=today)
    ]


def _latest(rows: QuerySet[Any], column: str) -> Subquery:
    latest = rows.order_by().values("student").annotate(latest=Max(column)).values("latest")
    return Subquery(latest, output_field=DateField())


def _open_days(since: date, today: date, closed: Sequence[tuple[date, date]]) -> int:
    """Return the number of days after `since` up to `today` that no span covers. Spans are ordered by their start."""
    number, counted_until = (today - since).days, since
    for first, last in closed:
        start, end = max(first, counted_until + timedelta(days=1)), min(last, today)
        if start <= end:
            number -= (end - start).days + 1
            counted_until = end
    return number


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
