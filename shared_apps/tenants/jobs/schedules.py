"""Jobs that run in every active tenant by themselves: at an interval, or once a day at a local hour.

Celery beat only says when to look. Which tenants are scheduled depends on what was scheduled before. So after an
outage, the tenants whose local hour passed in between are scheduled as soon as the service is back, and no tenant is
scheduled twice.
"""

from datetime import datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db import connection, transaction

from shared_apps.tenants.models import DailyJob, Tenant
from tatami.tenancy.scope import platform_scope

FIRST_RUN_LOOKBACK: Final = timedelta(hours=1)
"""When a daily job is scheduled for the first time, tenants whose local hour passed within this time are included."""

_ENQUEUE: Final = """
INSERT INTO tenants_pendingjob (tenant_id, job, next_at, marks, turns, attempts, cursor, request_id, created_at)
SELECT id, %(job)s, %(now)s + random() * %(spread)s::interval, 1, 0, 0, '', '', %(now)s
FROM tenants_tenant
WHERE status = 'active' AND (%(zones)s::text[] IS NULL OR timezone = ANY(%(zones)s))
ON CONFLICT (tenant_id, job) DO NOTHING
"""


def enqueue_for_all(job: str, *, now: datetime, spread: timedelta) -> int:
    """Enqueue a job for every active tenant, at random times within `spread`; return for how many. One statement.

    A tenant for which the job is pending already keeps its place in the queue.
    """
    with platform_scope():
        return _enqueue(job, now, spread)


def enqueue_daily(job: str, *, now: datetime, spread: timedelta, at_local_hour: int) -> int:
    """Enqueue a job for the active tenants whose local hour (0 to 23) has passed since the last call.

    So each tenant runs the job once a day, on the days of a clock change, too, and once after a longer outage.
    Concurrent calls run one after the other. Returns for how many tenants the job was enqueued.
    """
    with platform_scope(), transaction.atomic():
        first = {"asked_until": now - FIRST_RUN_LOOKBACK}
        daily, _ = DailyJob.objects.select_for_update().get_or_create(job=job, defaults=first)
        zones = Tenant.objects.active().values_list("timezone", flat=True).distinct()
        due = [zone for zone in zones if _last_time_at(zone, at_local_hour, now) > daily.asked_until]
        number = _enqueue(job, now, spread, due)
        daily.asked_until = max(daily.asked_until, now)
        daily.save()
    return number


def _last_time_at(zone: str, hour: int, now: datetime) -> datetime:
    """Return when it was last that hour in a time zone, today or yesterday. An unknown time zone counts as UTC."""
    try:
        timezone = ZoneInfo(zone)
    except ZoneInfoNotFoundError:
        timezone = ZoneInfo("UTC")
    today = datetime.combine(now.astimezone(timezone).date(), time(hour), tzinfo=timezone)
    return today if today <= now else today - timedelta(days=1)


def _enqueue(job: str, now: datetime, spread: timedelta, zones: list[str] | None = None) -> int:
    values: dict[str, Any] = {"job": job, "now": now, "spread": spread, "zones": zones}
    with connection.cursor() as cursor:
        cursor.execute(_ENQUEUE, values)
        return int(cursor.rowcount)
