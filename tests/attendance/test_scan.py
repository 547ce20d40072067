"""`POST /attendance/scan`: what is recorded, and which alerts the caller receives."""

from datetime import timedelta
from typing import Any

import pytest

from tatami import clock
from tatami.jobs import JobRun
from tatami.tenancy.scope import tenant_scope
from tenant_apps.attendance import tasks
from tenant_apps.attendance.models import Attendance, Refusal, ScanAnswer
from tests.attendance.scanning import alert_codes, attendances, pair_kiosk, refusal_codes, scan, sign_in_again
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.now import NOW
from tests.support.responses import assert_error, assert_invalid, ok


def test_a_scan_is_recorded(dojo: Dojo, mika: Any, evening: Any) -> None:
    body = ok(scan(dojo.admin, factories.qr_token(dojo.admin, mika)), 201)
    assert set(body) == {"status", "attendance", "student", "alerts"}
    assert body["status"] == "recorded"
    attendance = body["attendance"]
    wanted = {"id", "tenant_id", "student", "class_session", "checked_in_at", "method", "late"}
    assert wanted <= set(attendance)
    assert attendance["tenant_id"] == str(dojo.tenant.tenant_id)
    assert attendance["student"] == {"id": mika["id"], "name": "Mika Sato"}
    assert attendance["class_session"] == {"id": evening["id"], "name": "Evening class"}
    assert attendance["checked_in_at"] == "2026-06-15T16:40:00Z"
    assert attendance["method"] == "qr_rotating"
    assert body["student"] == {"id": mika["id"], "name": "Mika Sato", "ranks": []}
    assert body["alerts"] == []


def test_a_second_scan_returns_the_first_attendance(dojo: Dojo, mika: Any, evening: Any) -> None:
    token = factories.qr_token(dojo.admin, mika)
    first = ok(scan(dojo.admin, token), 201)
    with clock.fixed(NOW + timedelta(seconds=20)):
        second = ok(scan(dojo.instructor, token), 200)
    assert second == {**first, "status": "already_recorded"}
    assert len(attendances(dojo)) == 1


def test_the_response_shows_the_ranks_of_the_student(dojo: Dojo, mika: Any, evening: Any) -> None:
    system = factories.rank_system(dojo)
    factories.rank_event(dojo, mika, factories.rank_id(system, "5-kyu"), "2026-01-01")
    ranks = ok(scan(dojo.admin, factories.qr_token(dojo.admin, mika)), 201)["student"]["ranks"]
    assert [(one["id"], one["name"]) for one in ranks] == [(factories.rank_id(system, "5-kyu"), "5th kyu")]


@pytest.mark.parametrize(("minutes", "late"), [(9, False), (10, True), (11, True)])
def test_an_attendance_is_late_from_the_tenth_minute_on(
    dojo: Dojo, mika: Any, evening: Any, minutes: int, late: bool
) -> None:
    with clock.fixed(NOW + timedelta(minutes=minutes - 10)):
        caller = sign_in_again(dojo.admin, dojo)
        assert ok(scan(caller, factories.qr_token(caller, mika)), 201)["attendance"]["late"] is late


def test_the_url_of_a_code_is_scanned_like_its_token(dojo: Dojo, mika: Any, evening: Any) -> None:
    code = ok(dojo.admin.post("/qr", {"student": mika["id"]}), 201)
    assert ok(scan(dojo.admin, code["url"]), 201)["status"] == "recorded"
    assert ok(scan(dojo.admin, code["token"]))["status"] == "already_recorded"


@pytest.mark.parametrize("status", ["trial", "active"])
def test_a_trial_or_active_student_is_recorded(dojo: Dojo, mika: Any, evening: Any, status: str) -> None:
    ok(dojo.admin.patch(f"/students/{mika['id']}", {"status": status}))
    ok(scan(dojo.admin, factories.qr_token(dojo.admin, mika)), 201)


def test_a_scan_after_a_void_is_recorded_again(dojo: Dojo, mika: Any) -> None:
    factories.single_session(dojo)
    card = factories.qr_token(dojo.admin, mika, kind="card")
    first = ok(scan(dojo.admin, card), 201)["attendance"]["id"]
    ok(dojo.admin.post(f"/attendance/{first}/void", {"reason": "Left at once"}))
    assert ok(scan(dojo.admin, card), 201)["attendance"]["id"] != first


