"""How a long run looks: a bar with rate and time left on a terminal, a line now and then elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

LINE_EVERY: Final = 5.0
"""Seconds between two lines where there is no terminal."""

Advance = Callable[[], None]
"""Called for each that is done."""


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:.0f}/s")


@contextmanager
def progress(total: int, noun: str, out: Any) -> Iterator[Advance]:
    """Show how far `total` are done; yield what to call for each. `out` is a command's stdout or stderr."""
    if not out.isatty():
        yield _Lines(total, noun, out)
        return
    columns = (TextColumn(noun), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    console = Console(file=sys.stderr)
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(noun, total=total)
        yield lambda: bar.advance(task)


class _Lines:
    """Tells how far it is, how quickly it goes and how long it will take."""

    def __init__(self, total: int, noun: str, out: Any) -> None:
        self._total, self._noun, self._out = total, noun, out
        self._done = 0
        self._began = self._told_at = time.monotonic()

    def __call__(self) -> None:
        self._done += 1
        now = time.monotonic()
        if now < self._told_at + LINE_EVERY:
            return
        self._told_at = now
        rate = self._done / (now - self._began)
        left = (self._total - self._done) / rate
        self._out.write(f"{self._done:,} of {self._total:,} {self._noun}, {rate:.0f}/s, {left:.0f} s left")
