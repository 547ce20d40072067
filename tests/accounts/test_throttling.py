"""Attempts to sign in are limited by address and by user."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password

from shared_apps.accounts.models import AttemptCount, PasswordLink, User
from shared_apps.accounts.tasks import sweep_scope
from shared_apps.accounts.throttling import PER_ACCOUNT, PER_ADDRESS, count_attempt
from shared_apps.accounts.users import create_user
from tatami import clock
from tatami.api.request import network_of
from tatami.errors import Throttled
from tatami.keys import secret_hash
from tatami.tenancy.scope import TenantScope, platform_scope, tenant_scope
from tests.support import races
from tests.support.clients import Caller, Dojo, Platform
from tests.support.now import NOW
from tests.support.statements import count_statements

PASSWORD = "correct horse battery"
GUESS = "wrong"
WINDOW = timedelta(minutes=15)
WRONG = (401, "invalid_credentials")
WAIT = (429, "throttled")


def add_users(scope: TenantScope) -> None:
    with tenant_scope(scope):
        for name in ("kim", "lou"):
            create_user(email=f"{name}@example.com", role="student", password_hash=make_password(PASSWORD))


def attempt(host: str, password: str = GUESS, name: str = "kim", *, address: str = "127.0.0.1") -> Any:
    caller = Caller(host)
    caller.client.defaults["REMOTE_ADDR"] = address
    return caller.post("/auth/login", {"email": f"{name}@example.com", "password": password})


def status_and_code(response: Any) -> tuple[int, str]:
    return response.status_code, response.json().get("error", {}).get("code", "")


@pytest.fixture
def host(dojo: Dojo) -> str:
    """The dojo's host; Kim and Lou are its users."""
    add_users(dojo.tenant)
    return dojo.host


def test_the_eleventh_attempt_is_refused(host: str) -> None:
    assert [status_and_code(attempt(host)) for _ in range(10)] == [WRONG] * 10
    refused = attempt(host)
    assert status_and_code(refused) == WAIT
    assert int(refused.headers["Retry-After"]) == 15 * 60 + 1


def test_a_throttled_attempt_with_the_right_password_is_refused_without_hashing(
    host: str, hashings: Callable[[], int]
) -> None:
    for _ in range(10):
        attempt(host)
    hashings()
    assert status_and_code(attempt(host, PASSWORD)) == WAIT
    assert hashings() == 0


def test_retry_after_decreases_with_time(host: str) -> None:
    for _ in range(10):
        attempt(host)
    with clock.fixed(NOW + timedelta(minutes=10)):
        assert int(attempt(host).headers["Retry-After"]) == 5 * 60 + 1


def test_attempts_are_allowed_again_after_the_window(host: str) -> None:
    for _ in range(11):
        attempt(host)
    with clock.fixed(NOW + WINDOW - timedelta(seconds=1)):
        assert status_and_code(attempt(host, PASSWORD)) == WAIT
    with clock.fixed(NOW + WINDOW):
        assert attempt(host, PASSWORD).status_code == 200


def test_waiting_for_retry_after_is_enough(host: str) -> None:
    for _ in range(10):
        attempt(host)
    told = int(attempt(host).headers["Retry-After"])
    with clock.fixed(NOW + timedelta(seconds=told)):
        assert attempt(host, PASSWORD).status_code == 200


def test_further_attempts_do_not_extend_the_wait(host: str) -> None:
    for _ in range(10):
        attempt(host)
    with clock.fixed(NOW + timedelta(minutes=14)):
        for _ in range(10):
            attempt(host)
    with clock.fixed(NOW + WINDOW):
        assert attempt(host, PASSWORD).status_code == 200


def test_the_next_window_allows_ten_attempts_again(host: str) -> None:
    for _ in range(11):
        attempt(host)
    with clock.fixed(NOW + WINDOW):
        assert [status_and_code(attempt(host)) for _ in range(11)] == [WRONG] * 10 + [WAIT]


