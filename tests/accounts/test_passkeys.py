"""Passkeys: set up, used beside a password and instead of one, bound to their host, and refused when replayed."""

from copy import deepcopy
from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.conf import settings
from django.contrib.auth.hashers import make_password
from pyotp import TOTP

from shared_apps.accounts.models import AuditEntry, Passkey, SecondFactor, UsedChallenge, User
from shared_apps.accounts.tasks import sweep_scope
from shared_apps.accounts.users import erase_users
from shared_apps.tenants.models import Domain
from tatami import clock
from tatami.tenancy.scope import TenantScope, platform_scope, tenant_scope
from tests.support.authenticator import Authenticator, cbor, decode, encode
from tests.support.clients import Caller, Dojo, Platform
from tests.support.now import NOW
from tests.support.races import raise_first_error, run_concurrently
from tests.support.responses import assert_error, assert_invalid, ok

PASSWORD = "the old bamboo sword"
EMAIL = "una@example.com"


def browser_at(host: str, **more: Any) -> Authenticator:
    return Authenticator(f"http://{host}:{settings.TATAMI_PUBLIC_PORT}", **more)


def add_una(role: str = "assistant") -> User:
    return User.objects.create(
        email=EMAIL, email_key=EMAIL, name="Una", role=role, password=make_password(PASSWORD)
    )


@pytest.fixture
def una(dojo: Dojo) -> Caller:
    """A user of the dojo with a password, signed in, without a second factor."""
    with tenant_scope(dojo.tenant):
        add_una()
    return Caller(dojo.host, token=ok(login(dojo.anonymous))["access"])


@pytest.fixture
def phone(dojo: Dojo) -> Authenticator:
    return browser_at(dojo.host)


def login(caller: Caller) -> Any:
    return caller.post("/auth/login", {"email": EMAIL, "password": PASSWORD})


def begin(caller: Caller, **more: Any) -> dict[str, Any]:
    body = {"password": PASSWORD, "kind": "passkey", "name": "My phone", **more}
    made: dict[str, Any] = ok(caller.post("/me/second-factors", body), 201)
    return made


def confirm(caller: Caller, begun: dict[str, Any], passkey: Any) -> Any:
    return caller.post(f"/me/second-factors/{begun['id']}/confirmation", {"passkey": passkey})


def set_up(caller: Caller, phone: Authenticator) -> tuple[str, list[str]]:
    """Set up a passkey; return the id of the second factor, and the recovery codes."""
    begun = begin(caller)
    codes = ok(confirm(caller, begun, phone.create(begun["options"])))["recovery_codes"]
    return begun["id"], codes


def challenge_for(caller: Caller) -> dict[str, Any]:
    return assert_error(login(caller), 401, "second_factor_required")


def second_step(caller: Caller, asked: dict[str, Any], passkey: Any) -> Any:
    return caller.post("/auth/second-factor", {"challenge": asked["challenge"], "passkey": passkey})


def options(caller: Caller) -> dict[str, Any]:
    asked: dict[str, Any] = ok(caller.post("/auth/passkey/options", {}))
    return asked


def sign_in(caller: Caller, asked: dict[str, Any], passkey: Any) -> Any:
    return caller.post("/auth/passkey", {"challenge": asked["challenge"], "passkey": passkey})


