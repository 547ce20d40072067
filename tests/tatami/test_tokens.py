"""Access and refresh tokens: what is accepted, where, and for how long."""

import base64
import json
import string
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import jwt
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from shared_apps.accounts.models import Session
from tatami import clock
from tatami.ids import uuid7
from tatami.keys import key_id
from tatami.tenancy import hosts
from tatami.tenancy.scope import NoScope, TenantScope, platform_scope, tenant_scope
from tatami.tokens import AccessToken, RefreshToken, TokenError, issue, read_access_token
from tests.support.clients import Caller, Dojo, Platform
from tests.support.now import NOW

SECONDS = int(NOW.timestamp())


@dataclass
class Forger:
    """Makes tokens with the real secret that differ from a valid one in one thing."""

    dojo: Dojo
    other: Dojo
    secret: str
    claims: dict[str, Any]
    header: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.header = {"kid": key_id(self.secret)}

    def token(self, secret: str | None = None, algorithm: str = "HS256", **header: Any) -> str:
        headers = {name: value for name, value in {**self.header, **header}.items() if value is not None}
        return jwt.encode(self.claims, self.secret if secret is None else secret, algorithm, headers)

    def with_claims(self, **claims: Any) -> str:
        self.claims |= claims
        return self.token()

    def without(self, claim: str) -> str:
        del self.claims[claim]
        return self.token()

    def by_hand(self, header: Any, payload: bytes | None = None) -> str:
        """Sign a header and payload that the library would refuse."""

        def part(content: bytes) -> str:
            return base64.urlsafe_b64encode(content).rstrip(b"=").decode()

        head = header if isinstance(header, bytes) else json.dumps(header).encode()
        signed = f"{part(head)}.{part(payload or json.dumps(self.claims).encode())}"
        algorithm = jwt.get_algorithm_by_name("HS256")
        return f"{signed}.{part(algorithm.sign(signed.encode(), self.secret.encode()))}"


@pytest.fixture
def forger(dojo: Dojo, other_dojo: Dojo, settings: Any) -> Forger:
    secret = settings.TATAMI_SECRETS[0]
    claims = jwt.decode(dojo.admin.token or "", options={"verify_signature": False})
    return Forger(dojo=dojo, other=other_dojo, secret=secret, claims=claims)


def good_header(forger: Forger) -> dict[str, Any]:
    return {"alg": "HS256", "typ": "JWT", "kid": forger.header["kid"]}


