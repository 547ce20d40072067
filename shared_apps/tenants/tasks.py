"""Giving turns to jobs; looking after dojos that are half made or on their way out.

The latter runs where an owner login is configured.
"""

from datetime import timedelta
from typing import Any, Final

import structlog
from celery import shared_task
from kombu.exceptions import OperationalError

from shared_apps.tenants import lifecycle, provisioning, turns
from tatami import clock
from tatami.tasks import PlatformTask

logger = structlog.get_logger(__name__)

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
def request_for_all(job: str, spread_seconds: float, at_local_hour: int | None = None) -> int:
    """Have a job done in every dojo that serves, within `spread_seconds` from now."""
    spread = timedelta(seconds=spread_seconds)
    return turns.request_for_all(job, now=clock.now(), spread=spread, at_local_hour=at_local_hour)


def wake_workers(calls: int = 1) -> None:
    """Queue wake-up calls. Without Valkey nothing is queued and nothing is lost: beat calls when it is back."""
    try:
        for _ in range(calls):
            take_turns.apply_async(expires=EXPIRES_AFTER_SECONDS)
    except OperationalError as error:
        logger.warning("nobody_woken", reason=str(error))


@shared_task(base=PlatformTask, name="tenants.clear_abandoned")
def clear_abandoned() -> int:
    """Take back dojos whose making was cut off."""
    return provisioning.clear_abandoned()


@shared_task(base=PlatformTask, name="tenants.purge_overdue")
def purge_overdue() -> int:
    """Purge dojos whose grace period is over."""
    return lifecycle.purge_overdue(now=clock.now())