def test_a_successful_sign_in_resets_the_count(host: str) -> None:
    for _ in range(9):
        attempt(host)
    assert attempt(host, PASSWORD).status_code == 200
    assert [status_and_code(attempt(host)) for _ in range(11)] == [WRONG] * 10 + [WAIT]


def test_other_accounts_are_not_affected(host: str) -> None:
    for _ in range(11):
        attempt(host)
    assert attempt(host, PASSWORD, "lou").status_code == 200


def test_an_account_is_counted_whatever_the_case_of_the_address(host: str) -> None:
    for name in ("kim", "KIM", "Kim", "kIm", "kiM") * 2:
        attempt(host, name=name)
    assert status_and_code(attempt(host)) == WAIT


def test_an_unknown_account_is_throttled_in_the_same_way(host: str) -> None:
    answers = [status_and_code(attempt(host, name="unknown")) for _ in range(11)]
    assert answers == [WRONG] * 10 + [WAIT]


def test_attempts_in_one_dojo_do_not_count_in_another(host: str, other_dojo: Dojo) -> None:
    add_users(other_dojo.tenant)
    for _ in range(11):
        attempt(host)
    assert attempt(other_dojo.host, PASSWORD).status_code == 200


def test_attempts_in_a_dojo_do_not_count_on_the_platform(host: str, platform: Platform) -> None:
    for _ in range(11):
        attempt(host)
    assert status_and_code(attempt(platform.host)) == WRONG


@pytest.fixture
def busy_address(host: str, dojo: Dojo) -> str:
    """The host, after 99 attempts on other accounts from the network address of the tests."""
    with tenant_scope(dojo.tenant):
        for _ in range(PER_ADDRESS.attempts - 1):
            count_attempt(PER_ADDRESS, "127.0.0.1", now=NOW)
    return host


def test_a_network_address_is_limited_to_100_attempts_over_all_accounts(busy_address: str) -> None:
    assert PER_ADDRESS.attempts == 100
    answers = [status_and_code(attempt(busy_address, name=f"guess{number}")) for number in range(2)]
    assert answers == [WRONG, WAIT]
    assert attempt(busy_address, PASSWORD, address="192.0.2.1").status_code == 200


def test_forwarding_headers_do_not_change_the_network_address(busy_address: str) -> None:
    attempt(busy_address)
    body = {"email": "kim@example.com", "password": PASSWORD}
    answer = Caller(busy_address).post(
        "/auth/login", body, X_Forwarded_For="192.0.2.1", X_Real_IP="192.0.2.1"
    )
    assert status_and_code(answer) == WAIT


# --- an account, from one address and from all ---------------------------------------------------------------


def test_guessing_does_not_lock_the_owner_out_from_another_address(host: str) -> None:
    assert [status_and_code(attempt(host)) for _ in range(30)][-1] == WAIT
    assert attempt(host, PASSWORD, address="192.0.2.1").status_code == 200
    assert status_and_code(attempt(host, PASSWORD)) == WAIT


def count_elsewhere(dojo: Dojo, times: int, name: str = "kim") -> None:
    """Count attempts on an account, as if each came from another address."""
    with tenant_scope(dojo.tenant):
        for _ in range(times):
            count_attempt(PER_ACCOUNT, f"{name}@example.com", now=NOW)


@pytest.mark.parametrize("name", ["kim", "unknown"])
def test_an_account_is_limited_to_100_attempts_over_all_addresses(host: str, dojo: Dojo, name: str) -> None:
    count_elsewhere(dojo, 99, name)
    assert status_and_code(attempt(host, name=name, address="192.0.2.1")) == WRONG
    refused = attempt(host, PASSWORD, name, address="192.0.2.2")
    assert status_and_code(refused) == WAIT
    assert int(refused.headers["Retry-After"]) == 15 * 60 + 1


def test_a_successful_sign_in_resets_the_count_of_the_account(host: str, dojo: Dojo) -> None:
    count_elsewhere(dojo, 99)
    assert attempt(host, PASSWORD).status_code == 200
    count_elsewhere(dojo, 99)
    assert attempt(host, PASSWORD, address="192.0.2.1").status_code == 200