FAULTS: dict[str, Callable[[Forger], str]] = {
    "no algorithm": lambda f: f.token("", "none"),
    "no algorithm, in capitals": lambda f: f.by_hand(good_header(f) | {"alg": "NONE"}),
    "another algorithm of the family": lambda f: f.token(algorithm="HS512"),
    "an algorithm with public keys": lambda f: f.by_hand(good_header(f) | {"alg": "RS256"}),
    "an algorithm that is no name": lambda f: f.by_hand(good_header(f) | {"alg": ["HS256"]}),
    "another secret": lambda f: f.token("x" * 40),
    "the key id of another secret": lambda f: f.token(kid="0123456789ab"),
    "no key id": lambda f: f.token(kid=None),
    "an empty key id": lambda f: f.token(kid=""),
    "a key id that is a path": lambda f: f.token(kid="../../dev/null"),
    "a key id that is a number": lambda f: f.by_hand(good_header(f) | {"kid": 7}),
    "a key id that is a list": lambda f: f.by_hand(good_header(f) | {"kid": [f.header["kid"]]}),
    "a key id that is an object": lambda f: f.by_hand(good_header(f) | {"kid": {}}),
    "a critical header": lambda f: f.token(crit=["exp"]),
    "a critical header that is empty": lambda f: f.by_hand(good_header(f) | {"crit": []}),
    "a header that is a list": lambda f: f.by_hand([]),
    "a header that is no JSON": lambda f: f.by_hand(b"{"),
    "a payload that is a list": lambda f: f.by_hand(good_header(f), b"[]"),
    "a payload that is no JSON": lambda f: f.by_hand(good_header(f), b"{"),
    "a payload that is deep": lambda f: f.by_hand(good_header(f), b"[" * 900),
    "no audience": lambda f: f.without("aud"),
    "no audience, by null": lambda f: f.with_claims(aud=None),
    "the audience in a list": lambda f: f.with_claims(aud=[f.claims["aud"]]),
    "the audience among others": lambda f: f.with_claims(
        aud=[f.claims["aud"], str(f.other.tenant.tenant_id)]
    ),
    "the audience in capitals": lambda f: f.with_claims(aud=f.claims["aud"].upper()),
    "the slug as audience": lambda f: f.with_claims(aud="aiki"),
    "the other dojo's audience": lambda f: f.with_claims(aud=str(f.other.tenant.tenant_id)),
    "the platform's audience": lambda f: f.with_claims(aud="00000000-0000-0000-0000-000000000000"),
    "another issuer": lambda f: f.with_claims(iss="tatami.example.com"),
    "no issuer": lambda f: f.without("iss"),
    "issuers in a list": lambda f: f.by_hand(
        good_header(f), json.dumps(f.claims | {"iss": ["tatami"]}).encode()
    ),
    "no expiry": lambda f: f.without("exp"),
    "an expiry beyond time": lambda f: f.with_claims(exp=1e30),
    "an expiry beyond integers": lambda f: f.with_claims(exp=10**400),
    "an expiry in letters": lambda f: f.with_claims(exp=str(SECONDS + 300)),
    "an expiry before all time": lambda f: f.with_claims(exp=-1),
    "an expiry that is true": lambda f: f.with_claims(exp=True),
    "an expiry with a fraction": lambda f: f.with_claims(exp=SECONDS + 300.5),
    "an expiry that never comes": lambda f: f.by_hand(
        good_header(f), json.dumps(f.claims | {"exp": float("inf")}).encode()
    ),
    "an expiry that is no number": lambda f: f.by_hand(
        good_header(f), json.dumps(f.claims | {"exp": float("nan")}).encode()
    ),
    "an expiry that is null": lambda f: f.with_claims(exp=None),
    "no time of issue": lambda f: f.without("iat"),
    "a user who is a number": lambda f: f.with_claims(sub=1),
    "a user who is a name": lambda f: f.with_claims(sub="admin@example.com"),
    "a user in capitals": lambda f: f.with_claims(sub=f.claims["sub"].upper()),
    "a user without dashes": lambda f: f.with_claims(sub=f.claims["sub"].replace("-", "")),
    "a user in braces": lambda f: f.with_claims(sub="{" + f.claims["sub"] + "}"),
    "a user who is a list": lambda f: f.with_claims(sub=[f.claims["sub"]]),
    "no user": lambda f: f.without("sub"),
    "no session": lambda f: f.without("sid"),
    "a session that is no UUID": lambda f: f.with_claims(sid="1"),
    "no id of its own": lambda f: f.without("jti"),
    "no kind": lambda f: f.without("token_type"),
    "another kind": lambda f: f.with_claims(token_type="device"),
    "a kind that is a list": lambda f: f.with_claims(token_type=["access"]),
    "too much": lambda f: f.with_claims(more="x" * 2048),
    "a signature cut short": lambda f: f.token()[:-3],
    "another payload under the signature": lambda f: ".".join(
        [f.token().split(".")[0], f.with_claims(role="owner").split(".")[1], f.without("role").split(".")[2]]
    ),
    "garbage": lambda f: "garbage",
    "dots": lambda f: "..",
    "one dot": lambda f: "a.b",
    "many dots": lambda f: "a.b.c.d",
    "letters beyond ASCII": lambda f: f.token()[:-1] + "é",
    "nothing": lambda f: "",
}


def answer_of(response: Any) -> tuple[int, str]:
    body = response.json()
    assert set(body) == {"error"}
    assert {"code", "message"} <= set(body["error"])
    return response.status_code, body["error"]["code"]


@pytest.fixture
def known_hosts(monkeypatch: pytest.MonkeyPatch, dojo: Dojo, other_dojo: Dojo) -> None:
    """Resolve the hosts in advance, so that every further statement is about the token."""
    monkeypatch.setattr(hosts, "EPOCH_TTL_SECONDS", 600.0)
    for one in (dojo, other_dojo):
        one.anonymous.get("/me")


def statements(call: Callable[[], Any]) -> list[str]:
    """Return the statements sent to the database, without savepoints."""
    with CaptureQueriesContext(connection) as captured:
        call()
    return [query["sql"] for query in captured if "SAVEPOINT" not in query["sql"]]