# --- setting up -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", [-7, -8, -257])
def test_a_passkey_counts_when_it_is_confirmed(dojo: Dojo, una: Caller, algorithm: int) -> None:
    phone = browser_at(dojo.host, algorithm=algorithm)
    begun = begin(una)
    assert (begun["kind"], begun["secret"], begun["uri"], begun["image"]) == ("passkey", "", "", "")
    assert begun["options"]["rp"] == {"id": dojo.host, "name": "Seishin Dojo"}
    assert begun["options"]["authenticatorSelection"]["userVerification"] == "required"
    ok(login(dojo.anonymous))  # not confirmed: the password is enough
    confirmed = ok(confirm(una, begun, phone.create(begun["options"])))
    assert len(set(confirmed["recovery_codes"])) == 10
    (row,) = ok(una.get("/me/second-factors"))["results"]
    assert (row["kind"], row["name"], row["host"]) == ("passkey", "My phone", dojo.host)
    assert row["confirmed_at"] == "2026-06-15T16:40:00Z"
    asked = challenge_for(dojo.anonymous)
    ok(second_step(dojo.anonymous, asked, phone.get(asked["passkey"])))
    (row,) = ok(una.get("/me/second-factors"))["results"]
    assert row["last_used_at"] == "2026-06-15T16:40:00Z"


def test_an_authenticator_is_told_what_it_has_already(una: Caller, phone: Authenticator) -> None:
    set_up(una, phone)
    with pytest.raises(AssertionError, match="there is a passkey already"):
        phone.create(begin(una)["options"])


def test_a_confirmation_works_once_and_for_five_minutes(
    dojo: Dojo, una: Caller, phone: Authenticator
) -> None:
    begun = begin(una)
    passkey = phone.create(begun["options"])
    with clock.fixed(NOW + timedelta(minutes=5)):
        again = Caller(dojo.host, token=ok(login(dojo.anonymous))["access"])
        assert_error(confirm(again, begun, passkey), 401, "token_expired")
    with clock.fixed(NOW + timedelta(minutes=4)):
        ok(confirm(una, begun, passkey))
        assert_error(confirm(una, begun, passkey), 409, "already_confirmed")


def test_a_passkey_of_another_user_is_not_taken_over(dojo: Dojo, una: Caller, phone: Authenticator) -> None:
    """An attacker who registers the id of another user's passkey with a key of their own gains nothing."""
    set_up(una, phone)
    (name,) = phone.credentials
    with tenant_scope(dojo.tenant):
        User.objects.filter(pk=dojo.assistant.user.pk).update(password=make_password(PASSWORD))  # type: ignore[union-attr]
    begun = begin(dojo.assistant)
    mine = browser_at(dojo.host)
    made = mine.create(begun["options"])
    (my_name,) = mine.credentials
    statement = decode(made["response"]["attestationObject"]).replace(decode(my_name), decode(name))
    forged = {**made, "id": name, "rawId": name}
    forged["response"] = {**made["response"], "attestationObject": encode(statement)}
    assert_error(confirm(dojo.assistant, begun, forged), 409, "passkey_taken")


@pytest.mark.parametrize(
    "changed",
    [
        {"origin": "http://evil.example:8000"},
        {"origin": None},
        {"origin": ["http://aiki.localhost:8000"]},
        {"origin": "http://localhost:8000"},
        {"origin": "https://aiki.localhost:8000"},
        {"verifies_user": False},
    ],
    ids=str,
)
def test_a_passkey_of_another_page_or_an_unverified_user_is_refused(
    dojo: Dojo, una: Caller, phone: Authenticator, changed: dict[str, Any]
) -> None:
    def with_change() -> None:
        for name, value in changed.items():
            setattr(phone, name, value)

    begun = begin(una)
    before = vars(phone).copy()
    with_change()
    assert_error(confirm(una, begun, phone.create(begun["options"])), 401, "passkey_invalid")
    vars(phone).update(before)
    phone.credentials.clear()
    set_up(una, phone)
    with_change()
    asked = challenge_for(dojo.anonymous)
    assert_error(second_step(dojo.anonymous, asked, phone.get(asked["passkey"])), 401, "passkey_invalid")
    asked = options(dojo.anonymous)
    assert_error(sign_in(dojo.anonymous, asked, phone.get(asked["options"])), 401, "passkey_invalid")


def test_setting_up_needs_the_password(una: Caller) -> None:
    body = {"password": "wrong", "kind": "passkey"}
    assert_error(una.post("/me/second-factors", body), 401, "invalid_credentials")
    assert_invalid(una.post("/me/second-factors", {"password": PASSWORD, "kind": "sms"}), "kind")


