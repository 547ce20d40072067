"""Writing to those who have not come for as long as the dojo's policy says: once for each absence."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from tatami.work import DONE, Turn, job
from tenant_apps.attendance.models import Attendance
from tenant_apps.attendance.reports import absentees
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.dojo.services import settings_row
from tenant_apps.dojo.words import written_date
from tenant_apps.notifications.kinds import Kind
from tenant_apps.notifications.letters import text_for
from tenant_apps.notifications.models import Delivery
from tenant_apps.notifications.outbox import queue
from tenant_apps.students.dates import dojo_today
from tenant_apps.students.notices import Notice

CAUGHT_UP: Final = timedelta(days=7)
"""Nights that may have been missed. Whoever has been away longer when the policy is set is not written to."""


@job("notifications.absentees")
def write_to_absentees(turn: Turn) -> str | None:
    """Write to those whose absence is long enough since last night. Twice in a night it is once."""
    settings_row()
    with transaction.atomic():
        # Two at once would both find that nobody was written to.
        settings = DojoSettings.objects.select_for_update().get()
        if settings.absence_after_days:
            _write(settings, days=settings.absence_after_days, today=dojo_today(turn.now))
    return DONE


def _write(settings: DojoSettings, *, days: int, today: date) -> None:
    since = today - timedelta(days=days)
    missed = {
        row["student"]["id"]: last
        for row in absentees(days=days, today=today)
        if (last := row["last_visit"] or row["joined_on"]) and since - CAUGHT_UP < last <= since
    }
    known = _written_to(missed, since=since - CAUGHT_UP)
    notices = [
        Notice(student, _values(last, days=(today - last).days, settings=settings))
        for student, last in missed.items()
        if known.get(student, date.min) <= last
    ]
    if notices:
        letter = text_for(Kind.ABSENCE, settings.language).letter
        queue(kind=Kind.ABSENCE, letter=letter, notices=notices, settings=settings, is_bulk=True)


def notices_about(students: Sequence[UUID], *, settings: DojoSettings) -> list[Notice]:
    """Return notices of when each of some students came last; of who never came, without. One statement."""
    today = dojo_today()
    visits = Attendance.objects.standing().filter(student__in=students).order_by().values("student")
    last = dict(visits.annotate(last=Max("class_session__local_date")).values_list("student", "last"))
    return [
        Notice(
            one, _values(last[one], days=(today - last[one]).days, settings=settings) if one in last else {}
        )
        for one in students
    ]


def _values(last: date, *, days: int, settings: DojoSettings) -> dict[str, str]:
    return {"last_visit": written_date(last, settings.tongue), "days": str(days)}


def _written_to(students: Any, *, since: date) -> dict[UUID, date]:
    """Return when each was last written to about an absence: one statement. A log without a body remembers that."""
    rows = Delivery.objects.filter(
        notification__kind=Kind.ABSENCE,
        notification__is_test=False,
        notification__requested_by__isnull=True,
        created_at__date__gte=since,
        student_ids__overlap=list(students),
    )
    return {
        student: dojo_today(row.created_at)
        for row in rows.only("student_ids", "created_at").order_by("created_at")
        for student in row.student_ids
    }
