"""Giving turns to jobs; making exports; looking after dojos that are half made or on their way out.

The latter runs where an owner login is configured.
"""

from datetime import timedelta
from typing import Any, Final

from celery import shared_task

from shared_apps.tenants import leftovers, lifecycle, provisioning, rounds, turns
from shared_apps.tenants.exports import making, queueing
from shared_apps.tenants.usage import JOB as USAGE
from shared_apps.tenants.usage import collect
from tatami import clock, retention
from tatami.tasks import PlatformTask
from tatami.work import DONE, Turn, job

__all__ = ["leftovers"]
"""Imported here so that every worker knows it."""


SWEEP_EXPORTS: Final = "tenants.sweep_exports"

AT_IT_FOR_SECONDS: Final = 5.0
"""How long one task gives turns before it queues up again behind the other tasks."""

EXPIRES_AFTER_SECONDS: Final = 30
"""A wake-up call that was not heard by then is dropped: calls cannot pile up, and beat calls again."""

MOST_CALLS: Final = 8
"""How many workers beat wakes at a time."""


@shared_task(base=PlatformTask, name="tenants.take_turns", bind=True)
def take_turns(self: Any) -> None:
    """Give turns for a while, and queue up again if somebody may be waiting still."""
    if turns.take_turns(seconds=AT_IT_FOR_SECONDS, task_id=self.request.id):
        wake_workers()


@shared_task(base=PlatformTask, name="tenants.wake")
def wake() -> None:
    """Call workers for those who wait: their calls were lost with Valkey, or with a worker."""
    wake_workers(min(turns.number_unheard(now=clock.now()), MOST_CALLS))


@shared_task(base=PlatformTask, name="tenants.request_for_all")
def request_for_all(job: str, spread_seconds: float) -> int:
    """Have a job done in every dojo that serves, within `spread_seconds` from now."""
    return rounds.request_for_all(job, now=clock.now(), spread=timedelta(seconds=spread_seconds))


@shared_task(base=PlatformTask, name="tenants.request_daily")
def request_daily(job: str, spread_seconds: float, at_local_hour: int) -> int:
    """Have a job done where it has become that hour, within `spread_seconds` from now."""
    spread = timedelta(seconds=spread_seconds)
    return rounds.request_daily(job, now=clock.now(), spread=spread, at_local_hour=at_local_hour)


def wake_workers(calls: int = 1) -> None:
    """Queue wake-up calls. Without Valkey nothing is queued and nothing is lost: beat calls when it is back."""
    for _ in range(calls):
        if not take_turns.call(expires=EXPIRES_AFTER_SECONDS):
            break


@shared_task(base=PlatformTask, name="tenants.clear_abandoned")
def clear_abandoned() -> int:
    """Take back dojos whose making was cut off."""
    return provisioning.clear_abandoned()


@shared_task(base=PlatformTask, name="tenants.purge_overdue")
def purge_overdue() -> int:
    """Purge dojos whose grace period is over."""
    return lifecycle.purge_overdue(now=clock.now())


@shared_task(base=PlatformTask, name="tenants.make_exports")
def make_exports() -> None:
    """Make the export that has waited longest, and queue up again if another waits."""
    if making.make_next_export() and queueing.is_waiting(now=clock.now()):
        call_exporter()


def call_exporter() -> None:
    """Wake a worker for an export. Without Valkey nothing is lost: beat calls once a minute."""
    make_exports.call(expires=EXPIRES_AFTER_SECONDS)


@shared_task(base=PlatformTask, name=SWEEP_EXPORTS)
def sweep_exports() -> None:
    """Delete exports whose time is over, and those of dojos that were purged."""
    retention.sweep(SWEEP_EXPORTS, now=clock.now())


@job(USAGE)
def collect_usage(turn: Turn) -> str | None:
    """Count what one dojo uses."""
    collect(now=turn.now)
    return DONE
