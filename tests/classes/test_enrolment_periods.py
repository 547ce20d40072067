"""Enrolments have a beginning and an end: who was expected at a session does not depend on the state of today."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from tatami import clock
from tatami.jobs import JobRun
from tatami.tenancy.scope import tenant_scope
from tenant_apps.classes.models import Enrolment, PastEnrolment
from tenant_apps.classes.tasks import generate_sessions
from tests.attendance.scanning import scan, sign_in_again
from tests.classes.factories import create_class, create_student, enrol, record_attendance, session_on
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.now import NOW
from tests.support.responses import assert_error, assert_invalid, ok

MONDAYS_OF_JUNE = ("2026-06-01", "2026-06-08", "2026-06-15", "2026-06-22", "2026-06-29")


def roster_days(dojo: Dojo, student: dict[str, Any]) -> list[str]:
    """Return the Mondays of June on whose rosters the student is."""
    found = []
    for day in MONDAYS_OF_JUNE:
        roster = ok(dojo.admin.get(f"/class-sessions/{session_on(dojo, day)['id']}"))["roster"]
        if any(line["student"]["id"] == student["id"] for line in roster):
            found.append(day)
    return found


def path_of(group: dict[str, Any], student: dict[str, Any] | None = None) -> str:
    return f"/classes/{group['id']}/enrolments" + (f"/{student['id']}" if student else "")


@pytest.fixture
def group(dojo: Dojo) -> dict[str, Any]:
    return create_class(dojo)


@pytest.fixture
def mika(dojo: Dojo) -> dict[str, Any]:
    return create_student(dojo)


def test_who_enrols_today_was_not_absent_before(dojo: Dojo, group: Any, mika: Any) -> None:
    enrol(dojo, group, mika)
    assert roster_days(dojo, mika) == ["2026-06-15", "2026-06-22", "2026-06-29"]


def test_who_leaves_today_stays_on_old_rosters(dojo: Dojo, group: Any, mika: Any) -> None:
    enrol(dojo, group, mika, **{"from": "2026-06-05"})
    assert dojo.admin.delete(path_of(group, mika)).status_code == 204
    assert roster_days(dojo, mika) == ["2026-06-08"]
    assert ok(dojo.admin.get(path_of(group)))["results"] == []
    assert_error(dojo.admin.delete(path_of(group, mika)), 404, "not_found")


def test_the_last_day_may_be_given(dojo: Dojo, group: Any, mika: Any) -> None:
    enrol(dojo, group, mika, **{"from": "2026-06-01"})
    assert_invalid(dojo.admin.delete(f"{path_of(group, mika)}?until=2026-06-16"), "until")
    assert_invalid(dojo.admin.delete(f"{path_of(group, mika)}?until=soon"), "until")
    assert dojo.admin.delete(f"{path_of(group, mika)}?until=2026-06-07").status_code == 204
    assert roster_days(dojo, mika) == ["2026-06-01"]


def test_who_comes_back_has_two_periods(dojo: Dojo, group: Any, mika: Any) -> None:
    enrol(dojo, group, mika, **{"from": "2026-06-01"})
    dojo.admin.delete(f"{path_of(group, mika)}?until=2026-06-01")
    assert_invalid(dojo.admin.post(path_of(group), {"student": mika["id"], "from": "2026-06-01"}), "from")
    enrol(dojo, group, mika, **{"from": "2026-06-22"})
    assert roster_days(dojo, mika) == ["2026-06-01", "2026-06-22", "2026-06-29"]


def test_an_enrolment_that_had_no_day_leaves_no_trace(dojo: Dojo, group: Any, mika: Any) -> None:
    enrol(dojo, group, mika)
    assert dojo.admin.delete(path_of(group, mika)).status_code == 204
    assert roster_days(dojo, mika) == []
    with tenant_scope(dojo.tenant):
        assert not PastEnrolment.objects.exists()


def test_a_repeated_call_returns_the_first_and_another_date_corrects_it(
    dojo: Dojo, group: Any, mika: Any
) -> None:
    body = {"student": mika["id"]}
    first = ok(dojo.admin.post(path_of(group), body), 201)
    assert first["from"] == "2026-06-15"
    assert ok(dojo.admin.post(path_of(group), body)) == first
    corrected = ok(dojo.admin.post(path_of(group), {**body, "from": "2026-06-08"}))
    assert (corrected["id"], corrected["from"]) == (first["id"], "2026-06-08")
    assert ok(dojo.admin.post(path_of(group), body))["from"] == "2026-06-08"


def test_joining_holds_and_archiving_count_on_their_days(dojo: Dojo, group: Any) -> None:
    since = {"from": "2026-06-01"}
    joined, held, gone = (
        create_student(dojo, "Joined", joined_on="2026-06-08"),
        create_student(dojo, "Held"),
        create_student(dojo, "Gone"),
    )
    enrol(dojo, group, joined, held, gone, **since)
    dojo.create(f"/students/{held['id']}/holds", {"from": "2026-06-05", "until": "2026-06-22"})
    assert dojo.admin.delete(f"/students/{gone['id']}").status_code == 204
    assert roster_days(dojo, joined) == list(MONDAYS_OF_JUNE[1:])
    assert roster_days(dojo, held) == ["2026-06-01", "2026-06-29"]
    assert roster_days(dojo, gone) == ["2026-06-01", "2026-06-08"]


def test_who_came_is_on_the_roster_whatever_the_enrolment(dojo: Dojo, group: Any, mika: Any) -> None:
    record_attendance(dojo, mika, session_on(dojo, "2026-06-01"))
    assert roster_days(dojo, mika) == ["2026-06-01"]


def test_check_in_by_enrolment_begins_with_the_enrolment(dojo: Dojo, group: Any, mika: Any) -> None:
    ok(dojo.admin.patch("/settings", {"enrolment_policy": "enforce"}))
    enrol(dojo, group, mika, **{"from": "2026-06-16"})
    card = factories.qr_token(dojo.admin, mika, kind="card")
    assert_error(scan(dojo.admin, card), 409, "not_enrolled")
    enrol_again = {"student": mika["id"], "from": "2026-06-15"}
    ok(dojo.admin.post(path_of(group), enrol_again))
    ok(scan(dojo.admin, card), 201)


def test_who_enrols_after_midnight_may_join_the_running_session(dojo: Dojo, mika: Any) -> None:
    night = {"weekdays": ["mo"], "start_time": "23:30", "duration_minutes": 120, "from": "2026-06-01"}
    group = create_class(dojo, recurrence=night)
    ok(dojo.admin.patch("/settings", {"enrolment_policy": "enforce"}))
    card = factories.qr_token(dojo.admin, mika, kind="card")
    with clock.fixed(datetime(2026, 6, 15, 22, 10, tzinfo=UTC)):
        admin = sign_in_again(dojo.admin, dojo)
        assert ok(admin.post(path_of(group), {"student": mika["id"]}), 201)["from"] == "2026-06-16"
        ok(scan(admin, card), 201)


def test_the_hourly_job_gives_old_enrolments_their_beginning(dojo: Dojo, group: Any, mika: Any) -> None:
    enrol(dojo, group, mika)
    made = datetime(2026, 6, 7, 22, 30, tzinfo=UTC)  # 8 June in Berlin
    with tenant_scope(dojo.tenant):
        Enrolment.objects.update(starts_on=None, created_at=made)
        assert roster_days(dojo, mika) == list(MONDAYS_OF_JUNE), "until then it counts as always"
        for _ in range(2):
            generate_sessions(JobRun(now=NOW))
        assert Enrolment.objects.get().starts_on == date(2026, 6, 8)


def test_export_and_erasure_reach_enrolments_that_ended(dojo: Dojo, group: Any, mika: Any) -> None:
    enrol(dojo, group, mika, **{"from": "2026-06-01"})
    dojo.admin.delete(path_of(group, mika))
    (past,) = ok(dojo.admin.get(f"/students/{mika['id']}/export"))["past_enrolments"]
    assert (past["from"], past["until"], past["class"]["name"]) == ("2026-06-01", "2026-06-14", "Evening")
    erasure = {"confirm": mika["id"]}
    assert dojo.admin.post(f"/students/{mika['id']}/erasure", erasure).status_code == 204
    with tenant_scope(dojo.tenant):
        assert not PastEnrolment.objects.exists()


def test_a_future_enrolment_is_expected_from_its_day(dojo: Dojo, group: Any, mika: Any) -> None:
    enrol(dojo, group, mika, **{"from": str((NOW + timedelta(days=7)).date())})
    assert roster_days(dojo, mika) == ["2026-06-22", "2026-06-29"]
