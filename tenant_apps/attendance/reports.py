"""The reports: each one statement over the whole dojo, whatever its size.

A visit is an attendance that was not voided; its day is the session's local date. Students on trial are counted apart.
Who is on trial, gone or on hold is asked as of today: the past's answer is not kept.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Count, Expression, F, Max, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, Concat, JSONObject, Trim, TruncMonth, TruncWeek

from tenant_apps.attendance.models import Attendance
from tenant_apps.attendance.period import Period
from tenant_apps.students.models import RankEvent, Status, Student, StudentGuardian
from tenant_apps.students.models.student import ERASED_NAME

Row = dict[str, Any]
_TRIAL: Final = Q(student__status=Status.TRIAL)
_STUDENT_NAME: Final = Trim(Concat("student__first_name", Value(" "), "student__last_name"))
_GROUPS: Final[Mapping[str, tuple[Expression | F, Expression | F | Value]]] = {
    "day": (F("class_session__local_date"), Value("")),
    "week": (TruncWeek("class_session__local_date"), Value("")),
    "month": (TruncMonth("class_session__local_date"), Value("")),
    "class": (F("class_session__training_class"), F("class_session__training_class__name")),
    "discipline": (F("class_session__discipline"), F("class_session__discipline__name")),
    "student": (F("student"), _STUDENT_NAME),
}
GROUPS: Final = tuple(_GROUPS)
DATED: Final = frozenset({"day", "week", "month"})


def attendance(period: Period, *, group_by: str) -> list[Row]:
    """Return the visits of a period, counted by day, week (its Monday), month, class, discipline or student.

    `attendances`, `late` and `students` (different ones) leave trial students out; theirs are `trial`. Sessions
    without class or discipline are counted under null.
    """
    key, name = _GROUPS[group_by]
    order = ("key",) if group_by in DATED else ("-attendances", "name", "key")
    rows = (
        Attendance.objects.standing()
        .filter(period.of_sessions("class_session__"))
        .order_by()
        .values(key=key)
        .annotate(
            # Not a key to group by: sorting by it would double the cost.
            name=Max(name),
            attendances=Count("pk", filter=~_TRIAL),
            late=Count("pk", filter=~_TRIAL & Q(late=True)),
            students=Count("student", distinct=True, filter=~_TRIAL),
            trial=Count("pk", filter=_TRIAL),
        )
        .order_by(*order)
    )
    return [{group_by: _shown_key(group_by, row), **_counts(row)} for row in rows]


def _counts(row: Mapping[str, Any]) -> Row:
    return {name: row[name] for name in ("attendances", "late", "students", "trial")}


def _shown_key(group_by: str, row: Mapping[str, Any]) -> Any:
    key = row["key"]
    if group_by in DATED:
        return f"{key:%Y-%m}" if group_by == "month" else key
    return {"id": key, "name": row["name"] or ERASED_NAME} if key else None


def absentees(*, days: int, today: date) -> list[Row]:
    """Return the active students who have not come for `days` days, those longest away first, with how to reach them.

    Whoever joined within these days is not missed yet; who never came and has no `joined_on` is listed first. Students
    on trial, on hold or gone are not listed. A child is reached through the guardians.
    """
    visits = Attendance.objects.standing().filter(student=OuterRef("pk")).order_by("-checked_in_at")
    guardians = StudentGuardian.objects.filter(student=OuterRef("pk")).order_by("created_at", "pk")
    reached = JSONObject(name="guardian__name", phone="guardian__phone", email="guardian__email")
    rows = (
        Student.objects.promotable(today)
        .annotate(last_visit=Subquery(visits.values("class_session__local_date")[:1]))
        .annotate(last_seen=Coalesce("last_visit", "joined_on"))
        .filter(Q(last_seen__isnull=True) | Q(last_seen__lte=today - timedelta(days=days)))
        .annotate(reached=ArraySubquery(guardians.values(shown=reached)))
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
            "guardians": row.reached,
        }
        for row in rows
    ]


def ranks(*, today: date) -> list[Row]:
    """Return how many students hold which rank today, by rank system and from the lowest rank up.

    Counted are the active and those on hold; students on trial are `trial`. Who holds no rank is not in it.
    """
    students: QuerySet[Student] = Student.objects.live().exclude(status=Status.INACTIVE)
    held = RankEvent.objects.current(students=students.values("pk"), as_of=today)  # type: ignore[arg-type]
    rows = (
        RankEvent.objects.filter(
            pk__in=held.select_related(None).values("pk"), system__archived_at__isnull=True
        )
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