# --- beside a password ----------------------------------------------------------------------------------------


def test_signing_in_takes_the_password_and_a_passkey(dojo: Dojo, una: Caller, phone: Authenticator) -> None:
    set_up(una, phone)
    asked = challenge_for(dojo.anonymous)
    assert asked["enrolment_needed"] is False
    assert asked["passkey"]["allowCredentials"] == [
        {"type": "public-key", "id": next(iter(phone.credentials))}
    ]
    body = ok(second_step(dojo.anonymous, asked, phone.get(asked["passkey"])))
    assert (body["user"]["email"], body["recovery_codes"]) == (EMAIL, [])
    assert ok(Caller(dojo.host, token=body["access"]).get("/me"))["name"] == "Una"


def test_what_a_passkey_signed_works_once(dojo: Dojo, una: Caller, phone: Authenticator) -> None:
    set_up(una, phone)
    asked = challenge_for(dojo.anonymous)
    signed = phone.get(asked["passkey"])
    ok(second_step(dojo.anonymous, asked, signed))
    assert_error(second_step(dojo.anonymous, asked, signed), 401, "token_invalid")
    other = challenge_for(dojo.anonymous)
    assert_error(second_step(dojo.anonymous, other, signed), 401, "passkey_invalid")
    signed = phone.get(other["passkey"])
    assert_error(second_step(dojo.anonymous, asked, signed), 401, "token_invalid")


def test_an_app_a_passkey_and_a_recovery_code_stand_beside_each_other(
    dojo: Dojo, una: Caller, phone: Authenticator
) -> None:
    _, codes = set_up(una, phone)
    app = ok(una.post("/me/second-factors", {"password": PASSWORD}), 201)
    assert (app["kind"], app["options"]) == ("totp", None)
    code = TOTP(app["secret"]).at(int(NOW.timestamp()))
    ok(una.post(f"/me/second-factors/{app['id']}/confirmation", {"code": code}))
    for proof in ({"code": codes[0]}, {"code": TOTP(app["secret"]).at(int(NOW.timestamp()) + 30)}):
        asked = challenge_for(dojo.anonymous)
        ok(dojo.anonymous.post("/auth/second-factor", {"challenge": asked["challenge"], **proof}))
    asked = challenge_for(dojo.anonymous)
    ok(second_step(dojo.anonymous, asked, phone.get(asked["passkey"])))


def test_either_a_code_or_a_passkey_is_sent(dojo: Dojo, una: Caller, phone: Authenticator) -> None:
    set_up(una, phone)
    asked = challenge_for(dojo.anonymous)
    signed = phone.get(asked["passkey"])
    for body in ({}, {"code": "123456", "passkey": signed}):
        assert_invalid(
            dojo.anonymous.post("/auth/second-factor", {"challenge": asked["challenge"], **body}), "code"
        )
    ok(second_step(dojo.anonymous, asked, signed))


def test_guessing_is_throttled(dojo: Dojo, una: Caller, phone: Authenticator) -> None:
    set_up(una, phone)
    for _ in range(9):  # the confirmation counted once
        asked = challenge_for(dojo.anonymous)
        signed = phone.get(asked["passkey"])
        signed["response"]["signature"] = encode(b"x" * 70)
        assert_error(second_step(dojo.anonymous, asked, signed), 401, "passkey_invalid")
    asked = challenge_for(dojo.anonymous)
    answer = second_step(dojo.anonymous, asked, phone.get(asked["passkey"]))
    assert_error(answer, 429, "throttled")


# --- instead of a password ------------------------------------------------------------------------------------


