"""Sign-in with the identity provider of a dojo, over real HTTP to a provider on loopback that may misbehave."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import settings
from django.contrib.auth.hashers import make_password
from pyotp import TOTP

from shared_apps.accounts.models import AuditEntry, IdentityProvider, LinkedIdentity, User
from shared_apps.accounts.oidc import provider_client
from shared_apps.accounts.tasks import sweep_scope
from shared_apps.accounts.users import erase_users
from shared_apps.tenants.models import Tenant
from tatami import clock, outgoing
from tatami.outgoing import HostResolver
from tatami.tenancy.middleware import host_resolver
from tatami.tenancy.scope import platform_scope, tenant_scope
from tests.accounts.oidc_hooks import (
    CODE_CHALLENGE,
    EMAIL,
    VERIFIER,
    Browser,
    allowed_provider,
    code_of,
    configure,
    invite_una,
)
from tests.support.clients import Caller, Dojo
from tests.support.now import NOW
from tests.support.oidc_provider import (
    Provider,
    by_hmac,
    by_rsa,
    jwk,
    public_pem,
    running_provider,
    signing_key,
)
from tests.support.responses import assert_error, assert_invalid, ok
from tests.webhooks.receiver import dns_server


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    with allowed_provider(monkeypatch) as running:
        yield running


@pytest.fixture
def una(dojo: Dojo) -> User:
    return invite_una(dojo)


@pytest.fixture
def browser(dojo: Dojo, provider: Provider, una: User) -> Browser:
    """A browser at a dojo that has the provider."""
    configure(dojo, provider)
    return Browser(dojo.host)


# --- the way through ------------------------------------------------------------------------------------------


def test_a_user_signs_in_with_the_account_at_the_provider(
    dojo: Dojo, provider: Provider, browser: Browser, una: User
) -> None:
    body = ok(browser.sign_in(provider, return_to="/signed-in?tab=1"))
    assert body["user"] == {"id": str(una.pk), "email": EMAIL, "name": "Una", "role": "assistant"}
    assert ok(Caller(dojo.host, token=body["access"]).get("/me"))["email"] == EMAIL
    with tenant_scope(dojo.tenant):
        assert AuditEntry.objects.get(action="identity.link").object == una.pk
    ok(browser.sign_in(provider))
    assert provider.asked.count("/.well-known/openid-configuration") == 1, "the metadata are cached"
    assert provider.asked.count("/jwks") == 1, "the keys are cached"


def test_the_browser_is_sent_with_pkce_a_state_and_a_nonce(
    dojo: Dojo, provider: Provider, browser: Browser
) -> None:
    first, second = browser.start(), Browser(dojo.host).start()
    query = parse_qs(urlsplit(first.headers["Location"]).query)
    assert query["redirect_uri"] == [f"http://{dojo.host}:{settings.TATAMI_PUBLIC_PORT}/auth/oidc/callback"]
    assert (query["response_type"], query["code_challenge_method"]) == (["code"], ["S256"])
    other = parse_qs(urlsplit(second.headers["Location"]).query)
    for name in ("state", "nonce", "code_challenge"):
        assert query[name] != other[name]
    cookie = first.cookies["tatami_identity"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/auth/oidc/")
    assert cookie["max-age"] == 600
    for secret in (query["state"][0], query["nonce"][0]):
        assert secret not in cookie.value


def test_the_end_has_a_code_and_never_a_token(provider: Provider, browser: Browser) -> None:
    answer = browser.come_back(browser.visit(provider, return_to="/signed-in?tab=1"))
    url = urlsplit(answer.headers["Location"])
    assert (url.scheme, url.netloc, url.path) == ("", "", "/signed-in")
    assert parse_qs(url.query).keys() == {"tab", "code"}
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.content == b""
    code = code_of(answer)
    assert_error(browser.redeem(code, "another-verifier-" * 3), 401, "token_invalid")
    ok(browser.redeem(code))
    assert_error(browser.redeem(code), 401, "token_invalid")


def test_the_code_ends_after_a_minute_and_is_of_one_dojo(
    other_dojo: Dojo, provider: Provider, browser: Browser
) -> None:
    code = code_of(browser.come_back(browser.visit(provider)))
    assert_error(Browser(other_dojo.host).redeem(code), 401, "token_invalid")
    with clock.fixed(NOW + timedelta(minutes=1)):
        assert_error(browser.redeem(code), 401, "token_expired")


@pytest.mark.parametrize(
    "return_to",
    [
        "//evil.example",
        "https://evil.example",
        "evil",
        "/%5Cevil.example",
        "/%5C/evil.example",
        "javascript:alert(1)",
        "/a%23b",
        "/a%0d%0ab",
        "/a%20b",
        "/%C3%A4",
        "",
    ],
)
def test_the_browser_returns_to_a_path_of_this_host_only(browser: Browser, return_to: str) -> None:
    assert_invalid(browser.start(return_to=return_to), "return_to")


@pytest.mark.parametrize("challenge", ["", "short", "x" * 44, "ä" * 43])
def test_a_client_without_a_challenge_cannot_begin(browser: Browser, challenge: str) -> None:
    assert_invalid(browser.start(code_challenge=challenge), "code_challenge")


# --- who is accepted ------------------------------------------------------------------------------------------


def refused(answer: Any, reason: str) -> None:
    assert assert_error(answer, 403, "identity_not_accepted") == {"reason": reason}


def test_no_one_is_created(dojo: Dojo, provider: Provider, browser: Browser) -> None:
    provider.user = {"sub": "u-2", "email": "new@example.com", "email_verified": True}
    refused(browser.sign_in(provider), "no_such_user")
    ok(dojo.admin.post("/users", {"email": "NEW@example.com", "name": "New", "role": "student"}), 201)
    assert ok(browser.sign_in(provider))["user"]["name"] == "New"


@pytest.mark.parametrize("verified", [False, None, "yes", 1, "false"])
def test_an_address_must_be_verified(provider: Provider, browser: Browser, verified: Any) -> None:
    provider.user["email_verified"] = verified
    if verified == 1:
        provider.user["email_verified"] = [True]
    refused(browser.sign_in(provider), "email_not_verified")


@pytest.mark.parametrize("email", [None, "", 7, ["una@example.com"]])
def test_a_token_without_an_address_is_refused(provider: Provider, browser: Browser, email: Any) -> None:
    provider.user["email"] = email
    refused(browser.sign_in(provider), "email_not_verified")


def test_only_the_allowed_domains_sign_in(dojo: Dojo, provider: Provider, browser: Browser) -> None:
    configure(dojo, provider, email_domains=["dojo.example", "Example.org"])
    refused(browser.sign_in(provider), "domain_not_allowed")
    configure(dojo, provider, email_domains=["dojo.example", "EXAMPLE.com"])
    ok(browser.sign_in(provider))


def test_a_later_owner_of_the_address_does_not_become_the_user(
    dojo: Dojo, provider: Provider, browser: Browser, una: User
) -> None:
    ok(browser.sign_in(provider))
    provider.user["sub"] = "u-2"
    refused(browser.sign_in(provider), "another_account")
    assert_error(dojo.assistant.delete(f"/users/{una.pk}/identities"), 403, "permission_denied")
    ok(dojo.admin.delete(f"/users/{una.pk}/identities"), 204)
    ok(browser.sign_in(provider))


def test_an_account_belongs_to_one_user(dojo: Dojo, provider: Provider, browser: Browser) -> None:
    ok(browser.sign_in(provider))
    ok(dojo.admin.post("/users", {"email": "ren@example.com", "name": "Ren", "role": "student"}), 201)
    provider.user["email"] = "ren@example.com"
    refused(browser.sign_in(provider), "linked_to_another_user")


def test_a_user_with_a_new_address_is_linked_anew(
    dojo: Dojo, provider: Provider, browser: Browser, una: User
) -> None:
    ok(browser.sign_in(provider))
    ok(dojo.admin.patch(f"/users/{una.pk}", {"email": "una@dojo.example"}))
    refused(browser.sign_in(provider), "no_such_user")
    provider.user = {"sub": "u-9", "email": "una@dojo.example", "email_verified": True}
    ok(browser.sign_in(provider))


def test_it_is_no_way_around_deactivation(
    dojo: Dojo, provider: Provider, browser: Browser, una: User
) -> None:
    back = browser.visit(provider)
    code = code_of(browser.come_back(back))
    ok(dojo.admin.patch(f"/users/{una.pk}", {"is_active": False}))
    assert_error(browser.redeem(code), 401, "token_invalid")
    refused(browser.sign_in(provider), "no_such_user")
    ok(dojo.admin.patch(f"/users/{una.pk}", {"is_active": True}))
    ok(dojo.admin.delete(f"/users/{una.pk}"), 204)
    refused(browser.sign_in(provider), "no_such_user")


def test_it_is_no_way_around_a_second_factor(dojo: Dojo, provider: Provider, browser: Browser) -> None:
    ok(dojo.admin.patch("/sign-in-policy", {"second_factor_roles": ["assistant"]}))
    provider.claims = {"amr": ["mfa", "hwk"], "acr": "phrh"}  # what the provider says about it does not count
    code = code_of(browser.come_back(browser.visit(provider)))
    asked = assert_error(browser.redeem(code), 401, "second_factor_required")
    assert_error(browser.redeem(code), 401, "token_invalid")
    challenge = {"challenge": asked["challenge"]}
    made = ok(dojo.anonymous.post("/auth/second-factor/enrolment", challenge), 201)
    app = TOTP(made["secret"])
    ok(dojo.anonymous.post("/auth/second-factor", {**challenge, "code": app.at(int(NOW.timestamp()))}))
    ok(dojo.admin.patch("/sign-in-policy", {"second_factor_roles": []}))
    asked = assert_error(browser.sign_in(provider), 401, "second_factor_required")
    code = app.at(int(NOW.timestamp()) + 30)
    body = ok(dojo.anonymous.post("/auth/second-factor", {"challenge": asked["challenge"], "code": code}))
    assert body["user"]["email"] == EMAIL


def test_a_suspended_dojo_has_no_sign_in(dojo: Dojo, provider: Provider, browser: Browser) -> None:
    back = browser.visit(provider)
    with platform_scope():
        Tenant.objects.filter(pk=dojo.tenant.tenant_id).update(status="suspended")
    host_resolver.cache_clear()
    try:
        for answer in (browser.start(), browser.come_back(back), browser.redeem("x")):
            assert_error(answer, 403, "tenant_suspended")
    finally:
        host_resolver.cache_clear()


def test_attempts_are_limited(provider: Provider, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    from shared_apps.accounts.oidc import sign_in
    from shared_apps.accounts.throttling import Limit

    few = Limit("few", attempts=3, window=timedelta(minutes=15))
    monkeypatch.setattr(sign_in, "PROVIDER_PER_ADDRESS", few)
    ok(browser.sign_in(provider))
    for answer in (browser.start(), browser.come_back("/auth/oidc/callback"), browser.redeem("x")):
        assert_error(answer, 429, "throttled")


def test_an_erased_user_leaves_no_link(dojo: Dojo, provider: Provider, browser: Browser, una: User) -> None:
    ok(browser.sign_in(provider))
    with tenant_scope(dojo.tenant):
        erase_users(User.objects.filter(pk=una.pk), now=NOW)
        assert not LinkedIdentity.objects.exists()
    refused(browser.sign_in(provider), "no_such_user")


def test_a_password_stays_as_another_way(dojo: Dojo, provider: Provider, browser: Browser, una: User) -> None:
    with tenant_scope(dojo.tenant):
        User.objects.filter(pk=una.pk).update(password=make_password("the old bamboo sword"))
    ok(browser.sign_in(provider))
    ok(dojo.anonymous.post("/auth/login", {"email": EMAIL, "password": "the old bamboo sword"}))


# --- the state ------------------------------------------------------------------------------------------------


def test_a_state_works_once(provider: Provider, browser: Browser) -> None:
    answer = browser.start()
    cookie = answer.cookies["tatami_identity"].value
    back = provider.send_browser(answer.headers["Location"])
    path = back[back.index("/auth") :]
    code_of(browser.come_back(path))
    browser.caller.client.cookies["tatami_identity"] = cookie
    assert_error(browser.come_back(path), 400, "sign_in_state_invalid")
    assert provider.asked.count("/token") == 1


def test_a_state_is_of_one_browser(dojo: Dojo, provider: Provider, browser: Browser) -> None:
    """A victim who is made to follow the attacker's return is not signed in as the attacker."""
    back = browser.visit(provider)
    victim = Browser(dojo.host)
    assert_error(victim.come_back(back), 400, "sign_in_state_invalid")
    victim.visit(provider)
    assert_error(victim.come_back(back), 400, "sign_in_state_invalid")
    ok(browser.redeem(code_of(browser.come_back(back))))


