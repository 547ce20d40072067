"""Signing in, refreshing tokens, and signing out."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.db import connection, transaction

from shared_apps.accounts import users
from shared_apps.accounts.console.sign_in import sign_in as console_sign_in
from shared_apps.accounts.models import Session, User
from shared_apps.accounts.second_factors import Proof
from shared_apps.accounts.tasks import sweep_scope
from tatami import clock
from tatami.errors import InvalidCredentials
from tatami.keys import secret_hash
from tatami.tenancy.scope import TenantScope, platform_scope, tenant_scope
from tests.accounts.race_hooks import run_while_hashing
from tests.support import passwords, races
from tests.support.clients import Caller, Dojo, Platform
from tests.support.now import NOW
from tests.support.races import ConcurrentCall

PASSWORD = "correct horse battery"
EMAIL = "kim@example.com"


def add_user(scope: TenantScope | None, email: str = EMAIL, **given: Any) -> User:
    with tenant_scope(scope) if scope else platform_scope():
        given = {"role": "instructor", "password_hash": make_password(PASSWORD)} | given
        return users.create_user(email=email, name="Kim", **given)


def sign_in(host: str, email: str = EMAIL, password: str = PASSWORD) -> Any:
    return Caller(host).post("/auth/login", {"email": email, "password": password})


def renew(host: str, refresh: str) -> Any:
    return Caller(host).post("/auth/refresh", {"refresh": refresh})


def error_of(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


REFUSED = (401, "token_invalid")


class SignedInUser:
    """Kim, signed in. Requests can be made some seconds after `NOW`."""

    def __init__(self, dojo: Dojo) -> None:
        self.dojo = dojo
        self.user = add_user(dojo.tenant)
        self.tokens: Mapping[str, Any] = sign_in(dojo.host).json()

    def renew(self, *, after: float = 0, refresh: str | None = None) -> Any:
        """Renew with the latest refresh token, or another one, and store the new tokens."""
        with clock.fixed(NOW + timedelta(seconds=after)):
            answer = renew(self.dojo.host, refresh or self.tokens["refresh"])
        if answer.status_code == 200:
            self.tokens = answer.json()
        return answer

    def get_me(self, *, after: float = 0) -> Any:
        with clock.fixed(NOW + timedelta(seconds=after)):
            return Caller(self.dojo.host, self.tokens["access"]).get("/me")


@pytest.fixture
def kim(dojo: Dojo) -> SignedInUser:
    return SignedInUser(dojo)


# --- signing in ---------------------------------------------------------------------------------------------


def test_signing_in_returns_tokens_and_the_user(kim: SignedInUser) -> None:
    assert kim.tokens | {"access": 0, "refresh": 0} == {
        "access": 0,
        "refresh": 0,
        "token_type": "Bearer",
        "expires_in": 300,
        "refresh_expires_in": 30 * 86400,
        "user": {"id": str(kim.user.pk), "email": EMAIL, "name": "Kim", "role": "instructor"},
    }
    assert kim.get_me().json()["email"] == EMAIL


@pytest.mark.parametrize("email", ["KIM@example.com", "Kim@Example.COM"])
def test_the_case_of_the_address_does_not_matter(kim: SignedInUser, email: str) -> None:
    assert sign_in(kim.dojo.host, email).status_code == 200


@pytest.mark.parametrize("password", ["Correct horse battery", PASSWORD + " ", " " + PASSWORD, PASSWORD[:-1]])
def test_the_password_must_match_exactly(kim: SignedInUser, password: str) -> None:
    assert error_of(sign_in(kim.dojo.host, password=password)) == (401, "invalid_credentials")


def test_a_user_is_unknown_in_another_dojo(kim: SignedInUser, other_dojo: Dojo) -> None:
    assert error_of(sign_in(other_dojo.host)) == (401, "invalid_credentials")


def test_a_superadmin_cannot_sign_in_to_a_dojo(dojo: Dojo, platform: Platform) -> None:
    add_user(None, role="admin")
    assert sign_in(platform.host).status_code == 200
    assert error_of(sign_in(dojo.host)) == (401, "invalid_credentials")


@pytest.fixture
def dojo_with_users(dojo: Dojo, now: datetime) -> Dojo:
    """A dojo with an active, an inactive and an archived user, and one without a password."""
    add_user(dojo.tenant)
    add_user(dojo.tenant, "gone@example.com", is_active=False)
    add_user(dojo.tenant, "new@example.com", password_hash=None)
    archived = add_user(dojo.tenant, "old@example.com")
    with tenant_scope(dojo.tenant):
        users.archive_user(user=archived, now=now)
    return dojo


FAILURES = {
    "wrong password": (EMAIL, "wrong"),
    "unknown": ("unknown@example.com", PASSWORD),
    "inactive": ("gone@example.com", PASSWORD),
    "inactive and wrong": ("gone@example.com", "wrong"),
    "archived": ("old@example.com", PASSWORD),
    "without a password": ("new@example.com", PASSWORD),
    "no address at all": ("kim", PASSWORD),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_all_failures_to_sign_in_have_the_same_response_and_cost(
    dojo_with_users: Dojo, hashings: Callable[[], int], failure: str
) -> None:
    hashings()
    expected = sign_in(dojo_with_users.host, EMAIL, "quite wrong")
    assert error_of(expected) == (401, "invalid_credentials")
    assert hashings() == 1
    answer = sign_in(dojo_with_users.host, *FAILURES[failure])
    assert (answer.status_code, answer.content) == (expected.status_code, expected.content)
    headers = {name: value for name, value in answer.headers.items() if name != "X-Request-ID"}
    assert headers == {name: value for name, value in expected.headers.items() if name != "X-Request-ID"}
    assert hashings() == 1


def test_no_password_is_hashed_inside_a_transaction(
    north: TenantScope, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_user(north)
    inside: list[bool] = []
    plain = passwords.CountingHasher.encode

    def encode(self: Any, password: str, salt: str) -> str:
        inside.append(connection.in_atomic_block)
        return plain(self, password, salt)

    monkeypatch.setattr(passwords.CountingHasher, "encode", encode)
    assert sign_in("north.localhost").status_code == 200
    assert error_of(sign_in("north.localhost", password="wrong")) == (401, "invalid_credentials")
    assert inside == [False, False]


CONCURRENT_CHANGES = [{"password": "another"}, {"is_active": False}, {"archived_at": NOW}]
"""What may happen to a user while the password is compared."""


@pytest.mark.parametrize("changes", CONCURRENT_CHANGES, ids=str)
def test_a_user_changed_during_sign_in_gets_no_session(
    dojo: Dojo, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    kim = add_user(dojo.tenant)
    run_while_hashing(monkeypatch, lambda: User.objects.filter(pk=kim.pk).update(**changes))
    assert error_of(sign_in(dojo.host)) == (401, "invalid_credentials")
    with tenant_scope(dojo.tenant):
        assert not Session.objects.filter(user=kim).exists()


@pytest.mark.parametrize("changes", [*CONCURRENT_CHANGES, {"role": "student"}], ids=str)
def test_a_user_changed_during_sign_in_gets_no_console_session(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    root = add_user(None, role="admin")
    run_while_hashing(monkeypatch, lambda: User.objects.filter(pk=root.pk).update(**changes))
    with platform_scope():
        with pytest.raises(InvalidCredentials):
            console_sign_in(email=EMAIL, password=PASSWORD, proof=Proof("localhost", "127.0.0.1"), now=NOW)
        assert not Session.objects.exists()


def test_sign_in_waits_for_an_uncommitted_password(north: TenantScope, now: datetime, superuser: Any) -> None:
    add_user(north)
    with tenant_scope(north), transaction.atomic():
        User.objects.filter(email=EMAIL).update(password="another")
        signing_in = ConcurrentCall(lambda: sign_in("north.localhost"))
    assert error_of(signing_in.result()) == (401, "invalid_credentials")


def test_the_role_in_the_response_is_the_committed_one(dojo: Dojo, monkeypatch: pytest.MonkeyPatch) -> None:
    kim = add_user(dojo.tenant)
    run_while_hashing(monkeypatch, lambda: User.objects.filter(pk=kim.pk).update(role="student"))
    assert sign_in(dojo.host).json()["user"]["role"] == "student"


# --- renewing -----------------------------------------------------------------------------------------------


def test_a_refresh_token_works_once(kim: SignedInUser) -> None:
    first = kim.tokens["refresh"]
    assert kim.renew().status_code == 200
    assert kim.tokens["refresh"] != first
    assert error_of(renew(kim.dojo.host, first)) == REFUSED
    assert kim.get_me().status_code == 200


def test_tokens_can_be_renewed_repeatedly(kim: SignedInUser) -> None:
    for _ in range(5):
        assert kim.renew().status_code == 200
        assert kim.get_me().status_code == 200


def test_a_replay_within_ten_seconds_keeps_the_session(kim: SignedInUser) -> None:
    first = kim.tokens["refresh"]
    kim.renew()
    assert error_of(kim.renew(refresh=first, after=10)) == REFUSED
    assert kim.get_me(after=10).status_code == 200
    assert kim.renew(after=11).status_code == 200


def test_a_replay_after_ten_seconds_ends_the_session(kim: SignedInUser) -> None:
    first = kim.tokens["refresh"]
    kim.renew()
    assert error_of(kim.renew(refresh=first, after=10.1)) == REFUSED
    assert error_of(kim.get_me(after=11)) == REFUSED
    assert error_of(kim.renew(after=11)) == REFUSED


def test_a_replay_of_an_older_token_ends_the_session_at_once(kim: SignedInUser) -> None:
    first = kim.tokens["refresh"]
    kim.renew()
    kim.renew()
    assert error_of(kim.renew(refresh=first, after=1)) == REFUSED
    assert error_of(kim.get_me(after=1)) == REFUSED


def test_a_replay_ends_its_own_session_only(kim: SignedInUser) -> None:
    elsewhere = sign_in(kim.dojo.host).json()
    first = kim.tokens["refresh"]
    kim.renew()
    kim.renew(refresh=first, after=11)
    assert Caller(kim.dojo.host, elsewhere["access"]).get("/me").status_code == 200


def test_a_refresh_token_expires_thirty_days_after_the_last_renewal(kim: SignedInUser) -> None:
    month = timedelta(days=30).total_seconds()
    assert kim.renew(after=month - 1).status_code == 200
    assert kim.renew(after=2 * month - 2).status_code == 200
    assert error_of(kim.renew(after=3 * month)) == (401, "token_expired")


def test_of_concurrent_renewals_with_one_token_one_succeeds(
    north: TenantScope, now: datetime, superuser: Any
) -> None:
    add_user(north)
    tokens = sign_in("north.localhost").json()
    answers = races.run_concurrently([lambda: renew("north.localhost", tokens["refresh"])] * 12)
    races.raise_first_error(answers)
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 11
    (winner,) = [answer.json() for answer in answers if answer.status_code == 200]
    # They came within ten seconds, like tabs of one browser, so the session is kept.
    assert Caller("north.localhost", winner["access"]).get("/me").status_code == 200
    assert renew("north.localhost", winner["refresh"]).status_code == 200


def test_the_end_of_a_replayed_session_is_committed(north: TenantScope, now: datetime) -> None:
    add_user(north)
    tokens = sign_in("north.localhost").json()
    renew("north.localhost", tokens["refresh"])
    with clock.fixed(NOW + timedelta(seconds=11)):
        assert error_of(renew("north.localhost", tokens["refresh"])) == REFUSED
    connection.close()
    with tenant_scope(north):
        assert Session.objects.get().ended_at == NOW + timedelta(seconds=11)


# --- signing out --------------------------------------------------------------------------------------------


def sign_out(kim: SignedInUser, refresh: str | None = None) -> int:
    body = {"refresh": refresh or kim.tokens["refresh"]}
    status: int = Caller(kim.dojo.host).post("/auth/logout", body).status_code
    return status


def test_signing_out_ends_the_session_at_once(kim: SignedInUser) -> None:
    assert sign_out(kim) == 204
    assert error_of(kim.get_me()) == REFUSED
    assert error_of(kim.renew()) == REFUSED


def test_signing_out_twice_changes_nothing(kim: SignedInUser) -> None:
    assert [sign_out(kim), sign_out(kim)] == [204, 204]


def test_signing_out_ends_one_session_only(kim: SignedInUser) -> None:
    elsewhere = sign_in(kim.dojo.host).json()
    sign_out(kim)
    assert Caller(kim.dojo.host, elsewhere["access"]).get("/me").status_code == 200


def test_signing_out_with_an_expired_token_succeeds(kim: SignedInUser) -> None:
    with clock.fixed(NOW + timedelta(days=31)):
        assert sign_out(kim) == 204


def test_another_dojo_cannot_end_a_session(kim: SignedInUser, other_dojo: Dojo) -> None:
    answer = other_dojo.anonymous.post("/auth/logout", {"refresh": kim.tokens["refresh"]})
    assert error_of(answer) == REFUSED
    assert kim.get_me().status_code == 200


# --- changes by an admin take effect on the next request ---------------------------------------------------------


def change(kim: SignedInUser, changes: dict[str, Any]) -> None:
    answer = kim.dojo.admin.patch(f"/users/{kim.user.pk}", changes)
    assert answer.status_code == 200, answer.content


def test_a_new_role_takes_effect_on_the_next_request(kim: SignedInUser) -> None:
    assert kim.get_me().json()["role"] == "instructor"
    before = Caller(kim.dojo.host, kim.tokens["access"]).get("/settings").status_code
    change(kim, {"role": "student"})
    assert kim.get_me().json()["role"] == "student"
    assert (before, Caller(kim.dojo.host, kim.tokens["access"]).get("/settings").status_code) == (200, 403)


@pytest.mark.parametrize("changes", [{"is_active": False}, {"password": "another horse battery"}], ids=str)
def test_a_change_that_ends_sessions_takes_effect_on_the_next_request(
    kim: SignedInUser, changes: dict[str, Any]
) -> None:
    change(kim, changes)
    assert error_of(kim.get_me()) == REFUSED
    assert error_of(kim.renew()) == REFUSED


def test_an_archived_user_is_refused_on_the_next_request(kim: SignedInUser) -> None:
    assert kim.dojo.admin.delete(f"/users/{kim.user.pk}").status_code == 204
    assert error_of(kim.get_me()) == REFUSED


def test_a_reactivated_user_has_to_sign_in_again(kim: SignedInUser) -> None:
    change(kim, {"is_active": False})
    change(kim, {"is_active": True})
    assert error_of(kim.get_me()) == REFUSED
    assert sign_in(kim.dojo.host).status_code == 200


def test_a_flag_changed_in_the_database_takes_effect_on_the_next_request(kim: SignedInUser) -> None:
    with tenant_scope(kim.dojo.tenant):
        User.objects.filter(pk=kim.user.pk).update(is_active=False)
    assert error_of(kim.get_me()) == REFUSED
    assert error_of(kim.renew()) == REFUSED


# --- stored data -------------------------------------------------------------------------------------------


def test_only_hashes_of_tokens_are_stored(kim: SignedInUser) -> None:
    with tenant_scope(kim.dojo.tenant):
        (row,) = Session.objects.filter(user=kim.user).values()
    assert bytes(row["token_hash"]) == secret_hash(kim.tokens["refresh"])
    assert kim.tokens["refresh"] not in str(row)


def test_old_sessions_are_deleted(kim: SignedInUser) -> None:
    with tenant_scope(kim.dojo.tenant):
        mine = Session.objects.filter(user=kim.user)
        with clock.fixed(NOW + timedelta(days=59)):
            sweep_scope()
            assert mine.count() == 1
        with clock.fixed(NOW + timedelta(days=61)):
            sweep_scope()
            assert mine.count() == 0
