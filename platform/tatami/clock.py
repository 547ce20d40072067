"""The only source of the present time, and of local dates and times.

Zones are those of the package tzdata (see `tatami`). Statements compare instants or stored dates; they never convert
between zones, because PostgreSQL may know other rules. `tests/classes/test_time_zone_data.py` checks it.

Services take `now` as a parameter. Their callers (a view, a task, a command) get it from `clock.now()`.
Tests set it with `clock.fixed(...)` and never sleep.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from tatami.tenancy.scope import current_tenant

_fixed: ContextVar[datetime | None] = ContextVar("tatami.clock", default=None)


def now() -> datetime:
    """Return the present time, aware and in UTC."""
    return _fixed.get() or datetime.now(UTC)


def local_date(instant: datetime, timezone: str) -> date:
    """Return the civil date of `instant` in the IANA zone `timezone` (convention C1 of the rank rules)."""
    return instant.astimezone(ZoneInfo(timezone)).date()


def tenant_date(instant: datetime | None = None) -> date:
    """Return the civil date of `instant` in the time zone of the current dojo; without `instant`, today's date there.

    Raises `NoScope` outside a dojo's scope.
    """
    return local_date(instant or now(), current_tenant().timezone)


def tenant_time(instant: datetime) -> str:
    """Return the time of day of `instant` on the wall clock of the current dojo: "18:30"."""
    return f"{instant.astimezone(ZoneInfo(current_tenant().timezone)):%H:%M}"


@contextmanager
def fixed(instant: datetime) -> Iterator[datetime]:
    """Make `now()` return `instant` within the block, in this thread or task only.

    Raises `ValueError` if `instant` has no time zone.
    """
    if instant.tzinfo is None:
        raise ValueError("the instant has no time zone")
    token = _fixed.set(instant.astimezone(UTC))
    try:
        yield instant
    finally:
        _fixed.reset(token)