def test_a_passkey_alone_signs_in(dojo: Dojo, una: Caller, phone: Authenticator) -> None:
    ok(dojo.admin.patch("/sign-in-policy", {"second_factor_roles": ["assistant"]}))
    set_up(una, phone)
    asked = options(dojo.anonymous)
    assert asked["options"]["rpId"] == dojo.host
    assert "allowCredentials" not in asked["options"], "it tells no one who has a passkey"
    signed = phone.get(asked["options"])
    body = ok(sign_in(dojo.anonymous, asked, signed))
    assert ok(Caller(dojo.host, token=body["access"]).get("/me"))["email"] == EMAIL
    assert_error(sign_in(dojo.anonymous, asked, signed), 401, "token_invalid")


def test_asking_for_a_challenge_stores_nothing_and_used_ones_are_deleted(
    dojo: Dojo, una: Caller, phone: Authenticator
) -> None:
    set_up(una, phone)
    asked = options(dojo.anonymous)
    with tenant_scope(dojo.tenant):
        assert UsedChallenge.objects.count() == 0
    ok(sign_in(dojo.anonymous, asked, phone.get(asked["options"])))
    with tenant_scope(dojo.tenant):
        assert UsedChallenge.objects.count() == 1
        with clock.fixed(NOW + timedelta(hours=2)):
            sweep_scope()
        assert UsedChallenge.objects.count() == 0


def test_a_challenge_ends_after_five_minutes_and_is_for_its_purpose(
    dojo: Dojo, una: Caller, phone: Authenticator
) -> None:
    set_up(una, phone)
    asked = options(dojo.anonymous)
    signed = phone.get(asked["options"])
    with clock.fixed(NOW + timedelta(minutes=5)):
        assert_error(sign_in(dojo.anonymous, asked, signed), 401, "token_expired")
    assert_error(second_step(dojo.anonymous, asked, signed), 401, "token_invalid")
    step = challenge_for(dojo.anonymous)
    assert_error(sign_in(dojo.anonymous, step, phone.get(step["passkey"])), 401, "token_invalid")
    changed = {"challenge": asked["challenge"][:-1] + "x"}
    assert_error(sign_in(dojo.anonymous, changed, signed), 401, "token_invalid")


def test_a_deactivated_user_does_not_sign_in(dojo: Dojo, una: Caller, phone: Authenticator) -> None:
    set_up(una, phone)
    asked = options(dojo.anonymous)
    signed = phone.get(asked["options"])
    ok(dojo.admin.patch(f"/users/{ok(una.get('/me'))['id']}", {"is_active": False}))
    assert_error(sign_in(dojo.anonymous, asked, signed), 401, "passkey_invalid")


def test_a_passkey_that_is_not_confirmed_does_not_sign_in(
    dojo: Dojo, una: Caller, phone: Authenticator
) -> None:
    phone.create(begin(una)["options"])
    asked = options(dojo.anonymous)
    assert_error(sign_in(dojo.anonymous, asked, phone.get(asked["options"])), 401, "passkey_invalid")


def test_one_user_cannot_sign_in_as_another(dojo: Dojo, una: Caller, phone: Authenticator) -> None:
    set_up(una, phone)
    asked = options(dojo.anonymous)
    signed = phone.get(asked["options"])
    assert dojo.admin.user
    for handle in (encode(dojo.admin.user.pk.bytes), "", "AA", "!", None, 7):
        forged = deepcopy(signed)
        forged["response"]["userHandle"] = handle
        assert_error(sign_in(dojo.anonymous, asked, forged), 401, "passkey_invalid")
    ok(sign_in(dojo.anonymous, asked, signed))


# --- the host -------------------------------------------------------------------------------------------------


def test_a_passkey_is_of_one_dojo(dojo: Dojo, other_dojo: Dojo, una: Caller, phone: Authenticator) -> None:
    set_up(una, phone)
    asked = options(dojo.anonymous)
    signed = phone.get(asked["options"])
    for caller in (other_dojo.anonymous, Caller("localhost")):
        assert_error(sign_in(caller, asked, signed), 401, "token_invalid")
        with pytest.raises(AssertionError, match="there is no passkey for this"):
            phone.get(options(caller)["options"])
    ok(sign_in(dojo.anonymous, asked, signed))


