"""How a long step looks: a bar with rate and time left on a terminal, a line now and then elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from shared_apps.tenants.exports.loading import Ticks

LINE_EVERY: Final = 5.0
"""Seconds between two lines where there is no terminal."""


class Steps:
    """What `showing` yields: steps, each of so many rows."""

    def expect(self, step: str, rows: int) -> None:
        """Begin a step."""
        raise NotImplementedError

    def tick(self, step: str, rows: int) -> None:
        """Note that so many rows more are done."""
        raise NotImplementedError

    def restoring(self, rows: int) -> Ticks:
        """Return what is told about a restore of so many rows: each is read, loaded and compared."""
        for step in ("check", "load", "compare"):
            self.expect(step, rows)
        return Ticks(
            checking=lambda more: self.tick("check", more),
            loading=lambda more: self.tick("load", more),
            comparing=lambda more: self.tick("compare", more),
        )


@contextmanager
def showing(out: Any) -> Iterator[Steps]:
    """Show what happens until the block is left. `out` is a command's stdout or stderr."""
    if not out.isatty():
        yield _Lines(out)
        return
    columns = (TextColumn("{task.description:8}"), BarColumn(), MofNCompleteColumn(), TextColumn("rows"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(file=sys.stderr)) as bars:
        yield _Bars(bars)


class _Bars(Steps):
    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, Any] = {}

    def expect(self, step: str, rows: int) -> None:
        self._tasks[step] = self._bars.add_task(step, total=rows, start=False)

    def tick(self, step: str, rows: int) -> None:
        task = self._tasks[step]
        if self._bars.tasks[task].start_time is None:
            self._bars.start_task(task)
        self._bars.advance(task, rows)


class _Lines(Steps):
    def __init__(self, out: Any) -> None:
        self._out = out
        self._told_at = time.monotonic()
        self._wanted: dict[str, int] = {}
        self._done: dict[str, int] = {}

    def expect(self, step: str, rows: int) -> None:
        self._wanted[step], self._done[step] = rows, 0

    def tick(self, step: str, rows: int) -> None:
        self._done[step] += rows
        if time.monotonic() - self._told_at >= LINE_EVERY:
            self._told_at = time.monotonic()
            self._out.write(f"{step}: {self._done[step]:,} of {self._wanted[step]:,} rows")
