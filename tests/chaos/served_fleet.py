"""What `make run` starts, with twenty dojos: the whole installation, as an operator has it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final

import orjson
import psutil

from tatami.embedded.data_folder import ROOT, running_environment
from tatami.embedded.files import read_json
from tests.support.live_server import free_port, send_request

DOJOS: Final = 20
OUTPUT: Final = "output.log"
"""What the supervisor prints: its own lines, and those of web, worker and beat."""
STUDENTS: Final = 190
"""In each dojo, to record attendance for. One page of a list holds them."""
READY_WITHIN_SECONDS: Final = 180.0
STOPPED_WITHIN_SECONDS: Final = 60.0
NEW_TOKEN_AFTER_SECONDS: Final = 120.0
PASSWORD: Final = "a password for chaos tests"
SET_BY_MAKE_TEST: Final = (
    *("DATABASE_URL", "OWNER_DATABASE_URL", "ADMIN_DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL"),
    *("JWT_SECRET", "TATAMI_EPHEMERAL", "TATAMI_DATA", "TATAMI_SUPERADMIN_PASSWORD"),
)


@dataclass
class ServedDojo:
    """One dojo: its host, the tokens of its admin, and the students and the session for attendance."""

    host: str
    port: int
    access: str = ""
    refresh: str = ""
    signed_in_at: float = 0.0
    students: list[str] = field(default_factory=list)
    """Those who have not attended yet."""
    in_batches: list[str] = field(default_factory=list)
    class_session: str = ""

    def send(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Send a request of the admin; return status and JSON."""
        return send_request(self.port, method, self.host, path, body, self.access)

    def create(self, path: str, body: Any) -> Any:
        """Create an object; return it."""
        status, created = self.send("POST", path, body)
        assert status in {201, 202}, (status, created)
        return created

    def sign_in(self) -> None:
        """Get tokens, by the refresh token if there is one, because sign-ins are throttled."""
        if time.monotonic() < self.signed_in_at + NEW_TOKEN_AFTER_SECONDS:
            return
        path, body = "/auth/refresh", {"refresh": self.refresh}
        if not self.refresh:
            path, body = "/auth/login", {"email": "head@example.com", "password": PASSWORD}
        status, tokens = send_request(self.port, "POST", self.host, path, body)
        assert status == 200, tokens
        self.access, self.refresh, self.signed_in_at = tokens["access"], tokens["refresh"], time.monotonic()


@dataclass
class ServedFleet:
    """The supervisor of `make run`, its data folder, and the dojos."""

    supervisor: "subprocess.Popen[bytes]"
    data: Path
    port: int
    dojos: list[ServedDojo] = field(default_factory=list)
    superadmin: str = ""
    """The access token of a superadmin."""
    servers: Path | None = None
    """The data folder of its PostgreSQL, if it is not its own."""

    def create_dojo(self, slug: str) -> tuple[int, Any]:
        """Ask for a new dojo; return status and JSON. Its schema is made with the owner login."""
        body = {"name": slug, "slug": slug, "admin": {"email": "head@example.com", "password": PASSWORD}}
        return send_request(self.port, "POST", "localhost", "/tenants", body, self.superadmin)

    def sign_in_superadmin(self) -> None:
        """Get a new token for the superadmin."""
        given = {"email": "admin@localhost", "password": PASSWORD}
        status, tokens = send_request(self.port, "POST", "localhost", "/auth/login", given)
        assert status == 200, tokens
        self.superadmin = tokens["access"]

    def processes(self, name: str) -> list[psutil.Process]:
        """Return a program of the supervisor (`web`, `worker`, `beat`, `postgres`, `valkey`), then its children."""
        data = self.servers if self.servers and name == "postgres" else self.data
        for child in read_json(data / "running.json")["children"]:
            if child["name"] == name:
                try:
                    leader = psutil.Process(child["pid"])
                    return [leader, *leader.children(recursive=True)]
                except psutil.NoSuchProcess:
                    break  # it has died, and the supervisor will start it again
        return []

    def web_workers(self) -> list[psutil.Process]:
        """Return the processes that answer requests."""
        return [child for child in self.processes("web")[1:] if _is_worker(child)]

    def wait_for_web_workers(self, number: int) -> None:
        """Wait until so many processes accept connections."""
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        while sum(map(_listens, self.web_workers())) < number:
            assert time.monotonic() < deadline, "the web workers were not replaced"
            time.sleep(0.1)

    @contextmanager
    def stopped(self, name: str) -> Iterator[None]:
        """Suspend a program with SIGSTOP within the block. It keeps its connections, and answers nothing."""
        suspended = self.processes(name)
        for process in suspended:
            process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for process in suspended:
                if process.is_running():
                    process.send_signal(signal.SIGCONT)

    def environment(self) -> dict[str, str]:
        """Return the variables of the processes, with the URLs of the servers."""
        found = running_environment(self.data)
        assert found
        return found

    def stop(self) -> None:
        """Stop everything as Ctrl-C does. Fails if a process is left."""
        started = psutil.Process(self.supervisor.pid).children(recursive=True)
        self.supervisor.terminate()
        try:
            code = self.supervisor.wait(STOPPED_WITHIN_SECONDS)
        finally:
            _, alive = psutil.wait_procs(started, timeout=5)
            for process in alive:
                process.kill()
        assert code == 0
        assert not alive, f"left behind: {alive}"


