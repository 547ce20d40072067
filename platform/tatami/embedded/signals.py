"""How the terminal and the system tell us to stop."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from tatami.embedded.child import hurry_all

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequested(BaseException):
    """Somebody asked us to stop. Like KeyboardInterrupt it passes all that handles errors."""


@contextmanager
def stop_signals() -> Iterator[Callable[[], None]]:
    """Raise `StopRequested` at the first signal to stop; a second one hurries the children that are left.

    Yields a function for who stops without having been asked: signals after its call only hurry.
    """
    requested = False

    def handle(_number: int, _frame: FrameType | None) -> None:
        nonlocal requested
        if requested:
            hurry_all()
            return
        requested = True
        raise StopRequested

    def settle() -> None:
        nonlocal requested
        requested = True

    before = {}
    for number in STOPPING:
        # `nohup make run` ignores the hang-up, and means it.
        if number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
            continue
        before[number] = signal.signal(number, handle)
    try:
        yield settle
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
