"""Which session a scan means, and the refusals by session, by window and by policy."""

from datetime import timedelta
from typing import Any

import pytest

from tatami import clock
from tests.attendance.scanning import (
    attendances,
    pair_kiosk,
    refusal_codes,
    scan,
    session_name,
    sign_in_again,
)
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.now import NOW
from tests.support.responses import assert_error, ok


@pytest.mark.parametrize("how", ["inactive", "archived"])
def test_an_inactive_or_archived_student_is_refused(dojo: Dojo, mika: Any, evening: Any, how: str) -> None:
    token = factories.qr_token(dojo.admin, mika)
    path = f"/students/{mika['id']}"
    _ = dojo.admin.delete(path) if how == "archived" else dojo.admin.patch(path, {"status": "inactive"})
    assert_error(scan(dojo.admin, token, class_session=factories.unknown_id()), 409, "student_inactive")
    assert refusal_codes(dojo) == ["student_inactive"]


def test_an_unknown_session_is_not_found(dojo: Dojo, other_dojo: Dojo, mika: Any, evening: Any) -> None:
    theirs = factories.single_session(other_dojo)
    token = factories.qr_token(dojo.admin, mika)
    assert_error(scan(dojo.admin, token, class_session=theirs["id"]), 404, "class_session_not_found")
    assert refusal_codes(dojo) == ["class_session_not_found"]
    assert refusal_codes(other_dojo) == []


def test_a_cancelled_session_is_refused_until_it_is_reinstated(dojo: Dojo, mika: Any, evening: Any) -> None:
    path = f"/class-sessions/{evening['id']}/cancellation"
    ok(dojo.admin.post(path), 201)
    token = factories.qr_token(dojo.admin, mika)
    assert_error(scan(dojo.admin, token, class_session=evening["id"]), 409, "session_cancelled")
    assert_error(scan(dojo.admin, token), 409, "session_cancelled")
    ok(dojo.admin.delete(path), 204)
    ok(scan(dojo.admin, token, class_session=evening["id"]), 201)


def test_a_scan_without_an_open_session_is_refused(dojo: Dojo, mika: Any) -> None:
    factories.single_session(dojo, "2026-06-15T19:00:00Z")
    assert_error(scan(dojo.admin, factories.qr_token(dojo.admin, mika)), 409, "no_open_session")
    assert refusal_codes(dojo) == ["no_open_session"]


def test_of_two_sessions_with_the_same_start_the_scan_must_name_one(dojo: Dojo, mika: Any) -> None:
    both = [factories.single_session(dojo, name=name) for name in ("Hall A", "Hall B")]
    token = factories.qr_token(dojo.admin, mika)
    details = assert_error(scan(dojo.admin, token), 409, "ambiguous_session")
    assert sorted(details["candidates"], key=lambda one: one["name"]) == [
        {"id": one["id"], "name": one["name"]} for one in both
    ]
    assert refusal_codes(dojo) == ["ambiguous_session"]
    ok(scan(dojo.admin, token, class_session=both[1]["id"]), 201)


def test_the_session_where_the_student_is_enrolled_goes_first(dojo: Dojo, mika: Any) -> None:
    factories.single_session(dojo, "2026-06-15T16:39:00Z")
    mine = factories.training_class(dojo, name="Kids")
    ok(dojo.admin.post(f"/classes/{mine['id']}/enrolments", {"student": mika["id"]}), 201)
    assert (
        ok(scan(dojo.admin, factories.qr_token(dojo.admin, mika)), 201)["attendance"]["class_session"]["name"]
        == "Kids"
    )


def test_the_session_with_the_nearest_start_goes_first(dojo: Dojo, mika: Any) -> None:
    factories.single_session(dojo, "2026-06-15T16:10:00Z", name="Earlier")
    factories.single_session(dojo, "2026-06-15T16:45:00Z", name="Nearest")
    token = factories.qr_token(dojo.admin, mika)
    assert ok(scan(dojo.admin, token), 201)["attendance"]["class_session"]["name"] == "Nearest"
    assert ok(scan(dojo.admin, token))["attendance"]["class_session"]["name"] == "Nearest"
    assert len(attendances(dojo)) == 1


