"""Sign-in, renewal, sign-out and passwords, in one pass over the API."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.core import mail

from shared_apps.accounts.models import User
from shared_apps.accounts.sessions import open_session
from tatami import clock
from tatami.tenancy.scope import tenant_scope
from tests.support.clients import Caller, Dojo, Platform
from tests.support.now import NOW
from tests.support.password_mail import send_waiting_password_mails
from tests.support.responses import assert_error, assert_invalid, ok

PASSWORD = "the old bamboo sword"
TOKENS = {"access", "refresh", "token_type", "expires_in", "refresh_expires_in"}


@pytest.fixture
def una(dojo: Dojo) -> User:
    with tenant_scope(dojo.tenant):
        return User.objects.create(
            email="Una@example.com",
            email_key="una@example.com",
            name="Una",
            role="assistant",
            password=make_password(PASSWORD),
        )


def login(dojo: Dojo, email: str = "una@example.com", password: str = PASSWORD) -> Any:
    return dojo.anonymous.post("/auth/login", {"email": email, "password": password})


def refresh(dojo: Dojo, token: str) -> Any:
    return dojo.anonymous.post("/auth/refresh", {"refresh": token})


def session_of(dojo: Dojo, user: User) -> Any:
    with tenant_scope(dojo.tenant):
        return open_session(user, now=clock.now())


def test_signing_in_with_address_and_password_returns_tokens(dojo: Dojo, una: User) -> None:
    body = ok(login(dojo, "UNA@Example.com"))
    assert set(body) == TOKENS | {"user"}
    assert body["token_type"] == "Bearer"
    assert 0 < body["expires_in"] < body["refresh_expires_in"]
    assert body["user"] == {"id": str(una.pk), "email": "Una@example.com", "name": "Una", "role": "assistant"}
    assert ok(Caller(dojo.host, token=body["access"]).get("/me"))["id"] == str(una.pk)


def test_all_failures_to_sign_in_get_the_same_response(dojo: Dojo, other_dojo: Dojo, una: User) -> None:
    wrong = login(dojo, password="something else")
    assert_error(wrong, 401, "invalid_credentials")
    unknown = login(dojo, "unknown@example.com")
    elsewhere = login(other_dojo)
    with tenant_scope(dojo.tenant):
        User.objects.filter(pk=una.pk).update(is_active=False)
    inactive = login(dojo)
    assert unknown.content == elsewhere.content == inactive.content == wrong.content


def test_guessing_passwords_is_throttled(dojo: Dojo, una: User, monkeypatch: Any) -> None:
    with tenant_scope(dojo.tenant):
        User.objects.filter(pk=una.pk).update(password="!")
    answers = [login(dojo, password="a guess") for _ in range(11)]
    assert [answer.status_code for answer in answers[:5]] == [401] * 5
    assert_error(answers[-1], 429, "throttled")
    assert int(answers[-1].headers["Retry-After"]) > 0


def test_an_access_token_expires_and_can_be_renewed(dojo: Dojo, una: User) -> None:
    tokens = session_of(dojo, una)
    with clock.fixed(NOW + timedelta(seconds=tokens.expires_in + 1)):
        assert_error(Caller(dojo.host, token=tokens.access).get("/me"), 401, "token_expired")
        ok(refresh(dojo, tokens.refresh))


@pytest.mark.parametrize("token", ["x", "a.b.c", "Bearer", "eyJhbGciOiJub25lIn0.e30."])
def test_a_malformed_token_is_invalid(dojo: Dojo, token: str) -> None:
    assert_error(Caller(dojo.host, token=token).get("/me"), 401, "token_invalid")


def test_another_authentication_scheme_is_refused(dojo: Dojo) -> None:
    answer = dojo.anonymous.get("/me", Authorization="Basic YTpi")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_access_and_refresh_tokens_are_not_interchangeable(dojo: Dojo, una: User) -> None:
    tokens = session_of(dojo, una)
    assert_error(Caller(dojo.host, token=tokens.refresh).get("/me"), 401, "token_invalid")
    assert_error(refresh(dojo, tokens.access), 401, "token_invalid")


def test_a_refresh_token_is_valid_in_its_own_dojo_only(
    dojo: Dojo, other_dojo: Dojo, platform: Platform, una: User
) -> None:
    token = session_of(dojo, una).refresh
    assert_error(refresh(other_dojo, token), 401, "token_invalid")
    assert_error(platform.anonymous.post("/auth/refresh", {"refresh": token}), 401, "token_invalid")
    body = ok(refresh(dojo, token))
    assert set(body) == TOKENS


def test_a_refresh_token_works_once_and_its_replay_ends_the_session(dojo: Dojo, una: User) -> None:
    first = session_of(dojo, una).refresh
    second = ok(refresh(dojo, first))
    with clock.fixed(NOW + timedelta(seconds=11)):
        assert_error(refresh(dojo, first), 401, "token_invalid")
        assert_error(refresh(dojo, second["refresh"]), 401, "token_invalid")
        assert_error(Caller(dojo.host, token=second["access"]).get("/me"), 401, "token_invalid")


def test_a_repeat_within_ten_seconds_does_not_end_the_session(dojo: Dojo, una: User) -> None:
    first = session_of(dojo, una).refresh
    second = ok(refresh(dojo, first))
    with clock.fixed(NOW + timedelta(seconds=9)):
        assert_error(refresh(dojo, first), 401, "token_invalid")
        ok(refresh(dojo, second["refresh"]))


def test_signing_out_ends_the_session(dojo: Dojo, una: User) -> None:
    tokens = session_of(dojo, una)
    ok(dojo.anonymous.post("/auth/logout", {"refresh": tokens.refresh}), 204)
    assert_error(Caller(dojo.host, token=tokens.access).get("/me"), 401, "token_invalid")
    assert_error(refresh(dojo, tokens.refresh), 401, "token_invalid")


def test_changing_the_password_ends_the_other_sessions(dojo: Dojo, una: User) -> None:
    here, elsewhere = session_of(dojo, una), session_of(dojo, una)
    caller = Caller(dojo.host, token=here.access)
    body = {"current_password": PASSWORD, "new_password": "a much newer bokken"}
    ok(caller.post("/auth/password", body), 204)
    ok(caller.get("/me"))
    assert_error(Caller(dojo.host, token=elsewhere.access).get("/me"), 401, "token_invalid")
    ok(login(dojo, password="a much newer bokken"))


def test_changing_the_password_requires_the_current_one(dojo: Dojo, una: User) -> None:
    caller = Caller(dojo.host, token=session_of(dojo, una).access)
    wrong = {"current_password": "not this one", "new_password": "a much newer bokken"}
    assert_error(caller.post("/auth/password", wrong), 401, "invalid_credentials")
    weak = {"current_password": PASSWORD, "new_password": "short"}
    assert_invalid(caller.post("/auth/password", weak), "new_password")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"email": "a@b.de"},
        {"email": "a@b.de", "password": "x", "role": "admin"},
        {"email": 1, "password": 2},
    ],
)
def test_a_login_with_an_invalid_body_is_refused(dojo: Dojo, body: dict[str, Any]) -> None:
    assert_error(dojo.anonymous.post("/auth/login", body), 400, "validation_error")


def test_the_response_to_a_reset_request_does_not_reveal_whether_the_address_is_known(
    dojo: Dojo, una: User
) -> None:
    known = dojo.anonymous.post("/auth/password/reset", {"email": "una@example.com"})
    unknown = dojo.anonymous.post("/auth/password/reset", {"email": "unknown@example.com"})
    send_waiting_password_mails(dojo.tenant)
    assert (known.status_code, known.content) == (unknown.status_code, unknown.content) == (204, b"")
    assert [message.to for message in mail.outbox] == [["Una@example.com"]]


def test_the_link_uses_the_dojos_own_domain_and_works_once(dojo: Dojo, una: User) -> None:
    tokens = session_of(dojo, una)
    caller = Caller("AIKI.localhost:9999")
    ok(
        caller.post(
            "/auth/password/reset", {"email": "una@example.com"}, X_Forwarded_Host="evil.example.com"
        ),
        204,
    )
    send_waiting_password_mails(dojo.tenant)
    (message,) = mail.outbox
    assert "http://aiki.localhost" in message.body
    assert "evil" not in message.body
    assert "9999" not in message.body
    secret = next(line for line in message.body.splitlines() if "#" in line).partition("#")[2]
    body = {"token": secret, "new_password": "a much newer bokken"}
    assert_invalid(
        dojo.anonymous.post("/auth/password/reset/confirm", {**body, "new_password": "short"}), "new_password"
    )
    ok(dojo.anonymous.post("/auth/password/reset/confirm", body), 204)
    assert_error(dojo.anonymous.post("/auth/password/reset/confirm", body), 401, "token_invalid")
    assert_error(Caller(dojo.host, token=tokens.access).get("/me"), 401, "token_invalid")
    ok(login(dojo, password="a much newer bokken"))


def test_a_user_created_without_a_password_is_sent_a_link(dojo: Dojo) -> None:
    dojo.create("/users", {"email": "new@example.com", "role": "assistant"})
    assert mail.outbox == []
    send_waiting_password_mails(dojo.tenant)
    assert [message.to for message in mail.outbox] == [["new@example.com"]]
    assert "http://aiki.localhost" in mail.outbox[0].body
