"""The folder that one supervisor at a time owns: its lock, its secrets and the record of its children.

The lock tells whether a supervisor is alive (the kernel frees it however the holder dies). The record tells
the next one what to end that the last one left behind, and `make shell` where the running servers are.
"""

import fcntl
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tatami.embedded.child import Child
from tatami.embedded.errors import AlreadyRunning, EmbeddedError
from tatami.embedded.files import read_json, remove_socket_folder, write_private
from tatami.embedded.leftovers import Leftover, end_leftovers


@dataclass
class Claim:
    """A data folder that is ours alone until we end."""

    path: Path
    _children: list[Child] = field(default_factory=list)
    _folders: list[Path] = field(default_factory=list)
    _environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def logs(self) -> Path:
        """Where the servers' and the workers' output is kept."""
        return self.path / "logs"

    def secret(self, name: str, length: int = 32) -> str:
        """Return the secret of this name: made once, at random, and kept in a file for us alone."""
        kept = read_json(self.path / "secrets.json")
        if name not in kept:
            kept[name] = secrets.token_urlsafe(length)
            write_private(self.path / "secrets.json", kept)
        return str(kept[name])

    def has_secret(self, name: str) -> bool:
        """Say whether a secret of this name was made before."""
        return name in read_json(self.path / "secrets.json")

    def note_child(self, child: Child) -> None:
        """Record a child (each time it starts), so that the next supervisor can end it if we cannot."""
        others = [other for other in self._children if other is not child and other.is_alive()]
        self._children = [*others, child]
        self._write()

    def note_folder(self, folder: Path) -> None:
        """Record a temporary folder, so that the next supervisor can remove it if we cannot."""
        self._folders.append(folder)
        self._write()

    def publish(self, environment: Mapping[str, str]) -> None:
        """Record how to reach what runs here: `running_environment` returns it to other commands."""
        self._environment = environment
        self._write()

    def _write(self) -> None:
        children = [
            {"name": child.program.name, "pid": child.process.pid, "created": child.created}
            for child in self._children
        ]
        write_private(
            self.path / "running.json",
            {
                "supervisor": os.getpid(),
                "children": children,
                "folders": [str(folder) for folder in self._folders],
                "environment": dict(self._environment),
            },
        )


@contextmanager
def claimed(path: Path) -> Iterator[Claim]:
    """Own the data folder `path`; first end what a supervisor that was killed left behind.

    Raises `AlreadyRunning` when another supervisor owns it, `EmbeddedError` when we may not write in it.
    """
    try:
        make_data_folder(path)
        lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise EmbeddedError(
            f"The data folder {path} cannot be used: {error.strerror}. Set TATAMI_DATA to one of your own."
        ) from error
    try:
        _lock(lock, path)
        record = read_json(path / "running.json")
        end_leftovers([Leftover(**child) for child in record.get("children", [])])
        for folder in record.get("folders", []):
            remove_socket_folder(Path(folder))
        try:
            yield Claim(path)
        finally:
            (path / "running.json").unlink(missing_ok=True)
    finally:
        os.close(lock)


def make_data_folder(path: Path) -> None:
    """Make the folder for us alone; root lets its server account pass (not list) it.

    The secrets in it are files of mode 0600, so passing gains nobody anything. An existing one is left alone.
    """
    if not path.exists():
        path.mkdir(parents=True)
        path.chmod(0o711 if os.geteuid() == 0 else 0o700)
    owner = path.stat().st_uid
    if os.geteuid() == 0 and owner != 0:
        raise EmbeddedError(
            f"The data folder {path} belongs to another account (uid {owner}), which could not use it again "
            "after root did. Run this as that account, or set TATAMI_DATA to another folder."
        )


def _lock(lock: int, path: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = read_json(path / "running.json").get("supervisor", "unknown")
        raise AlreadyRunning(
            f"Tatami already runs on {path} (process {holder}). "
            "Stop it first, or set TATAMI_DATA to another folder."
        ) from error


def running_environment(path: Path) -> dict[str, str] | None:
    """Return the environment that reaches the servers running on `path`, or None when none run."""
    try:
        lock = os.open(path / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, PermissionError):
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        environment: Any = read_json(path / "running.json").get("environment")
        return dict(environment) if environment else None
    finally:
        os.close(lock)
    return None