def test_a_passkey_works_at_the_domain_where_it_was_set_up(
    dojo: Dojo, una: Caller, phone: Authenticator
) -> None:
    with platform_scope():
        Domain.objects.create(
            tenant_id=dojo.tenant.tenant_id, domain="www.una.example", is_primary=False, verified_at=NOW
        )
    _, codes = set_up(una, phone)
    there = Caller("www.una.example")
    asked = challenge_for(there)
    assert (asked["passkey"], asked["enrolment_needed"]) == (None, False)
    signed = phone.get(challenge_for(dojo.anonymous)["passkey"])
    assert_error(second_step(there, asked, signed), 401, "passkey_invalid")
    body = ok(there.post("/auth/second-factor", {"challenge": asked["challenge"], "code": codes[0]}))
    laptop = browser_at("www.una.example")
    set_up(Caller(there.host, token=body["access"]), laptop)
    asked = options(there)
    assert asked["options"]["rpId"] == "www.una.example"
    ok(sign_in(there, asked, laptop.get(asked["options"])))
    assert sorted(row["host"] for row in ok(una.get("/me/second-factors"))["results"]) == [
        dojo.host,
        "www.una.example",
    ]


# --- the counter ----------------------------------------------------------------------------------------------


def test_a_copied_passkey_is_refused_and_audited(dojo: Dojo, una: Caller, phone: Authenticator) -> None:
    set_up(una, phone)
    copy = deepcopy(phone)
    for device, accepted in ((phone, True), (phone, True), (copy, False), (phone, True)):
        asked = challenge_for(dojo.anonymous)
        answer = second_step(dojo.anonymous, asked, device.get(asked["passkey"]))
        assert answer.status_code == (200 if accepted else 401)
    asked = options(dojo.anonymous)
    assert_error(sign_in(dojo.anonymous, asked, copy.get(asked["options"])), 401, "passkey_copied")
    with tenant_scope(dojo.tenant):
        assert AuditEntry.objects.filter(action="passkey.refuse").count() == 2


def test_a_passkey_without_a_counter_is_accepted_again_and_again(
    dojo: Dojo, una: Caller, phone: Authenticator
) -> None:
    phone.counts = False
    set_up(una, phone)
    for _ in range(3):
        asked = options(dojo.anonymous)
        ok(sign_in(dojo.anonymous, asked, phone.get(asked["options"])))


# --- required by role, removal, reset -------------------------------------------------------------------------


def test_a_role_that_needs_a_second_factor_may_set_up_a_passkey_at_the_next_sign_in(
    dojo: Dojo, una: Caller, phone: Authenticator
) -> None:
    ok(dojo.admin.patch("/sign-in-policy", {"second_factor_roles": ["assistant"]}))
    asked = challenge_for(dojo.anonymous)
    assert (asked["enrolment_needed"], asked["passkey"]) == (True, None)
    body = {"challenge": asked["challenge"], "kind": "passkey"}
    made = ok(dojo.anonymous.post("/auth/second-factor/enrolment", body), 201)
    answer = second_step(dojo.anonymous, asked, {"id": "x"})
    assert_error(answer, 401, "passkey_invalid")
    tokens = ok(second_step(dojo.anonymous, asked, phone.create(made["options"])))
    assert len(tokens["recovery_codes"]) == 10
    caller = Caller(dojo.host, token=tokens["access"])
    assert_error(caller.delete(f"/me/second-factors/{made['id']}"), 409, "second_factor_needed")
    asked = challenge_for(dojo.anonymous)
    ok(second_step(dojo.anonymous, asked, phone.get(asked["passkey"])))


