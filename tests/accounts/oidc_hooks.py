"""A sign-in with an identity provider, step by step, as a client and a browser do it."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import settings

from shared_apps.accounts.models import User
from shared_apps.accounts.oidc import provider_client
from tatami.tenancy.scope import tenant_scope
from tests.support.clients import Caller, Dojo
from tests.support.oidc_provider import CLIENT_ID, CLIENT_SECRET, Provider, encode, running_provider
from tests.support.responses import ok, url_path

EMAIL = "una@example.com"
VERIFIER = "the-verifier-of-the-client-0123456789-0123456789"
CODE_CHALLENGE = encode(hashlib.sha256(VERIFIER.encode()).digest())


def configure(dojo: Dojo, provider: Provider, **more: Any) -> dict[str, Any]:
    """Set the provider of a dojo."""
    body = {"issuer": provider.issuer, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, **more}
    saved: dict[str, Any] = ok(dojo.admin.put("/identity-provider", body))
    return saved


@contextmanager
def allowed_provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """Run a provider that the settings allow, and of which nothing is cached."""
    monkeypatch.setattr(settings, "TATAMI_WEBHOOK_NETWORKS", ["127.0.0.0/8"])
    provider_client.clear_cache()
    with running_provider() as running:
        yield running
    provider_client.clear_cache()


def invite_una(dojo: Dojo) -> User:
    """Return a user who was invited, and has no password."""
    made = ok(dojo.admin.post("/users", {"email": EMAIL, "name": "Una", "role": "assistant"}), 201)
    with tenant_scope(dojo.tenant):
        return User.objects.get(pk=made["id"])


@dataclass
class Browser:
    """A browser at a host, with its cookies."""

    host: str
    caller: Caller = field(init=False)

    def __post_init__(self) -> None:
        self.caller = Caller(self.host)

    def start(self, **more: str) -> Any:
        """Ask for the start of a sign-in; return the response."""
        query = "&".join(
            f"{name}={value}" for name, value in {"code_challenge": CODE_CHALLENGE, **more}.items()
        )
        return self.caller.get(f"/auth/oidc/start?{query}")

    def visit(self, provider: Provider, **more: str) -> str:
        """Go to the provider and sign in there; return the path to which it sends the browser back."""
        answer = self.start(**more)
        assert answer.status_code == 302, answer.content
        return url_path(provider.send_browser(answer.headers["Location"]))

    def come_back(self, path: str) -> Any:
        """Follow the redirect of the provider; return the response."""
        return self.caller.get(path)

    def sign_in(self, provider: Provider, **more: str) -> Any:
        """Take the whole way to the end; return the response with the tokens, or the first error."""
        answer = self.come_back(self.visit(provider, **more))
        return self.redeem(code_of(answer)) if answer.status_code == 302 else answer

    def redeem(self, code: str, verifier: str = VERIFIER) -> Any:
        return self.caller.post("/auth/oidc/token", {"code": code, "code_verifier": verifier})


def code_of(answer: Any) -> str:
    """Return the code of the last redirect."""
    assert answer.status_code == 302, answer.content
    return parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]