def test_scanned_at_selects_the_session_and_the_lateness(dojo: Dojo, mika: Any) -> None:
    factories.single_session(dojo, "2026-06-13T10:00:00Z", name="Two days ago")
    card = factories.qr_token(dojo.admin, mika, kind="card")
    body = ok(scan(dojo.admin, card, scanned_at="2026-06-13T10:20:00Z"), 201)
    assert body["attendance"]["class_session"]["name"] == "Two days ago"
    assert body["attendance"]["checked_in_at"] == "2026-06-13T10:20:00Z"
    assert body["attendance"]["late"] is True


@pytest.mark.parametrize("at", [NOW - timedelta(hours=72, seconds=1), NOW + timedelta(minutes=10)])
def test_scanned_at_in_the_future_or_more_than_72_hours_ago_is_refused(
    dojo: Dojo, mika: Any, evening: Any, at: Any
) -> None:
    token = factories.qr_token(dojo.admin, mika)
    assert_invalid(scan(dojo.admin, token, scanned_at=at.isoformat()), "scanned_at")


def test_a_student_may_not_set_scanned_at(dojo: Dojo, mika: Any, evening: Any) -> None:
    factories.link_user(dojo, dojo.student, mika)
    token = factories.session_qr_code(dojo.admin, evening)["token"]
    assert_invalid(scan(dojo.student, token, scanned_at=NOW.isoformat()), "scanned_at")


# --- alerts -------------------------------------------------------------------------------------------------


def test_a_student_on_hold_is_recorded_with_an_alert(dojo: Dojo, mika: Any, evening: Any) -> None:
    factories.put_on_hold(dojo, mika)
    assert alert_codes(scan(dojo.admin, factories.qr_token(dojo.admin, mika))) == ["on_hold"]
    assert refusal_codes(dojo) == []


def test_a_birthday_is_an_alert(dojo: Dojo, evening: Any) -> None:
    child = factories.student(dojo, birth_date="2015-06-15")
    assert alert_codes(scan(dojo.admin, factories.qr_token(dojo.admin, child))) == ["birthday"]


def test_a_student_receives_the_birthday_alert_only(dojo: Dojo, evening: Any) -> None:
    child = factories.student(dojo, birth_date="2015-06-15", medical_notes="Asthma")
    factories.put_on_hold(dojo, child)
    factories.link_user(dojo, dojo.student, child)
    token = factories.session_qr_code(dojo.admin, evening)["token"]
    assert alert_codes(scan(dojo.student, token)) == ["birthday"]


def test_a_long_absence_is_an_alert_for_staff_only(dojo: Dojo, mika: Any) -> None:
    before = factories.single_session(dojo, "2026-05-15T16:30:00Z")
    factories.attendance(dojo, mika, before)
    factories.single_session(dojo)
    card = factories.qr_token(dojo.admin, mika, kind="card")
    assert ok(scan(pair_kiosk(dojo), card), 201)["alerts"] == []
    (row,) = ok(dojo.admin.get(f"/attendance?student={mika['id']}&from=2026-06-15"))["results"]
    ok(dojo.admin.post(f"/attendance/{row['id']}/void", {"reason": "Again, for the check_in_dojo"}))
    assert alert_codes(scan(dojo.admin, card)) == ["absent_for_long"]
    assert ok(scan(dojo.admin, card))["alerts"] == []


@pytest.mark.parametrize(
    ("last", "alerts"), [("2026-05-16T21:59:00Z", []), ("2026-05-15T21:59:00Z", ["absent_for_long"])]
)
def test_a_long_absence_is_counted_in_local_dates(
    dojo: Dojo, mika: Any, last: str, alerts: list[str]
) -> None:
    """The scan is on 15 June: 30 days after 16 May, whatever the time of day, and 31 days after 15 May."""
    factories.attendance(dojo, mika, factories.single_session(dojo, last))
    factories.single_session(dojo)
    assert alert_codes(scan(dojo.admin, factories.qr_token(dojo.admin, mika, kind="card"))) == alerts


