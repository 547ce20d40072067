"""Jobs that come round by themselves in every dojo that serves: once in a while, or once a day in its own night.

Beat says when to ask; which dojos are asked is a matter of what was asked before. So whatever was away at that moment,
a dojo whose hour came meanwhile is asked when all is there again, and none is asked twice.
"""

from datetime import datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db import connection, transaction

from shared_apps.tenants.models import DailyJob, Tenant
from tatami.tenancy.scope import platform_scope

BEFORE_THE_FIRST: Final = timedelta(hours=1)
"""Whose hour came that long before a daily job was asked for at all is asked, too."""

_REQUEST: Final = """
INSERT INTO tenants_pendingjob (tenant_id, job, next_at, marks, turns, attempts, cursor, request_id, created_at)
SELECT id, %(job)s, %(now)s + random() * %(spread)s::interval, 1, 0, 0, '', '', %(now)s
FROM tenants_tenant
WHERE status = 'active' AND (%(zones)s::text[] IS NULL OR timezone = ANY(%(zones)s))
ON CONFLICT (tenant_id, job) DO NOTHING
"""


def request_for_all(job: str, *, now: datetime, spread: timedelta) -> int:
    """Note a job for every dojo that serves, at random moments within `spread`; return for how many. One statement.

    A dojo that waits for this job already keeps its place.
    """
    with platform_scope():
        return _request(job, now, spread)


def request_daily(job: str, *, now: datetime, spread: timedelta, at_local_hour: int) -> int:
    """Note a job where it has become that hour (0 to 23, in the dojo's own time zone) since it was last asked for.

    So each has it once a day, on the days of a change of the clocks, too; after a longer pause, once. Two who ask at
    once follow one another. Returns for how many dojos.
    """
    with platform_scope(), transaction.atomic():
        first = {"asked_until": now - BEFORE_THE_FIRST}
        asked, _ = DailyJob.objects.select_for_update().get_or_create(job=job, defaults=first)
        serving = Tenant.objects.filter(status=Tenant.Status.ACTIVE)
        zones = serving.values_list("timezone", flat=True).distinct()
        due = [zone for zone in zones if _hour_came(zone, at_local_hour, now) > asked.asked_until]
        number = _request(job, now, spread, due)
        asked.asked_until = max(asked.asked_until, now)
        asked.save()
    return number


def _hour_came(zone: str, hour: int, now: datetime) -> datetime:
    """Return when it was that hour last in a time zone: today, or else yesterday. In one that is gone, by UTC."""
    try:
        place = ZoneInfo(zone)
    except ZoneInfoNotFoundError:
        place = ZoneInfo("UTC")
    today = datetime.combine(now.astimezone(place).date(), time(hour), tzinfo=place)
    return today if today <= now else today - timedelta(days=1)


def _request(job: str, now: datetime, spread: timedelta, zones: list[str] | None = None) -> int:
    given: dict[str, Any] = {"job": job, "now": now, "spread": spread, "zones": zones}
    with connection.cursor() as cursor:
        cursor.execute(_REQUEST, given)
        return int(cursor.rowcount)