def test_a_valid_token_is_accepted(forger: Forger) -> None:
    assert Caller(forger.dojo.host, forger.token()).get("/me").status_code == 200


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize("fault", FAULTS)
def test_an_invalid_token_is_refused_without_a_statement(
    forger: Forger, known_hosts: None, fault: str
) -> None:
    headers = {"Authorization": f"Bearer {FAULTS[fault](forger)}"}
    answers: list[Any] = []
    asked = statements(lambda: answers.append(Caller(forger.dojo.host).get("/me", **headers)))
    assert answer_of(answers[0]) == (401, "token_invalid")
    assert answers[0].headers["WWW-Authenticate"] == "Bearer"
    assert asked == []


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault != "nothing"])
def test_an_invalid_refresh_token_is_refused_without_a_statement(
    forger: Forger, known_hosts: None, fault: str
) -> None:
    forger.claims["token_type"] = "refresh"
    body = {"refresh": FAULTS[fault](forger)}
    answers: list[Any] = []
    asked = statements(lambda: answers.append(forger.dojo.anonymous.post("/auth/refresh", body)))
    assert answer_of(answers[0]) == (401, "token_invalid")
    assert asked == []


@pytest.mark.parametrize("scheme", ["Basic", "Token", "JWT", "Bearer:"])
def test_another_authentication_scheme_is_refused(forger: Forger, known_hosts: None, scheme: str) -> None:
    headers = {"Authorization": f"{scheme} {forger.token()}"}
    assert answer_of(Caller(forger.dojo.host).get("/me", **headers)) == (401, "token_invalid")


@pytest.mark.parametrize("token", [b"\xff\xfe", b"", 7, None, ["a"], {}, "\ud800"], ids=repr)
def test_a_value_that_is_not_text_is_not_a_token(tenant: TenantScope, token: Any) -> None:
    with tenant_scope(tenant), pytest.raises(TokenError):
        AccessToken(token, verify=True) if token is not None else AccessToken(b"None")


def test_a_refresh_token_is_not_accepted_as_an_access_token(forger: Forger, known_hosts: None) -> None:
    headers = {"Authorization": f"Bearer {forger.with_claims(token_type='refresh')}"}
    answers: list[Any] = []
    asked = statements(lambda: answers.append(Caller(forger.dojo.host).get("/me", **headers)))
    assert answer_of(answers[0]) == (401, "token_invalid")
    assert asked == []


def test_an_access_token_is_not_accepted_as_a_refresh_token(forger: Forger, known_hosts: None) -> None:
    answers: list[Any] = []
    body = {"refresh": forger.token()}
    asked = statements(lambda: answers.append(forger.dojo.anonymous.post("/auth/refresh", body)))
    assert answer_of(answers[0]) == (401, "token_invalid")
    assert asked == []


# --- one dojo's token in another ----------------------------------------------------------------------------


def refused_elsewhere(token: str | None, host: str) -> list[str]:
    answers: list[Any] = []
    asked = statements(lambda: answers.append(Caller(host, token).get("/me")))
    assert answer_of(answers[0]) == (401, "token_invalid")
    return asked


def test_a_token_of_one_dojo_is_refused_in_another_without_a_statement(
    dojo: Dojo, other_dojo: Dojo, known_hosts: None
) -> None:
    assert refused_elsewhere(dojo.admin.token, other_dojo.host) == []
    assert refused_elsewhere(other_dojo.admin.token, dojo.host) == []


def test_a_token_of_a_dojo_is_refused_on_the_platform(
    dojo: Dojo, platform: Platform, known_hosts: None
) -> None:
    assert refused_elsewhere(dojo.admin.token, platform.host) == []


def test_a_token_of_the_platform_is_refused_in_a_dojo(
    dojo: Dojo, platform: Platform, known_hosts: None
) -> None:
    assert refused_elsewhere(platform.superadmin().token, dojo.host) == []


def test_a_refresh_token_of_one_dojo_is_refused_in_another(forger: Forger, known_hosts: None) -> None:
    refresh = forger.with_claims(token_type="refresh")
    answers: list[Any] = []
    asked = statements(
        lambda: answers.append(forger.other.anonymous.post("/auth/refresh", {"refresh": refresh}))
    )
    assert answer_of(answers[0]) == (401, "token_invalid")
    assert asked == []


