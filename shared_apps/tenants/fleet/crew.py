"""Threads that work on one dojo after another, each with connections of its own. psycopg waits outside the GIL."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from threading import Barrier
from typing import TypeVar

from django.db import connections

A = TypeVar("A")
R = TypeVar("R")


class Crew:
    """What `crew` yields."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool
        self._given: dict[Future[object], object] = {}

    def each(self, work: Callable[[A], R], items: Iterable[A]) -> Iterator[tuple[A, Future[R]]]:
        """Yield each item with what came of it, in the order in which they are done."""
        given = {self._pool.submit(work, item): item for item in items}
        self._given |= given  # type: ignore[arg-type]
        for future in as_completed(given):
            yield given[future], future

    def dismiss(self) -> None:
        """Let nothing more begin; what has begun comes to its end."""
        for future in self._given:
            future.cancel()


@contextmanager
def crew(workers: int) -> Iterator[Crew]:
    """Yield so many threads. However the block is left, what has begun comes to its end and connections are closed."""
    with ThreadPoolExecutor(workers, thread_name_prefix="fleet") as pool:
        team = Crew(pool)
        try:
            yield team
        finally:
            team.dismiss()
            # One for each thread: who waits at the barrier cannot take a second.
            barrier = Barrier(workers)
            for _ in range(workers):
                pool.submit(_close, barrier)


def _close(barrier: Barrier) -> None:
    barrier.wait()
    connections.close_all()
