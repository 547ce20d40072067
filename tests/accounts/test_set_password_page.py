"""The pages of mailed password links: on a dojo's host, and in the console for superadmins."""

import re
from typing import Any

import pytest
from django.core import mail

from shared_apps.accounts.users import create_user
from tatami.tenancy.scope import PLATFORM, Scope, TenantScope, platform_scope, tenant_scope
from tests.support.clients import Dojo, Platform
from tests.support.pages import Visitor, text_of
from tests.support.password_mail import send_waiting_password_mails

PASSWORD = "correct horse battery"


def mailed_link(scope: Scope, browser: Visitor) -> tuple[str, str]:
    """Ask for a link and return the address of its page, and its secret."""
    with tenant_scope(scope) if isinstance(scope, TenantScope) else platform_scope():
        create_user(email="yuki@example.com", name="Yuki", role="admin", password_hash="!")
    body = '{"email": "yuki@example.com"}'
    asked = browser.client.post(
        "/auth/password/reset", body, content_type="application/json", headers={"Host": browser.host}
    )
    assert asked.status_code == 204
    send_waiting_password_mails(scope)
    found = re.search(r"http://[^/]+(/\S+)#(\S+)", str(mail.outbox[-1].body))
    assert found
    return found[1], found[2]


@pytest.fixture(params=["dojo", "platform"])
def place(request: pytest.FixtureRequest, dojo: Dojo, platform: Platform) -> tuple[Scope, Visitor]:
    if request.param == "dojo":
        return dojo.tenant, Visitor(dojo.host)
    return PLATFORM, Visitor(platform.host)


def signs_in(browser: Visitor, password: str) -> bool:
    body = f'{{"email": "yuki@example.com", "password": "{password}"}}'
    answer: Any = browser.client.post(
        "/auth/login", body, content_type="application/json", headers={"Host": browser.host}
    )
    return bool(answer.status_code == 200)


def test_the_mailed_link_opens_a_page_that_sets_the_password_once(place: tuple[Scope, Visitor]) -> None:
    scope, browser = place
    page, secret = mailed_link(scope, browser)
    for _ in range(2):  # mail scanners open links: that uses nothing up
        opened = browser.get(page)
        assert opened.status_code == 200
        assert "Set a password" in text_of(opened)
    done = browser.post(page, {"secret": secret, "new_password": PASSWORD})
    assert done.status_code == 302
    assert signs_in(browser, PASSWORD)
    again = browser.post(page, {"secret": secret, "new_password": "another long password"})
    assert again.status_code in {400, 401}
    assert "not valid" in text_of(again)
    assert signs_in(browser, PASSWORD)


def test_a_password_that_is_easy_to_guess_is_refused_beside_its_field(place: tuple[Scope, Visitor]) -> None:
    scope, browser = place
    page, secret = mailed_link(scope, browser)
    refused = browser.post(page, {"secret": secret, "new_password": "password"})
    assert refused.status_code == 400
    assert "too" in text_of(refused)
    assert browser.post(page, {"secret": secret, "new_password": PASSWORD}).status_code == 302
