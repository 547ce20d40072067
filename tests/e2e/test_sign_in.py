"""Passkeys, the second factor and an identity provider over real HTTP: the web process as in production."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from django.contrib.auth.hashers import make_password
from pyotp import TOTP

from shared_apps.accounts.models import User
from shared_apps.accounts.sessions import open_session
from shared_apps.accounts.users import create_user
from tatami import clock
from tatami.tenancy.scope import TenantScope, tenant_scope
from tests.support.authenticator import Authenticator, encode
from tests.support.live_server import LiveServer, live_server
from tests.support.oidc_provider import CLIENT_ID, CLIENT_SECRET, Provider, running_provider

pytestmark = pytest.mark.slow

HOST, EMAIL, PASSWORD = "north.localhost", "una@example.com", "the old bamboo sword"
VERIFIER = "the-verifier-of-the-client-0123456789-0123456789"


@pytest.fixture(scope="module")
def server(committed_dojos: Any, database_name: str) -> Iterator[LiveServer]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TATAMI_WEBHOOK_NETWORKS", "127.0.0.0/8")
        with live_server(database_name) as running:
            yield running


@pytest.fixture
def provider() -> Iterator[Provider]:
    with running_provider() as running:
        running.now = datetime.now(UTC)  # the web process has the time of the machine
        yield running


@pytest.fixture
def una(north: TenantScope) -> User:
    with tenant_scope(north):
        return create_user(email=EMAIL, name="Una", role="assistant", password_hash=make_password(PASSWORD))


@pytest.fixture
def client(server: LiveServer, una: User) -> Iterator[httpx.Client]:
    """A client that keeps cookies, and follows no redirect by itself."""
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", headers={"Host": HOST}, timeout=60) as made:
        yield made


def send(client: httpx.Client, path: str, body: dict[str, Any], token: str = "", status: int = 200) -> Any:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = client.post(path, json=body, headers=headers)
    assert answer.status_code == status, answer.text
    return answer.json()


def name_of(client: httpx.Client, tokens: dict[str, Any]) -> str:
    """Return the name of the user whose tokens these are."""
    answer = client.get("/me", headers={"Authorization": f"Bearer {tokens['access']}"})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["name"])


def test_a_passkey_is_set_up_and_signs_in_beside_a_password_and_alone(
    client: httpx.Client, server: LiveServer
) -> None:
    login = {"email": EMAIL, "password": PASSWORD}
    token = send(client, "/auth/login", login)["access"]
    phone = Authenticator(f"http://{HOST}:{server.port}")
    begun = send(client, "/me/second-factors", {"password": PASSWORD, "kind": "passkey"}, token, 201)
    path = f"/me/second-factors/{begun['id']}/confirmation"
    codes = send(client, path, {"passkey": phone.create(begun["options"])}, token)["recovery_codes"]
    asked = send(client, "/auth/login", login, status=401)["error"]["details"]
    step = {"challenge": asked["challenge"], "passkey": phone.get(asked["passkey"])}
    assert name_of(client, send(client, "/auth/second-factor", step)) == "Una"
    asked = send(client, "/auth/login", login, status=401)["error"]["details"]
    step = {"challenge": asked["challenge"], "code": codes[0]}
    assert name_of(client, send(client, "/auth/second-factor", step)) == "Una"
    asked = send(client, "/auth/passkey/options", {})
    alone = {"challenge": asked["challenge"], "passkey": phone.get(asked["options"])}
    assert name_of(client, send(client, "/auth/passkey", alone)) == "Una"
    assert send(client, "/auth/passkey", alone, status=401)["error"]["code"] == "token_invalid"
    phone.origin = f"http://{HOST}:{server.port + 1}"
    asked = send(client, "/auth/passkey/options", {})
    foreign = {"challenge": asked["challenge"], "passkey": phone.get(asked["options"])}
    assert send(client, "/auth/passkey", foreign, status=401)["error"]["code"] == "passkey_invalid"


def test_a_user_comes_back_from_the_identity_provider_and_shows_a_second_factor(
    client: httpx.Client, north: TenantScope, provider: Provider
) -> None:
    with tenant_scope(north):
        admin = create_user(email="ada@example.com", role="admin", password_hash="!")
        headers = {"Authorization": f"Bearer {open_session(admin, now=clock.now()).access}"}
    body = {"issuer": provider.issuer, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    assert client.put("/identity-provider", json=body, headers=headers).status_code == 200
    policy = {"second_factor_roles": ["assistant"]}
    assert client.patch("/sign-in-policy", json=policy, headers=headers).status_code == 200

    challenge = encode(hashlib.sha256(VERIFIER.encode()).digest())
    start = client.get(f"/auth/oidc/start?code_challenge={challenge}&return_to=/signed-in")
    assert start.status_code == 302, start.text
    back = urlsplit(provider.send_browser(start.headers["Location"]))
    assert back.hostname == HOST
    end = client.get(f"{back.path}?{back.query}")
    assert end.status_code == 302, end.text
    target = urlsplit(end.headers["Location"])
    assert (target.netloc, target.path) == ("", "/signed-in")
    redeemed = {"code": parse_qs(target.query)["code"][0], "code_verifier": VERIFIER}
    asked = send(client, "/auth/oidc/token", redeemed, status=401)["error"]["details"]
    assert asked["enrolment_needed"] is True
    step = {"challenge": asked["challenge"]}
    made = send(client, "/auth/second-factor/enrolment", step, status=201)
    tokens = send(client, "/auth/second-factor", {**step, "code": TOTP(made["secret"]).now()})
    assert name_of(client, tokens) == "Una"
    assert client.get(f"{back.path}?{back.query}").json()["error"]["code"] == "sign_in_state_invalid"