def test_using_a_link_resets_the_counts_of_its_address(host: str, dojo: Dojo) -> None:
    count_elsewhere(dojo, 100)
    for address in ("127.0.0.1", "192.0.2.1"):
        for _ in range(11):
            attempt(host, address=address)
    with tenant_scope(dojo.tenant):
        kim = User.objects.get(email="kim@example.com")
        PasswordLink.objects.create(
            user=kim, secret_hash=secret_hash("mailed"), expires_at=NOW + timedelta(hours=1)
        )
    body = {"token": "mailed", "new_password": "quite another horse"}
    assert Caller(host).post("/auth/password/reset/confirm", body).status_code == 204
    assert attempt(host, body["new_password"]).status_code == 200
    assert status_and_code(attempt(host, body["new_password"], address="192.0.2.1")) == WAIT


def test_known_and_unknown_accounts_take_the_same_number_of_statements(host: str) -> None:
    assert count_statements(lambda: attempt(host)) == count_statements(lambda: attempt(host, name="unknown"))


# --- what one network address is ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:0DB8:0001:0002::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::1", "::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("192.0.2.1:5000", "192.0.2.1:5000"),
        ("kim@example.com", "kim@example.com"),
        ("", ""),
    ],
)
def test_the_network_of_an_address(address: str, network: str) -> None:
    assert network_of(address) == network


def test_an_ipv6_network_counts_as_one_address(host: str) -> None:
    for number in range(10):
        attempt(host, address=f"2001:db8:1:2::{number:x}")
    assert status_and_code(attempt(host, PASSWORD, address="2001:db8:1:2:ffff::1")) == WAIT
    assert attempt(host, PASSWORD, address="2001:db8:1:3::1").status_code == 200


def test_other_limits_per_address_count_networks_as_well(dojo: Dojo) -> None:
    answers = []
    for number in range(21):
        caller = Caller(dojo.host)
        caller.client.defaults["REMOTE_ADDR"] = f"2001:db8:1:2::{number:x}"
        answers.append(status_and_code(caller.post("/devices/pairing", {"code": "no-such-code"})))
    assert answers == [(400, "pairing_code_invalid")] * 20 + [WAIT]


# --- many at once -------------------------------------------------------------------------------------------


def test_of_thirty_concurrent_attempts_ten_are_checked(
    north: TenantScope, now: datetime, hashings: Callable[[], int]
) -> None:
    add_users(north)
    hashings()
    answers = races.run_concurrently([lambda: attempt("north.localhost")] * 30)
    races.raise_first_error(answers)
    assert sorted(map(status_and_code, answers)) == [WRONG] * 10 + [WAIT] * 20
    assert hashings() == 10


def test_the_count_of_a_refused_request_is_committed(north: TenantScope, now: datetime) -> None:
    for _ in range(11):
        attempt("north.localhost")
    with tenant_scope(north):
        # The last attempt counts for the address and for the account from there, but not for the account in total.
        assert sorted(AttemptCount.objects.values_list("count", flat=True)) == [10, 11, 11]


def test_counted_keys_are_stored_as_hashes(host: str, dojo: Dojo) -> None:
    attempt(host)
    with tenant_scope(dojo.tenant):
        assert "kim" not in str([bytes(row.key_hash) for row in AttemptCount.objects.all()])


def test_limits_with_the_same_key_are_independent(tenant: TenantScope) -> None:
    with tenant_scope(tenant):
        for _ in range(PER_ACCOUNT.attempts):
            count_attempt(PER_ACCOUNT, "x", now=NOW)
        count_attempt(PER_ADDRESS, "x", now=NOW)
        with pytest.raises(Throttled):
            count_attempt(PER_ACCOUNT, "x", now=NOW)


def test_old_counts_are_deleted(db: None) -> None:
    with platform_scope():
        count_attempt(PER_ACCOUNT, "x", now=NOW)
        for hours, left in ((1, 1), (3, 0)):
            with clock.fixed(NOW + timedelta(hours=hours)):
                sweep_scope()
            assert AttemptCount.objects.count() == left
