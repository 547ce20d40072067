"""The audit: actors have their present name, and free text about a person is not copied into it."""

from typing import Any

import pytest
from django.test import Client

from shared_apps.accounts import users
from shared_apps.accounts.console.pages import COOKIE
from shared_apps.accounts.console.sign_in import sign_in
from shared_apps.accounts.models import AuditEntry, User
from shared_apps.accounts.second_factors import Proof
from tatami.api.audit import add_audit_entry
from tatami.tenancy.scope import platform_scope, tenant_scope
from tenant_apps.attendance.models import Device
from tests.support import factories
from tests.support.clients import Caller, Dojo, Platform
from tests.support.now import NOW
from tests.support.responses import ok
from tests.support.statements import count_get_statements

REASON = "Mika has been ill."


def entries(dojo: Dojo, query: str) -> list[dict[str, Any]]:
    return list(ok(dojo.admin.get(f"/audit?{query}"))["results"])


def change_name(caller: Caller) -> str:
    """Change the own name of a caller; return the query that finds the audit entry."""
    assert caller.user is not None
    ok(caller.patch("/me", {"name": "Mika Sato"}))
    return f"actor={caller.user.pk}"


# --- names --------------------------------------------------------------------------------------------------


def test_an_actor_has_the_present_name(dojo: Dojo) -> None:
    query = change_name(dojo.student)
    assert [row["actor"]["name"] for row in entries(dojo, query)] == ["Mika Sato"]
    ok(dojo.student.patch("/me", {"name": "Mika Mori"}))
    assert [row["actor"]["name"] for row in entries(dojo, query)] == ["Mika Mori"] * 2


def test_an_actor_without_a_name_is_shown_by_address(dojo: Dojo) -> None:
    query = change_name(dojo.student)
    ok(dojo.student.patch("/me", {"name": ""}))
    assert entries(dojo, query)[0]["actor"]["name"] == "student@example.com"


def test_an_erased_user_has_no_name_in_the_audit(dojo: Dojo) -> None:
    query = change_name(dojo.student)
    with tenant_scope(dojo.tenant):
        users.erase_users(User.objects.filter(pk=dojo.student.user.pk), now=NOW)  # type: ignore[union-attr]
        kept = str(list(AuditEntry.objects.values()))
    assert [row["actor"]["name"] for row in entries(dojo, query)] == ["Erased user"]
    assert "Mika" not in kept
    assert "student@example.com" not in kept


def test_a_deleted_user_keeps_the_name_in_the_audit(dojo: Dojo) -> None:
    query = change_name(dojo.instructor)
    ok(dojo.admin.delete(f"/users/{dojo.instructor.user.pk}"), 204)  # type: ignore[union-attr]
    assert entries(dojo, query)[0]["actor"]["name"] == "Mika Sato"


def test_a_device_has_the_name_from_the_time_of_the_entry(dojo: Dojo) -> None:
    _, key = factories.paired_device(dojo)
    with tenant_scope(dojo.tenant):
        device = Device.objects.get(pk=key)
        add_audit_entry(actor=device, action="attendance-scan.post", object_id=None, now=NOW)
    assert entries(dojo, f"actor={key}")[0]["actor"] == {"id": key, "name": str(device)}


def test_the_number_of_statements_does_not_depend_on_the_number_of_actors(dojo: Dojo) -> None:
    change_name(dojo.student)
    few = count_get_statements(dojo.admin, "/audit")
    for number in range(5):
        change_name(dojo.person("assistant", f"assistant-{number}"))
    assert count_get_statements(dojo.admin, "/audit") == few
    assert len({row["actor"]["id"] for row in entries(dojo, "")}) == 6


def test_the_console_shows_and_finds_present_names(platform: Platform, hashings: Any) -> None:
    rosa = platform.superadmin("rosa@example.com")
    ok(rosa.patch("/me", {"name": "Rose"}))
    with platform_scope():
        entry = AuditEntry.objects.get()
        User.objects.filter(pk=entry.actor).update(name="Rosalind")
    browser, page = browser_of_superadmin(platform), "/console/accounts/auditentry/"
    for path in (page, f"{page}?q=rosalind", f"{page}?o=2", f"{page}{entry.pk}/change/"):
        shown = browser.get(path)
        assert shown.status_code == 200
        assert b"Rosalind" in shown.content, path
    assert b"Rosalind" not in browser.get(f"{page}?q=rose").content


