"""Mail to students who have been absent as long as the dojo's setting says: once for each absence."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Max

from tatami.api.filters import start_of_day
from tatami.clock import tenant_date
from tatami.jobs import DONE, JobRun, job
from tatami.tenancy.scope import current_tenant
from tenant_apps.attendance.models import Attendance
from tenant_apps.attendance.reports import find_absentees
from tenant_apps.dojo.dates import long_date
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.dojo.services import get_or_create_settings
from tenant_apps.notifications.models import Delivery, NotificationKind
from tenant_apps.notifications.outbox import queue_notification
from tenant_apps.notifications.templates import template_for
from tenant_apps.students.events import Notice

CATCH_UP: Final = timedelta(days=7)
"""Mails that were due on one of so many open days before today are still sent. Students who had been absent for longer
when the dojo set the limit get no mail."""


@job("notifications.absentees")
def notify_absentees(run: JobRun) -> str | None:
    """Queue mail to students whose absence reached the dojo's limit. Running it twice on a day sends nothing more."""
    get_or_create_settings()
    with transaction.atomic():
        # The lock keeps two concurrent runs from both finding that no mail was sent.
        settings = DojoSettings.objects.select_for_update().get()
        if settings.absence_after_days:
            _queue(settings, days=settings.absence_after_days, today=tenant_date(run.now))
    return DONE


def _queue(settings: DojoSettings, *, days: int, today: date) -> None:
    absent = [
        (one, one.absent_since)
        for one in find_absentees(days=days, today=today)
        if one.absent_since and one.open_days is not None and one.open_days < days + CATCH_UP.days
    ]
    notified = _last_notified({one.student.pk: since for one, since in absent})
    notices = []
    for one, since in absent:
        if notified.get(one.student.pk, date.min) <= since:
            last = one.last_visit or since
            values = _values(last, days=(today - last).days, settings=settings)
            notices.append(Notice(one.student.pk, values))
    if notices:
        text = template_for(NotificationKind.ABSENCE, settings.language).text
        queue_notification(
            kind=NotificationKind.ABSENCE, text=text, notices=notices, settings=settings, is_bulk=True
        )


def absence_notices(students: Sequence[UUID], *, settings: DojoSettings) -> list[Notice]:
    """Return a notice for each student with the date of the last attendance, if there is one. One statement."""
    today = tenant_date()
    attendances = Attendance.objects.not_voided().filter(student__in=students).order_by().values("student")
    last = dict(attendances.annotate(last=Max("class_session__local_date")).values_list("student", "last"))
    return [
        Notice(
            one, _values(last[one], days=(today - last[one]).days, settings=settings) if one in last else {}
        )
        for one in students
    ]


def _values(last: date, *, days: int, settings: DojoSettings) -> dict[str, str]:
    return {"last_visit": long_date(last, settings.language_code), "days": str(days)}


def _last_notified(absent_since: Mapping[UUID, date]) -> dict[UUID, date]:
    """Return the local date of each student's last absence mail. One statement; it works after the retention time."""
    if not absent_since:
        return {}
    rows = Delivery.objects.filter(
        notification__kind=NotificationKind.ABSENCE,
        notification__is_test=False,
        notification__requested_by__isnull=True,
        created_at__gte=start_of_day(min(absent_since.values()), ZoneInfo(current_tenant().timezone)),
        student_ids__overlap=list(absent_since),
    )
    return {
        student: tenant_date(row.created_at)
        for row in rows.only("student_ids", "created_at").order_by("created_at")
        for student in row.student_ids
    }
