"""Valkey, worker and beat as real processes: each may be killed at any moment, and is started again soon after.

As `make run` does it, but harsher: what a worker that was killed leaves behind is not cleared away for it.
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

from tatami.embedded.child import Child, Program
from tatami.embedded.programs import Application
from tatami.embedded.valkey import binary

BACK_AFTER_SECONDS: Final = 0.5
READY_WITHIN_SECONDS: Final = 60.0

VICTIMS: Final = ("worker", "pool child", "beat", "valkey")


@dataclass
class Crew:
    """The processes by name. Whoever waits for something calls `look` meanwhile: it starts the dead again."""

    children: dict[str, Child]
    valkey_port: int
    may_return: bool = True
    orphans: dict[psutil.Process, float] = field(default_factory=dict)
    """Pool children whose worker was killed: when. They end by themselves when they have done their task."""
    longest_outlived: float = 0.0
    _dead_since: dict[str, float] = field(default_factory=dict)

    def look(self) -> None:
        """Start again who has been dead for a while. Valkey comes back empty: it keeps nothing."""
        now = time.monotonic()
        for orphan, since in list(self.orphans.items()):
            self.longest_outlived = max(self.longest_outlived, now - since)
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
        """Kill one of `VICTIMS` without warning; say who it was. Whoever is dead already is waited for."""
        name = "worker" if victim == "pool child" else victim
        until = time.monotonic() + READY_WITHIN_SECONDS
        while not self.children[name].is_alive() or (victim == "pool child" and not self.pool()):
            assert time.monotonic() < until, f"{name} did not come back"
            self.look()
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
        """Let a process hang: it is there, and does not answer. `kill` ends that too."""
        self.children[name].process.send_signal(signal.SIGSTOP)

    def pool(self) -> list[psutil.Process]:
        """The processes in which the worker does its tasks."""
        try:
            return psutil.Process(self.children["worker"].process.pid).children()
        except psutil.NoSuchProcess:
            return []

    def log(self, name: str) -> Path:
        """Where a process writes to."""
        path = self.children[name].program.log
        assert path is not None
        return path

    def is_heard(self) -> bool:
        """Whether Valkey answers."""
        return self.valkey_says("PING") == "+PONG"

    def valkey_says(self, command: str) -> str:
        """Return Valkey's answer of one line; nothing if it is away."""
        try:
            with socket.create_connection(("127.0.0.1", self.valkey_port), timeout=1) as link:
                link.sendall(command.encode() + b"\r\n")
                return link.recv(64).decode().strip()
        except OSError:
            return ""

    def stop(self) -> None:
        """End everybody, also who was left behind."""
        for name in ("beat", "worker", "valkey"):
            self.children[name].stop()
        for orphan in self.orphans:
            if orphan.is_running():
                orphan.kill()


@contextmanager
def crew_at_work(folder: Path, environment: dict[str, str], valkey_port: int) -> Iterator[Crew]:
    """Start Valkey, worker and beat with the command lines of `make run`; they are there until the block is left."""
    (folder / "valkey").mkdir()
    (folder / "logs").mkdir()
    application = Application(folder, {**os.environ, **environment}, port=0)
    crew = Crew({}, valkey_port)
    try:
        crew.children["valkey"] = Child(_valkey(folder, valkey_port))
        for program in (application.worker(), application.beat()):
            # Straight to the file: nobody here would empty a pipe.
            crew.children[program.name] = Child(replace(program, piped=False))
        until = time.monotonic() + READY_WITHIN_SECONDS
        while not (crew.is_heard() and len(crew.pool()) == 2 and " ready" in crew.log("worker").read_text()):
            assert time.monotonic() < until, crew.log("worker").read_text()
            time.sleep(0.1)
        yield crew
    finally:
        crew.stop()


def _valkey(folder: Path, port: int) -> Program:
    settings = {"bind": "127.0.0.1", "port": str(port), "save": "", "appendonly": "no"}
    return Program(
        name="valkey",
        command=[str(binary()), *(part for name, value in settings.items() for part in (f"--{name}", value))],
        environment={"LC_ALL": "C", "TZ": "UTC"},
        folder=folder / "valkey",
        log=folder / "logs" / "valkey.log",
    )
