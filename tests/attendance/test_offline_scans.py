"""`POST /attendance/sync`: the order of offline scans, wrong clocks, repeated uploads, invalid scans among valid."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tatami import clock
from tatami.jobs import JobRun
from tatami.tenancy.scope import tenant_scope
from tenant_apps.attendance import tasks
from tenant_apps.attendance.models import Attendance, Device, Refusal
from tests.attendance.factories import CheckInDojo
from tests.attendance.scanning import pair_kiosk
from tests.support import factories
from tests.support.clients import Caller, Dojo
from tests.support.now import NOW
from tests.support.responses import assert_error, assert_invalid, ok
from tests.support.statements import sent_statements


def iso(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")


def item(token: str, instant: datetime = NOW, **more: Any) -> dict[str, Any]:
    return {"token": token, "nonce": uuid4().hex, "scanned_at": iso(instant), **more}


def sync(caller: Caller, *items: Any, sent_at: datetime = NOW) -> Any:
    return caller.post("/attendance/sync", {"sent_at": iso(sent_at), "scans": list(items)})


def results(answer: Any) -> list[tuple[str, str | None]]:
    return [(one["status"], one.get("code")) for one in ok(answer)["results"]]


@pytest.fixture
def device(dojo: Dojo) -> Caller:
    return pair_kiosk(dojo)


@pytest.fixture
def cards(dojo: Dojo) -> list[str]:
    students = [factories.student(dojo, first_name=name) for name in ("Ai", "Bo", "Cy")]
    return [factories.qr_token(dojo.admin, student, kind="card") for student in students]


def test_each_scan_has_a_result_and_an_invalid_one_does_not_fail_the_rest(
    dojo: Dojo, device: Caller, evening: Any, cards: Any
) -> None:
    items = [
        item(cards[0]),
        item("garbage"),
        item(cards[1], class_session=str(uuid4())),
        item(cards[0]),
        item(cards[1], class_session=evening["id"]),
    ]
    answer = sync(device, *items)
    assert results(answer) == [
        ("recorded", None), ("refused", "qr_invalid"), ("refused", "class_session_not_found"),
        ("already_recorded", None), ("recorded", None),
    ]  # fmt: skip
    found = answer.json()["results"]
    assert [one["nonce"] for one in found] == [one["nonce"] for one in items]
    assert found[3]["attendance"]["id"] == found[0]["attendance"]["id"]
    assert ok(sync(device, *items)) == answer.json(), "a repeated upload changes nothing"
    factories.single_session(dojo)
    assert ok(sync(device, *reversed(items)))["results"] == found[::-1]
    with tenant_scope(dojo.tenant):
        assert Attendance.objects.count() == 2
        assert [row.code for row in Refusal.objects.all()] == ["class_session_not_found"]


def test_scan_and_sync_share_nonces(dojo: Dojo, device: Caller, evening: Any, cards: Any) -> None:
    one = item(cards[0])
    scanned = ok(device.post("/attendance/scan", {"token": one["token"], "nonce": one["nonce"]}), 201)
    (result,) = ok(sync(device, one))["results"]
    assert (result["status"], result["attendance"]) == ("recorded", scanned["attendance"])
    other = item(cards[1])
    (result,) = ok(sync(device, other))["results"]
    again = device.post("/attendance/scan", {"token": other["token"], "nonce": other["nonce"]})
    assert ok(again, 201)["attendance"] == result["attendance"]


def test_a_nonce_with_another_code_is_refused_within_one_upload_and_across_two(
    device: Caller, evening: Any, cards: Any
) -> None:
    first = item(cards[0])
    stolen = {**first, "token": cards[1]}
    assert results(sync(device, first, stolen)) == [("recorded", None), ("refused", "idempotency_key_reused")]
    assert results(sync(device, stolen, first)) == [("refused", "idempotency_key_reused"), ("recorded", None)]


def test_scans_are_processed_in_the_order_of_seq(
    dojo: Dojo, device: Caller, evening: Any, cards: Any
) -> None:
    ok(dojo.admin.patch("/settings", {"capacity_policy": "enforce"}))
    small = factories.single_session(dojo, "2026-06-15T16:39:00Z", capacity=2)
    items = [
        item(card, class_session=small["id"], seq=seq) for card, seq in zip(cards, (9, 2, 7), strict=True)
    ]
    assert results(sync(device, *items)) == [
        ("refused", "session_full"),
        ("recorded", None),
        ("recorded", None),
    ]
    with tenant_scope(dojo.tenant):
        assert Device.objects.get().last_seq == 9
    assert (
        results(sync(device, item(cards[1], seq=3), item(cards[2], seq=3)))
        == [("already_recorded", None)] * 2
    )
    with tenant_scope(dojo.tenant):
        assert Device.objects.get().last_seq == 9


@pytest.mark.parametrize("minutes", [-9, 9])
def test_a_small_error_of_the_clock_is_corrected(
    device: Caller, evening: Any, cards: Any, minutes: int
) -> None:
    wrong = NOW + timedelta(minutes=minutes)
    answer = sync(device, item(cards[0], wrong - timedelta(minutes=2)), sent_at=wrong)
    assert ok(answer)["results"][0]["attendance"]["checked_in_at"] == iso(NOW - timedelta(minutes=2))


def test_the_duration_of_the_upload_is_not_corrected(device: Caller, evening: Any, cards: Any) -> None:
    answer = sync(device, item(cards[0], NOW - timedelta(minutes=1)), sent_at=NOW - timedelta(seconds=4))
    assert ok(answer)["results"][0]["attendance"]["checked_in_at"] == iso(NOW - timedelta(minutes=1))


@pytest.mark.parametrize(("scanned", "sent"), [
    (timedelta(), timedelta(minutes=11)), (timedelta(), timedelta(minutes=-11)),
    (timedelta(seconds=1), timedelta()), (timedelta(hours=-72, seconds=-1), timedelta()),
    (timedelta(days=-700_000), timedelta()), (timedelta(), timedelta(days=2_900_000)),
])  # fmt: skip
def test_a_scan_with_a_wrong_clock_is_refused_finally(
    dojo: Dojo, device: Caller, evening: Any, cards: Any, scanned: timedelta, sent: timedelta
) -> None:
    one = item(cards[0], NOW + scanned)
    assert results(sync(device, one, sent_at=NOW + sent)) == [("refused", "clock_unreliable")]
    assert results(sync(device, {**one, "scanned_at": iso(NOW)})) == [("refused", "clock_unreliable")]
    (kept,) = ok(dojo.admin.get("/attendance/refusals"))["results"]
    assert (kept["code"], kept["student"]["name"]) == ("clock_unreliable", "Ai Sato")


@pytest.mark.parametrize("wrong", [timedelta(days=-400), timedelta(days=400)], ids=["behind", "ahead"])
def test_refusals_are_listed_and_deleted_by_their_arrival(
    dojo: Dojo, device: Caller, evening: Any, cards: Any, wrong: timedelta
) -> None:
    """The clock of a kiosk is wrong: staff still see today what was refused today."""
    odd = item(cards[0], NOW + wrong)
    assert results(sync(device, odd)) == [("refused", "clock_unreliable")]
    with clock.fixed(NOW + timedelta(minutes=1)):
        results(sync(device, item(cards[1], class_session=str(uuid4()))))
    today = ok(dojo.admin.get("/attendance/refusals?from=2026-06-15&to=2026-06-15"))["results"]
    assert [row["code"] for row in today] == ["class_session_not_found", "clock_unreliable"]
    assert (today[1]["scanned_at"], today[1]["created_at"]) == (odd["scanned_at"], iso(NOW))
    assert ok(dojo.admin.get("/attendance/refusals?page_size=1"))["results"] == today[:1]
    with tenant_scope(dojo.tenant):
        for days, left in ((179, 2), (181, 0)):
            tasks.sweep(JobRun(now=NOW + timedelta(days=days)))
            assert Refusal.objects.count() == left


def test_a_rotating_code_must_be_valid_when_it_was_scanned(dojo: Dojo, device: Caller, evening: Any) -> None:
    mika = factories.student(dojo)
    token = factories.qr_token(dojo.admin, mika)
    with clock.fixed(NOW + timedelta(hours=5)) as now:
        stale = item(token, NOW + timedelta(minutes=2))
        good = item(token, NOW + timedelta(seconds=20))
        assert results(sync(device, stale, good, sent_at=now)) == [
            ("refused", "qr_expired"),
            ("recorded", None),
        ]
    with tenant_scope(dojo.tenant):
        row = Attendance.objects.get()
        assert (row.checked_in_at, row.uploaded_late) == (NOW + timedelta(seconds=20), True)


@pytest.mark.parametrize(("broken", "path"), [
    ("not an object", "scans.1"), ({"nonce": "n", "scanned_at": iso(NOW)}, "scans.1.token"),
    ({"token": "t", "scanned_at": iso(NOW)}, "scans.1.nonce"), ({"token": "t", "nonce": "n"}, "scans.1.scanned_at"),
    ({**item("t"), "student": str(uuid4())}, "scans.1.student"), ({**item("t"), "seq": -1}, "scans.1.seq"),
    ({**item("t"), "token": 7}, "scans.1.token"),
])  # fmt: skip
def test_a_malformed_scan_fails_the_upload(
    dojo: Dojo, device: Caller, evening: Any, cards: Any, broken: Any, path: str
) -> None:
    assert_invalid(sync(device, item(cards[0]), broken), path)
    with tenant_scope(dojo.tenant):
        assert Attendance.objects.count() == 0


def test_an_upload_has_at_most_500_scans_and_is_not_for_students(dojo: Dojo, device: Caller) -> None:
    assert set(assert_invalid(sync(device, *(item("x") for _ in range(501))), "scans"))
    assert ok(sync(device)) == {"results": []}
    assert_error(sync(dojo.student, item("x")), 403, "permission_denied")


def without_routing(statements: list[str]) -> list[str]:
    """Return the statements without those that the process sends twice a second to look for changed hosts."""
    return [one for one in statements if "routingepoch" not in one]


@pytest.mark.parametrize("size", [1, 20, 200])
def test_the_number_of_statements_does_not_depend_on_the_size(check_in_dojo: CheckInDojo, size: int) -> None:
    _, device = check_in_dojo.device()
    now = clock.now()
    sessions = [check_in_dojo.session(now - timedelta(hours=hours), location="Hall") for hours in (3, 6)]
    scans = [
        item(token, sessions[place % 2].starts_at, seq=place, class_session=str(sessions[place % 2].pk))
        for place, token in enumerate(check_in_dojo.cards(check_in_dojo.students(size)))
    ]
    device.get("/me")
    with sent_statements() as sent:
        answer = sync(device, *scans, item("garbage"), item(scans[0]["token"]), sent_at=now)
    assert results(answer)[:size] == [("recorded", None)] * size
    own = without_routing(sent)
    assert len(own) <= 10 + 3, own
    with sent_statements() as again:
        ok(sync(device, *scans, sent_at=now))
    assert len(without_routing(again)) <= len(own)
