"""Which changes tell webhooks what: ids only, in the transaction of the change."""

from typing import Any

import pytest

from shared_apps.webhooks import events
from shared_apps.webhooks.models import WebhookDelivery
from tatami.tenancy.scope import platform_scope, tenant_scope
from tests.support import factories
from tests.support.clients import Dojo, Platform
from tests.support.responses import assert_error, ok
from tests.support.statements import count_statements
from tests.webhooks.hooks import new_webhook

URL = "https://hooks.example.com/"


def stored(dojo: Dojo) -> list[tuple[str, dict[str, Any]]]:
    """Return type and data of the events of the dojo, in their order."""
    with tenant_scope(dojo.tenant):
        return list(WebhookDelivery.objects.order_by("id").values_list("type", "data"))


def types(dojo: Dojo) -> list[str]:
    return [type_ for type_, _ in stored(dojo)]


def test_the_life_of_a_student(dojo: Dojo) -> None:
    new_webhook(dojo.admin, URL, "student.*")
    student = factories.student(dojo)
    path = f"/students/{student['id']}"
    ok(dojo.admin.patch(path, {"phone": "030 1"}))
    ok(dojo.admin.delete(path), 204)
    ok(dojo.admin.patch(path, {"archived": False}))
    ok(dojo.admin.post(f"{path}/erasure", {"confirm": student["id"]}), 204)
    assert types(dojo) == [
        "student.created",
        "student.updated",
        "student.archived",
        "student.restored",
        "student.updated",
        "student.erased",
    ]
    assert {str(data) for _, data in stored(dojo)} == {str({"id": student["id"]})}, "ids and nothing else"


def test_an_import_tells_of_each_student_and_a_dry_run_of_none(dojo: Dojo) -> None:
    new_webhook(dojo.admin, URL, "student.*")
    from django.core.files.uploadedfile import SimpleUploadedFile

    def upload(text: str, query: str = "") -> Any:
        headers = {"Host": dojo.host, "Authorization": f"Bearer {dojo.admin.token}"}
        file = SimpleUploadedFile("people.csv", text.encode(), "text/csv")
        return ok(dojo.admin.client.post(f"/students/import{query}", {"file": file}, headers=headers))

    text = "first_name,last_name,external_id\nAoi,Mori,1\nRen,Ito,2\n"
    upload(text, "?dry_run=true")
    assert stored(dojo) == []
    upload(text)
    assert types(dojo) == ["student.created"] * 2
    upload(text.replace("Mori", "Sato"))
    assert types(dojo)[2:] == ["student.updated"], "only the line that changes something"


def test_a_merge_names_both_records(dojo: Dojo) -> None:
    new_webhook(dojo.admin, URL, "student.merged")
    kept, duplicate = factories.student(dojo), factories.student(dojo, first_name="Micha")
    path = f"/students/{kept['id']}/merge"
    ok(dojo.admin.post(path, {"duplicate": duplicate["id"], "dry_run": True}))
    assert stored(dojo) == []
    ok(dojo.admin.post(path, {"duplicate": duplicate["id"]}))
    assert stored(dojo) == [("student.merged", {"id": duplicate["id"], "into": kept["id"]})]


def test_attendance_by_scan_hand_and_roster(dojo: Dojo) -> None:
    new_webhook(dojo.admin, URL, "attendance.*")
    session = factories.session_today(dojo, factories.training_class(dojo))
    first, second, third = (factories.student(dojo, first_name=name) for name in ("A", "B", "C"))
    scan = {"token": factories.qr_token(dojo.admin, first), "class_session": session["id"]}
    scanned = ok(dojo.admin.post("/attendance/scan", scan), 201)["attendance"]
    ok(dojo.admin.post("/attendance/scan", scan))  # already recorded
    by_hand = factories.attendance(dojo, second, session)
    roster = f"/class-sessions/{session['id']}/roster"

    def save(**states: str) -> None:
        named = {"first": first, "second": second, "third": third}
        entries = [{"student": named[who]["id"], "state": state} for who, state in states.items()]
        ok(dojo.admin.put(roster, {"entries": entries}))

    save(first="late" if not scanned["late"] else "present", second="absent", third="present")
    save(third="present")
    data = {"student": first["id"], "class_session": session["id"]}
    got = stored(dojo)
    assert got[0] == ("attendance.recorded", {"id": scanned["id"], **data})
    assert got[1][0] == "attendance.recorded"
    assert got[1][1]["id"] == by_hand["id"]
    assert sorted(type_ for type_, _ in got[2:]) == [
        "attendance.recorded",
        "attendance.updated",
        "attendance.voided",
    ]
    ok(dojo.admin.post(f"/attendance/{scanned['id']}/void", {"reason": "Mistake"}))
    assert stored(dojo)[-1] == ("attendance.voided", {"id": scanned["id"], **data})


