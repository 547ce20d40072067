"""Keeps children running: restarts one that died, gives up on one that keeps dying, stops all in order.

Our own because honcho, circus and supervisord neither wait for one child before the next, nor give up root
for one of them, nor leave nothing behind when they are killed themselves; what is left is this loop.
"""

import selectors
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tatami.embedded.child import Child, Program
from tatami.embedded.data_folder import Claim
from tatami.embedded.errors import EmbeddedError
from tatami.embedded.files import tail
from tatami.embedded.output import Tee

STEADY_SECONDS = 30.0
"""A child that ran this long was well: its earlier deaths are forgotten."""

MOST_DEATHS = 5
LONGEST_PAUSE_SECONDS = 10.0
LOOK_EVERY_SECONDS = 0.25


@dataclass(eq=False)
class Charge:
    """A child that we look after, and its history."""

    child: Child
    started: float = field(default_factory=time.monotonic)
    deaths: int = 0
    restart_at: float | None = None

    @property
    def name(self) -> str:
        """What the child is called in messages."""
        return self.child.program.name


class KeepsDying(EmbeddedError):
    """A child died again and again: nothing here is of use without it."""


@dataclass
class Supervisor:
    """Looks after children from one thread; `say` prints a line for the person at the terminal."""

    claim: Claim
    say: Callable[[str], None]
    _charges: list[Charge] = field(default_factory=list)
    _pipes: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def look_after(self, child: Child) -> None:
        """Take over a child that somebody else started and will stop: a server."""
        self._charges.append(Charge(child))

    def start(self, program: Program) -> None:
        """Start a program and look after it."""
        child = Child(program)
        self._charges.append(Charge(child))
        self._note(child)

    def run_to_end(self, program: Program) -> None:
        """Run a program that ends by itself. Raises `EmbeddedError` unless it ends well."""
        child = Child(program)
        try:
            self._note(child)
            code = child.process.wait()
        finally:
            child.stop()
        if code != 0:
            raise EmbeddedError(f"{program.name} failed (exit code {code}): its last words are above.")

    def watch(self, until: Callable[[], bool], *, within: float | None = None) -> bool:
        """Look after the children until `until()`, at most `within` seconds; say whether it came true.

        Raises `KeepsDying` when a child cannot be kept running.
        """
        give_up = time.monotonic() + within if within is not None else float("inf")
        while time.monotonic() < give_up:
            self._pass_on_output(LOOK_EVERY_SECONDS)
            for charge in self._charges:
                self._look_at(charge)
            if until():
                return True
        return False

    def stop(self, programs: Sequence[Program]) -> None:
        """Stop the children of these programs together, and wait for all of them."""
        names = {program.name for program in programs}
        going = [charge.child for charge in self._charges if charge.name in names]
        self._charges = [charge for charge in self._charges if charge.name not in names]
        for child in going:
            child.ask_to_stop()
        give_up = time.monotonic() + max((child.program.patience for child in going), default=0)
        while any(child.is_alive() for child in going) and time.monotonic() < give_up:
            self._pass_on_output(0.05)
        for child in going:
            child.end()
        self._pass_on_output(0)

    def _note(self, child: Child) -> None:
        self.claim.note_child(child)
        if child.output and child.program.log:
            self._pipes.register(child.output, selectors.EVENT_READ, Tee(child.output, child.program.log))

    def _pass_on_output(self, wait: float) -> None:
        if not self._pipes.get_map():
            time.sleep(wait)
            return
        for key, _ in self._pipes.select(wait):
            tee: Tee = key.data
            if not tee.pass_on():
                self._pipes.unregister(key.fileobj)
                tee.close()

    def _look_at(self, charge: Charge) -> None:
        now = time.monotonic()
        if charge.restart_at is not None:
            if now >= charge.restart_at:
                charge.child.start()
                charge.started, charge.restart_at = now, None
                self._note(charge.child)
        elif not charge.child.is_alive():
            charge.child.end_group()
            charge.deaths = 1 if now - charge.started > STEADY_SECONDS else charge.deaths + 1
            ending = _ending(charge.child.process)
            if charge.deaths >= MOST_DEATHS:
                raise KeepsDying(
                    f"{charge.name} keeps dying ({ending}), so everything stops. {_last_words(charge)}"
                )
            pause = min(0.5 * 2 ** (charge.deaths - 1), LONGEST_PAUSE_SECONDS)
            charge.restart_at = now + pause
            self.say(f"{charge.name} died ({ending}); it starts again in {pause:g} s")


def _ending(process: "subprocess.Popen[bytes]") -> str:
    code = process.returncode
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _last_words(charge: Charge) -> str:
    log = charge.child.program.log
    return f"The end of {log}:\n{tail(log)}" if log else "Its last lines are above."
