from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.db import connection, transaction

from shared_apps.accounts import users
from shared_apps.accounts.console.sign_in import sign_in as console_sign_in
from shared_apps.accounts.models import Session, User
from shared_apps.accounts.tasks import sweep_scope
from tatami import clock
from tatami.errors import InvalidCredentials
from tatami.keys import secret_hash
from tatami.tenancy.scope import TenantScope, platform_scope, tenant_scope
from tests.accounts.meanwhile import while_hashing
from tests.support import committed_dojos
from tests.support.clients import Caller, Dojo, Platform
from tests.support.now import NOW
from tests.support.races import Meanwhile

PASSWORD = "correct horse battery"
EMAIL = "kim@example.com"


@pytest.fixture(autouse=True)
def _quick_passwords(hashings: Callable[[], int]) -> None:
    """Hash passwords quickly: how slow they are is not what is tested here."""


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


class Person:
    """Kim, signed in, at one time after the other."""

    def __init__(self, dojo: Dojo) -> None:
        self.dojo = dojo
        self.user = add_user(dojo.tenant)
        self.tokens: Mapping[str, Any] = sign_in(dojo.host).json()

    def renew(self, *, after: float = 0, refresh: str | None = None) -> Any:
        """Renew with the latest refresh token, or with another; keep what is answered."""
        with clock.fixed(NOW + timedelta(seconds=after)):
            answer = renew(self.dojo.host, refresh or self.tokens["refresh"])
        if answer.status_code == 200:
            self.tokens = answer.json()
        return answer

    def get_me(self, *, after: float = 0) -> Any:
        with clock.fixed(NOW + timedelta(seconds=after)):
            return Caller(self.dojo.host, self.tokens["access"]).get("/me")


@pytest.fixture
def kim(dojo: Dojo) -> Person:
    return Person(dojo)


# --- signing in ---------------------------------------------------------------------------------------------


def test_signing_in_answers_tokens_and_user(kim: Person) -> None:
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
def test_an_address_is_known_however_it_is_written(kim: Person, email: str) -> None:
    assert sign_in(kim.dojo.host, email).status_code == 200


@pytest.mark.parametrize("password", ["Correct horse battery", PASSWORD + " ", " " + PASSWORD, PASSWORD[:-1]])
def test_a_password_is_known_only_as_it_was_typed(kim: Person, password: str) -> None:
    assert error_of(sign_in(kim.dojo.host, password=password)) == (401, "invalid_credentials")


def test_the_same_person_in_another_dojo_is_another(kim: Person, other_dojo: Dojo) -> None:
    assert error_of(sign_in(other_dojo.host)) == (401, "invalid_credentials")


def test_a_superadmin_is_nobody_in_a_dojo(dojo: Dojo, platform: Platform) -> None:
    add_user(None, role="admin")
    assert sign_in(platform.host).status_code == 200
    assert error_of(sign_in(dojo.host)) == (401, "invalid_credentials")


@pytest.fixture
def people(dojo: Dojo, now: datetime) -> Dojo:
    """The dojo with people of every kind in it."""
    add_user(dojo.tenant)
    add_user(dojo.tenant, "gone@example.com", is_active=False)
    add_user(dojo.tenant, "new@example.com", password_hash=None)
    archived = add_user(dojo.tenant, "old@example.com")
    with tenant_scope(dojo.tenant):
        users.archive_user(user=archived, now=now)
    return dojo