def test_the_location_of_the_device_goes_before_enrolment_and_start(dojo: Dojo, mika: Any) -> None:
    enrolled = factories.training_class(dojo, name="Enrolled", location="Hall B")
    ok(dojo.admin.post(f"/classes/{enrolled['id']}/enrolments", {"student": mika["id"]}), 201)
    factories.single_session(dojo, "2026-06-15T16:20:00Z", name="Farther", location="hall a ")
    factories.single_session(dojo, "2026-06-15T16:41:00Z", name="Nearest")
    card = factories.qr_token(dojo.admin, mika, kind="card")
    assert session_name(scan(pair_kiosk(dojo, "Hall A"), card)) == "Farther"
    assert session_name(scan(pair_kiosk(dojo), card)) == "Enrolled"
    other = factories.qr_token(dojo.admin, factories.student(dojo), kind="card")
    assert session_name(scan(pair_kiosk(dojo, "Hall C"), other)) == "Nearest"


def test_a_second_scan_does_not_mean_the_next_class(dojo: Dojo, mika: Any) -> None:
    """A student who came to the first of two classes scans again when the second is already open for check-in."""
    factories.single_session(dojo, "2026-06-15T16:30:00Z", name="First")
    factories.single_session(dojo, "2026-06-15T17:00:00Z", name="Second")
    token = factories.qr_token(dojo.admin, mika)
    assert ok(scan(dojo.admin, token), 201)["attendance"]["class_session"]["name"] == "First"
    again = ok(scan(dojo.admin, token))
    assert (again["status"], again["attendance"]["class_session"]["name"]) == ("already_recorded", "First")


def test_of_equal_sessions_the_recorded_one_is_meant(dojo: Dojo, mika: Any) -> None:
    for name in ("Hall A", "Hall B"):
        session = factories.single_session(dojo, name=name)
    token = factories.qr_token(dojo.admin, mika)
    ok(scan(dojo.admin, token, class_session=session["id"]), 201)
    assert ok(scan(dojo.admin, token))["status"] == "already_recorded"


@pytest.mark.parametrize(
    ("starts_at", "is_open"),
    [
        ("2026-06-15T17:10:00Z", True),
        ("2026-06-15T17:10:01Z", False),
        ("2026-06-15T15:40:00Z", True),
        ("2026-06-15T15:39:59Z", False),
    ],
)
def test_check_in_is_open_from_30_minutes_before_to_60_minutes_after_the_start(
    dojo: Dojo, mika: Any, starts_at: str, is_open: bool
) -> None:
    session = factories.single_session(dojo, starts_at)
    answer = scan(dojo.admin, factories.qr_token(dojo.admin, mika), class_session=session["id"])
    if is_open:
        ok(answer, 201)
    else:
        assert_error(answer, 409, "outside_check_in_window")
        assert refusal_codes(dojo) == ["outside_check_in_window"]


def test_a_class_may_have_its_own_check_in_window(dojo: Dojo, mika: Any) -> None:
    window = {"opens_minutes_before": 5, "closes_minutes_after": 5, "late_after_minutes": 0}
    session = factories.session_today(dojo, factories.training_class(dojo, check_in_window=window))
    answer = scan(dojo.admin, factories.qr_token(dojo.admin, mika), class_session=session["id"])
    assert_error(answer, 409, "outside_check_in_window")


def test_a_second_scan_after_the_window_is_already_recorded(dojo: Dojo, mika: Any, evening: Any) -> None:
    card = factories.qr_token(dojo.admin, mika, kind="card")
    ok(scan(dojo.admin, card, class_session=evening["id"]), 201)
    with clock.fixed(NOW + timedelta(hours=2)):
        again = scan(sign_in_again(dojo.admin, dojo), card, class_session=evening["id"])
        assert ok(again)["status"] == "already_recorded"


# --- policies -----------------------------------------------------------------------------------------------


def enforce(dojo: Dojo, *policies: str) -> None:
    ok(dojo.admin.patch("/settings", {f"{name}_policy": "enforce" for name in policies}))


@pytest.mark.parametrize("policy", ["enforce", "ignore"])
def test_a_student_who_is_not_enrolled_is_refused_if_the_dojo_enforces_it(
    dojo: Dojo, mika: Any, evening: Any, policy: str
) -> None:
    ok(dojo.admin.patch("/settings", {"enrolment_policy": policy}))
    answer = scan(dojo.admin, factories.qr_token(dojo.admin, mika))
    if policy == "ignore":
        ok(answer, 201)
        return
    assert_error(answer, 409, "not_enrolled")
    assert refusal_codes(dojo) == ["not_enrolled"]
    ok(dojo.admin.post(f"/classes/{evening['class']['id']}/enrolments", {"student": mika["id"]}), 201)
    ok(scan(dojo.admin, factories.qr_token(dojo.admin, mika)), 201)


