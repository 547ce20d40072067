"""The own account: name, password, second factors, sessions, calendar; the same for staff and families."""

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
from tenant_apps.desk.account.programs import program_name
from tenant_apps.notifications.addresses import address_hash, save_bounce
from tests.support import factories
from tests.support.authenticator import Authenticator
from tests.support.clients import Dojo
from tests.support.now import NOW
from tests.support.pages import Visitor, text_of, visitor
from tests.support.responses import ok
from tests.support.statements import count_statements

PASSWORD = "correct horse battery"
CODES = re.compile(r"<code>([a-z0-9]{4}(?:-[a-z0-9]{4}){3})</code>")


def signed_in(dojo: Dojo, role: str) -> Visitor:
    """Return a browser of a user who has a password."""
    browser = visitor(dojo, role)
    with tenant_scope(dojo.tenant):
        User.objects.filter(pk=browser.user.pk).update(password=make_password(PASSWORD))  # type: ignore[union-attr]
    return browser


def hidden(response: Any, attribute: str) -> Any:
    """Return the JSON in a `data-` attribute of a page."""
    found = re.search(rf'data-{attribute}="([^"]*)"', response.content.decode())
    assert found, response.content
    return orjson.loads(unescape(found[1]))


def add_app(browser: Visitor, name: str = "My phone") -> tuple[str, Any]:
    """Set up an authenticator app; return its secret and the last page."""
    begun = browser.post("/desk/account/second-factors/new/totp", {"name": name, "password": PASSWORD})
    assert begun.status_code == 200, begun.content
    secret = re.search(r"<code>([A-Z2-7]{16,})</code>", begun.content.decode())
    action = re.search(r'action="(/desk/account/second-factors/[^"]+/confirm)"', begun.content.decode())
    assert secret
    assert action
    code = TOTP(secret[1]).at(int(clock.now().timestamp()))
    return secret[1], browser.post(action[1], {"code": code})


@pytest.mark.parametrize("role", ["admin", "instructor", "assistant", "student"])
def test_each_role_finds_its_account_from_its_own_page(dojo: Dojo, role: str) -> None:
    browser = visitor(dojo, role)
    home = browser.get(browser.get("/")["Location"]).content.decode()
    assert 'href="/desk/account"' in home
    page = text_of(browser.get("/desk/account"))
    for part in ("Name and password", "Second factor", "Where you are signed in", "Classes in your calendar"):
        assert part in page


def test_the_own_name_is_changed(dojo: Dojo) -> None:
    browser = visitor(dojo, "student")
    assert browser.post("/desk/account/name", {"name": "Kim Sato"})["Location"] == "/desk/account"
    assert "Kim Sato" in text_of(browser.get("/desk/account"))
    refused = browser.post("/desk/account/name", {"name": "x" * 300})
    assert refused.status_code == 400
    assert 'id="id_name_error"' in refused.content.decode()


def test_a_new_password_ends_the_other_sessions(dojo: Dojo) -> None:
    other, browser = visitor(dojo, "instructor"), signed_in(dojo, "instructor")
    values = {"current_password": PASSWORD, "new_password": "another long bamboo sword"}
    assert browser.post("/desk/account/password", values).status_code == 302
    assert "Your password is changed" in text_of(browser.get("/desk/account"))
    assert other.get("/desk/account").status_code == 302


def test_faults_of_a_password_stand_in_the_form(dojo: Dojo) -> None:
    browser = signed_in(dojo, "instructor")
    wrong = browser.post(
        "/desk/account/password", {"current_password": "wrong", "new_password": "another long bamboo sword"}
    )
    assert wrong.status_code == 401
    assert "The current password is wrong." in text_of(wrong)
    weak = browser.post(
        "/desk/account/password", {"current_password": PASSWORD, "new_password": "1234567890"}
    )
    assert weak.status_code == 400
    assert 'id="id_new_password_error"' in weak.content.decode()


def test_an_app_is_set_up_with_a_qr_code_and_recovery_codes_are_shown_once(dojo: Dojo) -> None:
    browser = signed_in(dojo, "admin")
    with clock.fixed(NOW):
        begun = browser.post("/desk/account/second-factors/new/totp", {"password": PASSWORD})
        assert "data:image/svg+xml" in begun.content.decode()
        _, done = add_app(browser)
        assert len(CODES.findall(done.content.decode())) == 10
        page = browser.get("/desk/account")
        assert "My phone" in text_of(page)
        assert not CODES.findall(page.content.decode())