def test_a_removed_passkey_does_not_sign_in(dojo: Dojo, una: Caller, phone: Authenticator) -> None:
    key, _ = set_up(una, phone)
    asked = options(dojo.anonymous)
    ok(una.delete(f"/me/second-factors/{key}"), 204)
    assert_error(sign_in(dojo.anonymous, asked, phone.get(asked["options"])), 401, "passkey_invalid")
    with tenant_scope(dojo.tenant):
        assert not Passkey.objects.exists()
    ok(login(dojo.anonymous))


def test_an_erased_user_leaves_no_passkey(dojo: Dojo, una: Caller, phone: Authenticator) -> None:
    set_up(una, phone)
    asked = options(dojo.anonymous)
    with tenant_scope(dojo.tenant):
        erase_users(User.objects.filter(email=EMAIL), now=NOW)
        assert not Passkey.objects.exists()
        assert not SecondFactor.objects.exists()
    assert_error(sign_in(dojo.anonymous, asked, phone.get(asked["options"])), 401, "passkey_invalid")


def test_an_admin_resets_the_passkeys_of_a_user(dojo: Dojo, una: Caller, phone: Authenticator) -> None:
    set_up(una, phone)
    me = ok(una.get("/me"))["id"]
    ok(dojo.admin.delete(f"/users/{me}/second-factors"), 204)
    with tenant_scope(dojo.tenant):
        assert not Passkey.objects.exists()
    ok(login(dojo.anonymous))
    assert len(ok(dojo.admin.get(f"/audit?object={me}&action=user-second-factors.delete"))["results"]) == 1


# --- what is no passkey ---------------------------------------------------------------------------------------

DEEP = b"\x81" * 9_000
ODD_BYTES = [
    b"",
    b"\xff",
    DEEP,
    b"\xbf",
    b"\xa1\x01",
    b"\x9b" + b"\xff" * 8,
    b"\x5b" + b"\xff" * 8,
    bytes(37),
]


@pytest.mark.parametrize("data", ODD_BYTES, ids=range(len(ODD_BYTES)))
def test_bytes_that_are_no_passkey_are_refused(
    dojo: Dojo, una: Caller, phone: Authenticator, data: bytes
) -> None:
    begun = begin(una)
    made = phone.create(begun["options"])
    for changed in (data, cbor({"fmt": "none", "attStmt": {}, "authData": data})):
        forged = deepcopy(made)
        forged["response"]["attestationObject"] = encode(changed)
        assert_error(confirm(una, begun, forged), 401, "passkey_invalid")
    ok(confirm(una, begun, made))
    asked = challenge_for(dojo.anonymous)
    for member in ("clientDataJSON", "authenticatorData", "signature"):
        forged = phone.get(asked["passkey"])
        forged["response"][member] = encode(data)
        assert_error(second_step(dojo.anonymous, asked, forged), 401, "passkey_invalid")


@pytest.mark.parametrize(
    "key",
    [
        {},
        {3: -7},
        {1: 2, 3: -7, -1: 1, -2: b"x", -3: b"y"},
        {1: 2, 3: -7, -1: 1, -2: bytes(32), -3: bytes(32)},
        {1: 3, 3: -257, -1: b"", -2: b""},
        {1: 3, 3: -65535, -1: b"\xff" * 256, -2: b"\1\0\1"},
        {3: 5, -1: b"secret"},
        {3: "ES256"},
    ],
    ids=str,
)
def test_a_key_that_is_none_never_signs_in(
    dojo: Dojo, una: Caller, phone: Authenticator, key: dict[int, Any]
) -> None:
    begun = begin(una)
    made = phone.create(begun["options"])
    (name,) = phone.credentials
    raw = decode(name)
    statement = decode(made["response"]["attestationObject"])
    data = statement[statement.index(b"authData") + 10 :]
    data = data[: data.index(raw) + len(raw)] + cbor(key)
    made["response"]["attestationObject"] = encode(cbor({"fmt": "none", "attStmt": {}, "authData": data}))
    answer = confirm(una, begun, made)
    if answer.status_code == 200:  # the key is looked at when it is used
        asked = challenge_for(dojo.anonymous)
        answer = second_step(dojo.anonymous, asked, phone.get(asked["passkey"]))
    assert_error(answer, 401, "passkey_invalid")


