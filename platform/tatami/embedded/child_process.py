"""One child process: start it, ask it to stop, kill its process group; and the signals that stop all of them."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO

import psutil

from tatami.embedded.errors import EmbeddedError
from tatami.embedded.files import rotated
from tatami.embedded.unprivileged_user import UnprivilegedUser, set_parent_death_signal, switch_to

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SIGNALS_RESET_IN_CHILD = (*STOP_SIGNALS, signal.SIGCHLD)


@dataclass(frozen=True)
class Program:
    """A command to run, and the signals that stop it."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    log: Path | None = None
    """The file that receives its output; `None`: our own standard output."""
    stop_signal: signal.Signals = signal.SIGTERM
    immediate_stop_signal: signal.Signals = signal.SIGKILL
    stop_timeout: float = 15.0
    """Seconds between `stop_signal` and SIGKILL."""
    user: UnprivilegedUser | None = None
    pipe_output: bool = False
    """Whether its output goes through a pipe that the supervisor reads."""
    before_start: Callable[[], None] | None = None
    """Called before each start, to stop processes that an earlier run left behind."""


@dataclass(eq=False)
class ChildProcess:
    """A started program. It leads a process group, whose id is its pid."""

    program: Program
    process: "subprocess.Popen[bytes]" = field(init=False)
    created: float = field(init=False)

    def __post_init__(self) -> None:
        """Start the program."""
        self.start()

    def start(self) -> None:
        """Start the program, for the first time or again, and store its creation time.

        Pid and creation time together identify a process; a pid alone is reused. Raises `EmbeddedError` if the
        program cannot be started.
        """
        if self.program.before_start:
            self.program.before_start()
        with stop_signals_blocked():
            self.process = _spawn(self.program)
            _running.add(self)
        try:
            self.created = psutil.Process(self.process.pid).create_time()
        except psutil.NoSuchProcess:
            self.created = 0.0

    @property
    def output(self) -> IO[bytes] | None:
        """The pipe that carries the output, if the program has `pipe_output`."""
        return self.process.stdout

    def is_alive(self) -> bool:
        """Return whether the process runs."""
        return self.process.poll() is None

    def request_stop(self) -> None:
        """Send `stop_signal` and return at once."""
        if self.is_alive():
            self.process.send_signal(self.program.stop_signal)

    def stop(self) -> None:
        """Send `stop_signal`, wait at most `stop_timeout`, then kill what is left of the process group."""
        self.request_stop()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(self.program.stop_timeout)
        self.kill()

    def kill(self) -> None:
        """Kill the process and its group at once."""
        self.kill_group()
        self.process.wait()
        _running.discard(self)

    def kill_group(self) -> None:
        """Kill every process left in the group, so that no grandchild outlives the child."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def stop_now(self) -> None:
        """Send `immediate_stop_signal`: the user pressed Ctrl-C a second time."""
        if self.is_alive():
            self.process.send_signal(self.program.immediate_stop_signal)


_running: set[ChildProcess] = set()


def stop_all_now() -> None:
    """Stop every child that still runs, without waiting for a clean shutdown."""
    for child in list(_running):
        child.stop_now()


def _spawn(program: Program) -> "subprocess.Popen[bytes]":
    """Start `program` in a session of its own, so that Ctrl-C reaches only the supervisor.

    `preexec_fn` is safe only in a process with a single thread. The supervisor has one.
    """
    parent = os.getpid()

    def prepare() -> None:
        for number in SIGNALS_RESET_IN_CHILD:
            signal.signal(number, signal.SIG_DFL)
        if program.user:
            switch_to(program.user)
        set_parent_death_signal(program.stop_signal, parent)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())

    with ExitStack() as stack:
        output: int | IO[bytes] | None = None
        if program.pipe_output:
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
def stop_signals_blocked() -> Iterator[None]:
    """Block the stop signals, so that none arrives between starting a child and recording it."""
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)


class StopRequested(BaseException):
    """A stop signal arrived. A `BaseException`, like `KeyboardInterrupt`, so that error handlers do not catch it."""


@contextmanager
def handle_stop_signals() -> Iterator[Callable[[], None]]:
    """Raise `StopRequested` at the first stop signal; stop the remaining children at once at the second.

    Yields a function to call when a shutdown starts without a signal. After that call, every signal counts as a second.
    """
    requested = False

    def handle(_number: int, _frame: FrameType | None) -> None:
        nonlocal requested
        if requested:
            stop_all_now()
            return
        requested = True
        raise StopRequested

    def shutdown_started() -> None:
        nonlocal requested
        requested = True

    previous_handlers = {}
    for number in STOP_SIGNALS:
        # Keep ignoring SIGHUP if our parent ignores it, as `nohup make run` does.
        if number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
            continue
        previous_handlers[number] = signal.signal(number, handle)
    try:
        yield shutdown_started
    finally:
        for number, handler in previous_handlers.items():
            signal.signal(number, handler)
