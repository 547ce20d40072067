"""Stop the processes that a killed supervisor left behind."""

import os
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

from tatami.embedded.errors import EmbeddedError

START_TIME_TOLERANCE_SECONDS = 2.0
"""Two readings of a process's creation time may differ by a correction of the clock."""

STOP_TIMEOUT_SECONDS = 20.0


@dataclass(frozen=True)
class RecordedProcess:
    """A child process as recorded in the data folder. Pids are reused, so the creation time is recorded, too."""

    name: str
    pid: int
    created: float

    def processes(self) -> list[psutil.Process]:
        """Return the child and the remaining members of its process group.

        The kernel does not reuse a group's id while the group has members. If the leader has another creation time,
        our group is gone, and the list is empty.
        """
        leader = _process(self.pid)
        if leader and abs(_created(leader) - self.created) > START_TIME_TOLERANCE_SECONDS:
            return []
        members = [process for process in psutil.process_iter() if _group_of(process) == self.pid]
        return [
            process for process in members if _created(process) >= self.created - START_TIME_TOLERANCE_SECONDS
        ]


def stop_recorded(children: Iterable[RecordedProcess]) -> None:
    """Stop the children of a supervisor that is gone: first with a signal for a clean shutdown, then with SIGKILL.

    They are stopped in reverse order of their start, so that the servers outlive the processes that use them.
    """
    for child in reversed(list(children)):
        # SIGINT is PostgreSQL's fast shutdown; SIGTERM would wait for its clients.
        stop_processes(child.processes(), signal.SIGINT if child.name == "postgres" else signal.SIGTERM)


def stop_processes_in(folder: Path, signal_first: signal.Signals) -> None:
    """Stop the processes whose working directory is `folder`: PostgreSQL's backends outlive a killed postmaster."""
    inside = [process for process in psutil.process_iter() if _works_in(process, folder)]
    stop_processes(inside, signal_first)


def stop_processes(processes: list[psutil.Process], first: signal.Signals) -> None:
    """Send the signal `first`, wait, then kill what still runs. Raises `EmbeddedError` if we lack permission."""
    for number in (first, signal.SIGKILL):
        for process in filter(_is_running, processes):
            _signal(process, number)
        deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
        while any(map(_is_running, processes)) and time.monotonic() < deadline:
            time.sleep(0.05)


def _is_running(process: psutil.Process) -> bool:
    """Return whether a process runs. A zombie, which process 1 of a container may never reap, does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        pass
    except psutil.AccessDenied as error:
        raise EmbeddedError(
            f"Process {process.pid} of an earlier start belongs to another user. Stop it, then try again."
        ) from error


def _process(pid: int) -> psutil.Process | None:
    try:
        return psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None


def _created(process: psutil.Process) -> float:
    try:
        return process.create_time()
    except psutil.NoSuchProcess:
        return 0.0


def _group_of(process: psutil.Process) -> int | None:
    try:
        return os.getpgid(process.pid)
    except (ProcessLookupError, PermissionError):
        return None


def _works_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return process.cwd() == str(folder)
    except psutil.Error:
        return False
