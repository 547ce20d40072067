"""A class that changes from some day on; a dojo that moves to another time zone; a class that was put away."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from tatami import clock
from tatami.tenancy.scope import tenant_scope
from tenant_apps.classes.materialise import HORIZON, materialise, materialise_ahead
from tenant_apps.classes.models import ClassSession, TrainingClass
from tests.classes.schedules import MONDAYS, a_class, a_student, attend, session_on, sessions
from tests.support.clients import Dojo
from tests.support.now import NOW


def change(dojo: Dojo, group: dict[str, Any], **body: Any) -> Any:
    return dojo.admin.patch(f"/classes/{group['id']}", body)


def test_days_before_a_change_far_ahead_are_still_made_by_the_old_rule(dojo: Dojo) -> None:
    group = a_class(dojo)
    body = {"recurrence": {**MONDAYS, "weekdays": ["fr"]}, "apply_from": "2026-12-01"}
    assert change(dojo, group, **body).status_code == 200
    found = [one["local_date"] for one in sessions(dojo, "2026-11-16", "2026-12-14")]
    assert found == ["2026-11-16", "2026-11-23", "2026-11-30", "2026-12-04", "2026-12-11"]


def test_a_change_further_ahead_than_sessions_are_planned_is_refused(dojo: Dojo) -> None:
    answer = change(dojo, a_class(dojo), name="Later", apply_from="2030-01-01")
    assert (answer.status_code, set(answer.json()["error"]["details"])) == (400, {"apply_from"})


def test_a_class_is_made_back_to_the_first_day_of_its_rule(dojo: Dojo) -> None:
    a_class(dojo, recurrence={**MONDAYS, "from": "2025-06-02"})
    assert len(sessions(dojo, "2025-06-01", "2026-06-15")) == 55


def test_a_class_that_was_put_away_held_no_sessions_meanwhile(dojo: Dojo) -> None:
    group = a_class(dojo)
    assert dojo.admin.delete(f"/classes/{group['id']}").status_code == 204
    with clock.fixed(NOW + timedelta(days=200)):
        later = Dojo(dojo.tenant).person("admin", "later")
        with tenant_scope(dojo.tenant):
            materialise_ahead(now=clock.now())
        assert later.patch(f"/classes/{group['id']}", {"archived": False}).status_code == 200
        found = later.get("/class-sessions?page_size=200&from=2026-06-01&to=2027-01-20").json()["results"]
    dates = [one["local_date"] for one in found]
    assert dates[:3] == ["2026-06-01", "2026-06-08", "2026-06-15"]
    assert dates[3] == "2027-01-04"


def test_sessions_are_made_ahead_once_however_often_it_is_asked(dojo: Dojo) -> None:
    a_class(dojo)
    with tenant_scope(dojo.tenant):
        before = ClassSession.objects.count()
        assert materialise(until=date(2026, 12, 31), now=NOW) == 1
        once = ClassSession.objects.count()
        assert materialise(until=date(2026, 12, 31), now=NOW) == 0
        assert ClassSession.objects.count() == once > before
        TrainingClass.objects.update(materialised_until=date(2026, 6, 20))
        materialise_ahead(now=NOW)
        assert ClassSession.objects.count() == once


@pytest.mark.parametrize("zone", ["America/Sao_Paulo", "Asia/Kolkata", "Pacific/Kiritimati"])
def test_a_dojo_in_another_time_zone_keeps_its_wall_clock(dojo: Dojo, zone: str) -> None:
    """Sessions to come are timed anew under their ids; what was, was attended or was moved stays at its moment."""
    more = [{"weekdays": ["mo"], "start_time": "19:30", "duration_minutes": 30}]
    a_class(dojo, recurrence={**MONDAYS, "weekdays": ["mo", "tu", "we"], "more_times": more})
    attended, moved = session_on(dojo, "2026-06-23"), session_on(dojo, "2026-06-24")
    cancelled = session_on(dojo, "2026-06-30")
    attend(dojo, a_student(dojo), attended)
    dojo.admin.patch(f"/class-sessions/{moved['id']}", {"starts_at": "2026-06-25T01:00:00Z"})
    dojo.admin.post(f"/class-sessions/{cancelled['id']}/cancellation")
    before = {one["id"]: one for one in sessions(dojo)}
    with tenant_scope(replace(dojo.tenant, timezone=zone)):
        materialise_ahead(now=NOW)
        after = {str(row.pk): row for row in ClassSession.objects.all()}
    assert set(before) <= set(after)
    from zoneinfo import ZoneInfo

    for key, one in before.items():
        row = after[key]
        old = datetime.fromisoformat(one["starts_at"])
        wall = row.starts_at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        if old <= NOW or key in {attended["id"], moved["id"]}:
            expected = datetime(2026, 6, 25, 1, tzinfo=UTC) if key == moved["id"] else old
            assert row.starts_at == expected
        else:
            assert wall == datetime.combine(row.slot_date, row.slot_time)
        if row.starts_at > NOW:
            assert row.local_date == wall.date()
    assert after[cancelled["id"]].status == "cancelled"


def test_the_list_times_sessions_anew_before_the_hourly_task_does(dojo: Dojo) -> None:
    from tatami.tenancy.middleware import host_resolver

    a_class(dojo)
    assert dojo.admin.patch("/settings", {"timezone": "Asia/Tokyo"}).status_code == 200
    host_resolver.cache_clear()
    assert session_on(dojo, "2026-06-22")["starts_at"] == "2026-06-22T09:30:00Z"


def test_the_horizon_reaches_beyond_the_calendar_feed() -> None:
    from tenant_apps.classes.feed import AHEAD

    assert HORIZON > AHEAD