def test_a_wrong_first_code_can_be_corrected(dojo: Dojo) -> None:
    browser = signed_in(dojo, "admin")
    with clock.fixed(NOW):
        begun = browser.post("/desk/account/second-factors/new/totp", {"password": PASSWORD}).content.decode()
        action = re.search(r'action="(/desk/account/second-factors/[^"]+/confirm)"', begun)
        secret = re.search(r"<code>([A-Z2-7]{16,})</code>", begun)
        assert action
        assert secret
        refused = browser.post(action[1], {"code": "000000"})
        assert refused.status_code == 401
        assert f'action="{action[1]}"' in refused.content.decode()
        code = TOTP(secret[1]).at(int(NOW.timestamp()))
        assert "Recovery codes" in text_of(browser.post(action[1], {"code": code}))


def test_a_wrong_password_sets_up_nothing(dojo: Dojo) -> None:
    browser = signed_in(dojo, "admin")
    refused = browser.post("/desk/account/second-factors/new/totp", {"password": "wrong"})
    assert refused.status_code == 401
    assert "The password is wrong." in text_of(refused)
    assert browser.get("/desk/account/second-factors/new/sms").status_code == 404


def test_a_passkey_is_made_named_used_and_removed(dojo: Dojo) -> None:
    browser = signed_in(dojo, "student")
    device = Authenticator(f"http://{dojo.host}:{settings.TATAMI_PUBLIC_PORT}")
    begun = browser.post("/desk/account/second-factors/new/passkey", {"name": "Laptop", "password": PASSWORD})
    made = device.create(hidden(begun, "options"))
    action = re.search(r'action="(/desk/account/second-factors/[^"]+/confirm)"', begun.content.decode())
    assert action
    done = browser.post(action[1], {"passkey": orjson.dumps(made).decode()})
    assert len(CODES.findall(done.content.decode())) == 10
    page = browser.get("/desk/account").content.decode()
    assert "Laptop" in page

    asked = ok(dojo.anonymous.post("/auth/passkey/options", {}))
    signed = {
        "challenge": asked["challenge"],
        "passkey": orjson.dumps(device.get(asked["options"])).decode(),
        "email": "",
        "password": "",
    }
    assert visitor(dojo).post("/sign-in", signed)["Location"] == "/family"

    remove = re.search(r'href="(/desk/account/second-factors/[^"]+/remove)"', page)
    assert remove
    assert "Laptop" in text_of(browser.get(remove[1]))
    assert browser.post(remove[1]).status_code == 302
    assert "Laptop" not in text_of(browser.get("/desk/account"))


def test_what_is_no_passkey_is_refused_in_a_sentence(dojo: Dojo) -> None:
    browser = signed_in(dojo, "admin")
    begun = browser.post("/desk/account/second-factors/new/passkey", {"password": PASSWORD})
    action = re.search(r'action="(/desk/account/second-factors/[^"]+/confirm)"', begun.content.decode())
    assert action
    for sent in ('{"id": "x"}', "[]", "{", "7", '"' + "x" * 20_000 + '"'):
        refused = browser.post(action[1], {"passkey": sent})
        assert refused.status_code in {400, 401}
        assert "Start again" in text_of(refused)


def test_recovery_codes_are_replaced_with_the_password(dojo: Dojo) -> None:
    browser = signed_in(dojo, "admin")
    with clock.fixed(NOW):
        _, done = add_app(browser)
        first = set(CODES.findall(done.content.decode()))
        assert browser.post("/desk/account/recovery-codes", {"password": "wrong"}).status_code == 401
        second = set(
            CODES.findall(
                browser.post("/desk/account/recovery-codes", {"password": PASSWORD}).content.decode()
            )
        )
    assert len(second) == 10
    assert not first & second


def test_the_last_factor_of_a_role_that_needs_one_stays(dojo: Dojo) -> None:
    browser = signed_in(dojo, "admin")
    ok(dojo.admin.patch("/sign-in-policy", {"second_factor_roles": ["admin"]}))
    assert "Your role needs a second factor" in text_of(browser.get("/desk/account"))
    with clock.fixed(NOW):
        add_app(browser)
    page = browser.get("/desk/account").content.decode()
    assert "Your role needs a second factor" not in page
    remove = re.search(r'href="(/desk/account/second-factors/[^"]+/remove)"', page)
    assert remove
    refused = browser.post(remove[1])
    assert refused.status_code == 409
    assert "Set up another one first" in text_of(refused)


def test_sessions_are_shown_by_their_program_and_ended(dojo: Dojo) -> None:
    browser = visitor(dojo, "instructor")
    ok(dojo.instructor.get("/me"))
    with tenant_scope(dojo.tenant):
        dojo.instructor.user.sessions.exclude(token_hash=b"").update(  # type: ignore[union-attr]
            user_agent="Mozilla/5.0 (iPhone; CPU iPhone OS 18_0) AppleWebKit/605.1 Version/18.0 Safari/604.1"
        )
    page = browser.get("/desk/account").content.decode()
    assert page.count("Safari, iPhone") >= 2
    (end,) = re.findall(r'action="(/desk/account/sessions/[0-9a-f-]+/end)"', page)
    for _ in range(2):
        assert browser.post(end)["Location"] == "/desk/account"
    assert dojo.instructor.get("/me").status_code == 401
    assert browser.get("/desk/account").status_code == 200