@pytest.mark.parametrize(
    "passkey",
    [
        {},
        {"id": 7},
        {"id": "x", "type": "public-key"},
        {"id": "x", "type": "public-key", "response": []},
        {"id": "x", "type": "public-key", "response": {"clientDataJSON": {}}},
        {"id": "ä", "type": "public-key", "response": {"clientDataJSON": "ä", "userHandle": "ä"}},
    ],
    ids=str,
)
def test_objects_that_are_no_passkey_are_refused(dojo: Dojo, una: Caller, passkey: Any) -> None:
    assert_error(sign_in(dojo.anonymous, options(dojo.anonymous), passkey), 401, "passkey_invalid")


@pytest.mark.parametrize("passkey", [None, "x", 7, [], True])
def test_values_of_another_type_are_invalid(dojo: Dojo, passkey: Any) -> None:
    assert_invalid(sign_in(dojo.anonymous, options(dojo.anonymous), passkey), "passkey")


@pytest.mark.parametrize(
    "client_data", [[], {}, {"type": 7}, {"type": "webauthn.create"}, {"origin": None}, "x"]
)
def test_odd_client_data_is_refused(dojo: Dojo, una: Caller, phone: Authenticator, client_data: Any) -> None:
    set_up(una, phone)
    asked = options(dojo.anonymous)
    signed = phone.get(asked["options"])
    stated = orjson.loads(decode(signed["response"]["clientDataJSON"]))
    changed = {**stated, **client_data} if isinstance(client_data, dict) and client_data else client_data
    signed["response"]["clientDataJSON"] = encode(orjson.dumps(changed))
    assert_error(sign_in(dojo.anonymous, asked, signed), 401, "passkey_invalid")


# --- the console, and concurrent requests ---------------------------------------------------------------------


def test_a_superadmin_signs_in_to_the_console_with_a_passkey(platform: Platform) -> None:
    from tests.tenants.test_console import Browser

    root, phone = platform.superadmin(), browser_at("localhost")
    with platform_scope():
        User.objects.update(password=make_password(PASSWORD))
    ok(root.patch("/sign-in-policy", {"second_factor_roles": ["admin"]}))
    set_up(root, phone)
    asked = options(platform.anonymous)
    signed = phone.get(asked["options"])
    form = {"challenge": asked["challenge"], "passkey": orjson.dumps(signed).decode()}
    browser = Browser()
    for wrong in ("[]", "{", "7", '{"id": "x"}', '"' + "x" * 20_000 + '"'):
        assert browser.send("/console/login/", {**form, "passkey": wrong}).status_code == 200
    assert browser.send("/console/login/", form).status_code == 302
    assert browser.get("/console/tenants/tenant/").status_code == 200
    again = Browser()
    assert again.send("/console/login/", form).status_code == 200, "it works once"
    page = again.get("/console/login/").content.decode()
    assert '<script src="/static/accounts/passkey.js" defer></script>' in page


def test_of_concurrent_requests_with_one_signature_one_succeeds(
    north: TenantScope, now: Any, superuser: Any
) -> None:
    with tenant_scope(north):
        add_una()
    caller = Caller("north.localhost")
    phone = browser_at(caller.host)
    set_up(Caller(caller.host, token=ok(login(caller))["access"]), phone)
    asked = options(caller)
    signed = phone.get(asked["options"])
    answers = run_concurrently([lambda: sign_in(Caller(caller.host), asked, signed)] * 4)
    raise_first_error(answers)
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses[0] == 200
    assert set(statuses[1:]) <= {401, 503}, "503: a busy machine gave no connection in time"
    with tenant_scope(north):
        assert SecondFactor.objects.count() == 1
