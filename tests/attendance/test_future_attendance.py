"""Attendance at a session that has not begun is refused, by hand and on the roster, with a small tolerance."""

from datetime import timedelta
from typing import Any

import pytest

from tatami import clock
from tests.attendance.scanning import attendances, sign_in_again
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.now import NOW
from tests.support.responses import assert_error, ok


def starting_in(dojo: Dojo, **later: float) -> dict[str, Any]:
    """Return a session that starts so much after the present; check-in opens 30 minutes before."""
    return factories.single_session(dojo, (NOW + timedelta(**later)).isoformat())


def by_hand(dojo: Dojo, session: dict[str, Any], student: dict[str, Any], **more: Any) -> Any:
    return dojo.assistant.post(
        "/attendance", {"student": student["id"], "class_session": session["id"], **more}
    )


def on_roster(dojo: Dojo, session: dict[str, Any], student: dict[str, Any], state: str) -> Any:
    entries = [{"student": student["id"], "state": state}]
    return dojo.assistant.put(f"/class-sessions/{session['id']}/roster", {"entries": entries})


@pytest.mark.parametrize("later", [{"days": 40}, {"days": 1}, {"minutes": 46}])
def test_a_session_that_has_not_come_takes_no_attendance(dojo: Dojo, mika: Any, later: Any) -> None:
    session = starting_in(dojo, **later)
    assert_error(by_hand(dojo, session, mika), 409, "session_not_begun")
    assert_error(by_hand(dojo, session, mika, checked_in_at="2026-06-15T16:00:00Z"), 409, "session_not_begun")
    for state in ("present", "late"):
        details = assert_error(on_roster(dojo, session, mika, state), 409, "session_not_begun")
        assert details == {"students": [mika["id"]]}
    assert attendances(dojo) == []


@pytest.mark.parametrize("later", [{"minutes": 45}, {"minutes": 10}, {"days": -400}])
def test_shortly_before_check_in_opens_and_ever_after_attendance_is_recorded(
    dojo: Dojo, mika: Any, later: Any
) -> None:
    ok(by_hand(dojo, starting_in(dojo, **later), mika), 201)
    ok(on_roster(dojo, starting_in(dojo, **later), mika, "present"))
    assert len(attendances(dojo)) == 2


def test_the_tolerance_counts_from_the_window_of_the_class(dojo: Dojo, mika: Any) -> None:
    schedule = {**factories.SCHEDULE, "start_time": "20:00"}
    group = factories.training_class(dojo, recurrence=schedule, check_in_window={"opens_minutes_before": 65})
    ok(by_hand(dojo, factories.session_today(dojo, group), mika), 201)


def test_marking_absent_before_the_session_changes_nothing(dojo: Dojo, mika: Any) -> None:
    ok(on_roster(dojo, starting_in(dojo, days=3), mika, "absent"))
    assert attendances(dojo) == []


def test_the_roster_of_a_session_that_was_moved_away_can_still_be_corrected(dojo: Dojo, mika: Any) -> None:
    session = starting_in(dojo, minutes=10)
    ok(by_hand(dojo, session, mika), 201)
    later = (NOW + timedelta(days=7)).isoformat()
    ok(dojo.admin.patch(f"/class-sessions/{session['id']}", {"starts_at": later}))
    assert ok(by_hand(dojo, session, mika))["status"] == "already_recorded"
    ok(on_roster(dojo, session, mika, "late"))
    assert [row["late"] for row in attendances(dojo)] == [True]
    assert_error(on_roster(dojo, session, factories.student(dojo), "present"), 409, "session_not_begun")


def test_a_cancelled_session_is_refused_as_cancelled(dojo: Dojo, mika: Any) -> None:
    session = starting_in(dojo, days=3)
    ok(dojo.admin.post(f"/class-sessions/{session['id']}/cancellation"), 201)
    assert_error(by_hand(dojo, session, mika), 409, "session_cancelled")


def test_the_time_of_the_session_is_not_frozen_by_a_refused_attendance(dojo: Dojo, mika: Any) -> None:
    group = factories.training_class(dojo)
    (session,) = factories.list_sessions(dojo, **{"from": "2026-06-22", "to": "2026-06-22"})
    assert_error(by_hand(dojo, session, mika), 409, "session_not_begun")
    schedule = {**factories.SCHEDULE, "start_time": "19:00"}
    ok(dojo.admin.patch(f"/classes/{group['id']}", {"recurrence": schedule}))
    (moved,) = factories.list_sessions(dojo, **{"from": "2026-06-22", "to": "2026-06-22"})
    assert moved["starts_at"] == "2026-06-22T17:00:00Z"
    with clock.fixed(NOW + timedelta(days=7)):
        there = Dojo(dojo.tenant, people={"assistant": sign_in_again(dojo.assistant, dojo)})
        ok(by_hand(there, moved, mika), 201)
