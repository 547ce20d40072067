"""Second factors of superadmins: set up while signing in to the console, and on the page "My second factors"."""

import re
from datetime import timedelta
from html import unescape
from typing import Any

import orjson
import pytest
from django.conf import settings
from django.contrib.auth.hashers import make_password
from pyotp import TOTP

from shared_apps.accounts.models import SecondFactor, User
from tatami import clock
from tatami.tenancy.scope import platform_scope, tenant_scope
from tests.support.authenticator import Authenticator
from tests.support.clients import Caller, Dojo, Platform
from tests.support.now import NOW
from tests.support.pages import text_of
from tests.support.responses import ok
from tests.tenants.test_console import DOJOS, PASSWORD, Browser, superadmin_with_password

LOGIN = "/console/login/"
ENROL = "/console/login/second-factor/"
MINE = "/console/second-factors/"
CODES = re.compile(r"<code>([a-z0-9]{4}(?:-[a-z0-9]{4}){3})</code>")


@pytest.fixture
def root(platform: Platform) -> Caller:
    return superadmin_with_password(platform)


@pytest.fixture
def browser(root: Caller) -> Browser:
    """A superadmin's browser, signed in."""
    browser = Browser()
    assert browser.sign_in().status_code == 302
    return browser


@pytest.fixture
def needed(root: Caller) -> None:
    """Superadmins need a second factor."""
    ok(root.patch("/sign-in-policy", {"second_factor_roles": ["admin"]}))


def submit(browser: Browser, page: Any, path: str, form: dict[str, Any]) -> Any:
    """Send a form of a page that is shown, with its CSRF token."""
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.content.decode())
    assert token, page.content[:500]
    sent = {**form, "csrfmiddlewaretoken": token[1]}
    return browser.client.post(path, sent, headers={"Host": browser.host})