@pytest.mark.parametrize("cookie", ["", "x", "a$b", "$", "é"])
def test_another_cookie_is_refused(provider: Provider, browser: Browser, cookie: str) -> None:
    back = browser.visit(provider)
    browser.caller.client.cookies["tatami_identity"] = cookie
    assert_error(browser.come_back(back), 400, "sign_in_state_invalid")


def test_a_state_ends_after_ten_minutes(provider: Provider, browser: Browser) -> None:
    back = browser.visit(provider)
    with clock.fixed(NOW + timedelta(minutes=10)):
        assert_error(browser.come_back(back), 400, "sign_in_state_invalid")


def test_a_state_is_of_one_dojo(dojo: Dojo, other_dojo: Dojo, provider: Provider, browser: Browser) -> None:
    configure(other_dojo, provider)
    back = browser.visit(provider)
    other = Browser(other_dojo.host)
    other.caller.client.cookies["tatami_identity"] = browser.caller.client.cookies["tatami_identity"].value
    assert_error(other.come_back(back), 400, "sign_in_state_invalid")


def test_answers_of_two_providers_are_not_mixed_up(dojo: Dojo, provider: Provider, browser: Browser) -> None:
    for issuer in ("https://evil.example", "", "x"):
        back = browser.visit(provider)
        changed = back[: back.index("&iss=")] + f"&iss={issuer}&" + back[back.index("&code=") + 1 :]
        answer = browser.come_back(changed)
        assert assert_error(answer, 401, "identity_token_invalid") == {"reason": "issuer"}
    back = browser.visit(provider)
    without = back[: back.index("&iss=")] + "&" + back[back.index("&code=") + 1 :]
    assert assert_error(browser.come_back(without), 401, "identity_token_invalid") == {"reason": "issuer"}
    back = browser.visit(provider)
    with running_provider() as other:
        configure(dojo, other)
        assert_error(browser.come_back(back), 400, "sign_in_state_invalid")
        assert other.asked == []


