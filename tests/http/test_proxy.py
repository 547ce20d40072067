"""deploy/Caddyfile in front of the web process: bodies that do not arrive end, all else passes. With the real Caddy."""

import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from tatami.tenancy.scope import TenantScope
from tests.http.test_deadlines import CHUNKED, WITH_LENGTH, get, token_of
from tests.support.live_server import LiveServer, free_port, live_server

ROOT = Path(__file__).resolve().parents[2]
CADDY = shutil.which("caddy")
BODY_TIME = "1s"
READY_WITHIN_SECONDS = 60.0
HEAD = b"POST /auth/login HTTP/1.1\r\nHost: north.localhost\r\nContent-Type: application/json\r\n"

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CADDY is None, reason="Caddy is not installed")]


@dataclass(frozen=True)
class Proxy:
    """A running proxy, and the web process behind it."""

    port: int
    server: LiveServer

    def connect(self) -> ssl.SSLSocket:
        """Connect as a client that does not check the certificate of the test."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        return context.wrap_socket(plain, server_hostname="north.localhost")

    def get(self, path: str, **headers: str) -> HTTPResponse:
        lines = [f"GET {path} HTTP/1.1", "Host: north.localhost", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        with self.connect() as link:
            link.sendall("\r\n".join([*lines, "", ""]).encode())
            response = HTTPResponse(link)
            response.begin()
            response.read()
            return response


def environment(port: int, upstream: int, folder: Path) -> dict[str, str]:
    return {
        **os.environ,
        "TATAMI_SITES": f"https://localhost:{port}, https://*.localhost:{port}",
        "TATAMI_TLS": f"{folder / 'cert.pem'} {folder / 'key.pem'}",
        "TATAMI_UPSTREAM": f"127.0.0.1:{upstream}",
        "TATAMI_BODY_TIME": BODY_TIME,
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
    }


@pytest.fixture(scope="module")
def proxy(
    committed_dojos: Any, database_name: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxy]:
    folder, port = tmp_path_factory.mktemp("proxy"), free_port()
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,DNS:*.localhost"]
    files = ["-keyout", folder / "key.pem", "-out", folder / "cert.pem"]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject, *files],
        check=True,
        capture_output=True,
    )
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
