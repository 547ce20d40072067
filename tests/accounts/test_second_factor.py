"""The second factor: set up with a QR code, asked for at each sign-in, used once, and reset by an admin."""

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from django.conf import settings
from django.contrib.auth.hashers import make_password
from pyotp import TOTP, random_base32

from shared_apps.accounts.models import AuditEntry, RecoveryCode, SecondFactor, User
from shared_apps.accounts.tasks import sweep_scope
from tatami import clock
from tatami.encryption import encrypt
from tatami.tenancy.scope import TenantScope, platform_scope, tenant_scope
from tests.support.clients import Caller, Dojo, Platform
from tests.support.now import NOW
from tests.support.races import raise_first_error, run_concurrently
from tests.support.responses import assert_error, assert_invalid, ok

PASSWORD = "the old bamboo sword"


def login(caller: Caller, email: str = "una@example.com", password: str = PASSWORD) -> Any:
    return caller.post("/auth/login", {"email": email, "password": password})


def challenge_for(caller: Caller, email: str = "una@example.com") -> str:
    details = assert_error(login(caller, email), 401, "second_factor_required")
    assert details["expires_in"] == 300
    return str(details["challenge"])


def second_step(caller: Caller, challenge: str, code: str) -> Any:
    return caller.post("/auth/second-factor", {"challenge": challenge, "code": code})


def code_at(secret: str, seconds: int = 0) -> str:
    return TOTP(secret).at(int((NOW + timedelta(seconds=seconds)).timestamp()))


@pytest.fixture
def una(dojo: Dojo) -> Caller:
    """A user of the dojo with a password, signed in, without a second factor."""
    with tenant_scope(dojo.tenant):
        User.objects.create(
            email="una@example.com",
            email_key="una@example.com",
            name="Una",
            role="assistant",
            password=make_password(PASSWORD),
        )
    return Caller(dojo.host, token=ok(login(dojo.anonymous))["access"])


def set_up(caller: Caller) -> tuple[str, list[str], str]:
    """Set up an authenticator with the code of the step before; return its secret, the recovery codes and its id."""
    made = ok(caller.post("/me/second-factors", {"password": PASSWORD, "name": "My phone"}), 201)
    confirmed = ok(
        caller.post(f"/me/second-factors/{made['id']}/confirmation", {"code": code_at(made["secret"], -30)})
    )
    return made["secret"], confirmed["recovery_codes"], made["id"]


# --- setting up -----------------------------------------------------------------------------------------------


def test_an_authenticator_counts_when_it_is_confirmed(dojo: Dojo, una: Caller) -> None:
    made = ok(una.post("/me/second-factors", {"password": PASSWORD}), 201)
    uri = urlsplit(made["uri"])
    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    assert unquote(uri.path) == "/Seishin Dojo:una@example.com"
    assert parse_qs(uri.query)["secret"] == [made["secret"]]
    assert made["image"].startswith("data:image/svg+xml;base64,")
    ok(login(dojo.anonymous))  # not confirmed: the password is enough
    path = f"/me/second-factors/{made['id']}/confirmation"
    assert_error(una.post(path, {"code": "000000"}), 401, "second_factor_invalid")
    confirmed = ok(una.post(path, {"code": code_at(made["secret"])}))
    assert len(set(confirmed["recovery_codes"])) == 10
    assert_error(una.post(path, {"code": code_at(made["secret"], 30)}), 409, "already_confirmed")
    (row,) = ok(una.get("/me/second-factors"))["results"]
    assert row["confirmed_at"] == "2026-06-15T16:40:00Z"
    assert "secret" not in row
    challenge_for(dojo.anonymous)


def test_setting_up_needs_the_password(una: Caller) -> None:
    assert_error(una.post("/me/second-factors", {"password": "wrong"}), 401, "invalid_credentials")
    assert_invalid(una.post("/me/second-factors", {}), "password")
    for _ in range(9):
        una.post("/me/second-factors", {"password": "wrong"})
    assert_error(una.post("/me/second-factors", {"password": PASSWORD}), 429, "throttled")


