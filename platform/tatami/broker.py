"""Celery's connection and clock, made to outlast a Valkey that is away, hangs, or comes back empty."""

from typing import Any, Final, Self

import structlog
from celery.app.amqp import AMQP
from celery.beat import PersistentScheduler, ScheduleEntry, SchedulingError
from kombu import Connection

LOOK_FOR_VALKEY_EVERY: Final = 2.0
"""Seconds between a worker's (and beat's) attempts to reach a Valkey that is away."""

SELDOM: Final = 60
"""Seconds: what expires sooner is sent so often that it is no news."""

logger = structlog.get_logger(__name__)


class PersistentConnection(Connection):
    """A connection that is back soon after Valkey is, and whose loss does not end the worker."""

    def ensure_connection(self, *given: Any, **options: Any) -> Self:
        """Try at a steady pace. Celery waits longer each time, up to half a minute, and has no setting for it."""
        pace = LOOK_FOR_VALKEY_EVERY
        steady = {"interval_start": pace, "interval_step": 0, "interval_max": pace, **options}
        return super().ensure_connection(*given, **steady)

    def _do_close_transport(self) -> None:
        """Leave the transport its client, which kombu 5.7 takes away.

        What a task that outlives the connection still has to say (that its message is done with), and what closing
        twice still wants to put back, is said through that client: without it, an AttributeError ends the worker.
        """
        self._transport = None


class Wiring(AMQP):
    """Celery's own, with connections that persist."""

    Connection = PersistentConnection


class Beat(PersistentScheduler):
    """Celery's own, but what is due while Valkey is away is sent when it is back, and without stack traces."""

    def __init__(self, *given: Any, **options: Any) -> None:
        """Begin with nothing left to send."""
        self._unsent: dict[str | None, ScheduleEntry] = {}
        super().__init__(*given, **options)

    def apply_entry(self, entry: ScheduleEntry, producer: Any = None) -> None:
        """Send what is due, and what could not be sent before."""
        if (entry.options or {}).get("expires", SELDOM) >= SELDOM:
            logger.info("due", entry=entry.name)
        self._unsent[entry.name] = entry
        for one in list(self._unsent.values()):
            try:
                self.apply_async(one, producer=producer, advance=False)
            except SchedulingError as error:
                logger.warning("nobody_called", entry=one.name, reason=str(error.__context__))
            else:
                del self._unsent[one.name]
