"""Attendance that staff record by hand, the list of attendances, and voids."""

from datetime import timedelta
from typing import Any

import pytest

from tatami import clock
from tatami.tenancy.scope import tenant_scope
from tenant_apps.attendance.models import Attendance
from tests.attendance.scanning import sign_in_again
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.now import NOW
from tests.support.responses import assert_error, assert_invalid, ok


def record(dojo: Dojo, who: Any, session: Any, **more: Any) -> Any:
    return dojo.admin.post("/attendance", {"student": who["id"], "class_session": session["id"], **more})


def test_attendance_by_hand_returns_the_response_of_a_scan(dojo: Dojo) -> None:
    who, session = factories.student(dojo), factories.single_session(dojo)
    first = ok(record(dojo, who, session), 201)
    assert (first["status"], first["attendance"]["method"]) == ("recorded", "manual")
    assert set(first) == {"status", "attendance", "student", "alerts"}
    assert ok(record(dojo, who, session)) == {**first, "status": "already_recorded"}


def test_attendance_by_hand_at_a_past_session_begins_with_it_and_shows_alerts(dojo: Dojo) -> None:
    mika = factories.student(dojo, medical_notes="Asthma")
    session = factories.single_session(dojo, "2026-06-01T16:30:00Z")
    body = {"student": mika["id"], "class_session": session["id"]}
    first = ok(dojo.assistant.post("/attendance", body), 201)
    assert (first["attendance"]["method"], first["attendance"]["checked_in_at"]) == (
        "manual",
        session["starts_at"],
    )
    assert [one["code"] for one in first["alerts"]] == ["medical"]
    again = ok(dojo.admin.post("/attendance", body), 200)
    assert (again["status"], again["attendance"]) == ("already_recorded", first["attendance"])


def test_attendance_by_hand_ignores_window_capacity_enrolment_and_rank(dojo: Dojo) -> None:
    ok(
        dojo.admin.patch(
            "/settings", {f"{name}_policy": "enforce" for name in ("enrolment", "rank", "capacity")}
        )
    )
    system = factories.rank_system(dojo)
    group = factories.training_class(dojo, min_rank=factories.rank_id(system, "1-dan"), capacity=1)
    session = factories.list_sessions(
        dojo, **{"class": group["id"], "from": "2026-06-01", "to": "2026-06-01"}
    )[0]
    for _ in range(2):
        body = ok(record(dojo, factories.student(dojo), session), 201)
        assert body["attendance"]["checked_in_at"] == "2026-06-01T16:30:00Z"
        assert body["attendance"]["late"] is False


def test_attendance_by_hand_at_a_cancelled_session_is_refused(dojo: Dojo, mika: Any) -> None:
    session = factories.single_session(dojo)
    body = {"student": mika["id"], "class_session": session["id"]}
    path = f"/class-sessions/{session['id']}/cancellation"
    ok(dojo.admin.post(path), 201)
    assert_error(dojo.admin.post("/attendance", body), 409, "session_cancelled")
    with tenant_scope(dojo.tenant):
        assert Attendance.objects.count() == 0
    ok(dojo.admin.delete(path), 204)
    ok(dojo.admin.post("/attendance", body), 201)


def test_time_and_lateness_may_be_given(dojo: Dojo) -> None:
    session = factories.single_session(dojo, "2026-06-10T16:30:00Z")
    body = ok(record(dojo, factories.student(dojo), session, checked_in_at="2026-06-10T16:50:00Z"), 201)
    assert (body["attendance"]["checked_in_at"], body["attendance"]["late"]) == ("2026-06-10T16:50:00Z", True)
    body = ok(record(dojo, factories.student(dojo), session, late=True), 201)
    assert body["attendance"]["late"] is True


@pytest.mark.parametrize("moment", ["2026-06-16T00:00:00Z", "2026-06-10", "now"])
def test_a_time_in_the_future_is_refused(dojo: Dojo, moment: str) -> None:
    assert_invalid(
        record(dojo, factories.student(dojo), factories.single_session(dojo), checked_in_at=moment),
        "checked_in_at",
    )


def test_a_voided_attendance_does_not_count_and_can_be_recorded_again(dojo: Dojo) -> None:
    who, session = factories.student(dojo), factories.single_session(dojo)
    first = ok(record(dojo, who, session), 201)["attendance"]
    path = f"/attendance/{first['id']}/void"
    assert ok(dojo.admin.post(path, {"reason": "The wrong student"}))["id"] == first["id"]
    assert_error(dojo.admin.post(path, {"reason": "Again"}), 409, "already_voided")
    second = ok(record(dojo, who, session), 201)["attendance"]
    assert second["id"] != first["id"]


def test_the_list_is_filtered_by_student_session_and_date(dojo: Dojo) -> None:
    who, other = factories.student(dojo), factories.student(dojo, first_name="Ren")
    today, earlier = factories.single_session(dojo), factories.single_session(dojo, "2026-06-10T16:30:00Z")
    mine = factories.attendance(dojo, who, today)["id"]
    before = factories.attendance(dojo, who, earlier)["id"]
    theirs = factories.attendance(dojo, other, today)["id"]

    def ids(query: str) -> set[str]:
        return {row["id"] for row in ok(dojo.admin.get(f"/attendance?{query}"))["results"]}

    assert ids(f"student={who['id']}") == {mine, before}
    assert ids(f"class_session={today['id']}") == {mine, theirs}
    assert ids("from=2026-06-15&to=2026-06-15") == {mine, theirs}
    assert ids("to=2026-06-10") == {before}
    rows = ok(dojo.admin.get(f"/students/{who['id']}/attendance"))["results"]
    assert [row["id"] for row in rows] == [mine, before]


def test_an_assistant_voids_only_what_they_recorded_on_the_same_day(dojo: Dojo) -> None:
    session = factories.single_session(dojo)
    by_admin, own, own_of_yesterday = (
        ok(
            caller.post(
                "/attendance", {"student": factories.student(dojo)["id"], "class_session": session["id"]}
            ),
            201,
        )["attendance"]["id"]
        for caller in (dojo.admin, dojo.assistant, dojo.assistant)
    )
    reason = {"reason": "The wrong student"}
    assert_error(dojo.assistant.post(f"/attendance/{by_admin}/void", reason), 403, "permission_denied")
    assert ok(dojo.assistant.post(f"/attendance/{own}/void", reason))["voided"] is True
    with clock.fixed(NOW + timedelta(days=1)):
        assistant = sign_in_again(dojo.assistant, dojo)
        assert_error(assistant.post(f"/attendance/{own_of_yesterday}/void", reason), 403, "permission_denied")
        assert_error(assistant.post(f"/attendance/{factories.unknown_id()}/void", reason), 404, "not_found")