def test_secrets_are_not_readable_in_the_database(dojo: Dojo, una: Caller) -> None:
    secret, codes, _ = set_up(una)
    with tenant_scope(dojo.tenant):
        assert secret not in SecondFactor.objects.get().secret
        stored = b"".join(bytes(row.code_hash) for row in RecoveryCode.objects.all())
        assert all(code.encode() not in stored for code in codes)


# --- signing in -----------------------------------------------------------------------------------------------


def test_signing_in_takes_the_password_and_a_code(dojo: Dojo, una: Caller) -> None:
    secret, _, _ = set_up(una)
    body = ok(second_step(dojo.anonymous, challenge_for(dojo.anonymous), code_at(secret)))
    assert body["user"]["email"] == "una@example.com"
    assert body["recovery_codes"] == []
    assert ok(Caller(dojo.host, token=body["access"]).get("/me"))["name"] == "Una"


def test_a_wrong_password_gets_no_challenge(dojo: Dojo, una: Caller) -> None:
    set_up(una)
    assert_error(login(dojo.anonymous, password="wrong"), 401, "invalid_credentials")


def test_a_code_works_once(dojo: Dojo, una: Caller) -> None:
    secret, _, _ = set_up(una)
    challenge = challenge_for(dojo.anonymous)
    ok(second_step(dojo.anonymous, challenge, code_at(secret)))
    for again in (challenge, challenge_for(dojo.anonymous)):
        assert_error(second_step(dojo.anonymous, again, code_at(secret)), 401, "second_factor_invalid")
    assert_error(second_step(dojo.anonymous, challenge, code_at(secret, -30)), 401, "second_factor_invalid")
    ok(second_step(dojo.anonymous, challenge, code_at(secret, 30)))


@pytest.mark.parametrize(("seconds", "is_accepted"), [(-60, False), (0, True), (30, True), (60, False)])
def test_a_clock_may_be_half_a_minute_wrong(dojo: Dojo, una: Caller, seconds: int, is_accepted: bool) -> None:
    secret, _, _ = set_up(una)
    answer = second_step(dojo.anonymous, challenge_for(dojo.anonymous), code_at(secret, seconds))
    assert answer.status_code == (200 if is_accepted else 401)


def test_codes_may_be_typed_with_spaces(dojo: Dojo, una: Caller) -> None:
    secret, codes, _ = set_up(una)
    code = code_at(secret)
    ok(second_step(dojo.anonymous, challenge_for(dojo.anonymous), f"{code[:3]} {code[3:]}"))
    typed = codes[0].upper().replace("-", " ")
    ok(second_step(dojo.anonymous, challenge_for(dojo.anonymous), typed))


@pytest.mark.parametrize("code", ["٤٩٢٠٣٩", "1e5000", "-12345", "0x1234", "12345", "1234567", "äöüäöü"])
def test_an_odd_code_is_wrong(dojo: Dojo, una: Caller, code: str) -> None:
    set_up(una)
    answer = second_step(dojo.anonymous, challenge_for(dojo.anonymous), code)
    assert_error(answer, 401, "second_factor_invalid")


def test_a_recovery_code_works_once_and_is_audited(dojo: Dojo, una: Caller) -> None:
    _, codes, _ = set_up(una)
    challenge = challenge_for(dojo.anonymous)
    ok(second_step(dojo.anonymous, challenge, codes[0]))
    assert_error(second_step(dojo.anonymous, challenge, codes[0]), 401, "second_factor_invalid")
    with tenant_scope(dojo.tenant):
        assert AuditEntry.objects.filter(action="recovery-code.use").count() == 1
    renewed = ok(una.post("/me/recovery-codes", {"password": PASSWORD}), 201)["recovery_codes"]
    assert_error(second_step(dojo.anonymous, challenge, codes[1]), 401, "second_factor_invalid")
    ok(second_step(dojo.anonymous, challenge, renewed[0]))