def browser_of_superadmin(platform: Platform) -> Client:
    """Return the browser of a second superadmin who is signed in to the console."""
    browser = Client(headers={"Host": platform.host})
    with platform_scope():
        password = users.hash_password("seven waves!")
        users.create_user(email="root@example.com", name="Root", role="admin", password_hash=password)
        browser.cookies[COOKIE] = sign_in(
            email="root@example.com",
            password="seven waves!",
            proof=Proof(host=platform.host, address=""),
            now=NOW,
        )
    return browser


# --- reasons ------------------------------------------------------------------------------------------------


@pytest.fixture
def mika(dojo: Dojo) -> dict[str, Any]:
    return factories.student(dojo)


def void_fact(dojo: Dojo, mika: Any) -> Any:
    fact = factories.fact(dojo, mika, "document", "article", "2026-03-01")
    return dojo.admin.post(f"/facts/{fact['id']}/void", {"reason": REASON})


def void_rank_event(dojo: Dojo, mika: Any) -> Any:
    system = factories.rank_system(dojo)
    event = factories.rank_event(dojo, mika, factories.rank_id(system, "5-kyu"), "2026-01-10")
    return dojo.admin.post(f"/rank-events/{event['id']}/void", {"reason": REASON})


def void_attendance(dojo: Dojo, mika: Any) -> Any:
    visit = factories.attendance(dojo, mika, factories.single_session(dojo))
    return dojo.admin.post(f"/attendance/{visit['id']}/void", {"reason": REASON})


def mark_absent(dojo: Dojo, mika: Any) -> Any:
    session = factories.single_session(dojo)
    factories.attendance(dojo, mika, session)
    body = {"entries": [{"student": mika["id"], "state": "absent"}], "reason": REASON}
    return dojo.admin.put(f"/class-sessions/{session['id']}/roster", body)


def put_on_hold(dojo: Dojo, mika: Any) -> Any:
    return dojo.admin.post(f"/students/{mika['id']}/holds", {"from": "2026-06-01", "reason": REASON})


def change_hold(dojo: Dojo, mika: Any) -> Any:
    hold = factories.hold(dojo, mika, "2026-01-01", "2026-01-31")
    return dojo.admin.patch(f"/students/{mika['id']}/holds/{hold['id']}", {"reason": REASON})


def award_past_the_rules(dojo: Dojo, mika: Any) -> Any:
    rank = factories.rank_id(factories.rank_system(dojo), "4-kyu")
    body = {"student": mika["id"], "target_rank": rank, "override_reason": REASON}
    return dojo.admin.post("/promotions", body)


def revert_batch(dojo: Dojo, mika: Any) -> Any:
    batch = factories.batch(dojo, mika)
    return dojo.admin.post(f"/promotions/batches/{batch['id']}/revert", {"reason": REASON})


def reopen_exam(dojo: Dojo, mika: Any) -> Any:
    system = factories.rank_system(dojo)
    exam, _ = factories.passed_exam(dojo, system, mika, factories.rank_id(system, "5-kyu"))
    return dojo.admin.post(f"/exams/{exam['id']}/reopening", {"reason": REASON})


ACTIONS_WITH_A_REASON = [
    void_fact,
    void_rank_event,
    void_attendance,
    mark_absent,
    put_on_hold,
    change_hold,
    award_past_the_rules,
    revert_batch,
    reopen_exam,
]


@pytest.mark.parametrize("action", ACTIONS_WITH_A_REASON)
def test_a_reason_about_a_person_is_not_copied_into_the_audit(dojo: Dojo, mika: Any, action: Any) -> None:
    answer = action(dojo, mika)
    assert answer.status_code in {200, 201}, answer.content
    entry = entries(dojo, "")[0]
    assert {"reason", "override_reason"} & set(entry["fields"])
    assert entry["reason"] == ""
    with tenant_scope(dojo.tenant):
        assert REASON not in str(list(AuditEntry.objects.values()))