def test_a_refusal_of_the_provider_is_named(provider: Provider, browser: Browser) -> None:
    provider.refusal = "access_denied"
    answer = browser.come_back(browser.visit(provider))
    assert assert_error(answer, 401, "identity_provider_refused") == {"reason": "access_denied"}
    provider.refusal = "<script>alert(1)</script>"
    answer = browser.come_back(browser.visit(provider))
    assert assert_error(answer, 401, "identity_provider_refused") == {}


def test_a_wrong_client_secret_is_named(dojo: Dojo, provider: Provider, browser: Browser) -> None:
    configure(dojo, provider, client_secret="wrong")
    answer = browser.come_back(browser.visit(provider))
    assert assert_error(answer, 401, "identity_provider_refused") == {"reason": "invalid_client"}


def test_a_provider_may_take_the_secret_in_the_body(provider: Provider, browser: Browser) -> None:
    provider.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    ok(browser.sign_in(provider))


# --- the ID token ---------------------------------------------------------------------------------------------

EVIL = signing_key(1)
AT = int(NOW.timestamp())
BAD_TOKENS: dict[str, tuple[dict[str, Any], str]] = {
    "another issuer": ({"claims": {"iss": "https://evil.example"}}, "issuer"),
    "no issuer": ({"claims": {"iss": None}}, "issuer"),
    "an issuer with a slash more": ({"claims": {"iss": "http://127.0.0.1/"}}, "issuer"),
    "another audience": ({"claims": {"aud": "another"}}, "audience"),
    "no audience": ({"claims": {"aud": None}}, "audience"),
    "two audiences, for another party": ({"claims": {"aud": ["tatami", "x"], "azp": "x"}}, "audience"),
    "two audiences, for no one": ({"claims": {"aud": ["tatami", "x"]}}, "audience"),
    "another nonce": ({"claims": {"nonce": "x"}}, "nonce"),
    "no nonce": ({"claims": {"nonce": None}}, "nonce"),
    "expired": ({"claims": {"exp": AT - 61}}, "expired"),
    "no expiry": ({"claims": {"exp": None}}, "expired"),
    "issued in the future": ({"claims": {"iat": AT + 61}}, "not_yet_valid"),
    "not yet valid": ({"claims": {"nbf": AT + 61}}, "not_yet_valid"),
    "a text as expiry": ({"claims": {"exp": "tomorrow"}}, "expired"),
    "no subject": ({"claims": {"sub": None}}, "subject"),
    "an empty subject": ({"claims": {"sub": ""}}, "subject"),
    "a number as subject": ({"claims": {"sub": 7}}, "subject"),
    "a long subject": ({"claims": {"sub": "x" * 256}}, "subject"),
    "of another access token": ({"claims": {"at_hash": "x"}}, "access_token"),
    "signed by another key": ({"sign": by_rsa(EVIL)}, "signature"),
    "signed by another key, named": (
        {"sign": by_rsa(EVIL), "header": {"alg": "RS256", "kid": "k1"}},
        "signature",
    ),
    "a key in the header": (
        {"sign": by_rsa(EVIL), "header": {"alg": "RS256", "jwk": jwk(EVIL, "k0")}},
        "signature",
    ),
    "not signed": ({"sign": lambda _: b"", "header": {"alg": "none"}}, "algorithm"),
    "not signed, in capitals": ({"sign": lambda _: b"", "header": {"alg": "NONE"}}, "algorithm"),
    "an HMAC with the public key": (
        {"sign": by_hmac(public_pem(signing_key())), "header": {"alg": "HS256", "kid": "k0"}},
        "algorithm",
    ),
    "an HMAC with the client secret": (
        {"sign": by_hmac(b"a secret: of the provider"), "header": {"alg": "HS256"}},
        "algorithm",
    ),
    "another algorithm than that of the key": ({"header": {"alg": "ES256", "kid": "k0"}}, "signature"),
    "an unknown header that is critical": (
        {"header": {"alg": "RS256", "kid": "k0", "crit": ["x"], "x": 1}},
        "signature",
    ),
    "an algorithm that is no text": ({"header": {"alg": ["RS256"]}}, "algorithm"),
}


