"""A superadmin acts as a user of a dojo in the browser: the banner, both names in the audit, and the end."""

from datetime import timedelta

import pytest

from shared_apps.accounts.sessions import end_sessions
from tatami import clock
from tatami.tenancy.scope import platform_scope
from tests.support import factories
from tests.support.clients import Caller, Dojo, Platform
from tests.support.now import NOW
from tests.support.pages import Visitor, text_of, visitor
from tests.support.responses import ok


@pytest.fixture
def root(platform: Platform) -> Caller:
    return platform.superadmin()


def token_for(root: Caller, dojo: Dojo) -> str:
    address = f"/tenants/{dojo.tenant.tenant_id}/impersonations"
    return str(ok(root.post(address, {"reason": "Ticket 4711"}), 201)["access"])


def acting(root: Caller, dojo: Dojo) -> Visitor:
    browser = visitor(dojo)
    begun = browser.post("/impersonate", {"access": token_for(root, dojo)})
    assert (begun.status_code, begun["Location"]) == (302, "/")
    return browser


def test_a_banner_says_who_acts_as_whom_until_it_is_stopped(root: Caller, dojo: Dojo) -> None:
    browser = acting(root, dojo)
    assert "acts as Head Instructor. The audit names both." in text_of(browser.get("/desk"))
    browser.post("/sign-out")
    assert browser.get("/desk").status_code == 302


def test_ones_own_session_in_the_same_browser_stays(root: Caller, dojo: Dojo) -> None:
    browser = visitor(dojo, "assistant")
    browser.post("/impersonate", {"access": token_for(root, dojo)})
    assert "acts as" in text_of(browser.get("/desk"))
    browser.post("/sign-out")
    assert "Assistant" in text_of(browser.get("/desk"))


def test_what_is_done_is_recorded_under_both_names(root: Caller, dojo: Dojo) -> None:
    factories.student(dojo)
    browser = acting(root, dojo)
    assert browser.post("/desk/settings/kiosks", {"name": "Door"}).status_code == 403
    values = {"subject": "Hello", "text": "Dear", "send": ""}
    assert browser.post("/desk/messages/new", values).status_code == 302
    entry = dojo.admin.get("/audit?action=notifications.post").json()["results"][0]
    assert entry["impersonated_by"]["id"] == str(root.user and root.user.pk)


def test_it_ends_after_fifteen_minutes_and_with_the_superadmins_session(root: Caller, dojo: Dojo) -> None:
    browser = acting(root, dojo)
    with clock.fixed(NOW + timedelta(minutes=15)):
        assert browser.get("/desk").status_code == 302
    assert browser.get("/desk").status_code == 200
    assert root.user is not None
    with platform_scope():
        end_sessions(root.user.pk, now=NOW)
    assert browser.get("/desk").status_code == 302


def test_a_token_of_a_user_or_of_another_dojo_begins_nothing(
    root: Caller, dojo: Dojo, other_dojo: Dojo
) -> None:
    browser = visitor(dojo)
    for text in ("", "junk", dojo.admin.token, token_for(root, other_dojo)):
        assert browser.post("/impersonate", {"access": text}).status_code == 400
    assert browser.get("/desk").status_code == 302


def test_a_form_of_another_dojo_is_refused(dojo: Dojo) -> None:
    browser = visitor(dojo, "admin")
    browser.client.handler.enforce_csrf_checks = True
    refused = browser.post("/desk/settings/kiosks", {"name": "Door"}, Origin="http://kendo.localhost:8000")
    assert refused.status_code == 403
    assert dojo.admin.get("/devices").json()["count"] == 0
