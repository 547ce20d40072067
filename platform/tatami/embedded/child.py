"""One supervised process: how it starts, is told to stop and, when it does not, ends with its whole group."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psutil

from tatami.embedded.account import Account, become, die_with_parent
from tatami.embedded.errors import EmbeddedError
from tatami.embedded.files import rotated

RESET_IN_CHILD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)


@dataclass(frozen=True)
class Program:
    """What to run, and the signals that it understands."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    log: Path | None = None
    """Where its output goes; None: to our own standard output."""
    stop_signal: signal.Signals = signal.SIGTERM
    hurry_signal: signal.Signals = signal.SIGKILL
    patience: float = 15.0
    """Seconds between `stop_signal` and the end by force."""
    account: Account | None = None
    piped: bool = False
    """Whether its output comes to us through a pipe, for the supervisor to pass on."""
    clear_away: Callable[[], None] | None = None
    """Ends what an earlier life of it left running, before each start."""


@dataclass(eq=False)
class Child:
    """A program that was started. Its process group has its pid for a number."""

    program: Program
    process: "subprocess.Popen[bytes]" = field(init=False)
    created: float = field(init=False)

    def __post_init__(self) -> None:
        """Start the program."""
        self.start()

    def start(self) -> None:
        """Start the program, for the first time or again, and note the time of birth.

        With the pid it names the process for good: pids are used again.
        """
        if self.program.clear_away:
            self.program.clear_away()
        with signals_held():
            self.process = _spawn(self.program)
            _living.add(self)
        try:
            self.created = psutil.Process(self.process.pid).create_time()
        except psutil.NoSuchProcess:
            self.created = 0.0

    @property
    def output(self) -> IO[bytes] | None:
        """The pipe of a `piped` program."""
        return self.process.stdout

    def is_alive(self) -> bool:
        """Say whether the process runs."""
        return self.process.poll() is None

    def ask_to_stop(self) -> None:
        """Send the signal to stop, and do not wait."""
        if self.is_alive():
            self.process.send_signal(self.program.stop_signal)

    def stop(self) -> None:
        """Ask it to stop, wait for its patience, then end what is left of its group."""
        self.ask_to_stop()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(self.program.patience)
        self.end()

    def end(self) -> None:
        """End what is left of the child and its group, at once."""
        self.end_group()
        self.process.wait()
        _living.discard(self)

    def end_group(self) -> None:
        """Kill every process left in the child's group; what it started must not outlive it."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def hurry(self) -> None:
        """End at once: the person at the terminal asked twice."""
        if self.is_alive():
            self.process.send_signal(self.program.hurry_signal)


_living: set[Child] = set()


def hurry_all() -> None:
    """Hurry every child that is still there."""
    for child in list(_living):
        child.hurry()


def _spawn(program: Program) -> "subprocess.Popen[bytes]":
    """Start `program` in a session of its own, so that Ctrl-C reaches the supervisor alone.

    The preparation in the child is why we use `preexec_fn`: it needs this process to have a single thread,
    which the supervisor has.
    """
    parent = os.getpid()

    def prepare() -> None:
        for number in RESET_IN_CHILD:
            signal.signal(number, signal.SIG_DFL)
        if program.account:
            become(program.account)
        die_with_parent(program.stop_signal, parent)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())

    with ExitStack() as stack:
        output: int | IO[bytes] | None = None
        if program.piped:
            output = subprocess.PIPE
        elif program.log:
            output = stack.enter_context(rotated(program.log).open("ab"))
        try:
            return subprocess.Popen(  # noqa: S603
                [*program.command],
                cwd=program.folder,
                env=dict(program.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=None if output is None else subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=prepare,  # noqa: PLW1509
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise EmbeddedError(f"{program.name} could not be started: {error}") from error


@contextmanager
def signals_held() -> Iterator[None]:
    """Hold back the signals that stop us, so that no child is started without being noted."""
    held = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
