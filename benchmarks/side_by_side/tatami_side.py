"""Our side of the comparison: the web process as it runs in production, and the requests it is sent."""

import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final

import orjson

from benchmarks.side_by_side.fleet_data import PASSWORD, BenchDojo
from benchmarks.side_by_side.load import HOST, http_request

ROOT: Final = Path(__file__).resolve().parents[2]
READY_WITHIN_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Server:
    """A server that is measured: its port, and the process whose descendants it is."""

    port: int
    pid: int


def free_port() -> int:
    """Return a loopback port that is free now."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def tatami_server(
    log: Path, *, workers: int, threads: int, more: dict[str, str] | None = None
) -> Iterator[Server]:
    """Serve until the block is left. Its log goes to a file, as under a supervisor."""
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if name != "ADMIN_DATABASE_URL"}
    environment |= {
        "PORT": str(port), "TATAMI_WEB_CONNECTIONS": "16", "TATAMI_WEB_THREADS": str(threads),
        "LOG_FORMAT": "json", **(more or {}),
    }  # fmt: skip
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "config.wsgi:application"]
    command += ["--host", HOST, "--port", str(port), "--no-ws", "--no-access-log", "--log-level", "error"]
    command += ["--workers", str(workers), "--blocking-threads", str(threads)]
    with log.open("wb") as output:
        server = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=output, stderr=output)  # noqa: S603
        try:
            wait_until(server, port, "/readyz")
            yield Server(port, server.pid)
        finally:
            stop(server)


def stop(server: "subprocess.Popen[bytes]") -> None:
    """Stop a server by its process id, and wait for it."""
    server.send_signal(signal.SIGTERM)
    try:
        server.wait(15)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def wait_until(server: "subprocess.Popen[bytes]", port: int, path: str) -> None:
    """Wait until a server answers at all. Raises `RuntimeError` if it ends, or does not answer in a minute."""
    until = time.monotonic() + READY_WITHIN_SECONDS
    while time.monotonic() < until:
        if server.poll() is not None:
            break
        link = HTTPConnection(HOST, port, timeout=5)
        try:
            link.request("GET", path, headers={"Host": "localhost"})
            link.getresponse().read()
        except (OSError, HTTPException):
            time.sleep(0.1)
        else:
            return
        finally:
            link.close()
    raise RuntimeError(f"the server on port {port} is not there: its log says why")


MOST_SCANS: Final = 200_000
"""More than a run sends; thousands of dojos have millions."""


class TatamiRequests:
    """The requests of each kind, dojos in turn, as bytes."""

    def __init__(self, dojos: Sequence[BenchDojo]) -> None:
        self._dojos = dojos

    def me(self) -> list[bytes]:
        return [
            http_request("GET", "/me", dojo.host, dojo.tokens[user])
            for user in range(len(self._dojos[0].tokens))
            for dojo in self._dojos
        ]

    def students(self) -> list[bytes]:
        return [
            http_request("GET", f"/students?page_size=20&page={page}", dojo.host, dojo.tokens[page - 1])
            for page in range(1, 6)
            for dojo in self._dojos
        ]

    def scan(self) -> list[bytes]:
        """Return at most `MOST_SCANS` scans of cards, each of a student and a session that it has not met before."""
        cards = min(len(dojo.cards) for dojo in self._dojos)
        pairs = itertools.product(range(len(self._dojos[0].sessions)), range(cards))
        scans = (
            http_request(
                "POST",
                "/attendance/scan",
                dojo.host,
                dojo.tokens[1 + card % 2],
                orjson.dumps({"token": dojo.cards[card], "class_session": str(dojo.sessions[session])}),
            )
            for session, card in pairs
            for dojo in self._dojos
        )
        return [*itertools.islice(scans, MOST_SCANS)]

    def check(self) -> list[bytes]:
        return [
            http_request("POST", "/promotions/check", dojo.host, dojo.tokens[0], b"{}")
            for dojo in self._dojos
        ]

    def login(self) -> list[bytes]:
        body = orjson.dumps({"email": "user1@example.com", "password": PASSWORD})
        return [http_request("POST", "/auth/login", dojo.host, "", body) for dojo in self._dojos]