@pytest.mark.parametrize("policy", ["enforce", "ignore"])
def test_a_student_below_the_minimum_rank_is_refused_if_the_dojo_enforces_it(
    dojo: Dojo, mika: Any, policy: str
) -> None:
    ok(dojo.admin.patch("/settings", {"rank_policy": policy}))
    system = factories.rank_system(dojo)
    factories.training_class(dojo, min_rank=factories.rank_id(system, "3-kyu"))
    factories.rank_event(dojo, mika, factories.rank_id(system, "4-kyu"), "2026-01-01")
    answer = scan(dojo.admin, factories.qr_token(dojo.admin, mika))
    if policy == "ignore":
        ok(answer, 201)
        return
    assert_error(answer, 409, "below_min_rank")
    assert refusal_codes(dojo) == ["below_min_rank"]
    factories.rank_event(dojo, mika, factories.rank_id(system, "3-kyu"), "2026-06-15")
    ok(scan(dojo.admin, factories.qr_token(dojo.admin, mika)), 201)


@pytest.mark.parametrize("policy", ["enforce", "ignore"])
def test_a_full_session_is_refused_if_the_dojo_enforces_it(dojo: Dojo, mika: Any, policy: str) -> None:
    ok(dojo.admin.patch("/settings", {"capacity_policy": policy}))
    session = factories.single_session(dojo, capacity=1)
    first = factories.attendance(dojo, factories.student(dojo), session)
    answer = scan(dojo.admin, factories.qr_token(dojo.admin, mika))
    if policy == "ignore":
        ok(answer, 201)
        return
    assert_error(answer, 409, "session_full")
    assert refusal_codes(dojo) == ["session_full"]
    ok(dojo.admin.post(f"/attendance/{first['id']}/void", {"reason": "Left early."}))
    ok(scan(dojo.admin, factories.qr_token(dojo.admin, mika)), 201)


def test_the_rules_are_tested_in_the_documented_order(dojo: Dojo, mika: Any) -> None:
    """One scan that breaks every rule; the violations are corrected one by one."""
    enforce(dojo, "enrolment", "rank", "capacity")
    system = factories.rank_system(dojo)
    group = factories.training_class(dojo, min_rank=factories.rank_id(system, "3-kyu"), capacity=1)
    session = factories.session_today(dojo, group)
    factories.attendance(dojo, factories.student(dojo), session)
    card = factories.qr_token(dojo.admin, mika, kind="card")
    ok(dojo.admin.post(f"/class-sessions/{session['id']}/cancellation"), 201)
    ok(dojo.admin.patch(f"/students/{mika['id']}", {"status": "inactive"}))

    def at(moment: Any, token: str = card, **more: str) -> Any:
        with clock.fixed(moment):
            return scan(sign_in_again(dojo.admin, dojo), token, **{"class_session": session["id"], **more})

    later = NOW + timedelta(hours=3)
    assert_error(at(later), 409, "student_inactive")
    ok(dojo.admin.patch(f"/students/{mika['id']}", {"status": "active"}))
    assert_error(at(later, class_session=factories.unknown_id()), 404, "class_session_not_found")
    assert_error(at(later), 409, "session_cancelled")
    ok(dojo.admin.delete(f"/class-sessions/{session['id']}/cancellation"), 204)
    assert_error(at(later), 409, "outside_check_in_window")
    assert_error(at(NOW), 409, "not_enrolled")
    ok(dojo.admin.post(f"/classes/{group['id']}/enrolments", {"student": mika["id"]}), 201)
    assert_error(at(NOW), 409, "below_min_rank")
    factories.rank_event(dojo, mika, factories.rank_id(system, "1-kyu"), "2026-01-01")
    assert_error(at(NOW), 409, "session_full")
    ok(dojo.admin.patch("/settings", {"capacity_policy": "ignore"}))
    ok(at(NOW), 201)
    assert sorted(refusal_codes(dojo)) == sorted(
        [
            "student_inactive",
            "class_session_not_found",
            "session_cancelled",
            "outside_check_in_window",
            "not_enrolled",
            "below_min_rank",
            "session_full",
        ]
    )
