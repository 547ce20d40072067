"""What a supervisor that was killed may have left running, and how the next one ends it."""

import os
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

from tatami.embedded.errors import EmbeddedError

SAME_BIRTH_SECONDS = 2.0
"""Two readings of one process's time of birth may differ by a correction of the clock."""

PATIENCE_SECONDS = 20.0


@dataclass(frozen=True)
class Leftover:
    """A child as the record names it. The pid alone would not do: pids are used again."""

    name: str
    pid: int
    created: float

    def processes(self) -> list[psutil.Process]:
        """Return the child and all that is left of its process group.

        While a group has members its number is not given to a new process, so a leader born at another time
        means that our group is gone.
        """
        leader = _process(self.pid)
        if leader and abs(_created(leader) - self.created) > SAME_BIRTH_SECONDS:
            return []
        members = [process for process in psutil.process_iter() if _group_of(process) == self.pid]
        return [process for process in members if _created(process) >= self.created - SAME_BIRTH_SECONDS]


def end_leftovers(children: Iterable[Leftover]) -> None:
    """End children of a supervisor that is no more: a polite signal, then force.

    The last started is ended first, so that the servers go after those who use them.
    """
    for child in reversed(list(children)):
        # SIGINT is PostgreSQL's fast shutdown; SIGTERM would wait for its clients.
        end(child.processes(), signal.SIGINT if child.name == "postgres" else signal.SIGTERM)


def end_those_in(folder: Path, signal_first: signal.Signals) -> None:
    """End who works in `folder`: PostgreSQL's backends, which outlive a killed postmaster for a while."""
    inside = [process for process in psutil.process_iter() if _works_in(process, folder)]
    end(inside, signal_first)


def end(processes: list[psutil.Process], first: signal.Signals) -> None:
    """Send `first`, wait, and kill what is still there. Raises `EmbeddedError` when we may not."""
    for number in (first, signal.SIGKILL):
        for process in filter(_runs, processes):
            _signal(process, number)
        give_up = time.monotonic() + PATIENCE_SECONDS
        while any(map(_runs, processes)) and time.monotonic() < give_up:
            time.sleep(0.05)


def _runs(process: psutil.Process) -> bool:
    """Say whether a process runs. A dead one that a container's process 1 never buries does not."""
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
            f"Process {process.pid} was left by an earlier start under another account: end it first."
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