@pytest.mark.parametrize(("changes", "reason"), BAD_TOKENS.values(), ids=BAD_TOKENS.keys())
def test_a_bad_id_token_is_refused(
    dojo: Dojo, provider: Provider, browser: Browser, changes: dict[str, Any], reason: str
) -> None:
    for name, value in changes.items():
        setattr(provider, name, value)
    answer = browser.sign_in(provider)
    assert assert_error(answer, 401, "identity_token_invalid") == {"reason": reason}
    with tenant_scope(dojo.tenant):
        assert not LinkedIdentity.objects.exists()


@pytest.mark.parametrize(
    "claims",
    [{"exp": AT - 59}, {"iat": AT + 59}, {"aud": ["tatami"]}, {"aud": ["tatami", "x"], "azp": "tatami"}],
    ids=str,
)
def test_clocks_may_differ_by_a_minute_and_audiences_may_be_a_list(
    provider: Provider, browser: Browser, claims: dict[str, Any]
) -> None:
    provider.claims = claims
    ok(browser.sign_in(provider))


def test_a_short_rsa_key_is_not_accepted(provider: Provider, browser: Browser) -> None:
    short = signing_key(2, 1024)
    provider.keys, provider.sign = [jwk(short, "k0")], by_rsa(short)
    answer = browser.sign_in(provider)
    assert assert_error(answer, 401, "identity_token_invalid") == {"reason": "signature"}


