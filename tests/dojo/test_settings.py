"""The settings of the dojo, and its local date."""

from datetime import timedelta
from typing import Any

import pytest

from tatami import clock
from tatami.tenancy.middleware import host_resolver
from tests.support.clients import Dojo
from tests.support.now import NOW
from tests.support.responses import assert_invalid, ok


def test_settings_are_read_and_changed(dojo: Dojo) -> None:
    before = ok(dojo.admin.get("/settings"))
    assert {"name", "timezone", "leap_day_birthday", "card_policy", "late_after_minutes", "terms"} <= set(
        before
    )
    after = ok(dojo.admin.patch("/settings", {"late_after_minutes": 3, "terms": "No shoes."}))
    assert after.items() >= {**before, "late_after_minutes": 3, "terms": "No shoes.", **stamps(after)}.items()
    assert ok(dojo.admin.get("/settings")) == after


def stamps(body: dict[str, Any]) -> dict[str, Any]:
    return {name: body[name] for name in ("id", "created_at", "updated_at") if name in body}


def test_name_and_time_zone_are_those_of_the_platform(dojo: Dojo, platform: Any) -> None:
    ok(dojo.admin.patch("/settings", {"name": "Neues Dojo", "timezone": "Asia/Tokyo"}))
    assert ok(dojo.admin.get("/me"))["tenant"]["timezone"] == "Asia/Tokyo"
    tenants = ok(platform.superadmin().get("/tenants"))["results"]
    assert {row["slug"]: row["name"] for row in tenants} == {"aiki": "Neues Dojo", "kendo": "Seishin Dojo"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("timezone", "Europe/Atlantis"),
        ("leap_day_birthday", "feb30"),
        ("card_policy", "x"),
        ("chinese_characters", "tc"),
        ("late_after_minutes", -1),
        ("opens_minutes_before", "x"),
        ("name", ""),
        ("slug", "kendo"),
        ("tenant_id", "x"),
        ("language", "xx"),
    ],
)
def test_a_setting_with_a_bad_value_is_refused(dojo: Dojo, field: str, value: Any) -> None:
    before = ok(dojo.admin.patch("/settings", {"terms": "No shoes."}))
    assert_invalid(dojo.admin.patch("/settings", {"terms": "Shoes.", field: value}), field)
    assert ok(dojo.admin.get("/settings")) == before


def test_default_settings_do_not_change_between_requests(dojo: Dojo) -> None:
    assert ok(dojo.admin.get("/settings")) == ok(dojo.admin.get("/settings"))


def test_today_is_the_local_date_of_the_dojo(dojo: Dojo) -> None:
    """At 23:30 in Berlin it is tomorrow in Tokyo."""
    with clock.fixed(NOW + timedelta(hours=4, minutes=50)):
        caller = Dojo(dojo.tenant).person("admin", "late")
        assert ok(caller.post("/promotions/check", {}))["as_of"] == "2026-06-15"
        ok(caller.patch("/settings", {"timezone": "Asia/Tokyo"}))
        host_resolver.cache_clear()
        assert ok(caller.post("/promotions/check", {}))["as_of"] == "2026-06-16"
