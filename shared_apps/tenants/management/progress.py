"""Progress of long commands: bars with rate and remaining time on a terminal, a line every few seconds elsewhere."""

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
"""Seconds between two lines if the output is not a terminal."""


class Steps:
    """The steps of a command, each with a number of items. `show_progress` yields one."""

    def expect(self, step: str, total: int) -> None:
        """Add a step with this many items."""
        raise NotImplementedError

    def advance(self, step: str, number: int = 1) -> None:
        """Add to the number of finished items of a step."""
        raise NotImplementedError

    def counter(self, step: str) -> Callable[[int], None]:
        """Return a callback that adds to the number of finished items of a step."""
        return lambda number: self.advance(step, number)


@contextmanager
def show_progress(out: Any, noun: str) -> Iterator[Steps]:
    """Show progress until the block is left. `out` is a command's stdout or stderr, `noun` the plural of the items."""
    if not out.isatty():
        yield _LineSteps(out, noun)
        return
    columns = (TextColumn("{task.description:8}"), BarColumn(), MofNCompleteColumn(), TextColumn(noun))
    with Progress(*columns, _Rate(), TimeRemainingColumn(), console=Console(file=sys.stderr)) as bars:
        yield _BarSteps(bars)


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:.0f}/s")


class _BarSteps(Steps):
    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, Any] = {}

    def expect(self, step: str, total: int) -> None:
        self._tasks[step] = self._bars.add_task(step, total=total, start=False)

    def advance(self, step: str, number: int = 1) -> None:
        task = self._tasks[step]
        if self._bars.tasks[task].start_time is None:
            self._bars.start_task(task)
        self._bars.advance(task, number)


class _LineSteps(Steps):
    def __init__(self, out: Any, noun: str) -> None:
        self._out, self._noun = out, noun
        self._printed_at = time.monotonic()
        self._total: dict[str, int] = {}
        self._done: dict[str, int] = {}
        self._began: dict[str, float] = {}

    def expect(self, step: str, total: int) -> None:
        self._total[step], self._done[step] = total, 0

    def advance(self, step: str, number: int = 1) -> None:
        now = time.monotonic()
        began = self._began.setdefault(step, now)
        self._done[step] += number
        if now - self._printed_at < LINE_EVERY:
            return
        self._printed_at = now
        done, total = self._done[step], self._total[step]
        line = f"{step}: {done:,} of {total:,} {self._noun}"
        if now > began:
            rate = done / (now - began)
            line += f", {rate:.0f}/s, {max(total - done, 0) / rate:.0f} s left"
        self._out.write(line)