def test_a_new_key_is_read_but_not_again_and_again(
    provider: Provider, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    ok(browser.sign_in(provider))
    new = signing_key(3)
    provider.keys = [jwk(signing_key(), "k0"), 7, {"kty": "XYZ", "kid": "k3"}, {"kty": "RSA"}, jwk(new, "k3")]
    provider.sign, provider.header = by_rsa(new), {"alg": "RS256", "kid": "k3"}
    assert_error(browser.sign_in(provider), 401, "identity_token_invalid")
    assert provider.asked.count("/jwks") == 1, "not within a minute"
    monkeypatch.setattr(provider_client, "REREAD_SECONDS", 0)
    ok(browser.sign_in(provider))
    assert provider.asked.count("/jwks") == 2


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "e30.e30.e30", "W10.e30.x", "x" * 20_000, 7, None])
def test_what_is_no_token_is_refused(provider: Provider, browser: Browser, token: Any) -> None:
    import orjson

    provider.token_answer = (200, orjson.dumps({"id_token": token, "access_token": "x"}))
    assert_error(browser.sign_in(provider), 401, "identity_token_invalid")


# --- the network ----------------------------------------------------------------------------------------------


def unavailable(answer: Any) -> None:
    assert_error(answer, 503, "identity_provider_unavailable")
    assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"token_endpoint": "http://169.254.169.254/"},
        {"jwks_uri": "https://10.0.0.1/"},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": 7},
    ],
    ids=str,
)
def test_bad_metadata_are_refused(provider: Provider, browser: Browser, metadata: dict[str, Any]) -> None:
    provider.metadata = metadata
    unavailable(browser.start())


