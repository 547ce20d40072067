"""Keep child processes running: restart one that exits, give up on a crash loop, stop all of them in order.

We use none of honcho, circus and supervisord: they cannot wait for one child before they start the next, cannot give up
root for one child, and leave children behind when they are killed.
"""

import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from tatami.embedded.child_process import ChildProcess, Program, StopRequested
from tatami.embedded.data_folder import DataFolder
from tatami.embedded.errors import EmbeddedError
from tatami.embedded.files import rotated, tail


def print_line(line: str) -> None:
    """Print a line of the supervisor itself."""
    write_stdout(f"tatami: {line}\n".encode())


def write_stdout(lines: bytes) -> None:
    """Write to our standard output. Raises `StopRequested` if its reader is gone."""
    try:
        sys.stdout.buffer.write(lines)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
        raise StopRequested from None


class Tee:
    """Copy one pipe to standard output and to a log, in whole lines, so that lines of several processes do not mix."""

    def __init__(self, pipe: IO[bytes], log: Path) -> None:
        """Read `pipe` without blocking, and append to `log`."""
        self.pipe = pipe
        self._log = rotated(log).open("ab", buffering=0)
        self._rest = b""
        os.set_blocking(pipe.fileno(), False)

    def copy_available(self) -> bool:
        """Copy what the pipe contains now. Return False at the end of the pipe."""
        try:
            chunk = os.read(self.pipe.fileno(), 65_536)
        except BlockingIOError:
            return True
        if not chunk:
            return False
        whole, newline, self._rest = (self._rest + chunk).rpartition(b"\n")
        self._write(whole + newline)
        return True

    def close(self) -> None:
        """Copy the unfinished last line, then close pipe and log."""
        self._write(self._rest)
        self.pipe.close()
        self._log.close()

    def _write(self, lines: bytes) -> None:
        if lines:
            self._log.write(lines)
            write_stdout(lines)


STABLE_AFTER_SECONDS = 30.0
"""The crash count starts again after a child has run this long."""

MAX_CRASHES = 5
MAX_RESTART_DELAY_SECONDS = 10.0
POLL_SECONDS = 0.25


@dataclass(eq=False)
class SupervisedProcess:
    """A child process and the history of its crashes."""

    child: ChildProcess
    started: float = field(default_factory=time.monotonic)
    crashes: int = 0
    restart_at: float | None = None

    @property
    def name(self) -> str:
        """The name of the child in messages."""
        return self.child.program.name


class CrashLoop(EmbeddedError):
    """A child exited too often, so that everything stops."""


@dataclass
class Supervisor:
    """Watches child processes from one thread. `print_line` prints a message in the terminal."""

    data_folder: DataFolder
    print_line: Callable[[str], None]
    _supervised: list[SupervisedProcess] = field(default_factory=list)
    _pipes: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def adopt(self, child: ChildProcess) -> None:
        """Watch a child that the caller started and will stop (a server)."""
        self._supervised.append(SupervisedProcess(child))

    def start(self, program: Program) -> None:
        """Start a program and watch it."""
        child = ChildProcess(program)
        self._supervised.append(SupervisedProcess(child))
        self._register(child)

    def run_to_completion(self, program: Program) -> None:
        """Run a program until it exits. Raises `EmbeddedError` if its exit code is not 0."""
        child = ChildProcess(program)
        try:
            self._register(child)
            code = child.process.wait()
        finally:
            child.stop()
        if code != 0:
            raise EmbeddedError(f"{program.name} failed (exit code {code}): its last lines are above.")

    def watch(self, until: Callable[[], bool], *, within: float | None = None) -> bool:
        """Watch the children until `until()` is true, at most `within` seconds; return whether it became true.

        Raises `CrashLoop` if a child exits too often.
        """
        deadline = time.monotonic() + within if within is not None else float("inf")
        while time.monotonic() < deadline:
            self._copy_output(POLL_SECONDS)
            for supervised in self._supervised:
                self._check_process(supervised)
            if until():
                return True
        return False

    def stop(self, programs: Sequence[Program]) -> None:
        """Stop the children of these programs at the same time, and wait for all of them."""
        names = {program.name for program in programs}
        stopping = [supervised.child for supervised in self._supervised if supervised.name in names]
        self._supervised = [supervised for supervised in self._supervised if supervised.name not in names]
        for child in stopping:
            child.request_stop()
        deadline = time.monotonic() + max((child.program.stop_timeout for child in stopping), default=0)
        while any(child.is_alive() for child in stopping) and time.monotonic() < deadline:
            self._copy_output(0.05)
        for child in stopping:
            child.kill()
        self._copy_output(0)

    def _register(self, child: ChildProcess) -> None:
        self.data_folder.record_child(child)
        if child.output and child.program.log:
            self._pipes.register(child.output, selectors.EVENT_READ, Tee(child.output, child.program.log))

    def _copy_output(self, wait: float) -> None:
        if not self._pipes.get_map():
            time.sleep(wait)
            return
        for key, _ in self._pipes.select(wait):
            tee: Tee = key.data
            if not tee.copy_available():
                self._pipes.unregister(key.fileobj)
                tee.close()

    def _check_process(self, supervised: SupervisedProcess) -> None:
        now = time.monotonic()
        if supervised.restart_at is not None:
            if now >= supervised.restart_at:
                supervised.child.start()
                supervised.started, supervised.restart_at = now, None
                self._register(supervised.child)
        elif not supervised.child.is_alive():
            supervised.child.kill_group()
            supervised.crashes = (
                1 if now - supervised.started > STABLE_AFTER_SECONDS else supervised.crashes + 1
            )
            ending = _ending(supervised.child.process)
            if supervised.crashes >= MAX_CRASHES:
                raise CrashLoop(
                    f"{supervised.name} keeps crashing ({ending}), so everything stops. {_log_tail(supervised)}"
                )
            delay = min(0.5 * 2 ** (supervised.crashes - 1), MAX_RESTART_DELAY_SECONDS)
            supervised.restart_at = now + delay
            self.print_line(f"{supervised.name} exited ({ending}); it restarts in {delay:g} s")


def _ending(process: "subprocess.Popen[bytes]") -> str:
    code = process.returncode
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _log_tail(supervised: SupervisedProcess) -> str:
    log = supervised.child.program.log
    return f"The end of {log}:\n{tail(log)}" if log else "Its last lines are above."