FAILURES = {
    "wrong password": (EMAIL, "wrong"),
    "unknown": ("nobody@example.com", PASSWORD),
    "inactive": ("gone@example.com", PASSWORD),
    "inactive and wrong": ("gone@example.com", "wrong"),
    "archived": ("old@example.com", PASSWORD),
    "without a password": ("new@example.com", PASSWORD),
    "no address at all": ("kim", PASSWORD),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_failures_to_sign_in_are_alike_in_answer_and_work(
    people: Dojo, hashings: Callable[[], int], failure: str
) -> None:
    hashings()
    expected = sign_in(people.host, EMAIL, "quite wrong")
    assert error_of(expected) == (401, "invalid_credentials")
    assert hashings() == 1
    answer = sign_in(people.host, *FAILURES[failure])
    assert (answer.status_code, answer.content) == (expected.status_code, expected.content)
    headers = {name: value for name, value in answer.headers.items() if name != "X-Request-ID"}
    assert headers == {name: value for name, value in expected.headers.items() if name != "X-Request-ID"}
    assert hashings() == 1


def test_no_password_is_hashed_inside_a_transaction(
    north: TenantScope, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_user(north)
    inside: list[bool] = []
    plain = committed_dojos.CountingHasher.encode

    def encode(self: Any, password: str, salt: str) -> str:
        inside.append(connection.in_atomic_block)
        return plain(self, password, salt)

    monkeypatch.setattr(committed_dojos.CountingHasher, "encode", encode)
    assert sign_in("north.localhost").status_code == 200
    assert error_of(sign_in("north.localhost", password="wrong")) == (401, "invalid_credentials")
    assert inside == [False, False]


MEANWHILE = [{"password": "another"}, {"is_active": False}, {"archived_at": NOW}]
"""What may become of somebody while the password that he gave is compared."""


@pytest.mark.parametrize("changes", MEANWHILE, ids=str)
def test_a_sign_in_that_began_before_a_change_opens_no_session_after_it(
    dojo: Dojo, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    kim = add_user(dojo.tenant)
    while_hashing(monkeypatch, lambda: User.objects.filter(pk=kim.pk).update(**changes))
    assert error_of(sign_in(dojo.host)) == (401, "invalid_credentials")
    with tenant_scope(dojo.tenant):
        assert not Session.objects.filter(user=kim).exists()


@pytest.mark.parametrize("changes", [*MEANWHILE, {"role": "student"}], ids=str)
def test_nor_does_one_to_the_console(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    root = add_user(None, role="admin")
    while_hashing(monkeypatch, lambda: User.objects.filter(pk=root.pk).update(**changes))
    with platform_scope():
        with pytest.raises(InvalidCredentials):
            console_sign_in(email=EMAIL, password=PASSWORD, address="127.0.0.1", now=NOW)
        assert not Session.objects.exists()


def test_a_new_password_that_is_not_committed_yet_is_waited_for(
    north: TenantScope, now: datetime, superuser: Any
) -> None:
    add_user(north)
    with tenant_scope(north), transaction.atomic():
        User.objects.filter(email=EMAIL).update(password="another")
        signing_in = Meanwhile(lambda: sign_in("north.localhost"))
    assert error_of(signing_in.answer()) == (401, "invalid_credentials")


def test_who_signs_in_while_he_is_demoted_is_told_what_he_is_now(
    dojo: Dojo, monkeypatch: pytest.MonkeyPatch
) -> None:
    kim = add_user(dojo.tenant)
    while_hashing(monkeypatch, lambda: User.objects.filter(pk=kim.pk).update(role="student"))
    assert sign_in(dojo.host).json()["user"]["role"] == "student"


# --- renewing -----------------------------------------------------------------------------------------------


def test_a_refresh_token_works_once(kim: Person) -> None:
    first = kim.tokens["refresh"]
    assert kim.renew().status_code == 200
    assert kim.tokens["refresh"] != first
    assert error_of(renew(kim.dojo.host, first)) == REFUSED
    assert kim.get_me().status_code == 200


def test_renewals_follow_one_another(kim: Person) -> None:
    for _ in range(5):
        assert kim.renew().status_code == 200
        assert kim.get_me().status_code == 200


def test_a_repeat_within_ten_seconds_is_a_second_tab(kim: Person) -> None:
    first = kim.tokens["refresh"]
    kim.renew()
    assert error_of(kim.renew(refresh=first, after=10)) == REFUSED
    assert kim.get_me(after=10).status_code == 200
    assert kim.renew(after=11).status_code == 200


def test_a_replay_after_ten_seconds_ends_the_family(kim: Person) -> None:
    first = kim.tokens["refresh"]
    kim.renew()
    assert error_of(kim.renew(refresh=first, after=10.1)) == REFUSED
    assert error_of(kim.get_me(after=11)) == REFUSED
    assert error_of(kim.renew(after=11)) == REFUSED


def test_a_replay_of_a_token_older_than_the_last_ends_the_family_at_once(kim: Person) -> None:
    first = kim.tokens["refresh"]
    kim.renew()
    kim.renew()
    assert error_of(kim.renew(refresh=first, after=1)) == REFUSED
    assert error_of(kim.get_me(after=1)) == REFUSED


def test_a_replay_ends_its_own_family_only(kim: Person) -> None:
    elsewhere = sign_in(kim.dojo.host).json()
    first = kim.tokens["refresh"]
    kim.renew()
    kim.renew(refresh=first, after=11)
    assert Caller(kim.dojo.host, elsewhere["access"]).get("/me").status_code == 200


def test_a_refresh_token_lives_thirty_days_from_the_last_renewal(kim: Person) -> None:
    month = timedelta(days=30).total_seconds()
    assert kim.renew(after=month - 1).status_code == 200
    assert kim.renew(after=2 * month - 2).status_code == 200
    assert error_of(kim.renew(after=3 * month)) == (401, "token_expired")


def test_of_parallel_renewals_with_one_token_one_succeeds(
    north: TenantScope, now: datetime, superuser: Any
) -> None:
    add_user(north)
    tokens = sign_in("north.localhost").json()
    answers = committed_dojos.at_once([lambda: renew("north.localhost", tokens["refresh"])] * 12)
    committed_dojos.raise_first(answers)
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 11
    (winner,) = [answer.json() for answer in answers if answer.status_code == 200]
    # They came within ten seconds: tabs of one browser, not a thief. The family lives.
    assert Caller("north.localhost", winner["access"]).get("/me").status_code == 200
    assert renew("north.localhost", winner["refresh"]).status_code == 200


def test_what_ends_a_family_is_committed_with_the_refusal(north: TenantScope, now: datetime) -> None:
    add_user(north)
    tokens = sign_in("north.localhost").json()
    renew("north.localhost", tokens["refresh"])
    with clock.fixed(NOW + timedelta(seconds=11)):
        assert error_of(renew("north.localhost", tokens["refresh"])) == REFUSED
    connection.close()
    with tenant_scope(north):
        assert Session.objects.get().ended_at == NOW + timedelta(seconds=11)


# --- signing out --------------------------------------------------------------------------------------------


def sign_out(kim: Person, refresh: str | None = None) -> int:
    body = {"refresh": refresh or kim.tokens["refresh"]}
    status: int = Caller(kim.dojo.host).post("/auth/logout", body).status_code
    return status


def test_signing_out_ends_access_at_once(kim: Person) -> None:
    assert sign_out(kim) == 204
    assert error_of(kim.get_me()) == REFUSED
    assert error_of(kim.renew()) == REFUSED


def test_signing_out_twice_changes_nothing(kim: Person) -> None:
    assert [sign_out(kim), sign_out(kim)] == [204, 204]


def test_signing_out_ends_one_session_only(kim: Person) -> None:
    elsewhere = sign_in(kim.dojo.host).json()
    sign_out(kim)
    assert Caller(kim.dojo.host, elsewhere["access"]).get("/me").status_code == 200


def test_signing_out_with_an_expired_token_is_fine(kim: Person) -> None:
    with clock.fixed(NOW + timedelta(days=31)):
        assert sign_out(kim) == 204


def test_nobody_is_signed_out_from_another_dojo(kim: Person, other_dojo: Dojo) -> None:
    answer = other_dojo.anonymous.post("/auth/logout", {"refresh": kim.tokens["refresh"]})
    assert error_of(answer) == REFUSED
    assert kim.get_me().status_code == 200


# --- what an admin changes acts on the next request ---------------------------------------------------------


def change(kim: Person, changes: dict[str, Any]) -> None:
    answer = kim.dojo.admin.patch(f"/users/{kim.user.pk}", changes)
    assert answer.status_code == 200, answer.content


def test_a_new_role_acts_on_the_next_request(kim: Person) -> None:
    assert kim.get_me().json()["role"] == "instructor"
    before = Caller(kim.dojo.host, kim.tokens["access"]).get("/settings").status_code
    change(kim, {"role": "student"})
    assert kim.get_me().json()["role"] == "student"
    assert (before, Caller(kim.dojo.host, kim.tokens["access"]).get("/settings").status_code) == (200, 403)


@pytest.mark.parametrize("changes", [{"is_active": False}, {"password": "another horse battery"}], ids=str)
def test_what_ends_sessions_acts_on_the_next_request(kim: Person, changes: dict[str, Any]) -> None:
    change(kim, changes)
    assert error_of(kim.get_me()) == REFUSED
    assert error_of(kim.renew()) == REFUSED


def test_a_user_who_is_archived_is_refused_at_the_next_request(kim: Person) -> None:
    assert kim.dojo.admin.delete(f"/users/{kim.user.pk}").status_code == 204
    assert error_of(kim.get_me()) == REFUSED


def test_a_user_who_is_active_again_signs_in_anew(kim: Person) -> None:
    change(kim, {"is_active": False})
    change(kim, {"is_active": True})
    assert error_of(kim.get_me()) == REFUSED
    assert sign_in(kim.dojo.host).status_code == 200


def test_a_flag_changed_in_the_database_acts_on_the_next_request(kim: Person) -> None:
    with tenant_scope(kim.dojo.tenant):
        User.objects.filter(pk=kim.user.pk).update(is_active=False)
    assert error_of(kim.get_me()) == REFUSED
    assert error_of(kim.renew()) == REFUSED


# --- what is kept -------------------------------------------------------------------------------------------


def test_only_hashes_of_tokens_are_stored(kim: Person) -> None:
    with tenant_scope(kim.dojo.tenant):
        (row,) = Session.objects.filter(user=kim.user).values()
    assert bytes(row["token_hash"]) == secret_hash(kim.tokens["refresh"])
    assert kim.tokens["refresh"] not in str(row)


def test_old_sessions_are_swept(kim: Person) -> None:
    with tenant_scope(kim.dojo.tenant):
        mine = Session.objects.filter(user=kim.user)
        with clock.fixed(NOW + timedelta(days=59)):
            sweep_scope()
            assert mine.count() == 1
        with clock.fixed(NOW + timedelta(days=61)):
            sweep_scope()
            assert mine.count() == 0