@pytest.mark.parametrize(
    "answer",
    [
        (200, b""),
        (200, b"[]"),
        (200, b"{"),
        (500, b"{}"),
        (302, b"{}"),
        (200, b" " * 300_000),
        (200, b"[" * 9_999),
    ],
    ids=lambda answer: f"{answer[0]}, {len(answer[1])} bytes",
)
def test_an_odd_answer_with_tokens_is_refused(
    provider: Provider, browser: Browser, answer: tuple[int, bytes]
) -> None:
    provider.token_answer = answer
    unavailable(browser.sign_in(provider))


def test_a_provider_that_hangs_is_given_up_and_not_asked_again_at_once(
    provider: Provider, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider_client, "PROVIDER_SECONDS", 0.3)
    provider.hangs = "/token"
    unavailable(browser.sign_in(provider))
    asked = len(provider.asked)
    unavailable(browser.start())
    assert len(provider.asked) == asked
    provider.hangs = ""
    provider_client.clear_cache()
    ok(browser.sign_in(provider))


def test_few_requests_wait_for_providers_at_once(provider: Provider, browser: Browser) -> None:
    with ExitStack() as others:
        for number in range(provider_client.MOST_AT_ONCE):
            others.enter_context(provider_client.provider_client(f"https://{number}.example.com"))
        unavailable(browser.start())
    ok(browser.sign_in(provider))


def test_a_provider_at_an_inside_address_is_not_asked(
    dojo: Dojo, provider: Provider, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "TATAMI_WEBHOOK_NETWORKS", [])
    unavailable(browser.start())
    assert_invalid(
        dojo.admin.put("/identity-provider", {"issuer": provider.issuer, "client_id": "x"}), "issuer"
    )
    with dns_server(["127.0.0.1"]) as server:
        resolver = HostResolver(nameservers=["127.0.0.1"], port=server.port)
        monkeypatch.setattr(outgoing, "resolver", resolver)
        body = {"issuer": f"https://login.example.com:{provider.port}", "client_id": "x"}
        ok(dojo.admin.put("/identity-provider", body))
        unavailable(browser.start())
        assert server.questions
    assert provider.asked == []