def test_a_token_with_the_audience_of_another_dojo_finds_no_user_there(forger: Forger) -> None:
    token = forger.with_claims(aud=str(forger.other.tenant.tenant_id))
    assert answer_of(Caller(forger.other.host, token).get("/me")) == (401, "token_invalid")


def test_a_token_contains_only_ids(forger: Forger, dojo: Dojo) -> None:
    assert set(forger.claims) == {"aud", "iss", "exp", "iat", "jti", "sub", "sid", "token_type"}
    assert forger.claims["aud"] == str(dojo.tenant.tenant_id)


def test_a_token_cannot_be_issued_without_a_scope() -> None:
    with pytest.raises(NoScope):
        str(issue(AccessToken, user_id=uuid7(), session_id=uuid7()))


# --- time ---------------------------------------------------------------------------------------------------


def test_an_access_token_expires_after_five_minutes(dojo: Dojo) -> None:
    caller = dojo.admin
    with clock.fixed(NOW + timedelta(seconds=299)):
        assert caller.get("/me").status_code == 200
    with clock.fixed(NOW + timedelta(seconds=300)):
        assert answer_of(caller.get("/me")) == (401, "token_expired")


def test_a_refresh_token_expires_after_thirty_days(tenant: TenantScope) -> None:
    with clock.fixed(NOW), tenant_scope(tenant):
        token = str(issue(RefreshToken, user_id=uuid7(), session_id=uuid7()))
    with tenant_scope(tenant):
        with clock.fixed(NOW + timedelta(days=30, seconds=-1)):
            RefreshToken(token)
        with clock.fixed(NOW + timedelta(days=30)), pytest.raises(TokenError):
            RefreshToken(token)


def test_an_expired_token_of_another_dojo_is_invalid_and_not_expired(dojo: Dojo, other_dojo: Dojo) -> None:
    token = dojo.admin.token
    with clock.fixed(NOW + timedelta(hours=1)):
        assert answer_of(Caller(other_dojo.host, token).get("/me")) == (401, "token_invalid")


# --- the secret is changed ----------------------------------------------------------------------------------

SECRETS = [letter * 40 for letter in "abc"]


def test_tokens_of_the_previous_secret_are_accepted(dojo: Dojo, settings: Any) -> None:
    settings.TATAMI_SECRETS = [SECRETS[0]]
    caller = dojo.admin
    settings.TATAMI_SECRETS = [SECRETS[1], SECRETS[0]]
    assert caller.get("/me").status_code == 200


def test_tokens_of_an_older_secret_are_refused(dojo: Dojo, settings: Any) -> None:
    settings.TATAMI_SECRETS = [SECRETS[0]]
    caller = dojo.admin
    settings.TATAMI_SECRETS = [SECRETS[2], SECRETS[1]]
    assert answer_of(caller.get("/me")) == (401, "token_invalid")


def test_new_tokens_are_signed_with_the_current_secret(dojo: Dojo, settings: Any) -> None:
    settings.TATAMI_SECRETS = [SECRETS[1], SECRETS[0]]
    caller = dojo.admin
    settings.TATAMI_SECRETS = [SECRETS[1]]
    assert caller.get("/me").status_code == 200


def test_a_key_id_does_not_reveal_its_secret() -> None:
    assert len({key_id(secret) for secret in SECRETS}) == 3
    assert all(secret not in key_id(secret) and len(key_id(secret)) == 12 for secret in SECRETS)


def test_no_token_is_stored(dojo: Dojo) -> None:
    with tenant_scope(dojo.tenant):
        before = Session.objects.count()
        token = dojo.person("instructor").token or ""
        rows = list(Session.objects.values())
    assert len(rows) == before + 1
    assert token not in str(rows)
    assert token.rpartition(".")[2] not in str(rows)
    with platform_scope():
        assert not Session.objects.exists()


@pytest.mark.parametrize("change", ["padding", "unused bits"])
def test_a_token_has_one_written_form(tenant: TenantScope, change: str) -> None:
    """The last character of a signature of 32 bytes has two unused bits, so four texts would be the same bytes."""
    letters = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    with tenant_scope(tenant):
        text = str(issue(AccessToken, user_id=uuid7(), session_id=uuid7()))
        assert read_access_token(text)
        other = text + "=" if change == "padding" else text[:-1] + letters[letters.index(text[-1]) + 1]
        with pytest.raises(TokenError):
            read_access_token(other)
