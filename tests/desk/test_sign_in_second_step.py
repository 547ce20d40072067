"""The second step of a sign-in in a browser: codes, passkeys, and setting up what the role needs."""

import re
from html import unescape
from typing import Any

import orjson
import pytest
from django.conf import settings
from django.contrib.auth.hashers import make_password
from pyotp import TOTP

from shared_apps.accounts.models import User
from tatami import clock
from tatami.tenancy.scope import tenant_scope
from tests.support.authenticator import Authenticator
from tests.support.clients import Caller, Dojo
from tests.support.now import NOW
from tests.support.pages import Visitor, text_of, visitor
from tests.support.responses import ok

PASSWORD = "correct horse battery"
EMAIL = "una@example.com"


@pytest.fixture
def una(dojo: Dojo) -> User:
    with tenant_scope(dojo.tenant):
        return User.objects.create(
            email=EMAIL, email_key=EMAIL, name="Una", role="instructor", password=make_password(PASSWORD)
        )


def authenticator(dojo: Dojo) -> Authenticator:
    return Authenticator(f"http://{dojo.host}:{settings.TATAMI_PUBLIC_PORT}")


def first_step(browser: Visitor, wanted: str = "/desk/students") -> Any:
    return browser.post("/sign-in", {"email": EMAIL, "password": PASSWORD, "next": wanted})


def value_of(response: Any, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', response.content.decode())
    assert found, response.content
    return unescape(found[1])


def options_of(response: Any) -> Any:
    found = re.search(r'data-options="([^"]*)"', response.content.decode())
    assert found, response.content
    return orjson.loads(unescape(found[1]))


def second_step(browser: Visitor, page: Any, **shown: str) -> Any:
    values = {"code": "", "challenge": value_of(page, "challenge"), "next": value_of(page, "next"), **shown}
    return browser.post("/sign-in", values)


def need_a_second_factor(dojo: Dojo) -> None:
    ok(dojo.admin.patch("/sign-in-policy", {"second_factor_roles": ["instructor"]}))


def test_who_needs_a_factor_sets_up_an_app_and_goes_on(dojo: Dojo, una: User) -> None:
    need_a_second_factor(dojo)
    browser = visitor(dojo)
    with clock.fixed(NOW):
        page = first_step(browser)
        assert "Your role needs a second factor" in text_of(page)
        secret = re.search(r"<code>([A-Z2-7]{16,})</code>", page.content.decode())
        assert secret
        done = second_step(browser, page, code=TOTP(secret[1]).at(int(NOW.timestamp())))
        assert done.status_code == 200
        assert 'href="/desk/students"' in done.content.decode()
        assert browser.get("/desk/students").status_code == 200


def test_who_needs_a_factor_may_make_a_passkey_instead(dojo: Dojo, una: User) -> None:
    need_a_second_factor(dojo)
    browser, device = visitor(dojo), authenticator(dojo)
    page = first_step(browser)
    values = {"challenge": value_of(page, "challenge"), "next": value_of(page, "next")}
    offered = browser.post("/sign-in", {**values, "enrol": "passkey"})
    assert browser.get("/desk").status_code == 302
    done = second_step(browser, offered, passkey=orjson.dumps(device.create(options_of(offered))).decode())
    assert "recovery codes" in text_of(done)
    assert browser.get("/desk").status_code == 200


def test_a_passkey_is_the_second_factor_after_a_password(dojo: Dojo, una: User) -> None:
    signed_in = ok(dojo.anonymous.post("/auth/login", {"email": EMAIL, "password": PASSWORD}))
    caller, device = Caller(dojo.host, token=signed_in["access"]), authenticator(dojo)
    begun = ok(caller.post("/me/second-factors", {"password": PASSWORD, "kind": "passkey"}), 201)
    made = {"passkey": device.create(begun["options"])}
    ok(caller.post(f"/me/second-factors/{begun['id']}/confirmation", made))
    browser = visitor(dojo)
    page = first_step(browser)
    signed = device.get(options_of(page))
    done = second_step(browser, page, passkey=orjson.dumps(signed).decode())
    assert (done.status_code, done["Location"]) == (302, "/desk/students")
    again = second_step(visitor(dojo), page, passkey=orjson.dumps(signed).decode())
    assert again.status_code == 401


@pytest.mark.parametrize("passkey", ["{", "[]", '{"id": "x"}', '{"type": "public-key", "response": {}}'])
def test_what_is_no_passkey_opens_no_session(dojo: Dojo, una: User, passkey: str) -> None:
    need_a_second_factor(dojo)
    browser = visitor(dojo)
    page = first_step(browser)
    assert second_step(browser, page, passkey=passkey).status_code in {400, 401}
    assert browser.get("/desk").status_code == 302


@pytest.mark.parametrize("challenge", ["", "x", "x" * 600])
def test_a_false_challenge_begins_again(dojo: Dojo, challenge: str) -> None:
    browser = visitor(dojo)
    asked = browser.post("/sign-in", {"enrol": "passkey", "challenge": challenge})
    assert asked.status_code == 401
    assert "Sign in again" in text_of(asked)
    assert browser.post("/sign-in", {"code": "123456", "challenge": challenge}).status_code in {400, 401}
    assert browser.get("/desk").status_code == 302