def test_all_other_sessions_are_ended_at_once(dojo: Dojo) -> None:
    others = [visitor(dojo, "admin") for _ in range(2)]
    browser = visitor(dojo, "admin")
    assert browser.post("/desk/account/sessions/end").status_code == 302
    assert [other.get("/desk").status_code for other in others] == [302, 302]
    assert "Sign out everywhere else" not in text_of(browser.get("/desk/account"))


def test_another_persons_session_is_not_ended(dojo: Dojo, other_dojo: Dojo) -> None:
    browser = visitor(dojo, "admin")
    for owner in (dojo.instructor, other_dojo.admin):
        session = ok(owner.get("/me/sessions"))["results"][0]["id"]
        browser.post(f"/desk/account/sessions/{session}/end")
        ok(owner.get("/me"))


def test_the_calendar_address_is_made_and_ended(dojo: Dojo) -> None:
    browser = visitor(dojo, "instructor")
    made = browser.post("/desk/account/calendar", {"action": "create"}).content.decode()
    assert "/calendar.ics?token=" in made
    assert "webcal:" in made
    assert "You have a calendar address" in text_of(browser.get("/desk/account"))
    browser.post("/desk/account/calendar", {"action": "end"})
    assert "You have a calendar address" not in text_of(browser.get("/desk/account"))


def test_the_account_costs_the_same_with_many_sessions(dojo: Dojo) -> None:
    browser = visitor(dojo, "admin")
    few = count_statements(lambda: browser.get("/desk/account"))
    assert few <= 8
    for _ in range(10):
        visitor(dojo, "admin")
    assert count_statements(lambda: browser.get("/desk/account")) == few


@pytest.mark.parametrize(
    ("user_agent", "expected"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox, Linux"),
        (
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/142.0 Safari/537.36 Edg/142.0",
            "Edge, Windows",
        ),
        (
            "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/142.0 Mobile Safari/537.36",
            "Chrome, Android",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15) AppleWebKit/605 Version/18 Safari/605",
            "Safari, macOS",
        ),
        ("python-httpx/0.28.1", "python-httpx"),
        ("", "An unknown program"),
        ("Mozilla/5.0", "An unknown program"),
    ],
)
def test_programs_are_named_in_words(user_agent: str, expected: str) -> None:
    assert program_name(user_agent) == expected


@pytest.mark.parametrize(
    ("role", "page"), [("admin", "account"), ("student", "account"), ("student", "family")]
)
def test_news_by_mail_is_switched_off_and_on_again(dojo: Dojo, role: str, page: str) -> None:
    if page == "family":
        factories.link_user(dojo, dojo.student, factories.student(dojo))
    path, action = {
        "account": ("/desk/account", "/desk/account/news"),
        "family": ("/family", "/family/news"),
    }[page]
    browser = visitor(dojo, role)
    shown = browser.get(path).content.decode()
    assert f'action="{action}"' in shown
    assert re.search(r'role="switch" name="news" value="off" aria-checked="true"', shown)
    for _ in range(2):
        assert browser.post(action, {"news": "off"})["Location"] == path
        assert ok(dojo.person(role).get("/me/notifications"))["news"] is False
    off = browser.get(path)
    assert "You get no more news by mail." in text_of(off)
    assert re.search(r'role="switch" name="news" value="on" aria-checked="false"', off.content.decode())
    browser.post(action, {"news": "on"})
    assert ok(dojo.person(role).get("/me/notifications"))["news"] is True
    assert browser.get(action)["Location"] == path
    for junk in ({}, {"news": "maybe"}):
        assert browser.post(action, junk).status_code == 400
    assert ok(dojo.person(role).get("/me/notifications"))["news"] is True


def test_the_card_of_news_says_what_is_always_sent_and_what_came_back(dojo: Dojo) -> None:
    ok(dojo.admin.patch("/settings", {"notify_exam_invitation": False}))
    browser = visitor(dojo, "student")
    assert browser.user is not None
    with tenant_scope(dojo.tenant):
        save_bounce(address_key=address_hash(browser.user.email), now=NOW)
    shown = text_of(browser.get("/desk/account"))
    for words in (
        "A cancelled session",
        "A promotion",
        "A link to set a password",
        "came back on 15 June 2026",
    ):
        assert words in shown
    for words in ("An invitation to an exam", "A message to an audience"):
        assert words not in shown