def test_an_attendance_entered_for_an_earlier_session_does_not_hide_a_later_one(
    dojo: Dojo, mika: Any
) -> None:
    """The check-in of the session of 1 April was the last one, but its session was not."""
    later, earlier = (
        factories.single_session(dojo, at) for at in ("2026-06-01T16:30:00Z", "2026-04-01T16:30:00Z")
    )
    factories.attendance(dojo, mika, later)
    body = {"student": mika["id"], "class_session": earlier["id"], "checked_in_at": "2026-06-10T10:00:00Z"}
    ok(dojo.admin.post("/attendance", body), 201)
    factories.single_session(dojo)
    assert alert_codes(scan(dojo.admin, factories.qr_token(dojo.admin, mika, kind="card"))) == []


def test_a_hold_and_medical_notes_are_alerts_and_the_scan_is_recorded(dojo: Dojo) -> None:
    mika = factories.student(dojo, medical_notes="Asthma")
    ok(dojo.admin.post(f"/students/{mika['id']}/holds", {"from": "2026-06-15", "until": "2026-06-15"}), 201)
    factories.single_session(dojo)
    body = ok(scan(dojo.admin, factories.qr_token(dojo.admin, mika)), 201)
    assert [one["code"] for one in body["alerts"]] == ["on_hold", "medical"]


def test_alerts_are_in_the_language_of_the_dojo(dojo: Dojo) -> None:
    ok(dojo.admin.patch("/settings", {"language": "pt-br"}))
    mika = factories.student(dojo, medical_notes="Asthma", birth_date="2015-06-15")
    factories.attendance(dojo, mika, factories.single_session(dojo, "2026-05-01T16:30:00Z"))
    factories.put_on_hold(dojo, mika)
    factories.single_session(dojo)
    alerts = ok(scan(dojo.admin, factories.qr_token(dojo.admin, mika, kind="card")), 201)["alerts"]
    assert {one["code"]: one["message"] for one in alerts} == {
        "birthday": "Hoje é aniversário deste aluno.",
        "on_hold": "Este aluno está afastado no momento.",
        "medical": "Há anotações médicas sobre este aluno.",
        "absent_for_long": "Este aluno não vem há mais de 30 dias.",
    }


# --- retention and privacy -----------------------------------------------------------------------------------


def test_old_responses_and_refusals_are_deleted(dojo: Dojo, mika: Any) -> None:
    scan(dojo.admin, factories.qr_token(dojo.admin, mika), nonce="n1")
    with tenant_scope(dojo.tenant):
        for days, left in ((6, (1, 1)), (8, (0, 1)), (179, (0, 1)), (181, (0, 0))):
            tasks.sweep(JobRun(now=NOW + timedelta(days=days)))
            assert (ScanAnswer.objects.count(), Refusal.objects.count()) == left
        assert Attendance.objects.count() == 0


def test_the_personal_data_of_a_student_is_exported_and_erased(dojo: Dojo) -> None:
    mika, sister = factories.student(dojo), factories.student(dojo, first_name="Ai")
    session = factories.single_session(dojo)
    factories.link_user(dojo, dojo.student, mika, sister)
    choose = factories.session_qr_code(dojo.admin, session)["token"]
    assert_error(scan(dojo.student, choose, nonce="names both"), 409, "ambiguous_student")
    for who in (mika, sister):
        card = factories.qr_token(dojo.admin, who, kind="card")
        ok(scan(dojo.admin, card, nonce=who["id"]), 201)
        assert_error(
            scan(dojo.admin, card, class_session=factories.unknown_id()), 404, "class_session_not_found"
        )
    held = ok(dojo.admin.get(f"/students/{mika['id']}/export"))
    assert [len(held[part]) for part in ("attendance", "refusals", "cards")] == [1, 1, 1]
    ok(dojo.admin.post(f"/students/{mika['id']}/erasure", {"confirm": mika["id"]}), 204)
    with tenant_scope(dojo.tenant):
        assert [str(row.student_id) for row in Refusal.objects.filter(student__isnull=False)] == [
            sister["id"]
        ]
        assert [str(row.student) for row in ScanAnswer.objects.all()] == [sister["id"]]
        assert Attendance.objects.count() == 2
