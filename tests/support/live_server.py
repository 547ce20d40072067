"""The web process as in production: Granian in a process of its own, on the test database."""

import fcntl
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from typing import Any, Final

import orjson
import psutil
from django.conf import settings
from psycopg.conninfo import make_conninfo

from tatami.embedded.logins import database_url

ROOT: Final = Path(__file__).resolve().parents[2]
READY_WITHIN_SECONDS: Final = 90
PORTS: Final = range(20_000, 32_000, 2)


def free_port() -> int:
    """Return a free TCP port of 127.0.0.1. It stays reserved until this process exits, and the next port is free, too.

    The ports are below the range from which Linux takes ports for outgoing connections. A lock on a file for each port
    (never closed on purpose) keeps the user's other test processes from it.
    """
    locks = Path(tempfile.gettempdir()) / f"tatami-test-ports-{os.getuid()}"
    locks.mkdir(mode=0o700, exist_ok=True)
    for port in range(PORTS.start + os.getpid() % 997 * PORTS.step, PORTS.stop, PORTS.step):
        lock = os.open(locks / str(port), os.O_CREAT | os.O_RDWR)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for number in (port, port + 1):
                with socket.socket() as listener:
                    listener.bind(("127.0.0.1", number))
        except OSError:
            os.close(lock)
        else:
            return port
    raise AssertionError("no free port")


def login_urls(database: str) -> dict[str, str]:
    """Return the variables with the URLs of both logins, at the addresses of the settings, for a process of a test."""
    urls = {}
    for variable, alias in (("DATABASE_URL", "default"), ("OWNER_DATABASE_URL", "owner")):
        login = settings.DATABASES[alias]
        address = make_conninfo(host=login["HOST"] or None, port=login["PORT"] or None)
        urls[variable] = database_url(
            address, user=login["USER"], password=login["PASSWORD"], database=database
        )
    return urls


@dataclass(frozen=True)
class LiveServer:
    """A running web process: its port, and the id of the process that supervises its workers."""

    port: int
    pid: int

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def post(self, host: str, path: str, body: Any, token: str | None = None) -> tuple[int, Any]:
        """Send a POST on a new connection; return status and JSON."""
        with self.connect() as link:
            link.sendall(post_bytes(host, path, body, token))
            return read_response(link)


def post_bytes(host: str, path: str, body: Any, token: str | None = None) -> bytes:
    """Return the bytes of a POST request."""
    content = orjson.dumps(body)
    lines = [f"POST {path} HTTP/1.1", f"Host: {host}", "Content-Type: application/json"]
    lines += [f"Content-Length: {len(content)}", "Connection: close"]
    lines += [f"Authorization: Bearer {token}"] if token else []
    return "\r\n".join([*lines, "", ""]).encode() + content


def send_request(
    port: int, method: str, host: str, path: str, body: Any = None, token: str = ""
) -> tuple[int, Any]:
    """Send a request on a new connection; return status and JSON. Raises `OSError` or `HTTPException`."""
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


def read_response(link: socket.socket) -> tuple[int, Any]:
    """Read one response; return status and JSON."""
    response = HTTPResponse(link)
    response.begin()
    content = response.read()
    return response.status, orjson.loads(content) if content else None


def reset_connection(link: socket.socket) -> None:
    """Reset a connection, as when a phone leaves the WLAN."""
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    link.close()


@contextmanager
def live_server(database: str) -> Iterator[LiveServer]:
    """Run the web process until the end of the block."""
    port = free_port()
    variables = {"PORT": str(port), "TATAMI_WEB_CONNECTIONS": "16", "LOG_FORMAT": "json"}
    variables["DATABASE_URL"] = login_urls(database)["DATABASE_URL"]
    environment = {
        name: value for name, value in os.environ.items() if name != "ADMIN_DATABASE_URL"
    } | variables
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
        "512",
        "--respawn-failed-workers",
        "--respawn-interval",
        "0.5",
    ]
    server = subprocess.Popen(
        [*granian, *options, "--no-access-log", "--log-level", "error"],
        env=environment, cwd=ROOT, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait_until_ready(server, port)
        yield LiveServer(port, server.pid)
    finally:
        # Granian does not end a worker that it has started in place of a killed one.
        workers = psutil.Process(server.pid).children(recursive=True)
        server.terminate()
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        for worker in workers:
            with suppress(psutil.NoSuchProcess):
                worker.kill()


def _wait_until_ready(server: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + READY_WITHIN_SECONDS
    while time.monotonic() < deadline:
        assert server.poll() is None, "the web process exited"
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
