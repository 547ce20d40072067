"""A whole installation: PostgreSQL that keeps what it promised, the web process, commands. Each may be killed.

It is used as people use it, over HTTP and by commands; nothing of this process's Django reaches it. Only the superuser
of its database looks behind them.
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

from tatami.embedded.child import Child
from tatami.embedded.data_folder import claimed
from tatami.embedded.environment import ROOT, application_variables, merged
from tatami.embedded.leftovers import end_those_in
from tatami.embedded.programs import Application
from tatami.embedded.servers import serving
from tests.support.catalogue import strange_schemas
from tests.support.committed_dojos import end_sessions_of_the_owner
from tests.support.live_server import ask
from tests.support.ports import free_port

READY_WITHIN_SECONDS: Final = 60.0
CLEARED_WITHIN_SECONDS: Final = 30.0
HEARD_WITHIN_SECONDS: Final = 0.6
"""Until every process has heard of what became of a dojo."""

KNOCKS_EVERY_SECONDS: Final = 0.02

Answer = tuple[int, str]
NOT_FOUND: Final = (404, "tenant_not_found")
SERVES: Final = (401, "not_authenticated")
AWAY: Final = (503, "service_unavailable")
"""What the web process says while PostgreSQL is away."""


@dataclass(frozen=True)
class Ended:
    """How a command ended. A negative code is the signal that ended it."""

    code: int
    out: bytes
    told: str
    """What it wrote to its standard error."""

    @property
    def document(self) -> Any:
        """What it printed as `--json`."""
        return orjson.loads(self.out)


@dataclass
class Installation:
    """The processes, and the ways to use and to kill them."""

    folder: Path
    admin: str
    postgres: Child
    web: Child
    port: int
    environment: dict[str, str]

    # --- using it

    def ask(self, method: str, host: str, path: str, body: Any = None, token: str = "") -> Any:
        """Return status and JSON; None if nobody answered."""
        try:
            return ask(self.port, method, host, path, body, token)
        except (OSError, HTTPException):
            return None

    def token(self) -> str:
        """Sign the superadmin in."""
        given = {
            name: self.environment[f"TATAMI_SUPERADMIN_{name.upper()}"] for name in ("email", "password")
        }
        status, tokens = self.ask("POST", "localhost", "/auth/login", given)
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

    def run(self, *command: str, **environment: str) -> Ended:
        """Run a command of manage.py to its end."""
        return ended(self.start(*command, **environment))

    def checked(self, **environment: str) -> None:
        """Assert that the on-call person's check finds nothing wrong with any dojo."""
        done = self.run("tenant_check", "--json", **environment)
        assert done.code == 0, (done.out, done.told)

    def swept(self) -> None:
        """Run the sweeper until nothing is left to clear: what a killed process had asked for may be going on."""
        until = time.monotonic() + CLEARED_WITHIN_SECONDS
        while True:
            done = self.run("sweep")
            assert done.code == 0, done.told
            if not self.rows("SELECT 1 FROM tenants_tenant WHERE status = 'provisioning'"):
                return
            assert time.monotonic() < until, "the sweeper did not come to an end"

    # --- looking behind it

    @contextmanager
    def superuser(self) -> Iterator["psycopg.Connection[Any]"]:
        """Yield a connection that nothing restrains."""
        with psycopg.connect(make_conninfo(self.admin, dbname="tatami"), autocommit=True) as connection:
            yield connection

    def rows(self, query: Any, *values: Any) -> list[tuple[Any, ...]]:
        """Return what a query finds."""
        with self.superuser() as connection:
            return connection.execute(query, values).fetchall()

    def dojos(self) -> dict[str, tuple[str, Any, str]]:
        """Return the dojos there are: slug → status, id, schema."""
        found = self.rows("SELECT slug, status, id, schema_name FROM tenants_tenant")
        return {slug: (status, tenant_id, schema) for slug, status, tenant_id, schema in found}

    def strange_schemas(self) -> list[tuple[Any, ...]]:
        """Return schemas of no dojo."""
        with self.superuser() as superuser:
            return strange_schemas(superuser)

    # --- killing it

    def kill(self, victim: str, rng: Random) -> None:
        """Kill one of "web process", "owner's sessions", "PostgreSQL" without warning."""
        if victim == "web process":
            self.web.end_group()
            self.web.process.wait()
        elif victim == "owner's sessions":
            with self.superuser() as superuser:
                end_sessions_of_the_owner(superuser)
        else:
            assert victim == "PostgreSQL"
            self.postgres.process.send_signal(SIGKILL)
            self.postgres.process.wait()
            # Its backends in the same moment, as with a machine that loses its power; or they end when they notice.
            if rng.random() < 0.5:
                end_those_in(Path(self.postgres.program.folder), SIGKILL)

    def revive(self) -> None:
        """Start again who is dead, and wait until requests are served."""
        if not self.postgres.is_alive():
            self.postgres.start()
        if not self.web.is_alive():
            self.web.start()
        until = time.monotonic() + READY_WITHIN_SECONDS
        while (self.ask("GET", "localhost", "/readyz") or (0, None))[0] != 200:
            assert time.monotonic() < until, "it did not come back"
            time.sleep(0.05)


