"""Scheduled jobs: for all dojos at an interval, or daily at each dojo's local hour."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from shared_apps.tenants.jobs.schedules import enqueue_daily, enqueue_for_all
from shared_apps.tenants.models import DailyJob, PendingJob, Tenant
from tatami.tenancy.scope import TenantScope, platform_scope
from tests.support.now import NOW
from tests.support.races import raise_first_error, run_concurrently

JOB = "tests.work"
NO_SPREAD = timedelta(0)
MIDNIGHT = NOW.replace(hour=0, minute=0, second=0, microsecond=0)


def take_enqueued() -> set[str]:
    """Return the slugs of the dojos for which the job is pending, and empty the queue."""
    with platform_scope():
        found = set(PendingJob.objects.filter(job=JOB).values_list("tenant__slug", flat=True))
        PendingJob.objects.all().delete()
    return found


def enqueue_at(now: datetime, hour: int = 3) -> set[str]:
    enqueue_daily(JOB, now=now, spread=NO_SPREAD, at_local_hour=hour)
    return take_enqueued()


def set_timezone(dojo: TenantScope, timezone: str) -> None:
    with platform_scope():
        Tenant.objects.filter(pk=dojo.tenant_id).update(timezone=timezone)


def test_a_job_for_all_is_spread_over_time(tenant: TenantScope, other_tenant: TenantScope) -> None:
    with platform_scope():
        Tenant.objects.filter(pk=other_tenant.tenant_id).update(status="suspended")
    spread = timedelta(minutes=30)
    assert enqueue_for_all(JOB, now=NOW, spread=spread) == 1
    with platform_scope():
        assert NOW <= PendingJob.objects.get().next_at <= NOW + spread
    assert enqueue_for_all(JOB, now=NOW, spread=spread) == 0
    assert take_enqueued() == {"aiki"}


def test_a_daily_job_is_enqueued_at_the_dojos_local_hour(
    tenant: TenantScope, other_tenant: TenantScope
) -> None:
    set_timezone(other_tenant, "Asia/Tokyo")
    found = {hour: enqueue_at(MIDNIGHT + timedelta(hours=hour, minutes=17)) for hour in range(24)}
    assert {hour: who for hour, who in found.items() if who} == {1: {"aiki"}, 18: {"kendo"}}


def test_time_zones_with_partial_hours_are_enqueued_at_their_local_hour(
    tenant: TenantScope, other_tenant: TenantScope
) -> None:
    set_timezone(tenant, "Asia/Kathmandu")  # +05:45: 03:00 there is 21:15
    set_timezone(other_tenant, "Asia/Kolkata")  # +05:30: 21:30
    assert enqueue_at(MIDNIGHT.replace(hour=21, minute=14)) == set()
    assert enqueue_at(MIDNIGHT.replace(hour=21, minute=15)) == {"aiki"}
    assert enqueue_at(MIDNIGHT.replace(hour=21, minute=45)) == {"kendo"}


def test_dojos_whose_hour_passed_during_an_outage_are_enqueued_once_afterwards(
    tenant: TenantScope, other_tenant: TenantScope
) -> None:
    set_timezone(other_tenant, "Asia/Tokyo")
    enqueue_at(MIDNIGHT)
    assert enqueue_at(MIDNIGHT + timedelta(hours=7)) == {"aiki"}
    assert enqueue_at(MIDNIGHT + timedelta(hours=20)) == {"kendo"}
    assert enqueue_at(MIDNIGHT + timedelta(days=4)) == {"aiki", "kendo"}  # once, not four times
    assert enqueue_at(MIDNIGHT + timedelta(days=4, minutes=1)) == set()


CLOCK_CHANGES = [  # time zone, first day, the local hour that is missing or repeated
    ("Europe/Berlin", "2026-03-27T00:00Z", 2),  # 02:00 does not exist on the 29th
    ("Europe/Berlin", "2026-10-23T00:00Z", 2),  # 02:00 comes twice on the 25th
    ("Australia/Lord_Howe", "2026-04-03T00:00Z", 2),
    ("America/Santiago", "2026-09-04T00:00Z", 0),  # midnight does not exist on the 6th
    ("Africa/Casablanca", "2026-02-13T00:00Z", 2),
]


def clock_changes() -> Iterator[Any]:
    """Yield each change with its own hour and, marked `volume`, with hours around it."""
    for timezone, first, changed in CLOCK_CHANGES:
        for hour in (0, 2, 3, 23):
            marks = () if hour == changed else (pytest.mark.volume,)
            yield pytest.param(timezone, first, hour, marks=marks)


@pytest.mark.parametrize(("timezone", "first", "hour"), list(clock_changes()))
def test_a_daily_job_is_enqueued_once_a_day_across_clock_changes(
    tenant: TenantScope, other_tenant: TenantScope, timezone: str, first: str, hour: int
) -> None:
    set_timezone(tenant, timezone)
    with platform_scope():
        Tenant.objects.filter(pk=other_tenant.tenant_id).update(status="suspended")
    began = datetime.fromisoformat(first)
    enqueue_at(began, hour)
    hours = (began + timedelta(hours=number) for number in range(1, 5 * 24 + 1))
    enqueued = [at for at in hours if enqueue_at(at, hour)]
    days = [at.astimezone(ZoneInfo(timezone)).date() for at in enqueued]
    assert len(days) >= 4
    assert days == [days[0] + timedelta(days=number) for number in range(len(days))]
    gaps = [later - earlier for earlier, later in pairwise(enqueued)]
    assert all(timedelta(hours=23) <= gap <= timedelta(hours=25) for gap in gaps)


def test_a_server_clock_that_is_set_back_enqueues_nothing_twice(tenant: TenantScope) -> None:
    assert "aiki" in enqueue_at(MIDNIGHT + timedelta(hours=1, minutes=17))
    assert enqueue_at(MIDNIGHT + timedelta(minutes=50)) == set()
    assert enqueue_at(MIDNIGHT + timedelta(hours=1, minutes=20)) == set()


def test_a_new_dojo_waits_for_its_next_local_hour(tenant: TenantScope) -> None:
    """Its local hour of today passed before it was created, and is scheduled already."""
    enqueue_at(MIDNIGHT + timedelta(hours=2))
    with platform_scope():
        Tenant.objects.create(
            slug="new", schema_name="t_new", name="New", timezone="Europe/Berlin", status="active"
        )
    assert enqueue_at(MIDNIGHT + timedelta(hours=3)) == set()
    assert "new" in enqueue_at(MIDNIGHT + timedelta(days=1, hours=2))


def test_the_number_of_statements_does_not_depend_on_the_number_of_dojos(tenant: TenantScope) -> None:
    enqueue_at(MIDNIGHT)
    with CaptureQueriesContext(connection) as statements:
        enqueue_daily(JOB, now=MIDNIGHT + timedelta(hours=2), spread=NO_SPREAD, at_local_hour=3)
    assert len([s for s in statements.captured_queries if "SAVEPOINT" not in s["sql"]]) <= 4


def test_an_unknown_time_zone_does_not_stop_other_dojos(
    tenant: TenantScope, other_tenant: TenantScope
) -> None:
    """The time zone may have existed when it was chosen. PostgreSQL and Python may know different ones."""
    set_timezone(other_tenant, "Mars/Olympus_Mons")
    assert enqueue_at(MIDNIGHT + timedelta(hours=1, minutes=17)) == {"aiki"}
    assert enqueue_at(MIDNIGHT + timedelta(hours=3)) == {"kendo"}


def test_concurrent_calls_enqueue_each_dojo_once(
    without_transaction: None, superuser: Any, north: TenantScope, south: TenantScope
) -> None:
    now = MIDNIGHT + timedelta(hours=1, minutes=17)
    try:
        numbers = run_concurrently(
            [lambda: enqueue_daily(JOB, now=now, spread=NO_SPREAD, at_local_hour=3) for _ in range(4)]
        )
        raise_first_error(numbers)
        assert Counter(number > 0 for number in numbers) == {True: 1, False: 3}
    finally:
        with platform_scope():
            DailyJob.objects.all().delete()
        take_enqueued()
