"""What a scan means and what is told about it, beside the refusals of the contract."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings

from tatami import clock
from tatami.tenancy.scope import tenant_scope
from tatami.work import Turn
from tenant_apps.attendance import tasks
from tenant_apps.attendance.checkin import CARD_SHARED_WITHIN
from tenant_apps.attendance.models import Attendance, Refusal, ScanAnswer
from tests.support import factories
from tests.support.clients import Caller, Dojo
from tests.support.now import NOW
from tests.support.responses import done, invalid, refusal


def scan(caller: Caller, token: str, **more: Any) -> Any:
    return caller.post("/attendance/scan", {"token": token, **more})


def kiosk(dojo: Dojo, location: str = "") -> Caller:
    code = dojo.create("/devices", {"name": "Kiosk", "location": location})["pairing_code"]
    return Caller(
        dojo.host, token=done(dojo.anonymous.post("/devices/pairing", {"code": code}), 201)["access"]
    )


def session_of(answer: Any) -> str:
    name: str = done(answer, 201)["attendance"]["class_session"]["name"]
    return name


@pytest.fixture
def mika(dojo: Dojo) -> Any:
    return factories.student(dojo)


def test_the_devices_location_comes_before_enrolment_and_nearness(dojo: Dojo, mika: Any) -> None:
    enrolled = factories.training_class(dojo, name="Enrolled", location="Hall B")
    done(dojo.admin.post(f"/classes/{enrolled['id']}/enrolments", {"student": mika["id"]}), 201)
    factories.single_session(dojo, "2026-06-15T16:20:00Z", name="Farther", location="hall a ")
    factories.single_session(dojo, "2026-06-15T16:41:00Z", name="Nearest")
    card = factories.code_of(dojo.admin, mika, kind="card")
    assert session_of(scan(kiosk(dojo, "Hall A"), card)) == "Farther"
    assert session_of(scan(kiosk(dojo), card)) == "Enrolled"
    other = factories.code_of(dojo.admin, factories.student(dojo), kind="card")
    assert session_of(scan(kiosk(dojo, "Hall C"), other)) == "Nearest"


def test_cards_are_forbidden_by_policy(dojo: Dojo, mika: Any) -> None:
    factories.single_session(dojo)
    card = factories.code_of(dojo.admin, mika, kind="card")
    done(dojo.admin.patch("/settings", {"card_policy": "forbid"}))
    refusal(scan(dojo.admin, card), 400, "qr_revoked")
    done(scan(dojo.admin, factories.code_of(dojo.admin, mika)), 201)


@pytest.mark.parametrize(("policy", "apart", "flagged"), [
    ("flag", timedelta(seconds=5), True), ("flag", CARD_SHARED_WITHIN + timedelta(seconds=1), False),
    ("allow", timedelta(seconds=5), False),
])  # fmt: skip
def test_a_card_at_two_devices_within_seconds_is_flagged(
    dojo: Dojo, mika: Any, policy: str, apart: timedelta, flagged: bool
) -> None:
    factories.single_session(dojo)
    done(dojo.admin.patch("/settings", {"card_policy": policy}))
    card = factories.code_of(dojo.admin, mika, kind="card")
    front = kiosk(dojo)
    done(scan(front, card), 201)
    done(scan(front, card), 200)
    with clock.fixed(NOW + apart):
        body = done(scan(dojo.assistant, card), 200)
        assert [one["code"] for one in body["alerts"]] == (["card_shared"] if flagged else [])
        kept = done(dojo.admin.get("/attendance/refusals"))["results"]
        assert [one["code"] for one in kept] == (["card_shared"] if flagged else [])
        done(scan(kiosk(dojo), card), 200)


def test_who_was_away_for_long_is_told_to_staff_only(dojo: Dojo, mika: Any) -> None:
    before = factories.single_session(dojo, "2026-05-15T16:30:00Z")
    factories.attendance(dojo, mika, before)
    factories.single_session(dojo)
    card = factories.code_of(dojo.admin, mika, kind="card")
    assert done(scan(kiosk(dojo), card), 201)["alerts"] == []
    (row,) = done(dojo.admin.get(f"/attendance?student={mika['id']}&from=2026-06-15"))["results"]
    done(dojo.admin.post(f"/attendance/{row['id']}/void", {"reason": "Again, for the desk"}))
    assert [one["code"] for one in done(scan(dojo.admin, card), 201)["alerts"]] == ["absent_for_long"]
    assert done(scan(dojo.admin, card))["alerts"] == []


def test_a_hold_and_medical_notes_are_told_and_the_visit_counts(dojo: Dojo) -> None:
    mika = factories.student(dojo, medical_notes="Asthma")
    done(dojo.admin.post(f"/students/{mika['id']}/holds", {"from": "2026-06-15", "until": "2026-06-15"}), 201)
    factories.single_session(dojo)
    body = done(scan(dojo.admin, factories.code_of(dojo.admin, mika)), 201)
    assert [one["code"] for one in body["alerts"]] == ["on_hold", "medical"]


def test_a_code_of_the_previous_secret_scans_an_older_one_does_not(
    dojo: Dojo, mika: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.single_session(dojo)
    card, front = factories.code_of(dojo.admin, mika, kind="card"), kiosk(dojo)
    present = settings.TATAMI_SECRETS[0]
    monkeypatch.setattr(settings, "TATAMI_SECRETS", ["n" * 40, present])
    done(scan(front, card), 201)
    monkeypatch.setattr(settings, "TATAMI_SECRETS", ["o" * 40, "n" * 40])
    refusal(scan(front, card), 400, "qr_invalid")


def test_a_replay_is_equal_to_the_byte(dojo: Dojo, mika: Any) -> None:
    factories.single_session(dojo)
    for body in ({"token": factories.code_of(dojo.admin, mika)}, {"token": "garbage"}):
        first, again = (scan(dojo.admin, **body, nonce=body["token"][:9]) for _ in range(2))
        assert (first.status_code, first.content) == (again.status_code, again.content)


def test_staff_scan_a_sessions_code_for_themselves_or_for_whom_they_name(dojo: Dojo, mika: Any) -> None:
    token = factories.code_of_session(dojo.admin, factories.single_session(dojo))["token"]
    refusal(scan(dojo.instructor, token), 409, "ambiguous_student")
    assert done(scan(dojo.instructor, token, student=mika["id"]), 201)["student"]["id"] == mika["id"]
    invalid(scan(dojo.instructor, token, student=factories.nobody()), "student")
    me = factories.student(dojo, first_name="Sensei")
    factories.speaks_for(dojo, dojo.instructor, me)
    assert done(scan(dojo.instructor, token), 201)["student"]["id"] == me["id"]


def test_a_student_may_not_scan_a_persons_code(dojo: Dojo, mika: Any) -> None:
    factories.single_session(dojo)
    factories.speaks_for(dojo, dojo.student, mika)
    refusal(scan(dojo.student, factories.code_of(dojo.student, mika)), 403, "permission_denied")
    token = factories.code_of_session(dojo.admin, factories.single_session(dojo))["token"]
    refusal(scan(dojo.person("student", "nobodys"), token), 403, "permission_denied")


def test_a_voided_attendance_is_recorded_anew(dojo: Dojo, mika: Any) -> None:
    factories.single_session(dojo)
    card = factories.code_of(dojo.admin, mika, kind="card")
    first = done(scan(dojo.admin, card), 201)["attendance"]["id"]
    done(dojo.admin.post(f"/attendance/{first}/void", {"reason": "Left at once"}))
    assert done(scan(dojo.admin, card), 201)["attendance"]["id"] != first


def test_by_hand_answers_like_a_scan(dojo: Dojo) -> None:
    mika = factories.student(dojo, medical_notes="Asthma")
    session = factories.single_session(dojo, "2026-06-01T16:30:00Z")
    body = {"student": mika["id"], "class_session": session["id"]}
    first = done(dojo.assistant.post("/attendance", body), 201)
    assert (first["attendance"]["method"], first["attendance"]["checked_in_at"]) == (
        "manual",
        session["starts_at"],
    )
    assert [one["code"] for one in first["alerts"]] == ["medical"]
    again = done(dojo.admin.post("/attendance", body), 200)
    assert (again["status"], again["attendance"]) == ("already_recorded", first["attendance"])


def test_by_hand_nobody_is_recorded_at_a_cancelled_session(dojo: Dojo, mika: Any) -> None:
    session = factories.single_session(dojo)
    body = {"student": mika["id"], "class_session": session["id"]}
    path = f"/class-sessions/{session['id']}/cancellation"
    done(dojo.admin.post(path), 201)
    refusal(dojo.admin.post("/attendance", body), 409, "session_cancelled")
    with tenant_scope(dojo.tenant):
        assert Attendance.objects.count() == 0
    done(dojo.admin.delete(path), 204)
    done(dojo.admin.post("/attendance", body), 201)


def test_what_is_old_is_swept(dojo: Dojo, mika: Any) -> None:
    scan(dojo.admin, factories.code_of(dojo.admin, mika), nonce="n1")
    with tenant_scope(dojo.tenant):
        for days, left in ((6, (1, 1)), (8, (0, 1)), (179, (0, 1)), (181, (0, 0))):
            tasks.sweep(Turn(now=NOW + timedelta(days=days)))
            assert (ScanAnswer.objects.count(), Refusal.objects.count()) == left
        assert Attendance.objects.count() == 0


def test_what_is_held_about_a_student_is_shown_and_erased(dojo: Dojo) -> None:
    mika, sister = factories.student(dojo), factories.student(dojo, first_name="Ai")
    session = factories.single_session(dojo)
    factories.speaks_for(dojo, dojo.student, mika, sister)
    choose = factories.code_of_session(dojo.admin, session)["token"]
    refusal(scan(dojo.student, choose, nonce="names both"), 409, "ambiguous_student")
    for who in (mika, sister):
        card = factories.code_of(dojo.admin, who, kind="card")
        done(scan(dojo.admin, card, nonce=who["id"]), 201)
        refusal(scan(dojo.admin, card, class_session=factories.nobody()), 404, "class_session_not_found")
    held = done(dojo.admin.get(f"/students/{mika['id']}/export"))
    assert [len(held[part]) for part in ("attendance", "refusals", "cards")] == [1, 1, 1]
    done(dojo.admin.post(f"/students/{mika['id']}/erasure", {"confirm": mika["id"]}), 204)
    with tenant_scope(dojo.tenant):
        assert [str(row.student_id) for row in Refusal.objects.filter(student__isnull=False)] == [
            sister["id"]
        ]
        assert [str(row.student) for row in ScanAnswer.objects.all()] == [sister["id"]]
        assert Attendance.objects.count() == 2