def test_guessing_is_throttled_also_with_new_challenges(dojo: Dojo, una: Caller) -> None:
    secret, _, _ = set_up(una)
    wrong = "000000" if code_at(secret) != "000000" else "000001"
    # The confirmation counted once and was not cleared.
    for _ in range(9):
        answer = second_step(dojo.anonymous, challenge_for(dojo.anonymous), wrong)
        assert_error(answer, 401, "second_factor_invalid")
    answer = second_step(dojo.anonymous, challenge_for(dojo.anonymous), code_at(secret))
    assert_error(answer, 429, "throttled")
    with clock.fixed(NOW + timedelta(minutes=16)):
        challenge = challenge_for(dojo.anonymous)
        ok(second_step(dojo.anonymous, challenge, code_at(secret, 16 * 60)))


def test_a_challenge_ends_after_five_minutes_and_with_the_password(dojo: Dojo, una: Caller) -> None:
    secret, _, _ = set_up(una)
    challenge = challenge_for(dojo.anonymous)
    with clock.fixed(NOW + timedelta(minutes=5)):
        answer = second_step(dojo.anonymous, challenge, code_at(secret, 300))
        assert_error(answer, 401, "token_expired")
    change = {"current_password": PASSWORD, "new_password": "a much newer bokken"}
    ok(una.post("/auth/password", change), 204)
    assert_error(second_step(dojo.anonymous, challenge, code_at(secret)), 401, "token_invalid")


def test_a_challenge_is_valid_in_its_own_dojo_only(dojo: Dojo, other_dojo: Dojo, una: Caller) -> None:
    secret, _, _ = set_up(una)
    challenge = challenge_for(dojo.anonymous)
    for caller in (other_dojo.anonymous, Caller("localhost")):
        assert_error(second_step(caller, challenge, code_at(secret)), 401, "token_invalid")
    for changed in (challenge[:-1], challenge + "x", "", "e30:x", challenge.replace(":", "")):
        answer = second_step(dojo.anonymous, changed, code_at(secret))
        assert answer.status_code in {400, 401}


def test_a_deactivated_user_does_not_complete_a_sign_in(dojo: Dojo, una: Caller) -> None:
    secret, _, _ = set_up(una)
    challenge = challenge_for(dojo.anonymous)
    me = ok(una.get("/me"))["id"]
    ok(dojo.admin.patch(f"/users/{me}", {"is_active": False}))
    assert_error(second_step(dojo.anonymous, challenge, code_at(secret)), 401, "token_invalid")


# --- required by role -----------------------------------------------------------------------------------------


def test_a_role_that_needs_a_second_factor_sets_it_up_at_the_next_sign_in(dojo: Dojo, una: Caller) -> None:
    ok(dojo.admin.patch("/sign-in-policy", {"second_factor_roles": ["assistant", "admin"]}))
    assert ok(dojo.admin.get("/sign-in-policy")) == {"second_factor_roles": ["admin", "assistant"]}
    ok(una.get("/me"))  # sessions stay
    details = assert_error(login(dojo.anonymous), 401, "second_factor_required")
    assert details["enrolment_needed"] is True
    challenge = details["challenge"]
    assert_error(second_step(dojo.anonymous, challenge, "123456"), 401, "second_factor_invalid")
    made = ok(dojo.anonymous.post("/auth/second-factor/enrolment", {"challenge": challenge}), 201)
    body = ok(second_step(dojo.anonymous, challenge, code_at(made["secret"])))
    assert len(body["recovery_codes"]) == 10
    caller = Caller(dojo.host, token=body["access"])
    answer = dojo.anonymous.post("/auth/second-factor/enrolment", {"challenge": challenge})
    assert_error(answer, 401, "token_invalid")
    assert_error(caller.delete(f"/me/second-factors/{made['id']}"), 409, "second_factor_needed")
    ok(dojo.admin.patch("/sign-in-policy", {"second_factor_roles": []}))
    ok(caller.delete(f"/me/second-factors/{made['id']}"), 204)
    ok(login(dojo.anonymous))


@pytest.mark.parametrize("roles", [["device"], ["root"], "admin", [7], ["admin"] * 5])
def test_a_bad_policy_is_refused(dojo: Dojo, roles: Any) -> None:
    assert dojo.admin.patch("/sign-in-policy", {"second_factor_roles": roles}).status_code == 400
    assert ok(dojo.admin.get("/sign-in-policy")) == {"second_factor_roles": []}


# --- removal, reset, erasure ----------------------------------------------------------------------------------


