"""Valkey, worker and beat as real processes. Each may be killed at any time, and restarts soon after.

Unlike the supervisor of `make run`, this does not stop the pool processes that a killed worker leaves behind.
"""

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Final

import psutil

from tatami.embedded.child_process import ChildProcess, Program
from tatami.embedded.programs import ApplicationPrograms
from tatami.embedded.valkey import valkey_binary

BACK_AFTER_SECONDS: Final = 0.5
READY_WITHIN_SECONDS: Final = 60.0

VICTIMS: Final = ("worker", "pool child", "beat", "valkey")


@dataclass
class BackgroundProcesses:
    """The processes by name. A test that waits must call `restart_dead` repeatedly."""

    children: dict[str, ChildProcess]
    valkey_port: int
    may_return: bool = True
    orphans: dict[psutil.Process, float] = field(default_factory=dict)
    """Pool processes whose worker was killed → when. They exit after their task."""
    longest_orphan_life: float = 0.0
    _dead_since: dict[str, float] = field(default_factory=dict)

    def restart_dead(self) -> None:
        """Restart processes that have been dead for `BACK_AFTER_SECONDS`. Valkey restarts empty."""
        now = time.monotonic()
        for orphan, since in list(self.orphans.items()):
            self.longest_orphan_life = max(self.longest_orphan_life, now - since)
            if not orphan.is_running():
                del self.orphans[orphan]
        for name, child in self.children.items():
            if child.is_alive():
                self._dead_since.pop(name, None)
            elif now > self._dead_since.setdefault(name, now) + BACK_AFTER_SECONDS and (
                name != "valkey" or self.may_return
            ):
                child.start()

    def kill(self, victim: str, rng: Random) -> str:
        """Kill one of `VICTIMS` with SIGKILL; return its name and pid. If it is dead, wait for its restart first."""
        name = "worker" if victim == "pool child" else victim
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        while not self.children[name].is_alive() or (victim == "pool child" and not self.pool()):
            assert time.monotonic() < deadline, f"{name} did not restart"
            self.restart_dead()
            time.sleep(0.02)
        if victim == "pool child":
            one = rng.choice(self.pool())
            one.kill()
            return f"{victim} {one.pid}"
        if victim == "worker":
            self.orphans |= dict.fromkeys(self.pool(), time.monotonic())
        child = self.children[name]
        child.process.send_signal(signal.SIGKILL)
        child.process.wait()
        return f"{victim} {child.process.pid}"

    def freeze(self, name: str) -> None:
        """Suspend a process, so that it runs but does not answer. `kill` works on it, too."""
        self.children[name].process.send_signal(signal.SIGSTOP)

    def pool(self) -> list[psutil.Process]:
        """Return the worker's pool processes, which run its tasks."""
        try:
            return psutil.Process(self.children["worker"].process.pid).children()
        except psutil.NoSuchProcess:
            return []

    def log(self, name: str) -> Path:
        """Return the log file of a process."""
        path = self.children[name].program.log
        assert path is not None
        return path

    def valkey_answers(self) -> bool:
        """Return whether Valkey answers."""
        return self.valkey_command("PING") == "+PONG"

    def valkey_command(self, command: str) -> str:
        """Send a command; return Valkey's one-line answer, or an empty string if it is unavailable."""
        try:
            with socket.create_connection(("127.0.0.1", self.valkey_port), timeout=1) as link:
                link.sendall(command.encode() + b"\r\n")
                return link.recv(64).decode().strip()
        except OSError:
            return ""

    def stop(self) -> None:
        """Stop all processes, including orphans."""
        for name in ("beat", "worker", "valkey"):
            self.children[name].stop()
        for orphan in self.orphans:
            if orphan.is_running():
                orphan.kill()


@contextmanager
def running_background_processes(
    folder: Path, environment: dict[str, str], valkey_port: int
) -> Iterator[BackgroundProcesses]:
    """Run Valkey, worker and beat with the command lines of `make run` until the end of the block."""
    (folder / "valkey").mkdir()
    (folder / "logs").mkdir()
    application = ApplicationPrograms(folder, {**os.environ, **environment}, port=0)
    processes = BackgroundProcesses({}, valkey_port)
    try:
        processes.children["valkey"] = ChildProcess(_valkey(folder, valkey_port))
        for program in (application.worker(), application.beat()):
            # Write to the file directly, because nothing here reads a pipe.
            processes.children[program.name] = ChildProcess(replace(program, pipe_output=False))
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        while not (
            processes.valkey_answers()
            and len(processes.pool()) == 2
            and " ready" in processes.log("worker").read_text()
        ):
            assert time.monotonic() < deadline, processes.log("worker").read_text()
            time.sleep(0.1)
        yield processes
    finally:
        processes.stop()


def _valkey(folder: Path, port: int) -> Program:
    settings = {"bind": "127.0.0.1", "port": str(port), "save": "", "appendonly": "no"}
    return Program(
        name="valkey",
        command=[
            str(valkey_binary()),
            *(part for name, value in settings.items() for part in (f"--{name}", value)),
        ],
        environment={"LC_ALL": "C", "TZ": "UTC"},
        folder=folder / "valkey",
        log=folder / "logs" / "valkey.log",
    )
