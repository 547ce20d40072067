"""Which sessions are current: those of the day, and those of the day before or after that run or are open now."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tatami import clock
from tatami.tenancy.scope import tenant_scope
from tenant_apps.classes.check_in_window import WINDOW_COLUMNS, check_in_window, open_at
from tenant_apps.classes.models import ClassSession
from tenant_apps.dojo.models import DojoSettings
from tests.attendance.scanning import scan, session_name, sign_in_again
from tests.classes.factories import create_class
from tests.support import factories
from tests.support.clients import Caller, Dojo
from tests.support.now import NOW
from tests.support.responses import ok

LATE_CLASS = {"weekdays": ["mo"], "start_time": "23:30", "duration_minutes": 120, "from": "2026-06-01"}
EARLY_CLASS = {"weekdays": ["tu"], "start_time": "00:15", "duration_minutes": 60, "from": "2026-06-01"}
TEN_TO_MIDNIGHT = datetime(2026, 6, 15, 21, 50, tzinfo=UTC)
HALF_PAST_MIDNIGHT = datetime(2026, 6, 15, 22, 30, tzinfo=UTC)
ONE_HOUR_LATER = HALF_PAST_MIDNIGHT + timedelta(minutes=50)
"""01:20: check-in for the class of 23:30 is closed, but the class runs until 01:30."""


@pytest.fixture
def device(dojo: Dojo) -> Caller:
    return factories.paired_device(dojo)[0]


def names(caller: Caller, query: str = "") -> list[str]:
    return [row["name"] for row in ok(caller.get(f"/class-sessions{query}"))["results"]]


@pytest.mark.parametrize("now", [TEN_TO_MIDNIGHT, HALF_PAST_MIDNIGHT, ONE_HOUR_LATER])
def test_a_class_across_midnight_stays_in_the_lists_and_open_to_the_kiosk(
    dojo: Dojo, device: Caller, now: datetime
) -> None:
    create_class(dojo, name="Night", recurrence=LATE_CLASS)
    session = factories.list_sessions(dojo, **{"from": "2026-06-15", "to": "2026-06-15"})[0]
    with clock.fixed(now):
        admin = sign_in_again(dojo.admin, dojo)
        assert names(device) == ["Night"]
        assert names(admin)[0] == "Night"
        assert ok(admin.get("/class-sessions"))["results"][0]["id"] == session["id"]
        assert ok(device.get(f"/class-sessions/{session['id']}"))["id"] == session["id"]
        ok(device.post("/qr", {"class_session": session["id"]}), 201)


def test_what_the_kiosk_lists_is_what_a_card_is_recorded_for(dojo: Dojo, device: Caller) -> None:
    create_class(dojo, name="Night", recurrence=LATE_CLASS)
    card = factories.qr_token(dojo.admin, factories.student(dojo), kind="card")
    with clock.fixed(HALF_PAST_MIDNIGHT):
        assert names(device) == [session_name(scan(device, card))] == ["Night"]


def test_a_class_just_after_midnight_is_listed_when_its_check_in_opens(dojo: Dojo, device: Caller) -> None:
    create_class(dojo, name="Early", recurrence=EARLY_CLASS)
    session = factories.list_sessions(dojo, **{"from": "2026-06-16", "to": "2026-06-16"})[0]
    with clock.fixed(TEN_TO_MIDNIGHT):
        assert names(device) == ["Early"]
        ok(device.post("/qr", {"class_session": session["id"]}), 201)
    with clock.fixed(TEN_TO_MIDNIGHT - timedelta(minutes=6)):
        assert names(device) == []
        assert device.get(f"/class-sessions/{session['id']}").status_code == 404


def test_the_window_is_that_of_the_class_or_else_of_the_dojo(dojo: Dojo, device: Caller) -> None:
    create_class(dojo, name="Own", recurrence=EARLY_CLASS, check_in_window={"opens_minutes_before": 180})
    create_class(dojo, name="Dojo's", recurrence=EARLY_CLASS)
    with clock.fixed(TEN_TO_MIDNIGHT - timedelta(hours=1)):
        assert names(device) == ["Own"]
        ok(sign_in_again(dojo.admin, dojo).patch("/settings", {"opens_minutes_before": 90}))
        assert sorted(names(device)) == ["Dojo's", "Own"]


def test_named_days_are_these_days_only(dojo: Dojo) -> None:
    create_class(dojo, name="Night", recurrence=LATE_CLASS)
    with clock.fixed(HALF_PAST_MIDNIGHT):
        assert names(sign_in_again(dojo.admin, dojo), "?from=2026-06-16&to=2026-06-16") == []


MINUTES = st.integers(min_value=-2000, max_value=2000)
BOUND = st.none() | st.integers(min_value=0, max_value=1440)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(offset=MINUTES, opens=BOUND, closes=BOUND, saved=st.booleans())
def test_the_condition_on_rows_equals_the_question_about_one_session(
    dojo: Dojo, offset: int, opens: Any, closes: Any, saved: bool
) -> None:
    with tenant_scope(dojo.tenant):
        DojoSettings.objects.all().delete()
        if saved:
            DojoSettings.objects.create(opens_minutes_before=45, closes_minutes_after=200)
        session = ClassSession(name="x", opens_minutes_before=opens, closes_minutes_after=closes)
        session.set_times(NOW + timedelta(minutes=offset), timedelta(hours=1))
        session.save()
        found = ClassSession.objects.alias(**WINDOW_COLUMNS).filter(open_at(NOW), pk=session.pk).exists()
        assert found == check_in_window(session, DojoSettings.current()).contains(NOW)
