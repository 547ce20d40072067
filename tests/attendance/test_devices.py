"""Devices: paired once with a short code, permitted to scan and little else, until they are revoked."""

from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections

from tatami import clock
from tatami.tenancy.scope import tenant_scope
from tenant_apps.attendance import devices, errors
from tenant_apps.attendance.models import Attendance, Device, Refusal
from tests.attendance.factories import CheckInDojo
from tests.support import factories
from tests.support.clients import Caller, Dojo
from tests.support.now import NOW
from tests.support.responses import assert_created, assert_error, assert_invalid, ok


def add_paired_device(dojo: Dojo, **fields: str) -> tuple[str, Caller]:
    """Return the id of a new device, and the device as a caller."""
    added = dojo.create("/devices", {"name": "Kiosk", **fields})
    answer = ok(dojo.anonymous.post("/devices/pairing", {"code": added["pairing_code"]}), 201)
    return added["id"], Caller(dojo.host, token=answer["access"])


def test_a_device_is_paired_with_a_code_that_is_shown_once(dojo: Dojo) -> None:
    added = assert_created(
        dojo.admin, dojo.admin.post("/devices", {"name": "Front door", "location": "Hall A"})
    )
    assert set(added) == {"id", "pairing_code", "expires_at"}
    assert added["expires_at"] == "2026-06-15T16:50:00Z"
    typed = added["pairing_code"].lower().replace("-", " ")
    answer = ok(dojo.anonymous.post("/devices/pairing", {"code": typed}), 201)
    assert answer["device"] == {"id": added["id"], "name": "Front door", "location": "Hall A"}
    device = Caller(dojo.host, token=answer["access"])
    me = ok(device.get("/me"))
    assert (me["id"], me["role"], me["name"], me["students"]) == (added["id"], "device", "Front door", [])
    assert me["tenant"]["slug"] == "aiki"
    (listed,) = ok(dojo.admin.get("/devices"))["results"]
    assert (listed["paired"], listed["revoked"], listed["last_seen"]) == (True, False, "2026-06-15T16:40:00Z")
    secrets = {added["pairing_code"], answer["access"]}
    with tenant_scope(dojo.tenant):
        assert not secrets & {str(value) for value in Device.objects.values().get().values()}
    assert not any(secret in dojo.admin.get("/devices").content.decode() for secret in secrets)


def test_a_pairing_code_works_once(dojo: Dojo) -> None:
    code = dojo.create("/devices", {"name": "Kiosk"})["pairing_code"]
    ok(dojo.anonymous.post("/devices/pairing", {"code": code}), 201)
    assert_error(dojo.anonymous.post("/devices/pairing", {"code": code}), 409, "already_paired")


@pytest.mark.parametrize(("seconds", "code"), [(599, None), (600, "pairing_code_expired")])
def test_a_pairing_code_expires_after_ten_minutes(dojo: Dojo, seconds: int, code: str | None) -> None:
    text = dojo.create("/devices", {"name": "Kiosk"})["pairing_code"]
    with clock.fixed(NOW + timedelta(seconds=seconds)):
        answer = dojo.anonymous.post("/devices/pairing", {"code": text})
    _ = assert_error(answer, 400, code) if code else ok(answer, 201)


def test_unknown_codes_and_those_of_another_dojo_are_invalid(dojo: Dojo, other_dojo: Dojo) -> None:
    theirs = other_dojo.create("/devices", {"name": "Kiosk"})["pairing_code"]
    for code in (theirs, "ABCD-EFGH", "", "?"):
        if code:
            assert_error(dojo.anonymous.post("/devices/pairing", {"code": code}), 400, "pairing_code_invalid")
    assert_invalid(dojo.anonymous.post("/devices/pairing", {}), "code")


def test_a_revoked_device_cannot_be_paired_or_authenticated(dojo: Dojo) -> None:
    waiting = dojo.create("/devices", {"name": "Kiosk"})
    device_id, device = add_paired_device(dojo)
    for one in (waiting["id"], device_id, device_id):
        ok(dojo.admin.delete(f"/devices/{one}"), 204)
    assert_error(
        dojo.anonymous.post("/devices/pairing", {"code": waiting["pairing_code"]}), 409, "device_revoked"
    )
    assert_error(device.get("/me"), 401, "token_invalid")


def test_pairing_attempts_are_throttled_per_address(dojo: Dojo) -> None:
    for _ in range(devices.ATTEMPTS_PER_ADDRESS.attempts):
        assert_error(
            dojo.anonymous.post("/devices/pairing", {"code": "ABCDEFGH"}), 400, "pairing_code_invalid"
        )
    answer = dojo.anonymous.post("/devices/pairing", {"code": "ABCDEFGH"})
    assert_error(answer, 429, "throttled")
    assert int(answer.headers["Retry-After"]) > 0


def test_a_token_is_invalid_on_other_hosts(dojo: Dojo, other_dojo: Dojo, platform: Any) -> None:
    _, device = add_paired_device(dojo)
    for host in (other_dojo.host, platform.host):
        assert_error(Caller(host, token=device.token).get("/me"), 401, "token_invalid")


