"""Offline uploads: order, clocks, repeats, and one bad item among good ones."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tatami import clock
from tatami.tenancy.scope import tenant_scope
from tatami.work import Turn
from tenant_apps.attendance import tasks
from tenant_apps.attendance.models import Attendance, Device, Refusal
from tests.attendance.desk import Desk
from tests.support import factories
from tests.support.clients import Caller, Dojo
from tests.support.now import NOW
from tests.support.responses import done, invalid, refusal
from tests.support.statements import sent_statements


def at(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def item(token: str, moment: datetime = NOW, **more: Any) -> dict[str, Any]:
    return {"token": token, "nonce": uuid4().hex, "scanned_at": at(moment), **more}


def sync(caller: Caller, *items: Any, sent_at: datetime = NOW) -> Any:
    return caller.post("/attendance/sync", {"sent_at": at(sent_at), "scans": list(items)})


def results(answer: Any) -> list[tuple[str, str | None]]:
    return [(one["status"], one.get("code")) for one in done(answer)["results"]]


@pytest.fixture
def device(dojo: Dojo) -> Caller:
    code = dojo.create("/devices", {"name": "Kiosk"})["pairing_code"]
    return Caller(
        dojo.host, token=done(dojo.anonymous.post("/devices/pairing", {"code": code}), 201)["access"]
    )


@pytest.fixture
def evening(dojo: Dojo) -> Any:
    return factories.session_today(dojo, factories.training_class(dojo))


@pytest.fixture
def cards(dojo: Dojo) -> list[str]:
    students = [factories.student(dojo, first_name=name) for name in ("Ai", "Bo", "Cy")]
    return [factories.code_of(dojo.admin, student, kind="card") for student in students]


def test_each_item_is_answered_and_a_bad_one_spoils_none(
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
    assert done(sync(device, *items)) == answer.json(), "sent again, nothing changes"
    factories.single_session(dojo)
    assert done(sync(device, *reversed(items)))["results"] == found[::-1]
    with tenant_scope(dojo.tenant):
        assert Attendance.objects.count() == 2
        assert [row.code for row in Refusal.objects.all()] == ["class_session_not_found"]


def test_a_nonce_is_the_same_for_scan_and_sync(dojo: Dojo, device: Caller, evening: Any, cards: Any) -> None:
    one = item(cards[0])
    scanned = done(device.post("/attendance/scan", {"token": one["token"], "nonce": one["nonce"]}), 201)
    (result,) = done(sync(device, one))["results"]
    assert (result["status"], result["attendance"]) == ("recorded", scanned["attendance"])
    other = item(cards[1])
    (result,) = done(sync(device, other))["results"]
    again = device.post("/attendance/scan", {"token": other["token"], "nonce": other["nonce"]})
    assert done(again, 201)["attendance"] == result["attendance"]


def test_a_nonce_with_another_code_is_refused_in_one_batch_and_in_two(
    device: Caller, evening: Any, cards: Any
) -> None:
    first = item(cards[0])
    stolen = {**first, "token": cards[1]}
    assert results(sync(device, first, stolen)) == [("recorded", None), ("refused", "idempotency_key_reused")]
    assert results(sync(device, stolen, first)) == [("refused", "idempotency_key_reused"), ("recorded", None)]


def test_scans_are_taken_in_the_order_of_their_numbers(
    dojo: Dojo, device: Caller, evening: Any, cards: Any
) -> None:
    done(dojo.admin.patch("/settings", {"capacity_policy": "enforce"}))
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
def test_a_clock_that_is_a_little_wrong_is_corrected(
    device: Caller, evening: Any, cards: Any, minutes: int
) -> None:
    wrong = NOW + timedelta(minutes=minutes)
    answer = sync(device, item(cards[0], wrong - timedelta(minutes=2)), sent_at=wrong)
    assert done(answer)["results"][0]["attendance"]["checked_in_at"] == at(NOW - timedelta(minutes=2))


def test_the_time_of_the_upload_is_no_fault_of_the_clock(device: Caller, evening: Any, cards: Any) -> None:
    answer = sync(device, item(cards[0], NOW - timedelta(minutes=1)), sent_at=NOW - timedelta(seconds=4))
    assert done(answer)["results"][0]["attendance"]["checked_in_at"] == at(NOW - timedelta(minutes=1))


@pytest.mark.parametrize(("scanned", "sent"), [
    (timedelta(), timedelta(minutes=11)), (timedelta(), timedelta(minutes=-11)),
    (timedelta(seconds=1), timedelta()), (timedelta(hours=-72, seconds=-1), timedelta()),
    (timedelta(days=-700_000), timedelta()), (timedelta(), timedelta(days=2_900_000)),
])  # fmt: skip
def test_a_clock_that_cannot_be_trusted_is_refused_for_good(
    dojo: Dojo, device: Caller, evening: Any, cards: Any, scanned: timedelta, sent: timedelta
) -> None:
    one = item(cards[0], NOW + scanned)
    assert results(sync(device, one, sent_at=NOW + sent)) == [("refused", "clock_unreliable")]
    assert results(sync(device, {**one, "scanned_at": at(NOW)})) == [("refused", "clock_unreliable")]
    (kept,) = done(dojo.admin.get("/attendance/refusals"))["results"]
    assert (kept["code"], kept["student"]["name"]) == ("clock_unreliable", "Ai Sato")


@pytest.mark.parametrize("wrong", [timedelta(days=-400), timedelta(days=400)], ids=["behind", "ahead"])
def test_a_refusal_is_listed_and_kept_by_when_it_reached_us(
    dojo: Dojo, device: Caller, evening: Any, cards: Any, wrong: timedelta
) -> None:
    """The battery of a kiosk is empty: whatever its clock says, the desk sees today what it refused today."""
    odd = item(cards[0], NOW + wrong)
    assert results(sync(device, odd)) == [("refused", "clock_unreliable")]
    with clock.fixed(NOW + timedelta(minutes=1)):
        results(sync(device, item(cards[1], class_session=str(uuid4()))))
    today = done(dojo.admin.get("/attendance/refusals?from=2026-06-15&to=2026-06-15"))["results"]
    assert [row["code"] for row in today] == ["class_session_not_found", "clock_unreliable"]
    assert (today[1]["scanned_at"], today[1]["created_at"]) == (odd["scanned_at"], at(NOW))
    assert done(dojo.admin.get("/attendance/refusals?page_size=1"))["results"] == today[:1]
    with tenant_scope(dojo.tenant):
        for days, left in ((179, 2), (181, 0)):
            tasks.sweep(Turn(now=NOW + timedelta(days=days)))
            assert Refusal.objects.count() == left


def test_a_rotating_code_is_judged_by_when_it_was_scanned(dojo: Dojo, device: Caller, evening: Any) -> None:
    mika = factories.student(dojo)
    token = factories.code_of(dojo.admin, mika)
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
    ("not an object", "scans.1"), ({"nonce": "n", "scanned_at": at(NOW)}, "scans.1.token"),
    ({"token": "t", "scanned_at": at(NOW)}, "scans.1.nonce"), ({"token": "t", "nonce": "n"}, "scans.1.scanned_at"),
    ({**item("t"), "student": str(uuid4())}, "scans.1.student"), ({**item("t"), "seq": -1}, "scans.1.seq"),
    ({**item("t"), "token": 7}, "scans.1.token"),
])  # fmt: skip
def test_a_malformed_item_fails_the_upload(
    dojo: Dojo, device: Caller, evening: Any, cards: Any, broken: Any, path: str
) -> None:
    invalid(sync(device, item(cards[0]), broken), path)
    with tenant_scope(dojo.tenant):
        assert Attendance.objects.count() == 0


def test_at_most_500_and_not_for_students(dojo: Dojo, device: Caller) -> None:
    assert set(invalid(sync(device, *(item("x") for _ in range(501))), "scans"))
    assert done(sync(device)) == {"results": []}
    refusal(sync(dojo.student, item("x")), 403, "permission_denied")


@pytest.mark.parametrize("size", [1, 20, 200])
def test_statements_do_not_depend_on_the_size(desk: Desk, size: int) -> None:
    _, device = desk.device()
    now = clock.now()
    sessions = [desk.session(now - timedelta(hours=hours), location="Hall") for hours in (3, 6)]
    scans = [
        item(token, sessions[place % 2].starts_at, seq=place, class_session=str(sessions[place % 2].pk))
        for place, token in enumerate(desk.cards(desk.students(size)))
    ]
    device.get("/me")
    with sent_statements() as sent:
        answer = sync(device, *scans, item("garbage"), item(scans[0]["token"]), sent_at=now)
    assert results(answer)[:size] == [("recorded", None)] * size
    own = [one for one in sent if "routingepoch" not in one]
    assert len(own) <= 10 + 3, own
    with sent_statements() as again:
        done(sync(device, *scans, sent_at=now))
    assert len(again) <= len(sent)
