"""Nonces: a repeated scan receives the first response, whatever has changed since."""

from datetime import timedelta
from typing import Any

from tatami import clock
from tests.attendance.scanning import attendances, refusal_codes, scan, sign_in_again
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.now import NOW
from tests.support.responses import assert_error, ok


def test_a_repeated_nonce_replays_the_first_response_and_status(dojo: Dojo, mika: Any, evening: Any) -> None:
    token = factories.qr_token(dojo.admin, mika)
    first = scan(dojo.admin, token, nonce="n1")
    again = scan(dojo.admin, token, nonce="n1")
    assert ok(again, 201) == ok(first, 201)
    assert len(attendances(dojo)) == 1


def test_a_replay_is_equal_byte_for_byte(dojo: Dojo, mika: Any) -> None:
    factories.single_session(dojo)
    for body in ({"token": factories.qr_token(dojo.admin, mika)}, {"token": "garbage"}):
        first, again = (scan(dojo.admin, **body, nonce=body["token"][:9]) for _ in range(2))
        assert (first.status_code, first.content) == (again.status_code, again.content)


def test_a_nonce_replays_a_refusal_even_if_the_scan_would_succeed_now(dojo: Dojo, mika: Any) -> None:
    card = factories.qr_token(dojo.admin, mika, kind="card")
    first = scan(dojo.admin, card, nonce="n1")
    assert_error(first, 409, "no_open_session")
    factories.single_session(dojo)
    again = scan(dojo.admin, card, nonce="n1")
    assert_error(again, 409, "no_open_session")
    assert again.json() == first.json()
    assert refusal_codes(dojo) == ["no_open_session"]
    ok(scan(dojo.admin, card, nonce="n2"), 201)


def test_a_nonce_replays_an_attendance_that_was_voided_since(dojo: Dojo, mika: Any, evening: Any) -> None:
    token = factories.qr_token(dojo.admin, mika)
    first = ok(scan(dojo.admin, token, nonce="n1"), 201)
    ok(dojo.admin.post(f"/attendance/{first['attendance']['id']}/void", {"reason": "Left."}))
    assert ok(scan(dojo.admin, token, nonce="n1"), 201) == first
    assert ok(scan(dojo.admin, token, nonce="n2"), 201)["attendance"]["id"] != first["attendance"]["id"]


def test_an_invalid_code_is_replayed_too(dojo: Dojo, mika: Any, evening: Any) -> None:
    assert_error(scan(dojo.admin, "garbage", nonce="n1"), 400, "qr_invalid")
    assert_error(
        scan(dojo.admin, factories.qr_token(dojo.admin, mika), nonce="n1"), 409, "idempotency_key_reused"
    )


def test_a_nonce_with_another_code_is_refused(dojo: Dojo, mika: Any, evening: Any) -> None:
    ok(scan(dojo.admin, factories.qr_token(dojo.admin, mika), nonce="n1"), 201)
    other = factories.qr_token(dojo.admin, factories.student(dojo))
    assert_error(scan(dojo.admin, other, nonce="n1"), 409, "idempotency_key_reused")
    assert len(attendances(dojo)) == 1


def test_two_callers_may_use_the_same_nonce(dojo: Dojo, mika: Any, evening: Any) -> None:
    token = factories.qr_token(dojo.admin, mika)
    ok(scan(dojo.admin, token, nonce="n1"), 201)
    assert ok(scan(dojo.instructor, token, nonce="n1"))["status"] == "already_recorded"


def test_a_nonce_replays_a_scan_that_is_too_old_by_now(dojo: Dojo, mika: Any) -> None:
    at = NOW - timedelta(hours=71)
    factories.single_session(dojo, at.strftime("%Y-%m-%dT%H:%M:%SZ"))
    body = {"nonce": "n1", "scanned_at": at.isoformat()}
    card = factories.qr_token(dojo.admin, mika, kind="card")
    first = ok(scan(dojo.admin, card, **body), 201)
    with clock.fixed(NOW + timedelta(hours=2)):
        assert ok(scan(sign_in_again(dojo.admin, dojo), card, **body), 201) == first
