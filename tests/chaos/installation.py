"""A whole installation: a durable PostgreSQL, the web process, commands. Each may be killed.

Tests use it over HTTP and with commands. The Django of the test process does not reach it; only a superuser connection
inspects its database.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from random import Random
from signal import SIGKILL
from typing import Any, Final

import orjson
import psycopg
from psycopg.conninfo import make_conninfo

from tatami.embedded.child_process import ChildProcess
from tatami.embedded.data_folder import ROOT, locked_data_folder
from tatami.embedded.programs import ApplicationPrograms
from tatami.embedded.servers import application_variables, merge_environment, running_servers
from tatami.embedded.stale_processes import stop_processes_in
from tests.support.catalogue import unknown_schemas
from tests.support.committed import terminate_owner_sessions
from tests.support.live_server import free_port, send_request

READY_WITHIN_SECONDS: Final = 60.0
CLEARED_WITHIN_SECONDS: Final = 30.0
KNOWN_EVERYWHERE_WITHIN_SECONDS: Final = 0.6
"""Until every process knows the new status of a dojo."""

POLL_SECONDS: Final = 0.02

Answer = tuple[int, str]
NOT_FOUND: Final = (404, "tenant_not_found")
SERVED: Final = (401, "not_authenticated")
UNAVAILABLE: Final = (503, "service_unavailable")
"""The response of the web process while PostgreSQL is unavailable."""


@dataclass(frozen=True)
class CommandResult:
    """The exit code and output of a command. A negative code is the signal that ended it."""

    code: int
    stdout: bytes
    stderr: str
    """Its standard error."""

    @property
    def document(self) -> Any:
        """Return the JSON that it printed with `--json`."""
        return orjson.loads(self.stdout)


@dataclass
class Installation:
    """The processes, with methods to use, inspect and kill them."""

    folder: Path
    admin: str
    postgres: ChildProcess
    web: ChildProcess
    port: int
    environment: dict[str, str]

    # --- use

    def send_request(self, method: str, host: str, path: str, body: Any = None, token: str = "") -> Any:
        """Send a request; return status and JSON, or `None` without a response."""
        try:
            return send_request(self.port, method, host, path, body, token)
        except (OSError, HTTPException):
            return None

    def token(self) -> str:
        """Sign in as superadmin; return the access token."""
        given = {
            name: self.environment[f"TATAMI_SUPERADMIN_{name.upper()}"] for name in ("email", "password")
        }
        status, tokens = self.send_request("POST", "localhost", "/auth/login", given)
        assert status == 200, tokens
        return str(tokens["access"])

    def start(self, *command: str, **environment: str) -> "subprocess.Popen[bytes]":
        """Start a command of manage.py."""
        return subprocess.Popen(
            [sys.executable, "manage.py", *command],
            cwd=ROOT,
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *command: str, **environment: str) -> CommandResult:
        """Run a command of manage.py until it exits."""
        return wait_for_result(self.start(*command, **environment))

    def check_all_dojos(self, **environment: str) -> None:
        """Assert that `tenant_check` finds no fault in any dojo."""
        done = self.run("tenant_check", "--json", **environment)
        assert done.code == 0, (done.stdout, done.stderr)

    def sweep_until_clear(self) -> None:
        """Run `sweep` until no dojo is being created. Statements of a killed process may still run for a while."""
        deadline = time.monotonic() + CLEARED_WITHIN_SECONDS
        while True:
            done = self.run("sweep")
            assert done.code == 0, done.stderr
            if not self.rows("SELECT 1 FROM tenants_tenant WHERE status = 'provisioning'"):
                return
            assert time.monotonic() < deadline, "the sweeper did not finish"

    # --- inspect

    @contextmanager
    def superuser(self) -> Iterator["psycopg.Connection[Any]"]:
        """Yield a superuser connection."""
        with psycopg.connect(make_conninfo(self.admin, dbname="tatami"), autocommit=True) as connection:
            yield connection

    def rows(self, query: Any, *values: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        with self.superuser() as connection:
            return connection.execute(query, values).fetchall()

    def dojos(self) -> dict[str, tuple[str, Any, str]]:
        """Return all dojos: slug → status, id, schema."""
        found = self.rows("SELECT slug, status, id, schema_name FROM tenants_tenant")
        return {slug: (status, tenant_id, schema) for slug, status, tenant_id, schema in found}

    def unknown_schemas(self) -> list[tuple[Any, ...]]:
        """Return schemas that belong to no dojo."""
        with self.superuser() as superuser:
            return unknown_schemas(superuser)

    # --- kill

    def kill(self, victim: str, rng: Random) -> None:
        """Kill "web process", "owner's sessions" or "PostgreSQL"."""
        if victim == "web process":
            self.web.kill_group()
            self.web.process.wait()
        elif victim == "owner's sessions":
            with self.superuser() as superuser:
                terminate_owner_sessions(superuser)
        else:
            assert victim == "PostgreSQL"
            self.postgres.process.send_signal(SIGKILL)
            self.postgres.process.wait()
            # Half of the time kill the backends at the same moment, as when a machine loses power.
            if rng.random() < 0.5:
                stop_processes_in(Path(self.postgres.program.folder), SIGKILL)

    def restart_dead(self) -> None:
        """Restart dead processes, and wait until requests are served."""
        if not self.postgres.is_alive():
            self.postgres.start()
        if not self.web.is_alive():
            self.web.start()
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        while (self.send_request("GET", "localhost", "/readyz") or (0, None))[0] != 200:
            assert time.monotonic() < deadline, "it did not restart"
            time.sleep(0.05)


def wait_for_result(process: "subprocess.Popen[bytes]") -> CommandResult:
    """Wait until a command exits; return its result."""
    out, stderr = process.communicate()
    return CommandResult(process.returncode, out, stderr.decode())


@contextmanager
def running_installation(folder: Path) -> Iterator[Installation]:
    """Install and serve the demo dojos until the end of the block. Only the logs remain."""
    given = {name: os.environ[name] for name in ("REDIS_URL", "CELERY_BROKER_URL")}
    with (
        locked_data_folder(folder / "data") as data_folder,
        running_servers(data_folder, environment=given) as servers,
    ):
        port = free_port()
        extra = {"TATAMI_WEB_WORKERS": "1", "PORT": str(port)}
        variables = merge_environment(application_variables(data_folder, servers, {}) | extra)
        application = ApplicationPrograms(data_folder.path, variables, port)
        prepared = ChildProcess(application.prepare())
        assert prepared.process.wait() == 0
        prepared.kill()
        assert servers.admin_url is not None
        web = ChildProcess(application.web())
        site = Installation(
            folder, make_conninfo(servers.admin_url), servers.children[0], web, port, variables
        )
        try:
            site.restart_dead()
            yield site
        finally:
            web.stop()


@dataclass
class Poller:
    """Sends requests to dojos continuously, and stores the responses."""

    site: Installation
    slugs: list[str]
    seen: dict[str, list[Answer]] = field(default_factory=dict)

    @contextmanager
    def polling(self) -> Iterator[None]:
        """Poll until the end of the block, and once more when every process knows the result."""
        over = threading.Event()

        def poll() -> None:
            while not over.wait(POLL_SECONDS):
                for slug in self.slugs:
                    self.poll(slug)

        thread = threading.Thread(target=poll)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
        time.sleep(KNOWN_EVERYWHERE_WITHIN_SECONDS)
        for slug in self.slugs:
            self.poll(slug)

    def poll(self, slug: str) -> None:
        answer = self.site.send_request("GET", f"{slug}.localhost", "/me")
        if answer is not None:
            self.seen.setdefault(slug, []).append((answer[0], answer[1]["error"]["code"]))

    def assert_served(self, slug: str) -> None:
        """Assert that the dojo was first not found and then served, and gave no other response."""
        seen = self.answers(slug)
        first = seen.index(SERVED)
        assert set(seen[:first]) <= {NOT_FOUND}, (
            f"{slug} was served before it was complete: {set(seen[:first])}"
        )
        assert set(seen[first:]) == {SERVED}, f"{slug} stopped serving: {set(seen[first:])}"

    def assert_never_served(self, slug: str) -> None:
        """Assert that the dojo was never found."""
        assert set(self.answers(slug)) == {NOT_FOUND}, f"{slug} is incomplete, but was served"

    def answers(self, slug: str) -> list[Answer]:
        """Return the responses without those that PostgreSQL's outage explains."""
        return [answer for answer in self.seen[slug] if answer != UNAVAILABLE]