def value(page: Any, name: str) -> str:
    """Return the value of a hidden field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page.content.decode())
    assert found, page.content[:500]
    return unescape(found[1])


def secret_of(page: Any) -> str:
    found = re.search(r"<code[^>]*>([A-Z2-7]{16,})</code>", page.content.decode())
    assert found, page.content[:500]
    return found[1]


def options_of(page: Any) -> dict[str, Any]:
    found = re.search(r'data-options="([^"]*)"', page.content.decode())
    assert found, page.content[:500]
    read: dict[str, Any] = orjson.loads(unescape(found[1]))
    return read


def code_of(secret: str, steps: int = 0) -> str:
    return TOTP(secret).at(int(clock.now().timestamp()) + 30 * steps)


def phone() -> Authenticator:
    return Authenticator(f"http://localhost:{settings.TATAMI_PUBLIC_PORT}")


def has_session(browser: Browser) -> bool:
    return bool(browser.get(DOJOS).status_code == 200)


def add_app(browser: Browser, name: str = "My phone") -> tuple[str, Any]:
    """Set up an authenticator app; return its secret and the last page."""
    begun = browser.send(f"{MINE}new/totp/", {"name": name, "password": PASSWORD})
    assert begun.status_code == 200, begun.content[:500]
    action = re.search(rf'action="({MINE}[^"]+/confirm/)"', begun.content.decode())
    assert action
    secret = secret_of(begun)
    return secret, submit(browser, begun, action[1], {"code": code_of(secret)})


# --- while signing in -----------------------------------------------------------------------------------------


def test_a_superadmin_who_needs_an_app_sets_it_up_while_signing_in(root: Caller, needed: None) -> None:
    browser = Browser()
    page = browser.send(f"{LOGIN}?next={DOJOS}", {"username": "root@example.com", "password": PASSWORD})
    assert page.status_code == 200
    assert 'src="data:image/svg+xml' in page.content.decode()
    assert not has_session(browser)
    sent = {"challenge": value(page, "challenge"), "next": value(page, "next")}
    refused = submit(browser, page, ENROL, {**sent, "code": "000000"})
    assert refused.status_code == 401
    assert "The code is wrong" in text_of(refused)
    assert "Start again" in text_of(refused)
    assert not has_session(browser)
    done = submit(browser, refused, ENROL, {**sent, "code": code_of(secret_of(page))})
    codes = CODES.findall(done.content.decode())
    assert len(codes) == 10
    assert f'href="{DOJOS}"' in done.content.decode()
    assert has_session(browser)
    form = {"username": "root@example.com", "password": PASSWORD}
    again = Browser()
    assert again.send(LOGIN, form).status_code == 200, "from now on a code is needed"
    assert again.send(LOGIN, {**form, "code": codes[0]}).status_code == 302


def test_a_superadmin_who_needs_a_passkey_makes_it_while_signing_in(root: Caller, needed: None) -> None:
    browser, device = Browser(), phone()
    page = browser.sign_in()
    choice = {"challenge": value(page, "challenge"), "enrol": "passkey"}
    asked = submit(browser, page, ENROL, choice)
    sent = {"challenge": value(asked, "challenge")}
    for wrong in ("[]", "{", "7", '{"id": "x"}', "", '"' + "x" * 20_000 + '"'):
        refused = submit(browser, asked, ENROL, {**sent, "passkey": wrong})
        assert refused.status_code in {400, 401}
        assert "Start again" in text_of(refused)
    made = device.create(options_of(asked))
    done = submit(browser, asked, ENROL, {**sent, "passkey": orjson.dumps(made).decode()})
    assert len(CODES.findall(done.content.decode())) == 10
    assert has_session(browser)
    with platform_scope():
        assert SecondFactor.objects.get().kind == "passkey"


def test_the_way_back_is_an_address_of_this_host(root: Caller, needed: None) -> None:
    browser = Browser()
    page = browser.sign_in()
    sent = {"challenge": value(page, "challenge"), "next": "https://elsewhere.example/"}
    done = submit(browser, page, ENROL, {**sent, "code": code_of(secret_of(page))})
    assert "elsewhere" not in done.content.decode()
    assert 'href="/console/"' in done.content.decode()


def test_a_challenge_ends_after_five_minutes_and_belongs_to_the_platform(
    root: Caller, needed: None, dojo: Dojo
) -> None:
    with tenant_scope(dojo.tenant):
        person = dojo.admin.user
        User.objects.filter(pk=person.pk).update(password=make_password(PASSWORD))  # type: ignore[union-attr]
    ok(dojo.admin.patch("/sign-in-policy", {"second_factor_roles": ["admin"]}))
    login = {"email": person.email, "password": PASSWORD}  # type: ignore[union-attr]
    foreign = dojo.anonymous.post("/auth/login", login).json()["error"]["details"]["challenge"]
    browser = Browser()
    page = browser.sign_in()
    own, secret = value(page, "challenge"), secret_of(page)
    for challenge in ("", "x", foreign):
        for choice in ({"enrol": "totp"}, {"code": "123456"}):
            answer = submit(browser, page, ENROL, {"challenge": challenge, **choice})
            assert (answer.status_code, answer["Location"]) == (302, LOGIN)
    with clock.fixed(NOW + timedelta(minutes=5)):
        answer = submit(browser, page, ENROL, {"challenge": own, "code": code_of(secret)})
        assert answer["Location"] == LOGIN
        assert "That took too long" in text_of(browser.get(LOGIN))
    assert not has_session(browser)


def test_a_challenge_sets_nothing_up_beside_a_factor_that_exists(root: Caller, needed: None) -> None:
    browser = Browser()
    page = browser.sign_in()
    challenge = {"challenge": value(page, "challenge")}
    submit(browser, page, ENROL, {**challenge, "code": code_of(secret_of(page))})
    stolen = Browser()
    shown = stolen.get(LOGIN)
    answer = submit(stolen, shown, ENROL, {**challenge, "enrol": "totp"})
    assert (answer.status_code, answer["Location"]) == (302, LOGIN)
    with platform_scope():
        assert SecondFactor.objects.count() == 1


def test_guesses_while_signing_in_are_throttled(root: Caller, needed: None) -> None:
    browser = Browser()
    page = browser.sign_in()
    sent = {"challenge": value(page, "challenge"), "code": "000000"}
    statuses = [submit(browser, page, ENROL, sent).status_code for _ in range(11)]
    assert statuses == [401] * 10 + [429]
    refused = submit(browser, page, ENROL, sent)
    assert int(refused["Retry-After"]) > 0
    assert browser.get(ENROL)["Location"] == LOGIN


def test_forms_of_other_pages_are_refused(root: Caller, needed: None) -> None:
    browser = Browser()
    page = browser.sign_in()
    form = {"challenge": value(page, "challenge"), "code": code_of(secret_of(page))}
    assert browser.client.post(ENROL, form, headers={"Host": "localhost"}).status_code == 403
    assert not has_session(browser)


# --- my second factors ----------------------------------------------------------------------------------------


def test_without_a_session_the_pages_lead_to_the_sign_in(root: Caller) -> None:
    key = "01920000-0000-7000-8000-000000000000"
    for path in ("", "new/totp/", "recovery-codes/", f"{key}/confirm/", f"{key}/remove/"):
        answer = Browser().get(f"{MINE}{path}")
        assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, LOGIN)
    assert Browser(host="seishin.localhost").get(MINE).status_code == 404


def test_each_page_leads_to_the_second_factors(browser: Browser) -> None:
    assert f'href="{MINE}"' in browser.get(DOJOS).content.decode()
    assert browser.get(f"{MINE}new/sms/").status_code == 404


def test_an_app_is_added_used_listed_and_removed(browser: Browser, root: Caller) -> None:
    secret, done = add_app(browser)
    assert len(CODES.findall(done.content.decode())) == 10
    page = browser.get(MINE)
    assert "My phone" in text_of(page)
    assert "not used yet" not in text_of(page), "the first code was a use"
    assert secret not in page.content.decode()
    assert not CODES.findall(page.content.decode())
    form = {"username": "root@example.com", "password": PASSWORD}
    assert Browser().send(LOGIN, {**form, "code": code_of(secret, 1)}).status_code == 302
    remove = re.search(rf'href="({MINE}[^"]+/remove/)"', page.content.decode())
    assert remove
    assert "Remove My phone?" in text_of(browser.get(remove[1]))
    assert browser.send(remove[1], {})["Location"] == MINE
    shown = text_of(browser.get(MINE))
    assert "The second factor is removed." in shown
    assert "My phone" not in shown
    rows = ok(root.get("/audit"))["results"]
    actions = [row["action"] for row in rows if row["actor"]["id"] == str(root.user.pk)]  # type: ignore[union-attr]
    for action in ("second-factors.post", "second-factor-confirmation.post", "second-factor.delete"):
        assert action in actions


def test_a_passkey_is_added_and_signs_in_alone(browser: Browser, platform: Platform) -> None:
    device = phone()
    begun = browser.send(f"{MINE}new/passkey/", {"name": "Laptop", "password": PASSWORD})
    action = re.search(rf'action="({MINE}[^"]+/confirm/)"', begun.content.decode())
    assert action
    for wrong in ("[]", '{"id": "x"}'):
        refused = submit(browser, begun, action[1], {"passkey": wrong})
        assert refused.status_code in {400, 401}
        assert "Start again" in text_of(refused)
    made = orjson.dumps(device.create(options_of(begun))).decode()
    done = submit(browser, begun, action[1], {"passkey": made})
    assert len(CODES.findall(done.content.decode())) == 10
    assert "Passkey for localhost" in text_of(browser.get(MINE))
    asked = ok(platform.anonymous.post("/auth/passkey/options", {}))
    signed = orjson.dumps(device.get(asked["options"])).decode()
    assert Browser().send(LOGIN, {"challenge": asked["challenge"], "passkey": signed}).status_code == 302


def test_the_password_is_needed_to_add_one_and_for_new_codes(browser: Browser) -> None:
    for path in ("new/totp/", "new/passkey/", "recovery-codes/"):
        wrong = browser.send(f"{MINE}{path}", {"password": "wrong"})
        assert wrong.status_code == 401
        assert "The password is wrong." in text_of(wrong)
        assert browser.send(f"{MINE}{path}", {}).status_code == 400
    with platform_scope():
        assert not SecondFactor.objects.exists()


def test_a_wrong_first_code_can_be_corrected(browser: Browser) -> None:
    begun = browser.send(f"{MINE}new/totp/", {"password": PASSWORD})
    action = re.search(rf'action="({MINE}[^"]+/confirm/)"', begun.content.decode())
    assert action
    refused = submit(browser, begun, action[1], {"code": "000000"})
    assert refused.status_code == 401
    assert f'action="{action[1]}"' in refused.content.decode()
    secret = secret_of(begun)
    done = submit(browser, refused, action[1], {"code": code_of(secret)})
    assert "Recovery codes" in text_of(done)
    twice = submit(browser, refused, action[1], {"code": code_of(secret)})
    assert twice.status_code == 409
    assert browser.get(action[1])["Location"] == MINE


def test_recovery_codes_are_replaced(browser: Browser) -> None:
    assert browser.send(f"{MINE}recovery-codes/", {"password": PASSWORD}).status_code == 401, (
        "without a factor"
    )
    _, done = add_app(browser)
    first = CODES.findall(done.content.decode())
    page = browser.send(f"{MINE}recovery-codes/", {"password": PASSWORD})
    second = CODES.findall(page.content.decode())
    assert len(second) == 10
    assert not set(first) & set(second)
    form = {"username": "root@example.com", "password": PASSWORD}
    assert Browser().send(LOGIN, {**form, "code": first[0]}).status_code == 200
    assert Browser().send(LOGIN, {**form, "code": second[0]}).status_code == 302


def test_the_last_one_stays_while_superadmins_need_it(browser: Browser, root: Caller, needed: None) -> None:
    assert "Superadmins need a second factor here." in text_of(browser.get(MINE))
    add_app(browser)
    page = browser.get(MINE).content.decode()
    remove = re.search(rf'href="({MINE}[^"]+/remove/)"', page)
    assert remove
    refused = browser.send(remove[1], {})
    assert refused.status_code == 409
    assert "Set up another one first" in text_of(refused)
    assert "My phone" in text_of(browser.get(MINE))


def test_at_most_five_are_set_up(browser: Browser, root: Caller) -> None:
    with platform_scope():
        SecondFactor.objects.bulk_create(
            SecondFactor(user=root.user, name=f"App {n}", confirmed_at=NOW) for n in range(5)
        )
    refused = browser.send(f"{MINE}new/totp/", {"password": PASSWORD})
    assert refused.status_code == 409
    assert "too many second factors" in text_of(refused)


def test_the_factors_of_another_superadmin_are_not_found(browser: Browser, root: Caller) -> None:
    with platform_scope():
        other = User.objects.create(email="o@example.com", email_key="o@example.com", role="admin")
        factor = SecondFactor.objects.create(user=other, name="Other", confirmed_at=NOW)
    assert "Other" not in text_of(browser.get(MINE))
    page = browser.get(MINE)
    assert browser.get(f"{MINE}{factor.pk}/remove/").status_code == 404
    form = browser.get(f"{MINE}new/totp/")
    assert submit(browser, form, f"{MINE}{factor.pk}/remove/", {}).status_code == 404
    assert submit(browser, form, f"{MINE}{factor.pk}/confirm/", {"code": "1"}).status_code == 404
    assert page.status_code == 200
    with platform_scope():
        assert SecondFactor.objects.filter(pk=factor.pk).exists()


def test_the_rule_for_superadmins_is_set_and_taken_back(browser: Browser, root: Caller) -> None:
    assert "with their password alone" in text_of(browser.get(MINE))
    for _ in range(2):
        assert browser.send(f"{MINE}rule/", {"needed": "yes"}, page=MINE)["Location"] == MINE
        assert ok(root.get("/sign-in-policy"))["second_factor_roles"] == ["admin"]
    assert has_session(browser), "sessions that are open stay"
    assert "Superadmins need a second factor." in text_of(browser.get(MINE))
    assert "Set one up to sign in" in text_of(Browser().sign_in())
    browser.send(f"{MINE}rule/", {"needed": "maybe"}, page=MINE)
    assert browser.get(f"{MINE}rule/")["Location"] == MINE
    assert ok(root.get("/sign-in-policy"))["second_factor_roles"] == ["admin"]
    browser.send(f"{MINE}rule/", {"needed": "no"}, page=MINE)
    assert ok(root.get("/sign-in-policy"))["second_factor_roles"] == []
    assert Browser().sign_in().status_code == 302
    entries = ok(root.get("/audit?action=sign-in-policy.patch"))["results"]
    assert [one["fields"] for one in entries if one["actor"]["id"] == str(root.user.pk)] == [  # type: ignore[union-attr]
        ["second_factor_roles"]
    ] * 3