@pytest.mark.parametrize(("method", "path"), [
    ("GET", "/students"), ("GET", "/attendance"), ("GET", "/attendance/refusals"), ("GET", "/settings"),
    ("GET", "/classes"), ("GET", "/devices"), ("POST", "/devices"), ("GET", "/users"), ("POST", "/attendance"),
    ("PATCH", "/me"), ("POST", "/auth/password"), ("POST", "/promotions/check"),
])  # fmt: skip
def test_a_device_may_not_use_other_routes(dojo: Dojo, method: str, path: str) -> None:
    _, device = add_paired_device(dojo)
    assert_error(device.request(method, path, None if method == "GET" else {}), 403, "permission_denied")


def test_a_device_sees_the_sessions_of_today_only(dojo: Dojo) -> None:
    _, device = add_paired_device(dojo)
    evening = factories.training_class(dojo)
    today = factories.session_today(dojo, evening)
    for query in ("", "?from=2026-06-01&to=2026-07-30", "?from=2026-06-22"):
        found = ok(device.get(f"/class-sessions{query}"))["results"]
        assert [one["id"] for one in found] == ([] if query.endswith("22") else [today["id"]])
        assert not any("roster" in one for one in found)
    assert not ok(device.get(f"/class-sessions/{today['id']}")).get("roster")
    later = factories.list_sessions(
        dojo, **{"class": evening["id"], "from": "2026-06-22", "to": "2026-06-22"}
    )[0]
    assert_error(device.get(f"/class-sessions/{later['id']}"), 404, "not_found")


def test_a_device_gets_codes_of_sessions_of_today_and_of_no_student(dojo: Dojo) -> None:
    _, device = add_paired_device(dojo)
    evening = factories.training_class(dojo)
    factories.session_qr_code(device, factories.session_today(dojo, evening))
    later = factories.list_sessions(
        dojo, **{"class": evening["id"], "from": "2026-06-22", "to": "2026-06-22"}
    )[0]
    assert_invalid(device.post("/qr", {"class_session": later["id"]}), "class_session")
    assert_error(device.post("/qr", {"student": factories.student(dojo)["id"]}), 403, "permission_denied")


def test_a_scan_stores_the_device_and_no_user(dojo: Dojo) -> None:
    device_id, device = add_paired_device(dojo)
    factories.session_today(dojo, factories.training_class(dojo))
    mika = factories.student(dojo, birth_date="2015-06-15", medical_notes="Asthma")
    body = ok(device.post("/attendance/scan", {"token": factories.qr_token(dojo.admin, mika)}), 201)
    assert [one["code"] for one in body["alerts"]] == ["birthday"]
    nowhere = {"token": factories.qr_token(dojo.admin, mika), "class_session": factories.unknown_id()}
    assert_error(device.post("/attendance/scan", nowhere), 404, "class_session_not_found")
    with tenant_scope(dojo.tenant):
        for row in (Attendance.objects.get(), Refusal.objects.get()):
            assert (str(row.device_id), row.recorded_by_id) == (device_id, None)
    (shown,) = ok(dojo.admin.get("/attendance/refusals"))["results"]
    assert shown["device"] == {"id": device_id, "name": "Kiosk"}


def test_a_device_may_not_scan_the_code_of_a_session(dojo: Dojo) -> None:
    _, device = add_paired_device(dojo)
    session = factories.session_today(dojo, factories.training_class(dojo))
    token = factories.session_qr_code(dojo.admin, session)["token"]
    assert_error(device.post("/attendance/scan", {"token": token}), 400, "qr_invalid")


def test_the_idempotency_key_is_ignored(dojo: Dojo) -> None:
    for number in range(2):
        dojo.admin.post("/devices", {"name": f"Kiosk {number}"}, Idempotency_Key="one")
    assert ok(dojo.admin.get("/devices"))["count"] == 2


def test_last_seen_is_written_at_most_once_a_minute(dojo: Dojo) -> None:
    _, device = add_paired_device(dojo)
    for seconds, seen in ((0, "16:40:00"), (59, "16:40:00"), (61, "16:41:01")):
        with clock.fixed(NOW + timedelta(seconds=seconds)):
            ok(device.get("/me"))
        assert ok(dojo.admin.get("/devices"))["results"][0]["last_seen"] == f"2026-06-15T{seen}Z"


def test_one_of_several_concurrent_pairings_succeeds(check_in_dojo: CheckInDojo) -> None:
    with tenant_scope(check_in_dojo.dojo.tenant):
        _, code = devices.add_device(name="Kiosk", location="", now=clock.now())

    def attempt(address: str) -> str:
        try:
            with tenant_scope(check_in_dojo.dojo.tenant):
                devices.pair_device(code=code, address=address, now=clock.now())
                return "paired"
        except errors.AlreadyPaired as refused:
            return refused.code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as threads:
        runs = [threads.submit(copy_context().run, attempt, f"198.51.100.{n}") for n in range(8)]
        assert sorted(run.result() for run in runs) == ["already_paired"] * 7 + ["paired"]
