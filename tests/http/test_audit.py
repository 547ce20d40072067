"""Who did what: under the name he has now, and without what was typed about somebody."""

from typing import Any

import pytest
from django.test import Client

from shared_apps.accounts import users
from shared_apps.accounts.console.sign_in import sign_in
from shared_apps.accounts.console.site import COOKIE
from shared_apps.accounts.models import AuditEntry, User
from tatami.api.audit import add_audit_entry
from tatami.tenancy.scope import platform_scope, tenant_scope
from tenant_apps.attendance.models import Device
from tests.support import factories
from tests.support.clients import Caller, Dojo, Platform
from tests.support.now import NOW
from tests.support.responses import done, statements

WHY = "Mika has been ill."


def entries(dojo: Dojo, query: str) -> list[dict[str, Any]]:
    return list(done(dojo.admin.get(f"/audit?{query}"))["results"])


def deed_of(caller: Caller) -> str:
    """Have somebody do something, and return the query that finds it."""
    assert caller.user is not None
    done(caller.patch("/me", {"name": "Mika Sato"}))
    return f"actor={caller.user.pk}"


# --- names --------------------------------------------------------------------------------------------------


def test_an_actor_is_shown_under_his_present_name(dojo: Dojo) -> None:
    query = deed_of(dojo.student)
    assert [row["actor"]["name"] for row in entries(dojo, query)] == ["Mika Sato"]
    done(dojo.student.patch("/me", {"name": "Mika Mori"}))
    assert [row["actor"]["name"] for row in entries(dojo, query)] == ["Mika Mori"] * 2


def test_without_a_name_by_his_address(dojo: Dojo) -> None:
    query = deed_of(dojo.student)
    done(dojo.student.patch("/me", {"name": ""}))
    assert entries(dojo, query)[0]["actor"]["name"] == "student@example.com"


def test_who_is_erased_has_no_name_there_any_more(dojo: Dojo) -> None:
    query = deed_of(dojo.student)
    with tenant_scope(dojo.tenant):
        users.erase_users(User.objects.filter(pk=dojo.student.user.pk), now=NOW)  # type: ignore[union-attr]
        kept = str(list(AuditEntry.objects.values()))
    assert [row["actor"]["name"] for row in entries(dojo, query)] == ["Erased user"]
    assert "Mika" not in kept
    assert "student@example.com" not in kept


def test_who_leaves_stays_named(dojo: Dojo) -> None:
    query = deed_of(dojo.instructor)
    done(dojo.admin.delete(f"/users/{dojo.instructor.user.pk}"), 204)  # type: ignore[union-attr]
    assert entries(dojo, query)[0]["actor"]["name"] == "Mika Sato"


def test_a_device_is_named_as_it_was(dojo: Dojo) -> None:
    _, key = factories.device(dojo)
    with tenant_scope(dojo.tenant):
        device = Device.objects.get(pk=key)
        add_audit_entry(actor=device, action="attendance-scan.post", object_id=None, now=NOW)
    assert entries(dojo, f"actor={key}")[0]["actor"] == {"id": key, "name": str(device)}


def test_the_list_costs_the_same_for_one_actor_and_for_six(dojo: Dojo) -> None:
    deed_of(dojo.student)
    few = statements(dojo.admin, "/audit")
    for number in range(5):
        deed_of(dojo.person("assistant", f"assistant-{number}"))
    assert statements(dojo.admin, "/audit") == few
    assert len({row["actor"]["id"] for row in entries(dojo, "")}) == 6


def test_the_console_shows_and_finds_present_names(platform: Platform, hashings: Any) -> None:
    rosa = platform.superadmin("rosa@example.com")
    done(rosa.patch("/me", {"name": "Rose"}))
    with platform_scope():
        entry = AuditEntry.objects.get()
        User.objects.filter(pk=entry.actor).update(name="Rosalind")
    browser, page = visitor(platform), "/console/accounts/auditentry/"
    for path in (page, f"{page}?q=rosalind", f"{page}?o=2", f"{page}{entry.pk}/change/"):
        shown = browser.get(path)
        assert shown.status_code == 200
        assert b"Rosalind" in shown.content, path
    assert b"Rosalind" not in browser.get(f"{page}?q=rose").content


