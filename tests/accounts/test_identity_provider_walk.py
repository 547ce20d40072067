"""The whole way through an OpenID provider that others wrote (`oidc-provider-mock`), in a process of its own."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.client import HTTPConnection
from urllib.parse import urlencode, urlsplit

import pytest
from django.conf import settings

from shared_apps.accounts.oidc import provider_client
from tatami import clock
from tests.accounts.oidc_hooks import Browser, code_of
from tests.support.clients import Dojo
from tests.support.live_server import READY_WITHIN_SECONDS, free_port
from tests.support.responses import ok, url_path

USER = '{"sub": "una", "email": "Una@example.com", "email_verified": true}'


@pytest.fixture
def issuer(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The issuer of a running provider."""
    monkeypatch.setattr(settings, "TATAMI_WEBHOOK_NETWORKS", ["127.0.0.0/8"])
    provider_client.clear_cache()
    port = free_port()
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--require-nonce", "true"]
    provider = subprocess.Popen(
        [*command, "--port", str(port), "--user-claims", USER],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until_ready(provider, port)
        yield f"http://127.0.0.1:{port}"
    finally:
        provider.terminate()
        provider.wait(15)


def _wait_until_ready(provider: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + READY_WITHIN_SECONDS
    while time.monotonic() < deadline:
        assert provider.poll() is None, "the provider exited"
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the provider was not ready")


def agree(url: str) -> str:
    """Choose the user on the page of the provider; return the address to which it sends the browser back."""
    parts = urlsplit(url)
    link = HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    link.request("POST", f"{parts.path}?{parts.query}", urlencode({"sub": "una"}), form)
    answer = link.getresponse()
    assert answer.status == 302, answer.read()
    location = answer.getheader("Location") or ""
    link.close()
    return location


def test_a_user_signs_in_with_a_provider_that_others_wrote(dojo: Dojo, issuer: str) -> None:
    ok(dojo.admin.post("/users", {"email": "una@example.com", "name": "Una", "role": "student"}), 201)
    body = {"issuer": issuer, "client_id": "tatami", "client_secret": "secret"}
    ok(dojo.admin.put("/identity-provider", body))
    browser = Browser(dojo.host)
    with clock.fixed(datetime.now(UTC)):  # the provider has the time of the machine
        back = agree(browser.start().headers["Location"])
        answer = browser.come_back(url_path(back))
        assert answer.status_code == 302, answer.content
        code = code_of(answer)
        assert ok(browser.redeem(code))["user"]["name"] == "Una"
