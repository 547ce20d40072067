"""The one source of the present moment.

Services take `now` as a parameter; what calls them (a view, a task, a command) asks `clock.now()`.
Tests set it with `clock.fixed(...)` and never sleep.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

_fixed: ContextVar[datetime | None] = ContextVar("tatami.clock", default=None)


def now() -> datetime:
    """Return the present moment, aware and in UTC."""
    return _fixed.get() or datetime.now(UTC)


def local_date(instant: datetime, timezone: str) -> date:
    """Return the civil date of `instant` in the IANA zone `timezone` (convention C1 of the rank rules)."""
    return instant.astimezone(ZoneInfo(timezone)).date()


@contextmanager
def fixed(instant: datetime) -> Iterator[datetime]:
    """Make `now()` answer `instant` (aware) within the block, in this thread or task only."""
    if instant.tzinfo is None:
        raise ValueError("an instant without a time zone names no moment")
    token = _fixed.set(instant.astimezone(UTC))
    try:
        yield instant
    finally:
        _fixed.reset(token)
