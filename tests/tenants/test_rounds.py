"""Jobs that come round by themselves: for all dojos at once, or in each dojo's own night."""

from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from shared_apps.tenants.models import DailyJob, PendingJob, Tenant
from shared_apps.tenants.rounds import request_daily, request_for_all
from tatami.tenancy.scope import TenantScope, platform_scope
from tests.support.committed_dojos import at_once, raise_first
from tests.support.now import NOW

JOB = "tests.work"
AT_ONCE = timedelta(0)
MIDNIGHT = NOW.replace(hour=0, minute=0, second=0, microsecond=0)


def asked() -> set[str]:
    """Return who was asked, and forget it."""
    with platform_scope():
        found = set(PendingJob.objects.filter(job=JOB).values_list("tenant__slug", flat=True))
        PendingJob.objects.all().delete()
    return found


def ask_at(now: datetime, hour: int = 3) -> set[str]:
    request_daily(JOB, now=now, spread=AT_ONCE, at_local_hour=hour)
    return asked()


def live_in(dojo: TenantScope, timezone: str) -> None:
    with platform_scope():
        Tenant.objects.filter(pk=dojo.tenant_id).update(timezone=timezone)


def test_a_job_for_all_is_spread_over_time(tenant: TenantScope, other_tenant: TenantScope) -> None:
    with platform_scope():
        Tenant.objects.filter(pk=other_tenant.tenant_id).update(status="suspended")
    spread = timedelta(minutes=30)
    assert request_for_all(JOB, now=NOW, spread=spread) == 1
    with platform_scope():
        assert NOW <= PendingJob.objects.get().next_at <= NOW + spread
    assert request_for_all(JOB, now=NOW, spread=spread) == 0
    assert asked() == {"aiki"}


def test_a_nightly_job_comes_in_the_dojos_own_night(tenant: TenantScope, other_tenant: TenantScope) -> None:
    live_in(other_tenant, "Asia/Tokyo")
    found = {hour: ask_at(MIDNIGHT + timedelta(hours=hour, minutes=17)) for hour in range(24)}
    assert {hour: who for hour, who in found.items() if who} == {1: {"aiki"}, 18: {"kendo"}}


def test_zones_of_half_hours_wait_for_their_hour(tenant: TenantScope, other_tenant: TenantScope) -> None:
    live_in(tenant, "Asia/Kathmandu")  # +05:45: 03:00 there is 21:15
    live_in(other_tenant, "Asia/Kolkata")  # +05:30: 21:30
    assert ask_at(MIDNIGHT.replace(hour=21, minute=14)) == set()
    assert ask_at(MIDNIGHT.replace(hour=21, minute=15)) == {"aiki"}
    assert ask_at(MIDNIGHT.replace(hour=21, minute=45)) == {"kendo"}


def test_whose_hour_came_while_nobody_asked_is_asked_afterwards(
    tenant: TenantScope, other_tenant: TenantScope
) -> None:
    live_in(other_tenant, "Asia/Tokyo")
    ask_at(MIDNIGHT)
    assert ask_at(MIDNIGHT + timedelta(hours=7)) == {"aiki"}
    assert ask_at(MIDNIGHT + timedelta(hours=20)) == {"kendo"}
    assert ask_at(MIDNIGHT + timedelta(days=4)) == {"aiki", "kendo"}  # once, not four times
    assert ask_at(MIDNIGHT + timedelta(days=4, minutes=1)) == set()


@pytest.mark.parametrize(
    ("timezone", "first"),
    [
        ("Europe/Berlin", "2026-03-27T00:00Z"),  # 02:00 does not exist on the 29th
        ("Europe/Berlin", "2026-10-23T00:00Z"),  # 02:00 comes twice on the 25th
        ("Australia/Lord_Howe", "2026-04-03T00:00Z"),
        ("America/Santiago", "2026-09-04T00:00Z"),  # midnight does not exist on the 6th
        ("Africa/Casablanca", "2026-02-13T00:00Z"),
    ],
)
@pytest.mark.parametrize("hour", [0, 2, 3, 23])
def test_it_is_asked_once_a_day_whatever_the_clocks_do(
    tenant: TenantScope, other_tenant: TenantScope, timezone: str, first: str, hour: int
) -> None:
    live_in(tenant, timezone)
    with platform_scope():
        Tenant.objects.filter(pk=other_tenant.tenant_id).update(status="suspended")
    began = datetime.fromisoformat(first)
    ask_at(began, hour)
    hours = (began + timedelta(hours=number) for number in range(1, 5 * 24 + 1))
    found = [at for at in hours if ask_at(at, hour)]
    days = [at.astimezone(ZoneInfo(timezone)).date() for at in found]
    assert len(days) >= 4
    assert days == [days[0] + timedelta(days=number) for number in range(len(days))]
    gaps = [later - earlier for earlier, later in pairwise(found)]
    assert all(timedelta(hours=23) <= gap <= timedelta(hours=25) for gap in gaps)


def test_a_clock_that_is_put_back_asks_nobody_again(tenant: TenantScope) -> None:
    assert "aiki" in ask_at(MIDNIGHT + timedelta(hours=1, minutes=17))
    assert ask_at(MIDNIGHT + timedelta(minutes=50)) == set()
    assert ask_at(MIDNIGHT + timedelta(hours=1, minutes=20)) == set()


def test_a_dojo_that_is_new_waits_for_its_first_night(tenant: TenantScope) -> None:
    """Its hour of today came before it was made, and was asked for already."""
    ask_at(MIDNIGHT + timedelta(hours=2))
    with platform_scope():
        Tenant.objects.create(
            slug="new", schema_name="t_new", name="New", timezone="Europe/Berlin", status="active"
        )
    assert ask_at(MIDNIGHT + timedelta(hours=3)) == set()
    assert "new" in ask_at(MIDNIGHT + timedelta(days=1, hours=2))


def test_it_costs_the_same_for_any_number_of_dojos(tenant: TenantScope) -> None:
    ask_at(MIDNIGHT)
    with CaptureQueriesContext(connection) as statements:
        request_daily(JOB, now=MIDNIGHT + timedelta(hours=2), spread=AT_ONCE, at_local_hour=3)
    assert len([s for s in statements.captured_queries if "SAVEPOINT" not in s["sql"]]) <= 4


def test_a_time_zone_that_nobody_knows_stops_nobody_else(
    tenant: TenantScope, other_tenant: TenantScope
) -> None:
    """It may have been known when it was chosen. PostgreSQL and Python know different ones, too."""
    live_in(other_tenant, "Mars/Olympus_Mons")
    assert ask_at(MIDNIGHT + timedelta(hours=1, minutes=17)) == {"aiki"}
    assert ask_at(MIDNIGHT + timedelta(hours=3)) == {"kendo"}


def test_two_who_ask_at_once_ask_each_dojo_once(
    without_transaction: None, superuser: Any, north: TenantScope, south: TenantScope
) -> None:
    now = MIDNIGHT + timedelta(hours=1, minutes=17)
    try:
        numbers = at_once(
            [lambda: request_daily(JOB, now=now, spread=AT_ONCE, at_local_hour=3) for _ in range(4)]
        )
        raise_first(numbers)
        assert Counter(number > 0 for number in numbers) == {True: 1, False: 3}
    finally:
        with platform_scope():
            DailyJob.objects.all().delete()
        asked()
