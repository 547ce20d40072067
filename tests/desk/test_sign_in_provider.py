"""Signing in with the identity provider of the dojo, in a browser; the provider is real HTTP on loopback."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from pyotp import TOTP

from shared_apps.accounts.models import User
from tatami import clock
from tatami.encryption import encrypt
from tatami.tenancy.scope import tenant_scope
from tenant_apps.desk.sessions import SESSION_COOKIE
from tenant_apps.desk.sign_in.provider import COOKIE
from tests.accounts.oidc_hooks import allowed_provider, configure, invite_una
from tests.support.clients import Dojo
from tests.support.now import NOW
from tests.support.oidc_provider import Provider
from tests.support.pages import Visitor, text_of, visitor
from tests.support.responses import ok, url_path
from tests.support.statements import count_statements


@pytest.fixture(autouse=True)
def _now() -> Any:
    with clock.fixed(NOW):
        yield


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    with allowed_provider(monkeypatch) as running:
        yield running


@pytest.fixture
def una(dojo: Dojo) -> User:
    return invite_una(dojo)


@pytest.fixture
def browser(dojo: Dojo, provider: Provider, una: User) -> Visitor:
    """A browser at a dojo with a provider, which knows Una."""
    configure(dojo, provider)
    return visitor(dojo)


def go_to_provider(browser: Visitor, provider: Provider, wanted: str = "") -> str:
    """Follow the link of the sign-in page and sign in at the provider; return where it sends the browser."""
    sent = browser.get(f"/sign-in/provider?next={wanted}")
    assert sent.status_code == 302, sent.content
    return url_path(provider.send_browser(sent["Location"]))


def come_back(browser: Visitor, path: str) -> Any:
    """Follow the redirects to the end of the sign-in; return the last response."""
    answer = browser.get(path)
    return browser.get(answer["Location"]) if answer.status_code == 302 else answer


def test_the_sign_in_page_names_the_provider_only_if_there_is_one(
    dojo: Dojo,
    browser: Visitor,
    provider: Provider,
) -> None:
    page = browser.get("/sign-in?next=/desk/students").content.decode()
    assert "Sign in with 127.0.0.1" in page
    assert 'href="/sign-in/provider?next=%2Fdesk%2Fstudents"' in page
    configure(dojo, provider, is_enabled=False)
    assert "Sign in with 127" not in browser.get("/sign-in").content.decode()
    assert browser.get("/sign-in/provider").status_code == 404


def test_a_user_signs_in_and_gets_where_they_wanted(browser: Visitor, provider: Provider) -> None:
    done = come_back(browser, go_to_provider(browser, provider, "/desk/students"))
    assert (done.status_code, done["Location"]) == (302, "/desk/students")
    assert browser.client.cookies[COOKIE].value == ""
    assert "Una" in text_of(browser.get("/desk/students"))


def test_it_leads_to_no_other_site(browser: Visitor, provider: Provider) -> None:
    done = come_back(browser, go_to_provider(browser, provider, "https://evil.example/"))
    assert done["Location"] == "/desk"


def test_a_code_of_another_browser_opens_no_session(
    dojo: Dojo,
    browser: Visitor,
    provider: Provider,
) -> None:
    answer = browser.get(go_to_provider(browser, provider))
    victim = visitor(dojo)
    assert victim.get(answer["Location"]).status_code == 400
    victim.get("/sign-in/provider")  # has a verifier of its own
    refused = victim.get(answer["Location"])
    assert refused.status_code == 400
    assert "Sign in again" in text_of(refused)
    assert victim.get("/desk").status_code == 302


def test_a_code_works_once(browser: Visitor, provider: Provider) -> None:
    answer = browser.get(go_to_provider(browser, provider))
    verifier = browser.client.cookies[COOKIE].value
    assert browser.get(answer["Location"]).status_code == 302
    browser.client.cookies.pop(SESSION_COOKIE)
    browser.client.cookies[COOKIE] = verifier
    assert browser.get(answer["Location"]).status_code == 400
    assert browser.get("/desk").status_code == 302


def test_a_code_expires_after_a_minute(browser: Visitor, provider: Provider) -> None:
    answer = browser.get(go_to_provider(browser, provider))
    with clock.fixed(NOW + timedelta(minutes=1)):
        assert browser.get(answer["Location"]).status_code == 400


def test_a_deactivated_user_is_refused_at_each_step(
    dojo: Dojo,
    browser: Visitor,
    provider: Provider,
    una: User,
) -> None:
    answer = browser.get(go_to_provider(browser, provider))
    ok(dojo.admin.patch(f"/users/{una.pk}", {"is_active": False}))
    assert browser.get(answer["Location"]).status_code == 400
    refused = browser.get(go_to_provider(browser, provider))
    assert refused.status_code == 403
    assert "does not belong to a user here" in text_of(refused)
    assert browser.get("/desk").status_code == 302


def test_the_second_factor_is_asked_for_as_after_a_password(
    dojo: Dojo,
    browser: Visitor,
    provider: Provider,
) -> None:
    ok(dojo.admin.patch("/sign-in-policy", {"second_factor_roles": ["assistant"]}))
    asked = come_back(browser, go_to_provider(browser, provider, "/desk/students"))
    assert asked.status_code == 200
    assert browser.get("/desk").status_code == 302
    text = asked.content.decode()
    secret = text.partition("<code>")[2].partition("</code>")[0]
    challenge = text.partition('name="challenge" value="')[2].partition('"')[0]
    code = TOTP(secret).at(int(NOW.timestamp()))
    done = browser.post("/sign-in", {"code": code, "challenge": challenge, "next": "/desk/students"})
    assert "recovery codes" in text_of(done)
    assert browser.get("/desk").status_code == 200


def test_errors_of_the_provider_are_pages_for_browsers(browser: Visitor, provider: Provider) -> None:
    path = go_to_provider(browser, provider)
    other = Visitor(browser.host)
    refused = other.get(path)
    assert refused.status_code == 400
    assert "Begin again" in text_of(refused)
    assert refused["Content-Type"].startswith("text/html")
    assert other.get(path, accept="application/json").json()["error"]["code"] == "sign_in_state_invalid"


def test_a_provider_that_is_away_leaves_the_password_form(
    dojo: Dojo,
    browser: Visitor,
    provider: Provider,
) -> None:
    configure(dojo, provider, issuer="http://127.0.0.1:9")
    page = browser.get("/sign-in/provider?next=/desk/students")
    assert page.status_code == 503
    assert "sign in with your password" in text_of(page)
    assert 'value="/desk/students"' in page.content.decode()


@pytest.mark.parametrize("cookie", ["", "x", "$", "own"])
def test_a_cookie_that_was_not_made_here_is_refused(dojo: Dojo, browser: Visitor, cookie: str) -> None:
    if cookie == "own":
        with tenant_scope(dojo.tenant):
            cookie = encrypt("{}", purpose="something else")
    browser.client.cookies[COOKIE] = cookie
    assert browser.get("/sign-in/provider/return?code=x").status_code == 400


def test_the_sign_in_page_costs_one_statement(browser: Visitor) -> None:
    assert count_statements(lambda: browser.get("/sign-in")) == 1
