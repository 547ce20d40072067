"""A real PgBouncer between the app login and the test server.

`python -m tests.support.pgbouncer -- COMMAND` is `make test-pgbouncer`: it runs the command with the app login behind
PgBouncer in transaction mode, once with prepared statements and once without. The owner login goes to the server.
PgBouncer before 1.21 has no prepared statements: then there is one run, without them.
"""

import argparse
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tatami.embedded.child_process import ChildProcess, Program, StopRequested, handle_stop_signals
from tatami.embedded.commands import run_in_foreground
from tatami.embedded.logins import database_url
from tatami.embedded.unprivileged_user import server_user
from tests.support.live_server import free_port

HOST: Final = "127.0.0.1"
POOLED: Final = "TATAMI_TEST_POOLED"
"""The environment variable that tells the tests that the app login is behind PgBouncer."""
READY_WITHIN_SECONDS: Final = 30.0
WITH_PREPARED_STATEMENTS: Final = (1, 21)
"""The first version that has prepared statements in transaction mode."""
MISSING: Final = (
    "PgBouncer is not installed (on Debian: apt-get install pgbouncer). "
    "PGBOUNCER=/path/to/pgbouncer names a program elsewhere."
)

# Those of deploy/pgbouncer.ini, with fewer connections. A client that waits for one waits until its own limit.
SETTINGS: Final = {
    "listen_addr": HOST,
    "unix_socket_dir": "",
    "auth_type": "scram-sha-256",
    "pool_mode": "transaction",
    "default_pool_size": "16",
    "max_client_conn": "1000",
    "log_connections": "0",
    "log_disconnections": "0",
    "log_stats": "0",
}


@dataclass(frozen=True)
class PgBouncer:
    """The program: its path and version."""

    path: str
    version: tuple[int, ...]

    @property
    def prepares(self) -> bool:
        """Return whether it has prepared statements in transaction mode."""
        return self.version >= WITH_PREPARED_STATEMENTS

    def __str__(self) -> str:
        return f"PgBouncer {'.'.join(map(str, self.version))}"


def installed() -> PgBouncer | None:
    """Return the program that PGBOUNCER names, or that is installed; `None` without one."""
    # Debian installs it into a folder that only root has in PATH.
    places = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])
    path = shutil.which(os.environ.get("PGBOUNCER") or "pgbouncer", path=places)
    if path is None:
        return None
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"PgBouncer (\d+(?:\.\d+)+)", said)
    assert found, said
    return PgBouncer(path, tuple(map(int, found[1].split("."))))


@dataclass(frozen=True)
class Pooler:
    """A running PgBouncer."""

    program: PgBouncer
    child: ChildProcess
    port: int

    def url(self, login: Mapping[str, Any]) -> str:
        """Return the URL of a login of Django's settings through the pooler."""
        return database_url(
            make_conninfo(host=HOST, port=self.port),
            user=login["USER"],
            password=login["PASSWORD"],
            database=login["NAME"],
        )


@contextmanager
def running_pgbouncer(
    program: PgBouncer, *, server: str, logins: Mapping[str, str], **more: str
) -> Iterator[Pooler]:
    """Run it in a temporary folder, for all databases of the server of the conninfo `server`.

    `logins` are the names and passwords that it lets in, and `more` are further settings. If we are root it runs as an
    unprivileged user, because it refuses to run as root.
    """
    with tempfile.TemporaryDirectory(prefix="tatami-pgbouncer-") as name:
        folder = Path(name)
        port = free_port()
        address = conninfo_to_dict(server)
        users, configuration, log = (folder / file for file in ("users.txt", "pgbouncer.ini", "log"))
        options = SETTINGS | {"listen_port": str(port), "auth_file": str(users)} | more
        if program.prepares:
            options = {"max_prepared_statements": "200"} | options
        users.write_text("".join(f'"{login}" "{password}"\n' for login, password in logins.items()))
        configuration.write_text(
            f"[databases]\n* = host='{address['host']}' port={address.get('port', 5432)}\n[pgbouncer]\n"
            + "".join(f"{option} = {value}\n" for option, value in options.items())
        )
        user = server_user([folder, Path(program.path)])
        for path in (folder, users, configuration):
            path.chmod(0o700 if path is folder else 0o600)
            if user:
                os.chown(path, user.uid, user.gid)
        child = ChildProcess(
            Program(
                name="pgbouncer",
                command=[program.path, "--quiet", str(configuration)],
                environment={"PATH": os.defpath, "LC_ALL": "C"},
                folder=folder,
                log=log,
                user=user,
            )
        )
        try:
            _wait_until_it_listens(child, port, log)
            yield Pooler(program, child, port)
        finally:
            child.kill()  # at the first SIGTERM it would wait for its clients


def _wait_until_it_listens(child: ChildProcess, port: int, log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN_SECONDS
    while True:
        with socket.socket() as link:
            if link.connect_ex((HOST, port)) == 0:
                return
        assert child.is_alive() and time.monotonic() < deadline, log.read_text()  # noqa: PT018
        time.sleep(0.05)


# --- in tests ------------------------------------------------------------------------------------------------------


def is_pooled() -> bool:
    """Return whether the app login of this run is behind PgBouncer."""
    return bool(os.environ.get(POOLED))


# --- make test-pgbouncer -------------------------------------------------------------------------------------------


def main() -> int:
    """Run the command once for each kind of statements; return the first exit code that is not 0."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.pgbouncer", description=__doc__)
    parser.add_argument("--prepared", nargs="+", choices=("on", "off"), default=["on", "off"])
    parser.add_argument("command", nargs="+", metavar="-- COMMAND")
    arguments = parser.parse_args()
    program = installed()
    if program is None:
        _print(MISSING)
        return 1
    modes = list(dict.fromkeys(arguments.prepared))
    if not program.prepares and "on" in modes:
        _print(f"{program} has no prepared statements (1.21 has): one run, with them off.")
        modes = ["off"]
    codes = {mode: _run(program, arguments.command, mode) for mode in modes}
    for mode, code in codes.items():
        _print(f"{program}, prepared statements {mode}: exit code {code}")
    return next((code for code in codes.values() if code), 0)


def _run(program: PgBouncer, command: Sequence[str], mode: str) -> int:
    login = conninfo_to_dict(os.environ["DATABASE_URL"])
    with (
        handle_stop_signals(),
        running_pgbouncer(
            program,
            server=os.environ["DATABASE_URL"],
            logins={str(login["user"]): str(login["password"])},
        ) as pooler,
    ):
        _print(f"{program}, prepared statements {mode}")
        named = {"USER": login["user"], "PASSWORD": login["password"], "NAME": login["dbname"]}
        environment = {**os.environ, POOLED: "1", "DATABASE_URL": pooler.url(named)}
        if mode == "off":
            environment["TATAMI_PREPARED_STATEMENTS"] = "0"
        return run_in_foreground(command, environment)


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except StopRequested:
        sys.exit(128 + 15)
