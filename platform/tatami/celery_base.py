"""Celery: the base class of tasks, and a connection and a scheduler that survive an outage of Valkey.

Work for one dojo is a job (`tatami.jobs`), not a task of its own.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, Self

import structlog
from celery import Task
from celery.app.amqp import AMQP
from celery.beat import PersistentScheduler, ScheduleEntry, SchedulingError
from kombu import Connection
from kombu.exceptions import OperationalError

from tatami.observability import current_request_id, task_log_context
from tatami.postgresql.limits import LONG_TASK, limited, task_limits
from tatami.tenancy.scope import platform_scope
from tatami.tracing import (
    context_of,
    header_names,
    is_recording,
    is_tracing,
    outgoing_headers,
    request_attributes,
    span,
)

REQUEST_HEADER: Final = "tatami_request"

RECONNECT_SECONDS: Final = 2.0
"""Seconds between attempts of a worker or beat to reach an unavailable Valkey."""

LOGGED_IF_VALID_FOR_SECONDS: Final = 60
"""Beat logs an entry only if its message is valid for at least this long. Others are sent too often to be logged."""

logger = structlog.get_logger(__name__)


class PlatformTask(Task):  # type: ignore[type-arg]
    """The base of all tasks. A task starts in the platform's scope and must be safe to run twice.

    Its log lines carry the id of the request that caused it. Its statements have limits (`tatami.postgresql.limits`).
    """

    abstract = True
    polls = False
    """True for tasks that run every few seconds to look for work: without work they leave no trace."""
    is_long = False
    """True for tasks that read or remove a whole dojo: their statements may take as long as the login allows."""

    def apply_async(  # type: ignore[override]
        self, args: Any = None, kwargs: Any = None, **options: Any
    ) -> Any:
        """Publish the task with the id of the current request and, with tracing, the current span."""
        headers = {REQUEST_HEADER: current_request_id(), **(options.pop("headers", None) or {})}
        with self._publish_span():
            return super().apply_async(args, kwargs, headers=headers | outgoing_headers(), **options)

    def call(self, *args: Any, **options: Any) -> bool:
        """Publish the task; return whether Valkey accepted it. If Valkey is unavailable, log a line and do not raise.

        Only for tasks that beat publishes again anyway: what they have to do is stored in PostgreSQL.
        """
        try:
            self.apply_async(args, **options)
        except OperationalError as error:
            logger.warning("task_not_published", task_name=self.name, reason=str(error))
            return False
        return True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the task in the platform's scope."""
        caused_by = self._header(REQUEST_HEADER)
        with (
            task_log_context(self.name, self.request.id, None, caused_by),
            platform_scope(),
            limited(LONG_TASK if self.is_long else task_limits()),
            self._run_span(caused_by),
        ):
            return super().__call__(*args, **kwargs)

    def _header(self, name: str) -> Any:
        request = self.request
        return request.get(name) or (request.headers or {}).get(name)

    def _publish_span(self) -> AbstractContextManager[Any]:
        if not is_recording():
            return nullcontext()
        return span(f"publish {self.name}", "PRODUCER", self._span_attributes())

    def _run_span(self, request_id: str | None) -> AbstractContextManager[Any]:
        """Return the span of this run. A task that only polls has none, unless a request caused it."""
        sent = {name: value for name in header_names() if (value := self._header(name))}
        if not is_tracing() or (self.polls and not sent):
            return nullcontext()
        attributes = self._span_attributes() | request_attributes(request_id)
        if self.request.id:
            attributes["messaging.message.id"] = self.request.id
        return span(f"run {self.name}", "CONSUMER", attributes, parent=context_of(sent))

    def _span_attributes(self) -> dict[str, str]:
        return {"messaging.system": "celery", "tatami.task": str(self.name)}


class PersistentConnection(Connection):
    """A connection that reconnects soon after Valkey is back, and whose loss does not end the worker."""

    def ensure_connection(self, *args: Any, **options: Any) -> Self:
        """Retry at a constant interval. Celery would wait longer each time, up to half a minute, without a setting."""
        interval = RECONNECT_SECONDS
        constant = {"interval_start": interval, "interval_step": 0, "interval_max": interval, **options}
        return super().ensure_connection(*args, **constant)

    def _do_close_transport(self) -> None:
        """Close without removing the transport's client, as kombu 5.7 does.

        A task that outlives the connection still acknowledges its message through that client, and a second close
        restores messages through it. Without it an AttributeError would end the worker.
        """
        self._transport = None


class PersistentAMQP(AMQP):
    """Celery's AMQP class with `PersistentConnection`."""

    Connection = PersistentConnection


class PersistentBeat(PersistentScheduler):
    """Celery's scheduler. Entries that are due while Valkey is unavailable are sent once when it is back."""

    def __init__(self, *args: Any, **options: Any) -> None:
        """Start without unsent entries."""
        self._unsent: dict[str | None, ScheduleEntry] = {}
        super().__init__(*args, **options)

    def apply_entry(self, entry: ScheduleEntry, producer: Any = None) -> None:
        """Send a due entry and all unsent ones. Log one line without a stack trace for each that cannot be sent."""
        validity = (entry.options or {}).get("expires", LOGGED_IF_VALID_FOR_SECONDS)
        if validity >= LOGGED_IF_VALID_FOR_SECONDS:
            logger.info("due", entry=entry.name)
        self._unsent[entry.name] = entry
        for unsent in list(self._unsent.values()):
            try:
                self.apply_async(unsent, producer=producer, advance=False)
            except SchedulingError as error:
                logger.warning("entry_not_published", entry=unsent.name, reason=str(error.__context__))
            else:
                del self._unsent[unsent.name]