def test_no_transaction_is_open_while_the_provider_is_asked(
    provider: Provider, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test's own transaction is the only one: no savepoint is open below it."""
    from django.db import connection

    depths = []
    respond = provider_client.request

    def request(*arguments: Any, **more: Any) -> Any:
        depths.append(len(connection.savepoint_ids))
        return respond(*arguments, **more)

    outside = len(connection.savepoint_ids)
    monkeypatch.setattr(provider_client, "request", request)
    ok(browser.sign_in(provider))
    assert depths == [outside] * 3


# --- the settings ---------------------------------------------------------------------------------------------


def test_a_dojo_without_a_provider_says_so(dojo: Dojo) -> None:
    browser = Browser(dojo.host)
    assert_error(dojo.admin.get("/identity-provider"), 404, "identity_provider_not_configured")
    assert_error(dojo.admin.delete("/identity-provider"), 404, "identity_provider_not_configured")
    assert_error(browser.start(), 404, "identity_provider_not_configured")


def test_the_secret_is_never_shown_and_stored_encrypted(dojo: Dojo, provider: Provider) -> None:
    saved = configure(dojo, provider)
    assert saved["has_client_secret"] is True
    assert "a secret" not in str(ok(dojo.admin.get("/identity-provider")))
    with tenant_scope(dojo.tenant):
        assert "a secret" not in IdentityProvider.objects.get().client_secret


def test_another_issuer_never_gets_the_secret(dojo: Dojo, provider: Provider) -> None:
    configure(dojo, provider)
    body = {"issuer": provider.issuer, "client_id": "other"}
    assert ok(dojo.admin.put("/identity-provider", body))["has_client_secret"] is True
    body["issuer"] = "https://evil.example"
    assert ok(dojo.admin.put("/identity-provider", body))["has_client_secret"] is False
    body["issuer"] = provider.issuer
    assert ok(dojo.admin.put("/identity-provider", body))["has_client_secret"] is False


def test_a_disabled_or_deleted_provider_signs_no_one_in(
    dojo: Dojo, provider: Provider, browser: Browser
) -> None:
    for stop in (
        lambda: configure(dojo, provider, is_enabled=False),
        lambda: ok(dojo.admin.delete("/identity-provider"), 204),
    ):
        configure(dojo, provider)
        back = browser.visit(provider)
        stop()
        assert_error(browser.come_back(back), 404, "identity_provider_not_configured")
        assert_error(browser.start(), 404, "identity_provider_not_configured")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("issuer", "http://login.example.com"),
        ("issuer", "https://login.example.com?x=1"),
        ("issuer", "https://user@login.example.com"),
        ("issuer", "https://127.0.0.1"),
        ("issuer", "https://login.example.com/#x"),
        ("issuer", ""),
        ("issuer", 7),
        ("client_id", ""),
        ("client_id", None),
        ("client_secret", None),
        ("email_domains", "example.com"),
        ("email_domains", ["example.com"] * 51),
        ("is_enabled", "perhaps"),
        ("unknown", 1),
    ],
)
def test_bad_settings_are_refused(dojo: Dojo, field: str, value: Any) -> None:
    body = {"issuer": "https://login.example.com", "client_id": "x", field: value}
    assert_invalid(dojo.admin.put("/identity-provider", body), field)
    assert_error(dojo.admin.get("/identity-provider"), 404, "identity_provider_not_configured")


@pytest.mark.parametrize(
    "domain", ["", "@example.com", "example", "*.example.com", "exa mple.com", "-x.com", "x\n"]
)
def test_a_bad_domain_is_refused(dojo: Dojo, domain: str) -> None:
    body = {"issuer": "https://login.example.com", "client_id": "x", "email_domains": [domain]}
    assert_invalid(dojo.admin.put("/identity-provider", body), "email_domains.0")


def test_the_platform_has_no_identity_provider(provider: Provider) -> None:
    assert_error(Browser("localhost").start(), 404, "not_found")


def test_the_secret_survives_two_replacements_of_the_installations_secret(
    dojo: Dojo, provider: Provider, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = settings.TATAMI_SECRETS[0], "second secret" * 4, "third secret" * 4
    monkeypatch.setattr(settings, "TATAMI_SECRETS", [second, first])
    with tenant_scope(dojo.tenant):
        sweep_scope()
    monkeypatch.setattr(settings, "TATAMI_SECRETS", [third, second])
    ok(browser.sign_in(provider))


def test_the_verifier_of_the_hooks_fits_its_challenge() -> None:
    assert (len(VERIFIER), len(CODE_CHALLENGE)) == (48, 43)
