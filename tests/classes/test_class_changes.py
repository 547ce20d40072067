"""A class that changes from a day on, or is archived; and a dojo that moves to another time zone."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tatami import clock
from tatami.tenancy.middleware import host_resolver
from tatami.tenancy.scope import tenant_scope
from tenant_apps.classes.calendar_feed import DAYS_AHEAD
from tenant_apps.classes.models import ClassSession, TrainingClass
from tenant_apps.classes.session_generation import HORIZON, generate_sessions, generate_to_horizon
from tests.classes.factories import (
    MONDAYS,
    create_class,
    create_student,
    list_sessions,
    session_on,
    store_attendance,
)
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.now import NOW
from tests.support.responses import ok


def change_class(dojo: Dojo, group: dict[str, Any], **body: Any) -> Any:
    return dojo.admin.patch(f"/classes/{group['id']}", body)


def starts(dojo: Dojo, **query: str) -> list[str]:
    return [row["starts_at"] for row in factories.list_sessions(dojo, **query)]


def test_a_change_does_not_reach_past_sessions(dojo: Dojo) -> None:
    group = factories.training_class(dojo)
    ok(dojo.admin.patch(f"/classes/{group['id']}", {"name": "Advanced", "location": "Hall B"}))
    names = {
        row["local_date"]: row["name"]
        for row in factories.list_sessions(dojo, **{"from": "2026-06-01", "to": "2026-06-22"})
    }
    assert names == {
        "2026-06-01": "Evening class",
        "2026-06-08": "Evening class",
        "2026-06-15": "Advanced",
        "2026-06-22": "Advanced",
    }


def test_a_change_applies_from_the_given_day(dojo: Dojo) -> None:
    group = factories.training_class(dojo)
    change = {"recurrence": {**factories.SCHEDULE, "start_time": "19:00"}, "apply_from": "2026-06-22"}
    ok(dojo.admin.patch(f"/classes/{group['id']}", change))
    assert starts(dojo, **{"class": group["id"], "from": "2026-06-15", "to": "2026-06-28"}) == [
        "2026-06-15T16:30:00Z",
        "2026-06-22T17:00:00Z",
    ]


def test_a_change_does_not_reach_sessions_with_attendance(dojo: Dojo) -> None:
    group = factories.training_class(dojo)
    attended = factories.attendance(dojo, factories.student(dojo), factories.session_today(dojo, group))
    ok(
        dojo.admin.patch(
            f"/classes/{group['id']}", {"recurrence": {**factories.SCHEDULE, "start_time": "19:00"}}
        )
    )
    today = factories.list_sessions(dojo, **{"class": group["id"], "from": "2026-06-15", "to": "2026-06-15"})
    assert [row["id"] for row in today] == [attended["class_session"]["id"]], "and no second one beside it"


def test_sessions_keep_their_ids_when_their_class_changes(dojo: Dojo) -> None:
    group = create_class(dojo)
    before = {one["local_date"]: one["id"] for one in list_sessions(dojo)}
    ok(change_class(dojo, group, name="Advanced", recurrence={**MONDAYS, "weekdays": ["mo", "we"]}))
    after = {one["local_date"]: one["id"] for one in list_sessions(dojo)}
    assert before.items() <= after.items()
    assert len(after) > len(before)


def test_days_before_a_change_follow_the_old_recurrence(dojo: Dojo) -> None:
    group = create_class(dojo)
    body = {"recurrence": {**MONDAYS, "weekdays": ["fr"]}, "apply_from": "2026-12-01"}
    assert change_class(dojo, group, **body).status_code == 200
    found = [one["local_date"] for one in list_sessions(dojo, "2026-11-16", "2026-12-14")]
    assert found == ["2026-11-16", "2026-11-23", "2026-11-30", "2026-12-04", "2026-12-11"]


def test_a_change_too_far_ahead_is_refused(dojo: Dojo) -> None:
    answer = change_class(dojo, create_class(dojo), name="Later", apply_from="2030-01-01")
    assert (answer.status_code, set(answer.json()["error"]["details"])) == (400, {"apply_from"})


def test_sessions_are_generated_from_the_first_day_of_the_recurrence(dojo: Dojo) -> None:
    create_class(dojo, recurrence={**MONDAYS, "from": "2025-06-02"})
    assert len(list_sessions(dojo, "2025-06-01", "2026-06-15")) == 55


def test_an_archived_class_has_no_future_sessions_and_a_restored_one_has(dojo: Dojo) -> None:
    group = factories.training_class(dojo)
    ahead = {"class": group["id"], "from": "2026-06-16", "to": "2026-06-30"}
    ok(dojo.admin.delete(f"/classes/{group['id']}"), 204)
    assert starts(dojo, **ahead) == []
    ok(dojo.admin.patch(f"/classes/{group['id']}", {"archived": False}))
    assert starts(dojo, **ahead) == ["2026-06-22T16:30:00Z", "2026-06-29T16:30:00Z"]


def test_no_sessions_are_generated_for_the_time_a_class_was_archived(dojo: Dojo) -> None:
    group = create_class(dojo)
    assert dojo.admin.delete(f"/classes/{group['id']}").status_code == 204
    with clock.fixed(NOW + timedelta(days=200)):
        later = Dojo(dojo.tenant).person("admin", "later")
        with tenant_scope(dojo.tenant):
            generate_to_horizon(now=clock.now())
        assert later.patch(f"/classes/{group['id']}", {"archived": False}).status_code == 200
        found = later.get("/class-sessions?page_size=200&from=2026-06-01&to=2027-01-20").json()["results"]
    dates = [one["local_date"] for one in found]
    assert dates[:3] == ["2026-06-01", "2026-06-08", "2026-06-15"]
    assert dates[3] == "2027-01-04"


def test_repeated_generation_adds_no_sessions(dojo: Dojo) -> None:
    create_class(dojo)
    with tenant_scope(dojo.tenant):
        before = ClassSession.objects.count()
        assert generate_sessions(until=date(2026, 12, 31), now=NOW) == 1
        once = ClassSession.objects.count()
        assert generate_sessions(until=date(2026, 12, 31), now=NOW) == 0
        assert ClassSession.objects.count() == once > before
        TrainingClass.objects.update(materialised_until=date(2026, 6, 20))
        generate_to_horizon(now=NOW)
        assert ClassSession.objects.count() == once


@pytest.mark.parametrize("zone", ["America/Sao_Paulo", "Asia/Kolkata", "Pacific/Kiritimati"])
def test_classes_keep_their_local_time_in_another_time_zone(dojo: Dojo, zone: str) -> None:
    """Future sessions get new times and keep their ids; past, attended and moved sessions keep their times."""
    more = [{"weekdays": ["mo"], "start_time": "19:30", "duration_minutes": 30}]
    create_class(dojo, recurrence={**MONDAYS, "weekdays": ["mo", "tu", "we"], "more_times": more})
    attended, moved = session_on(dojo, "2026-06-23"), session_on(dojo, "2026-06-24")
    cancelled = session_on(dojo, "2026-06-30")
    store_attendance(dojo, create_student(dojo), attended)
    dojo.admin.patch(f"/class-sessions/{moved['id']}", {"starts_at": "2026-06-25T01:00:00Z"})
    dojo.admin.post(f"/class-sessions/{cancelled['id']}/cancellation")
    before = {one["id"]: one for one in list_sessions(dojo)}
    with tenant_scope(replace(dojo.tenant, timezone=zone)):
        generate_to_horizon(now=NOW)
        after = {str(row.pk): row for row in ClassSession.objects.all()}
    assert set(before) <= set(after)
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


def test_the_list_follows_a_new_time_zone_at_once(dojo: Dojo) -> None:

    create_class(dojo)
    assert dojo.admin.patch("/settings", {"timezone": "Asia/Tokyo"}).status_code == 200
    host_resolver.cache_clear()
    assert session_on(dojo, "2026-06-22")["starts_at"] == "2026-06-22T09:30:00Z"


def test_the_horizon_is_beyond_the_calendar_feed() -> None:
    assert HORIZON > DAYS_AHEAD
