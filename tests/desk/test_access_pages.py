"""Who and what has access: users with their search and pager, the rule for second factors, webhooks."""

import re
from typing import Any

import pytest

from shared_apps.accounts.models import User
from tatami.tenancy.scope import tenant_scope
from tests.desk.test_impersonation_page import acting
from tests.support.clients import Dojo, Platform
from tests.support.pages import Visitor, text_of, visitor
from tests.support.statements import count_statements

USERS = "/desk/settings/users"
HOOKS = "/desk/settings/webhooks"


def values_of(response: Any) -> set[str]:
    return set(re.findall(r'href="/desk/settings/users/([0-9a-f-]{36})"', response.content.decode()))


def add_users(dojo: Dojo, number: int) -> None:
    with tenant_scope(dojo.tenant):
        for n in range(number):
            email = f"parent{n}@example.com"
            User.objects.create(email=email, email_key=email, name=f"Parent {n:03}", role="student")


@pytest.fixture
def desk(dojo: Dojo) -> Visitor:
    return visitor(dojo, "admin")


@pytest.fixture
def webhook(dojo: Dojo) -> dict[str, Any]:
    body = {"url": "https://example.com/hook", "events": ["student.created"], "description": "Club site"}
    return dojo.create("/webhooks", body)


def test_all_users_are_found_by_pages_search_and_role(dojo: Dojo, desk: Visitor) -> None:
    add_users(dojo, 230)
    found: set[str] = set()
    for number in range(1, 6):
        page = desk.get(f"{USERS}?page={number}")
        assert f"Page {number} of 5" in text_of(page)
        found |= values_of(page)
    with tenant_scope(dojo.tenant):
        assert len(found) == User.objects.people().count() > 230
    assert len(values_of(desk.get(f"{USERS}?search=pàrent+229"))) == 1
    assert len(values_of(desk.get(f"{USERS}?search=parent229%40example"))) == 1
    assert dojo.instructor.user is not None
    assert len(values_of(desk.get(f"{USERS}?role=instructor"))) == 1
    assert "No one was found" in text_of(desk.get(f"{USERS}?search=nemo"))


def test_the_list_of_users_needs_as_many_statements_for_many_as_for_few(dojo: Dojo, desk: Visitor) -> None:
    few = count_statements(lambda: desk.get(USERS))
    add_users(dojo, 60)
    assert count_statements(lambda: desk.get(USERS)) == few


def test_a_rule_for_second_factors_that_names_no_role_is_refused_beside_its_field(
    dojo: Dojo, desk: Visitor
) -> None:
    refused = desk.post("/desk/settings/second-factor", {"second_factor_roles": "x"})
    assert refused.status_code == 400
    assert 'id="id_second_factor_roles_error"' in refused.content.decode()
    assert "The rule is saved." not in text_of(refused)
    assert dojo.admin.get("/sign-in-policy").json() == {"second_factor_roles": []}
    saved = desk.post("/desk/settings/second-factor", {"second_factor_roles": ["instructor"]})
    assert "The rule is saved." in text_of(desk.get(saved["Location"]))


def test_the_last_admin_is_not_archived_and_the_form_stays_with_the_reason(dojo: Dojo, desk: Visitor) -> None:
    assert desk.user is not None
    page = f"{USERS}/{desk.user.pk}"
    for other in dojo.admin.get("/users?role=admin").json()["results"]:
        if other["id"] != str(desk.user.pk):
            assert dojo.admin.delete(f"/users/{other['id']}").status_code == 204
    refused = desk.post(page, {"archive": ""})
    assert 400 <= refused.status_code < 500
    assert 'name="email"' in refused.content.decode()
    assert "admin" in text_of(refused)
    assert re.search(r'<p class="notice error">[^<]+', refused.content.decode())
    assert dojo.admin.get(f"/users/{desk.user.pk}").status_code == 200


def test_a_refused_reset_of_factors_is_said_on_the_page_of_the_user(dojo: Dojo, platform: Platform) -> None:
    person = dojo.instructor.user
    assert person is not None
    acting_as = acting(platform.superadmin(), dojo)
    refused = acting_as.post(f"{USERS}/{person.pk}", {"reset_factors": ""})
    assert refused.status_code == 403
    assert 'name="email"' in refused.content.decode()
    assert re.search(r'<p class="notice error">[^<]+', refused.content.decode())