def test_ranks_and_exams(dojo: Dojo) -> None:
    new_webhook(dojo.admin, URL, "rank_event.*", "exam.*")
    system = factories.rank_system(dojo)
    student = factories.student(dojo)
    event = factories.rank_event(dojo, student, factories.rank_id(system, "5-kyu"), "2026-01-10")
    exam, award = factories.passed_exam(dojo, system, student, factories.rank_id(system, "4-kyu"))
    ok(dojo.admin.post(f"/exams/{exam['id']}/reopening", {"reason": "Mistake"}))
    ok(dojo.admin.post(f"/rank-events/{event['id']}/void", {"reason": "Mistake"}))
    got = stored(dojo)
    assert ("rank_event.created", {"id": event["id"], "student": student["id"]}) == got[0]
    assert ("rank_event.created", {"id": award["id"], "student": student["id"]}) in got
    assert ("rank_event.voided", {"id": award["id"], "student": student["id"]}) in got
    assert ("rank_event.voided", {"id": event["id"], "student": student["id"]}) == got[-1]
    of_exam = [type_ for type_, data in got if data["id"] == exam["id"]]
    assert of_exam[0] == "exam.created"
    assert of_exam[-2:] == ["exam.finished", "exam.reopened"]
    spare = factories.exam(dojo, system, "2026-12-01")
    ok(dojo.admin.patch(f"/exams/{spare['id']}", {"location": "Hall"}))
    ok(dojo.admin.delete(f"/exams/{spare['id']}"), 204)
    assert types(dojo)[-3:] == ["exam.created", "exam.updated", "exam.deleted"]


def test_a_cancellation_and_a_closure(dojo: Dojo) -> None:
    new_webhook(dojo.admin, URL, "class_session.cancelled")
    training = factories.training_class(dojo)
    session = factories.session_today(dojo, training)
    for _ in range(2):
        dojo.admin.post(f"/class-sessions/{session['id']}/cancellation", {})
    assert stored(dojo) == [("class_session.cancelled", {"id": session["id"]})]
    dojo.create("/closures", {"from": "2026-06-22", "until": "2026-06-28"})
    closed = factories.list_sessions(dojo, **{"from": "2026-06-22", "to": "2026-06-28"})
    assert {data["id"] for _, data in stored(dojo)[1:]} == {one["id"] for one in closed}
    assert closed


def test_dojos_on_the_platform(platform: Platform) -> None:
    admin = platform.superadmin()
    new_webhook(admin, URL, "tenant.*")
    kendo = next(row for row in ok(admin.get("/tenants"))["results"] if row["slug"] == "kendo")
    path = f"/tenants/{kendo['id']}"
    for body in (
        {"name": "Kendo Dojo"},
        {"name": "Kendo Dojo"},
        {"status": "suspended"},
        {"status": "active"},
    ):
        ok(admin.patch(path, body))
    ok(admin.delete(path), 202)
    with platform_scope():
        rows = list(WebhookDelivery.objects.order_by("id").values_list("type", "data"))
    assert [type_ for type_, _ in rows] == [
        "tenant.updated",
        "tenant.suspended",
        "tenant.resumed",
        "tenant.deleted",
    ]
    assert all(data == {"id": kendo["id"]} for _, data in rows)


def test_an_event_commits_with_its_change_or_not_at_all(dojo: Dojo) -> None:
    new_webhook(dojo.admin, URL)
    first = factories.student(dojo, external_id="m-1")
    body = {"first_name": "B", "last_name": "B", "external_id": "m-1"}
    assert dojo.admin.post("/students", body).status_code == 409
    assert stored(dojo) == [("student.created", {"id": first["id"]})]


def test_a_webhook_gets_only_what_it_asked_for_in_its_own_dojo(dojo: Dojo, other_dojo: Dojo) -> None:
    new_webhook(other_dojo.admin, URL)
    new_webhook(dojo.admin, URL, "attendance.*")
    off = new_webhook(dojo.admin, URL, "*")
    ok(dojo.admin.patch(f"/webhooks/{off['id']}", {"is_active": False}))
    factories.student(dojo)
    assert stored(dojo) == stored(other_dojo) == []


def test_a_scan_costs_no_statement_without_a_webhook(dojo: Dojo) -> None:
    session = factories.session_today(dojo, factories.training_class(dojo))
    codes = iter(
        [factories.qr_token(dojo.admin, factories.student(dojo, first_name=str(n))) for n in range(4)]
    )

    def scan() -> None:
        ok(dojo.admin.post("/attendance/scan", {"token": next(codes), "class_session": session["id"]}), 201)

    without = count_statements(scan)
    new_webhook(dojo.admin, URL, "attendance.recorded")
    assert count_statements(scan) == without + 2


@pytest.mark.parametrize(
    "event", ["student.unknown", "tenant.created", "webhook.test", "student", "", 7, "*.*"]
)
def test_an_unknown_event_is_refused(dojo: Dojo, event: Any) -> None:
    details = assert_error(
        dojo.admin.post("/webhooks", {"url": URL, "events": [event]}), 400, "validation_error"
    )
    assert list(details) == ["events.0"]


def test_every_type_of_event_is_documented() -> None:
    from pathlib import Path

    page = Path("docs/webhooks.md").read_text()
    for type_ in {**events.DOJO_EVENTS, **events.PLATFORM_EVENTS}:
        assert f"`{type_}`" in page, type_