def visitor(platform: Platform) -> Client:
    """Return the browser of another superadmin, signed in to the console."""
    browser = Client(headers={"Host": platform.host})
    with platform_scope():
        password = users.hash_password("seven waves!")
        users.create_user(email="root@example.com", name="Root", role="admin", password_hash=password)
        browser.cookies[COOKIE] = sign_in(
            email="root@example.com", password="seven waves!", address="", now=NOW
        )
    return browser


# --- reasons ------------------------------------------------------------------------------------------------


@pytest.fixture
def mika(dojo: Dojo) -> dict[str, Any]:
    return factories.student(dojo)


def void_fact(dojo: Dojo, mika: Any) -> Any:
    fact = factories.fact(dojo, mika, "document", "article", "2026-03-01")
    return dojo.admin.post(f"/facts/{fact['id']}/void", {"reason": WHY})


def void_rank_event(dojo: Dojo, mika: Any) -> Any:
    system = factories.rank_system(dojo)
    event = factories.rank_event(dojo, mika, factories.rank(system, "5-kyu"), "2026-01-10")
    return dojo.admin.post(f"/rank-events/{event['id']}/void", {"reason": WHY})


def void_attendance(dojo: Dojo, mika: Any) -> Any:
    visit = factories.attendance(dojo, mika, factories.single_session(dojo))
    return dojo.admin.post(f"/attendance/{visit['id']}/void", {"reason": WHY})


def mark_absent(dojo: Dojo, mika: Any) -> Any:
    session = factories.single_session(dojo)
    factories.attendance(dojo, mika, session)
    body = {"entries": [{"student": mika["id"], "state": "absent"}], "reason": WHY}
    return dojo.admin.put(f"/class-sessions/{session['id']}/roster", body)


def put_on_hold(dojo: Dojo, mika: Any) -> Any:
    return dojo.admin.post(f"/students/{mika['id']}/holds", {"from": "2026-06-01", "reason": WHY})


def change_hold(dojo: Dojo, mika: Any) -> Any:
    hold = factories.hold(dojo, mika, "2026-01-01", "2026-01-31")
    return dojo.admin.patch(f"/students/{mika['id']}/holds/{hold['id']}", {"reason": WHY})


def award_past_the_rules(dojo: Dojo, mika: Any) -> Any:
    rank = factories.rank(factories.rank_system(dojo), "4-kyu")
    body = {"student": mika["id"], "target_rank": rank, "override_reason": WHY}
    return dojo.admin.post("/promotions", body)


def revert_batch(dojo: Dojo, mika: Any) -> Any:
    batch = factories.batch(dojo, mika)
    return dojo.admin.post(f"/promotions/batches/{batch['id']}/revert", {"reason": WHY})


def reopen_exam(dojo: Dojo, mika: Any) -> Any:
    system = factories.rank_system(dojo)
    exam, _ = factories.finished_exam(dojo, system, mika, factories.rank(system, "5-kyu"))
    return dojo.admin.post(f"/exams/{exam['id']}/reopening", {"reason": WHY})


ABOUT_A_PERSON = [
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


@pytest.mark.parametrize("deed", ABOUT_A_PERSON)
def test_what_is_typed_about_a_person_stays_in_its_own_row(dojo: Dojo, mika: Any, deed: Any) -> None:
    answer = deed(dojo, mika)
    assert answer.status_code in {200, 201}, answer.content
    entry = entries(dojo, "")[0]
    assert {"reason", "override_reason"} & set(entry["fields"])
    assert entry["reason"] == ""
    with tenant_scope(dojo.tenant):
        assert WHY not in str(list(AuditEntry.objects.values()))