@pytest.mark.parametrize(
    "delivery", ["abc", "²", "9" * 5000, "", "../..", "018f0000-0000-7000-8000-000000000000"]
)
def test_a_delivery_that_there_is_not_is_said_on_the_page_of_the_webhook(
    desk: Visitor, webhook: dict[str, Any], delivery: str
) -> None:
    refused = desk.post(f"{HOOKS}/{webhook['id']}", {"redeliver": delivery})
    assert refused.status_code == 404
    assert "There is no such delivery any more." in text_of(refused)
    assert "Club site" in text_of(refused)


def test_a_webhook_that_is_off_says_so_if_it_is_tested(
    dojo: Dojo, desk: Visitor, webhook: dict[str, Any]
) -> None:
    page = f"{HOOKS}/{webhook['id']}"
    desk.post(page, {"test": ""})
    delivery = dojo.admin.get(f"/webhooks/{webhook['id']}/deliveries").json()["results"][0]
    assert "The webhook is off." in text_of(desk.get(desk.post(page, {"off": ""})["Location"]))
    shown = text_of(desk.get(page))
    assert "Someone switched it off." in shown
    assert "waiting" in shown or "failed" in shown
    assert "queued" not in shown
    for asked in ({"test": ""}, {"redeliver": delivery["id"]}):
        refused = desk.post(page, asked)
        assert refused.status_code == 409
        assert "This webhook is disabled. Enable it first." in text_of(refused)
        assert "Club site" in text_of(refused)
    desk.post(page, {"on": ""})
    assert dojo.admin.get(f"/webhooks/{webhook['id']}").json()["is_active"] is True


def test_address_and_events_of_a_webhook_are_changed(
    dojo: Dojo, desk: Visitor, webhook: dict[str, Any]
) -> None:
    page = f"{HOOKS}/{webhook['id']}"
    assert 'value="student.created"' in desk.get(page).content.decode()  # a type that no group on offer has
    changed = {"url": "https://example.com/new", "description": "", "events": ["student.created", "exam.*"]}
    assert desk.post(page, {**changed, "change": ""}).status_code == 302
    now = dojo.admin.get(f"/webhooks/{webhook['id']}").json()
    assert (now["url"], now["events"], now["is_active"]) == (
        changed["url"],
        ["exam.*", "student.created"],
        True,
    )


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"url": "http://127.0.0.1/", "events": ["*"]}, "url"),
        ({"url": "nonsense", "events": ["*"]}, "url"),
        ({"url": "https://example.com", "events": ["x.*"]}, "events"),
        ({"url": "https://example.com"}, "events"),
        ({}, "url"),
    ],
)
def test_a_change_of_a_webhook_that_is_refused_stands_beside_its_field(
    dojo: Dojo, desk: Visitor, webhook: dict[str, Any], values: dict[str, Any], field: str
) -> None:
    refused = desk.post(f"{HOOKS}/{webhook['id']}", values)
    assert refused.status_code == 400
    assert f'id="id_{field}_error"' in refused.content.decode()
    now = dojo.admin.get(f"/webhooks/{webhook['id']}").json()
    assert (now["url"], now["is_active"]) == (webhook["url"], True)


def test_deliveries_are_listed_by_state_and_page(
    dojo: Dojo, desk: Visitor, webhook: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tenant_apps.desk.office.access.webhooks.DELIVERIES_SHOWN", 2)
    page = f"{HOOKS}/{webhook['id']}"
    for _ in range(3):
        desk.post(page, {"test": ""})
    first = desk.get(page)
    assert first.content.decode().count('name="redeliver"') == 2
    (older,) = re.findall(r'href="(\?cursor=[^"]+)"', first.content.decode())
    assert desk.get(page + older).content.decode().count('name="redeliver"') == 1
    assert "No delivery has this state." in text_of(desk.get(f"{page}?state=delivered"))
    assert desk.get(f"{page}?state=x").status_code == 200


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=x", "from"),
        ("to=2026-13-01", "to"),
        ("action=" + "x" * 201, "action"),
        ("actor=x", ""),
        ("cursor=x", ""),
    ],
)
def test_a_filter_of_the_audit_that_is_refused_stays_with_the_reason(
    desk: Visitor, query: str, field: str
) -> None:
    refused = desk.get(f"/desk/settings/audit?{query}")
    body = refused.content.decode()
    assert refused.status_code == 400
    assert 'name="action"' in body
    assert f'id="id_{field}_error"' in body if field else 'class="notice error"' in body


def test_an_error_page_lists_what_was_refused(desk: Visitor) -> None:
    refused = desk.get("/desk/messages?page=0")
    assert refused.status_code == 400
    assert "page: This must be a whole number" in text_of(refused)