def ended(process: "subprocess.Popen[bytes]") -> Ended:
    """Wait for a command's end."""
    out, told = process.communicate()
    return Ended(process.returncode, out, told.decode())


@contextmanager
def installed(folder: Path) -> Iterator[Installation]:
    """Install and serve, with the demo dojos; all of it is gone when the block is left, but for the logs."""
    given = {name: os.environ[name] for name in ("REDIS_URL", "CELERY_BROKER_URL")}
    with claimed(folder / "data") as claim, serving(claim, environment=given) as servers:
        port = free_port()
        more = {"TATAMI_WEB_WORKERS": "1", "TATAMI_POOL_MIN": "1", "PORT": str(port)}
        variables = merged(application_variables(claim, servers, {}) | more)
        application = Application(claim.path, variables, port)
        prepared = Child(application.prepare())
        assert prepared.process.wait() == 0
        prepared.end()
        assert servers.admin_url is not None
        web = Child(application.web())
        site = Installation(
            folder, make_conninfo(servers.admin_url), servers.children[0], web, port, variables
        )
        try:
            site.revive()
            yield site
        finally:
            web.stop()


@dataclass
class Visitor:
    """Somebody who knocks at the door of dojos all the time, and remembers how he was answered."""

    site: Installation
    slugs: list[str]
    seen: dict[str, list[Answer]] = field(default_factory=dict)

    @contextmanager
    def knocking(self) -> Iterator[None]:
        """Knock until the block is left, and once more when every process has heard of what was done in it."""
        over = threading.Event()

        def knock() -> None:
            while not over.wait(KNOCKS_EVERY_SECONDS):
                for slug in self.slugs:
                    self.knock(slug)

        thread = threading.Thread(target=knock)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
        time.sleep(HEARD_WITHIN_SECONDS)
        for slug in self.slugs:
            self.knock(slug)

    def knock(self, slug: str) -> None:
        answer = self.site.ask("GET", f"{slug}.localhost", "/me")
        if answer is not None:
            self.seen.setdefault(slug, []).append((answer[0], answer[1]["error"]["code"]))

    def assert_served(self, slug: str) -> None:
        """Assert that the dojo was not there, and then served, and nothing else."""
        seen = self.answers(slug)
        first = seen.index(SERVES)
        assert set(seen[:first]) <= {NOT_FOUND}, f"{slug} answered before it was whole: {set(seen[:first])}"
        assert set(seen[first:]) == {SERVES}, f"{slug} stopped serving: {set(seen[first:])}"

    def assert_never_served(self, slug: str) -> None:
        """Assert that the dojo was never there."""
        assert set(self.answers(slug)) == {NOT_FOUND}, f"{slug} was never whole, and answered"

    def answers(self, slug: str) -> list[Answer]:
        """Return what was answered, leaving out that nobody could answer."""
        return [answer for answer in self.seen[slug] if answer != AWAY]
