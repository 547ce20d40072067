"""deploy/Caddyfile in front of the web process, with the real Caddy.

Bodies that do not arrive end, all else passes. The domains of dojos get certificates, other names do not.
"""

import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from shared_apps.tenants.models import Domain, RoutingEpoch, Tenant
from tatami.tenancy.hosts import EPOCH_TTL_SECONDS
from tatami.tenancy.scope import TenantScope, platform_scope
from tests.http.test_deadlines import CHUNKED, WITH_LENGTH, get, token_of
from tests.support.live_server import LiveServer, free_port, live_server
from tests.support.now import NOW

ROOT = Path(__file__).resolve().parents[2]
CADDY = shutil.which("caddy")
BODY_TIME = "1s"
CUSTOM = "www.seishin-dojo.de"
READY_WITHIN_SECONDS = 60.0
HEAD = b"POST /auth/login HTTP/1.1\r\nHost: north.localhost\r\nContent-Type: application/json\r\n"

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CADDY is None, reason="Caddy is not installed")]


@dataclass(frozen=True)
class Proxy:
    """A running proxy, and the web process behind it."""

    port: int
    server: LiveServer

    def connect(self, host: str = "north.localhost") -> ssl.SSLSocket:
        """Connect to a host as a client that does not check the certificate of the test.

        Raises `ssl.SSLError` if the proxy has no certificate for it.
        """
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        return context.wrap_socket(plain, server_hostname=host)

    def get(self, path: str, host: str = "north.localhost", **headers: str) -> HTTPResponse:
        lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        with self.connect(host) as link:
            link.sendall("\r\n".join([*lines, "", ""]).encode())
            response = HTTPResponse(link)
            response.begin()
            response.read()
            return response


def environment(port: int, upstream: int, folder: Path) -> dict[str, str]:
    """Return the variables of a proxy on `port`, whose plain port and port for certificates follow."""
    return {
        **os.environ,
        "TATAMI_BASE_DOMAIN": "localhost",
        "TATAMI_CERTIFICATES": "internal",
        "TATAMI_HTTPS_PORT": str(port),
        "TATAMI_HTTP_PORT": str(port + 1),
        "TATAMI_ASK_PORT": str(free_port()),
        "TATAMI_WEB_HOST": "127.0.0.1",
        "TATAMI_WEB_PORT": str(upstream),
        "TATAMI_BODY_TIME": BODY_TIME,
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
    }


@pytest.fixture(scope="module")
def proxy(
    committed_dojos: Any, database_name: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxy]:
    folder, port = tmp_path_factory.mktemp("proxy"), free_port()
    assert CADDY
    with live_server(database_name) as server:
        command = [CADDY, "run", "--config", str(ROOT / "deploy" / "Caddyfile"), "--adapter", "caddyfile"]
        running = subprocess.Popen(
            command, env=environment(port, server.port, folder), stderr=subprocess.DEVNULL
        )
        try:
            wait_until_ready(running, port)
            yield Proxy(port, server)
        finally:
            running.terminate()
            running.wait(15)


@pytest.fixture
def custom_domain(north: TenantScope, django_db_blocker: Any) -> Iterator[str]:
    """A verified domain of the dojo, which the running processes notice within a second."""
    with django_db_blocker.unblock(), platform_scope():
        made = Domain.objects.create(
            tenant=Tenant.objects.get(pk=north.tenant_id), domain=CUSTOM, is_primary=False, verified_at=NOW
        )
        RoutingEpoch.advance()
        yield CUSTOM
        made.delete()
        RoutingEpoch.advance()


def wait_until_ready(running: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + READY_WITHIN_SECONDS
    while time.monotonic() < deadline:
        assert running.poll() is None, "Caddy exited"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("Caddy does not listen")


def test_a_request_passes(proxy: Proxy, north: TenantScope) -> None:
    answer = proxy.get("/me", Authorization=f"Bearer {token_of(north)}")
    assert answer.status == 200
    assert answer.headers["X-Request-ID"]


@pytest.mark.usefixtures("north")
@pytest.mark.parametrize("kind", [CHUNKED, WITH_LENGTH], ids=["chunked", "with a length"])
def test_a_body_that_does_not_arrive_ends(proxy: Proxy, kind: bytes) -> None:
    """Without the proxy, these clients would hold a thread each for as long as they like."""
    with ExitStack() as stack:
        slow = [stack.enter_context(proxy.connect()) for _ in range(20)]
        for link in slow:
            link.sendall(HEAD + kind)
        # Each connection ends, although no client sends another byte. Caddy 2.6 answers first: 200 without a body.
        ended = [link.recv(4096) for link in slow]
    assert all(not answer or b"Connection: close" in answer for answer in ended), ended
    assert not any(b"X-Request-ID" in answer for answer in ended), "the web process has answered"
    assert get(proxy.server, "north.localhost", "/healthz")[0] == 200


def test_custom_domains_get_a_certificate_when_they_are_asked_for(
    proxy: Proxy, north: TenantScope, custom_domain: str
) -> None:
    token = token_of(north)
    deadline = time.monotonic() + 20 * EPOCH_TTL_SECONDS
    while True:
        try:
            answer = proxy.get("/me", host=custom_domain, Authorization=f"Bearer {token}")
            break
        except ssl.SSLError:  # another process has not read the epoch again
            assert time.monotonic() < deadline
    assert answer.status == 200


@pytest.mark.parametrize("name", ["www.unknown-dojo.de", "localhost.example.org", "north.localhost.de"])
def test_names_that_lead_nowhere_get_no_certificate(proxy: Proxy, name: str) -> None:
    with pytest.raises(ssl.SSLError):
        proxy.connect(name)


@pytest.mark.usefixtures("north")
@pytest.mark.parametrize("host", ["localhost", "north.localhost"])
def test_clients_cannot_ask_for_certificates(proxy: Proxy, host: str) -> None:
    for path in (
        "/tls/domain?domain=localhost",
        "/tls%2Fdomain?domain=localhost",
        "//tls/domain?domain=localhost",
    ):
        assert proxy.get(path, host=host, **{"X-Forwarded-For": "127.0.0.1"}).status == 404


def test_plain_http_is_redirected(proxy: Proxy) -> None:
    link = HTTPConnection("127.0.0.1", proxy.port + 1, timeout=30)
    link.request("GET", "/console/", headers={"Host": "north.localhost"})
    answer = link.getresponse()
    assert answer.status == 308
    assert answer.headers["Location"].startswith("https://north.localhost")
    link.close()
