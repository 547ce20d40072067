"""Signing in and out in a browser."""

import pytest

from shared_apps.accounts.users import create_user, hash_password
from tatami.tenancy.scope import tenant_scope
from tenant_apps.desk.sessions import SESSION_COOKIE
from tests.support.clients import Dojo
from tests.support.pages import Visitor, text_of, visitor

PASSWORD = "correct horse battery"


@pytest.fixture
def head(dojo: Dojo) -> str:
    with tenant_scope(dojo.tenant):
        create_user(
            email="desk@example.com", name="Desk", role="admin", password_hash=hash_password(PASSWORD)
        )
    return "desk@example.com"


def sign_in(browser: Visitor, email: str, password: str = PASSWORD, **more: str):  # type: ignore[no-untyped-def]
    return browser.post("/sign-in", {"email": email, "password": password, "next": "", **more})


def test_a_browser_without_a_session_is_led_to_the_sign_in_and_back(dojo: Dojo, head: str) -> None:
    browser = visitor(dojo)
    sent = browser.get("/desk")
    assert (sent.status_code, sent["Location"]) == (302, "/sign-in?next=%2Fdesk")
    signed_in = sign_in(browser, head, next="/desk")
    assert (signed_in.status_code, signed_in["Location"]) == (302, "/desk")
    assert "Today" in text_of(browser.get("/desk"))


def test_a_wrong_password_is_said_beside_the_form_and_opens_no_session(dojo: Dojo, head: str) -> None:
    browser = visitor(dojo)
    refused = sign_in(browser, head, "not the password")
    assert refused.status_code == 401
    assert "The e-mail address or the password is wrong." in text_of(refused)
    assert browser.get("/desk").status_code == 302


def test_a_sign_in_does_not_lead_to_another_site(dojo: Dojo, head: str) -> None:
    for target in ("https://evil.example/", "//evil.example/", "javascript:alert(1)"):
        assert sign_in(visitor(dojo), head, next=target)["Location"] == "/desk"


def test_signing_out_ends_the_session_also_for_a_copy_of_the_cookie(dojo: Dojo, head: str) -> None:
    browser = visitor(dojo)
    sign_in(browser, head)
    copy = Visitor(dojo.host)
    copy.client.cookies[SESSION_COOKIE] = browser.client.cookies[SESSION_COOKIE].value
    assert copy.get("/desk").status_code == 200
    browser.post("/sign-out")
    assert copy.get("/desk").status_code == 302


def test_the_cookie_of_a_dojo_opens_no_page_of_another(dojo: Dojo, other_dojo: Dojo) -> None:
    browser = visitor(dojo, "admin")
    browser.host = other_dojo.host
    assert browser.get("/desk").status_code == 302


def test_the_api_takes_no_cookie_and_pages_take_no_token(dojo: Dojo) -> None:
    assert visitor(dojo, "admin").get("/students", accept="application/json").status_code == 401
    token = dojo.admin.token
    assert visitor(dojo).get("/desk", Authorization=f"Bearer {token}").status_code == 302


def test_programs_get_the_envelope_at_the_address_of_a_dojo(dojo: Dojo) -> None:
    response = visitor(dojo).get("/", accept="application/json")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize(("role", "page"), [("admin", "/desk"), ("assistant", "/desk")])
def test_each_role_begins_at_its_page(dojo: Dojo, role: str, page: str) -> None:
    assert visitor(dojo, role).get("/")["Location"] == page


def test_an_unknown_dojo_is_a_page_for_browsers_and_the_envelope_for_programs(dojo: Dojo) -> None:
    nowhere = Visitor("nowhere.localhost")
    page = nowhere.get("/")
    assert page.status_code == 404
    assert "There is no dojo at this address" in text_of(page)
    assert nowhere.get("/", accept="application/json").json()["error"]["code"] == "tenant_not_found"


def test_pages_forbid_inline_scripts_and_framing(dojo: Dojo) -> None:
    headers = visitor(dojo, "admin").get("/desk").headers
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"