@contextmanager
def running_fleet(folder: Path, *, dojos: int = DOJOS, **environment: str) -> Iterator[ServedFleet]:
    """Start an installation, create the dojos, and stop it at the end of the block."""
    port, data = free_port(), folder / "data"
    inherited = {name: value for name, value in os.environ.items() if name not in SET_BY_MAKE_TEST}
    given = {
        "PORT": str(port),
        "TATAMI_DATA": str(data),
        "TATAMI_DEMO": "0",
        "TATAMI_METRICS_PORT": "0",
        "TATAMI_SUPERADMIN_PASSWORD": PASSWORD,
    }
    with (folder / OUTPUT).open("wb") as output:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "tatami.embedded", "run"],
            cwd=ROOT,
            env=inherited | given | environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        fleet = ServedFleet(supervisor, data, port)
        try:
            _wait_until_ready(fleet, folder / OUTPUT)
            fleet.dojos = _create_dojos(fleet, dojos)
            yield fleet
        finally:
            fleet.stop()


def _is_worker(process: psutil.Process) -> bool:
    """Return whether it runs, and is not the process in which Python counts shared resources."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE and "resource_tracker" not in " ".join(
            process.cmdline()
        )
    except psutil.NoSuchProcess:
        return False


def _listens(process: psutil.Process) -> bool:
    try:
        return any(link.status == psutil.CONN_LISTEN for link in process.net_connections("tcp"))
    except psutil.NoSuchProcess:
        return False


def is_ready(port: int) -> bool:
    """Return whether `/readyz` answers 200."""
    link = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        link.request("GET", "/readyz")
        return link.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        link.close()


def _wait_until_ready(fleet: ServedFleet, output: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN_SECONDS
    while not is_ready(fleet.port):
        assert fleet.supervisor.poll() is None, output.read_text()
        assert time.monotonic() < deadline, output.read_text()
        time.sleep(0.2)


def _create_dojos(fleet: ServedFleet, count: int) -> list[ServedDojo]:
    fleet.sign_in_superadmin()
    dojos = []
    for number in range(count):
        status, created = fleet.create_dojo(f"dojo-{number}")
        assert status == 201, created
        dojos.append(_with_people(ServedDojo(f"dojo-{number}.localhost", fleet.port)))
    return dojos


def _with_people(dojo: ServedDojo) -> ServedDojo:
    dojo.sign_in()
    starts_at = (datetime.now(UTC) - timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
    session = {"name": "Keiko", "starts_at": starts_at, "duration_minutes": 90}
    dojo.class_session = dojo.create("/class-sessions", session)["id"]
    lines = [f"First{number},Last{number}" for number in range(STUDENTS)]
    status, done = import_students(dojo, lines)
    assert (status, done["created"]) == (200, STUDENTS), done
    _, page = dojo.send("GET", "/students?page_size=200")
    dojo.students = [student["id"] for student in page["results"]]
    dojo.in_batches = dojo.students[:1]
    return dojo


def import_students(dojo: ServedDojo, lines: list[str]) -> tuple[int, Any]:
    """Import students from a CSV file with first and last names; return status and JSON."""
    content = "\n".join(["first_name,last_name", *lines]).encode()
    link = HTTPConnection("127.0.0.1", dojo.port, timeout=60)
    boundary = "boundary-of-the-parts"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="s.csv"\r\n'
    body = f"{head}Content-Type: text/csv\r\n\r\n".encode() + content + f"\r\n--{boundary}--\r\n".encode()
    headers = {
        "Host": dojo.host,
        "Authorization": f"Bearer {dojo.access}",
        "Content-Type": f"multipart/form-data; boundary={boundary}",
    }
    try:
        link.request("POST", "/students/import", body, headers)
        response = link.getresponse()
        return response.status, orjson.loads(response.read())
    finally:
        link.close()