def test_removing_the_last_authenticator_removes_the_recovery_codes(dojo: Dojo, una: Caller) -> None:
    _, _, first = set_up(una)
    _, codes, second = set_up(una)
    assert codes == [], "the recovery codes of the first one stay"
    ok(una.delete(f"/me/second-factors/{first}"), 204)
    challenge_for(dojo.anonymous)
    ok(una.delete(f"/me/second-factors/{second}"), 204)
    ok(login(dojo.anonymous))
    with tenant_scope(dojo.tenant):
        assert RecoveryCode.objects.count() == 0


def test_an_authenticator_of_another_user_is_not_found(dojo: Dojo, una: Caller) -> None:
    _, _, key = set_up(una)
    for method in ("GET", "DELETE"):
        assert_error(dojo.admin.request(method, f"/me/second-factors/{key}"), 404, "not_found")


def test_an_admin_resets_the_second_factors_of_a_user(dojo: Dojo, una: Caller) -> None:
    secret, _, _ = set_up(una)
    challenge, me = challenge_for(dojo.anonymous), ok(una.get("/me"))["id"]
    assert_error(una.delete(f"/users/{me}/second-factors"), 403, "permission_denied")
    for _ in range(2):
        ok(dojo.admin.delete(f"/users/{me}/second-factors"), 204)
    assert_error(una.get("/me"), 401, "token_invalid")
    assert_error(second_step(dojo.anonymous, challenge, code_at(secret)), 401, "second_factor_invalid")
    ok(login(dojo.anonymous))
    entries = ok(dojo.admin.get(f"/audit?object={me}&action=user-second-factors.delete"))["results"]
    assert len(entries) == 2


def test_a_superadmin_signs_in_to_the_console_with_a_code(platform: Platform) -> None:
    from tests.tenants.test_console import Browser

    root = platform.superadmin()
    with platform_scope():
        User.objects.update(password=make_password(PASSWORD))
    secret, codes, _ = set_up(root)
    browser = Browser()
    page = browser.sign_in()
    assert page.status_code == 200
    assert "Enter the code of your authenticator" in page.content.decode()
    form = {"username": "root@example.com", "password": PASSWORD}
    assert browser.send("/console/login/", {**form, "code": "000000"}).status_code == 200
    assert browser.send("/console/login/", {**form, "code": code_at(secret)}).status_code == 302
    assert Browser().send("/console/login/", {**form, "code": codes[0]}).status_code == 302
    ok(root.patch("/sign-in-policy", {"second_factor_roles": ["admin"]}))
    with platform_scope():
        SecondFactor.objects.all().delete()
    for code in ("", "123456"):
        page = Browser().send("/console/login/", {**form, "code": code})
        assert (page.status_code, "Set one up to sign in" in page.content.decode()) == (200, True)


def test_secrets_survive_two_replacements_of_the_installations_secret(
    dojo: Dojo, una: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret, _, _ = set_up(una)
    first, second, third = settings.TATAMI_SECRETS[0], "second secret" * 4, "third secret" * 4
    monkeypatch.setattr(settings, "TATAMI_SECRETS", [second, first])
    with tenant_scope(dojo.tenant):
        sweep_scope()
    monkeypatch.setattr(settings, "TATAMI_SECRETS", [third, second])
    ok(second_step(dojo.anonymous, challenge_for(dojo.anonymous), code_at(secret)))


def test_of_concurrent_requests_with_one_code_one_succeeds(
    north: TenantScope, now: Any, superuser: Any
) -> None:
    with tenant_scope(north):
        user = User.objects.create(
            email="una@example.com",
            email_key="una@example.com",
            name="Una",
            role="assistant",
            password=make_password(PASSWORD),
        )
        secret = random_base32()
        SecondFactor.objects.create(
            user=user, secret=encrypt(secret, purpose="second factor"), confirmed_at=NOW
        )
    challenge = challenge_for(Caller("north.localhost"))

    def attempt() -> Any:
        return second_step(Caller("north.localhost"), challenge, code_at(secret))

    answers = run_concurrently([attempt] * 8)
    raise_first_error(answers)
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 7
