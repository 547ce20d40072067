"""The data folder, which one supervisor at a time owns: its lock, its secrets and the record of child processes.

The lock shows whether a supervisor runs; the kernel releases it when the holder dies for any reason. The record tells
the next supervisor which processes a killed one left behind, and tells `make shell` where the running servers are.
"""

import fcntl
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tatami.embedded.child_process import ChildProcess
from tatami.embedded.errors import AlreadyRunning, EmbeddedError
from tatami.embedded.files import read_json, remove_socket_folder, write_private
from tatami.embedded.stale_processes import RecordedProcess, stop_recorded

ROOT = Path(__file__).resolve().parents[3]
"""The checkout, which contains `manage.py`."""

PRIVATE = 0o077
"""The umask of all that runs on a data folder: mail, files and logs in it are for their owner only."""


def data_folder_path() -> Path:
    """Return the folder for all data of this checkout: TATAMI_DATA, or `.tatami` beside manage.py."""
    return Path(os.environ.get("TATAMI_DATA") or ROOT / ".tatami").absolute()


@dataclass
class DataFolder:
    """A data folder that this process has locked."""

    path: Path
    _children: list[ChildProcess] = field(default_factory=list)
    _folders: list[Path] = field(default_factory=list)
    _environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def logs(self) -> Path:
        """The folder of the servers' and the workers' log files."""
        return self.path / "logs"

    def secret(self, name: str, length: int = 32) -> str:
        """Return the secret of this name. The first call creates it at random and stores it in a file of mode 0600."""
        stored = read_json(self.path / "secrets.json")
        if name not in stored:
            stored[name] = secrets.token_urlsafe(length)
            write_private(self.path / "secrets.json", stored)
        return str(stored[name])

    def has_secret(self, name: str) -> bool:
        """Return whether a secret of this name exists."""
        return name in read_json(self.path / "secrets.json")

    def record_child(self, child: ChildProcess) -> None:
        """Record a child, each time it starts, so that the next supervisor can stop it if we are killed."""
        others = [other for other in self._children if other is not child and other.is_alive()]
        self._children = [*others, child]
        self._write()

    def record_folder(self, folder: Path) -> None:
        """Record a temporary folder, so that the next supervisor can remove it if we are killed."""
        self._folders.append(folder)
        self._write()

    def publish(self, environment: Mapping[str, str]) -> None:
        """Record how to reach the running servers. `running_environment` returns it to other commands."""
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
def locked_data_folder(path: Path) -> Iterator[DataFolder]:
    """Lock the data folder `path`, and stop the processes that a killed supervisor left behind.

    Raises `AlreadyRunning` if another supervisor holds the lock, and `EmbeddedError` if the folder is not writable.
    """
    try:
        make_data_folder(path)
        lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise EmbeddedError(
            f"The data folder {path} cannot be used: {error.strerror}. Set TATAMI_DATA to a folder that you own."
        ) from error
    mask = os.umask(PRIVATE)
    try:
        _lock(lock, path)
        close_to_others(path)
        record = read_json(path / "running.json")
        stop_recorded([RecordedProcess(**child) for child in record.get("children", [])])
        for folder in record.get("folders", []):
            remove_socket_folder(Path(folder))
        try:
            yield DataFolder(path)
        finally:
            (path / "running.json").unlink(missing_ok=True)
    finally:
        os.umask(mask)
        os.close(lock)


def close_to_others(path: Path) -> None:
    """Close all that is directly in the data folder to other users. Earlier versions left some of it open.

    What is created from now on is closed by the umask, which our child processes inherit.
    """
    for entry in path.iterdir():
        if not entry.is_symlink():
            entry.chmod(stat.S_IMODE(entry.lstat().st_mode) & ~PRIVATE)


def make_data_folder(path: Path) -> None:
    """Create the folder for this user alone. As root, let the server's user enter it, but not list it.

    Everything in it is closed to others, so entering the folder reveals nothing. An existing folder is not changed.
    """
    if not path.exists():
        path.mkdir(parents=True)
        path.chmod(0o711 if os.geteuid() == 0 else 0o700)
    owner = path.stat().st_uid
    if os.geteuid() == 0 and owner != 0:
        raise EmbeddedError(
            f"The data folder {path} belongs to another user (uid {owner}), who could not use it again "
            "after root did. Run this command as that user, or set TATAMI_DATA to another folder."
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
    """Return the environment variables of the servers that run on `path`, or `None` if none run."""
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
