"""How long the statements of a transaction may run, and wait for locks.

PostgreSQL itself ends what takes longer. The app login sends its limits with each BEGIN (`scoped`), because a setting
of the session would reach other clients behind a pooler. Requests have the limits of their connection
(`tatami.api.request_slots`), tasks those of `limited`. Commands have none but the wide ones of the login
(docs/decisions/0047-pooler.md). The owner login is never behind a pooler: in web processes its sessions have the limits
of requests.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from django.conf import settings


@dataclass(frozen=True, slots=True)
class Limits:
    """The longest wait for a lock and the longest statement, in seconds."""

    lock_seconds: float
    statement_seconds: float | None = None
    """`None`: as long as the login allows."""


LONG_TASK: Final = Limits(lock_seconds=30)
"""For tasks that read or remove a whole dojo, such as exports. A wait for a lock ends before the lease of an export."""

_current: ContextVar[Limits | None] = ContextVar("tatami.limits", default=None)


def request_limits() -> Limits:
    """Return the limits of requests: half of `TATAMI_STATEMENT_SECONDS` for a lock."""
    seconds = settings.TATAMI_STATEMENT_SECONDS
    return Limits(lock_seconds=seconds / 2, statement_seconds=seconds)


def task_limits() -> Limits:
    """Return the limits of tasks and jobs that are not long."""
    return Limits(
        lock_seconds=settings.TATAMI_JOB_LOCK_SECONDS, statement_seconds=settings.TATAMI_JOB_STATEMENT_SECONDS
    )


@contextmanager
def limited(limits: Limits) -> Iterator[None]:
    """Limit the transactions that begin within the block, on connections without limits of their own."""
    token = _current.set(limits)
    try:
        yield
    finally:
        _current.reset(token)


def current_limits() -> str:
    """Return the statements that set the limits of the block, to be sent after BEGIN; an empty string without any."""
    limits = _current.get()
    return "" if limits is None else set_local_limits(limits)


@lru_cache
def set_local_limits(limits: Limits) -> str:
    """Return `; SET LOCAL …`, to be sent after BEGIN."""
    values = {"lock_timeout": limits.lock_seconds, "statement_timeout": limits.statement_seconds}
    return "".join(
        f"; SET LOCAL {name} = {max(1, round(seconds * 1000))}"
        for name, seconds in values.items()
        if seconds is not None
    )
