"""The web process as it runs in production, against the test database: Granian, in a process of its own."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from typing import Any, Final

import orjson
from django.conf import settings
from psycopg.conninfo import make_conninfo

from tatami.embedded.logins import database_url
from tests.support.ports import free_port

ROOT: Final = Path(__file__).resolve().parents[2]
READY_WITHIN_SECONDS: Final = 30


@dataclass(frozen=True)
class LiveServer:
    """Where it listens."""

    port: int

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def post(self, host: str, path: str, body: Any, token: str | None = None) -> tuple[int, Any]:
        """Return status and JSON of a POST on a connection of its own."""
        with self.connect() as link:
            link.sendall(request(host, path, body, token))
            return answer_on(link)


def request(host: str, path: str, body: Any, token: str | None = None) -> bytes:
    """Return the bytes of a POST."""
    content = orjson.dumps(body)
    lines = [f"POST {path} HTTP/1.1", f"Host: {host}", "Content-Type: application/json"]
    lines += [f"Content-Length: {len(content)}", "Connection: close"]
    lines += [f"Authorization: Bearer {token}"] if token else []
    return "\r\n".join([*lines, "", ""]).encode() + content


def ask(port: int, method: str, host: str, path: str, body: Any = None, token: str = "") -> tuple[int, Any]:
    """Return status and JSON of a request on a connection of its own. Raises `OSError`, `HTTPException`."""
    link = HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Host": host, "Content-Type": "application/json"}
    headers |= {"Authorization": f"Bearer {token}"} if token else {}
    try:
        link.request(method, path, None if body is None else orjson.dumps(body), headers)
        answer = link.getresponse()
        content = answer.read()
        return answer.status, orjson.loads(content) if content else None
    finally:
        link.close()


def answer_on(link: socket.socket) -> tuple[int, Any]:
    """Return status and JSON of the answer that arrives."""
    response = HTTPResponse(link)
    response.begin()
    content = response.read()
    return response.status, orjson.loads(content) if content else None


def cut(link: socket.socket) -> None:
    """Break a connection off, as a phone does that leaves the WLAN."""
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    link.close()


@contextmanager
def live_server(database: str) -> Iterator[LiveServer]:
    """Serve until the block is left."""
    port = free_port()
    login = settings.DATABASES["default"]
    admin = make_conninfo(os.environ["ADMIN_DATABASE_URL"])
    url = database_url(admin, user=login["USER"], password=login["PASSWORD"], database=database)
    given = {"DATABASE_URL": url, "PORT": str(port), "TATAMI_POOL": "1", "LOG_FORMAT": "json"}
    environment = {name: value for name, value in os.environ.items() if name != "ADMIN_DATABASE_URL"} | given
    granian = [sys.executable, "-m", "granian", "--interface", "wsgi", "config.wsgi:application"]
    options = [
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--no-ws",
        "--workers",
        "2",
        "--blocking-threads",
        "8",
    ]
    server = subprocess.Popen(
        [*granian, *options, "--no-access-log", "--log-level", "error"],
        env=environment, cwd=ROOT, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait_until_ready(server, port)
        yield LiveServer(port)
    finally:
        server.terminate()
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait_until_ready(server: "subprocess.Popen[bytes]", port: int) -> None:
    until = time.monotonic() + READY_WITHIN_SECONDS
    while time.monotonic() < until:
        assert server.poll() is None, "the web process ended by itself"
        probe = HTTPConnection("127.0.0.1", port, timeout=2)
        try:
            probe.request("GET", "/readyz")
            if probe.getresponse().status == 200:
                return
        except (OSError, HTTPException):
            time.sleep(0.1)
        finally:
            probe.close()
    raise AssertionError(f"the web process was not ready within {READY_WITHIN_SECONDS} s")
