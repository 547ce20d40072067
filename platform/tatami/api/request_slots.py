"""How many requests a web process runs at once, and with which database connections.

A request runs in a slot. A slot is a database connection that stays open between requests. Two rules decide when a
request gets one:

- Python runs one thread at a time, so requests that run together only slow each other down. At most `running` slots are
  used at once, those used last, whose connections have the most statements prepared. A request that has run for
  `QUICK_SECONDS` no longer counts: it is waiting, for a lock or for a slow statement, and others run beside it.
- The requests of one host get at most half of the slots, and at most half of the places to wait. So a dojo whose
  requests do not end takes nothing from the other dojos. Its own further requests are refused at once.

`ServiceUnavailable` (503, Retry-After) is raised for a request that gets no slot within `WAIT_SECONDS`.
"""

import select
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.db import connections
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from tatami.api.exception_mapping import error_response
from tatami.errors import ServiceUnavailable

QUICK_SECONDS: Final = 0.1
WAIT_SECONDS: Final = 5.0
ALIAS: Final = "default"


@dataclass(slots=True, eq=False)
class Slot:
    """A database connection, used by one request at a time."""

    connection: Any
    host: str = ""
    since: float = 0.0
    """When its request began to run."""

    @contextmanager
    def bound(self) -> Iterator[None]:
        """Make the slot's connection the default connection of this thread within the block.

        If the server has closed it in the meantime, it is opened anew.
        """
        if self.connection.connection is not None and _has_ended(self.connection.connection):
            self.connection.close()
        connections[ALIAS] = self.connection
        try:
            yield
        finally:
            del connections[ALIAS]
            self.connection.close_if_unusable_or_obsolete()


@dataclass(slots=True, eq=False)
class _Waiting:
    """A request that waits for a slot. Its thread waits for `ready`."""

    host: str
    ready: Any = field(default_factory=threading.Lock)
    slot: Slot | None = None


class RequestSlots:
    """The slots of one process. Thread-safe.

    `size` is the number of slots, `running` how many are used at once while requests end, `most_per_host` how many
    requests of one host run or wait.
    """

    def __init__(
        self,
        *,
        size: int,
        running: int,
        most_per_host: int,
        connect: Callable[[], Any],
        quick: float = QUICK_SECONDS,
        wait: float = WAIT_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._idle = [Slot(connect()) for _ in range(size)]
        self._running = running
        self._slots_per_host = max(1, size // 2)
        self._most_per_host = most_per_host
        self._quick = quick
        self._wait = wait
        self._monotonic = monotonic
        self._lock = threading.Lock()
        """Held for the few steps that change the following."""
        self._used: set[Slot] = set()
        self._used_by: Counter[str] = Counter()
        self._requests_of: Counter[str] = Counter()
        self._waiting: deque[_Waiting] = deque()

    @property
    def waiting(self) -> int:
        """Return how many requests wait for a slot."""
        return len(self._waiting)

    @contextmanager
    def slot(self, host: str) -> Iterator[Slot]:
        """Wait for a slot, and hold it within the block. Raises `ServiceUnavailable`."""
        slot = self._acquire(host)
        try:
            yield slot
        finally:
            self._release(slot)

    def _acquire(self, host: str) -> Slot:
        with self._lock:
            if self._requests_of[host] >= self._most_per_host:
                raise ServiceUnavailable("Too many requests are being answered. Try again shortly.")
            self._requests_of[host] += 1
            waiting = _Waiting(host)
            waiting.ready.acquire()
            self._waiting.append(waiting)
            self._give_slots()
        ends_at = self._monotonic() + self._wait
        # A request becomes a long one without telling, so look from time to time.
        while not waiting.ready.acquire(timeout=max(self._quick, 0.001)):
            with self._lock:
                self._give_slots()
                if waiting.slot is None and self._monotonic() >= ends_at:
                    self._waiting.remove(waiting)
                    self._forget(host)
                    raise ServiceUnavailable
        assert waiting.slot is not None
        return waiting.slot

    def _give_slots(self) -> None:
        """Give slots to the requests that have waited longest, and wake their threads."""
        for waiting in [*self._waiting]:
            if not self._has_room():
                break
            waiting.slot = self._take(waiting.host)
            if waiting.slot is not None:
                self._waiting.remove(waiting)
                waiting.ready.release()

    def _has_room(self) -> bool:
        """Return whether another request may run now."""
        if len(self._used) < self._running:
            return True
        began_before = self._monotonic() - self._quick
        return sum(slot.since > began_before for slot in self._used) < self._running

    def _take(self, host: str) -> Slot | None:
        """Return the idle slot that was used last, or `None` if there is none for this host."""
        if not self._idle or self._used_by[host] >= self._slots_per_host:
            return None
        slot = self._idle.pop()
        slot.host, slot.since = host, self._monotonic()
        self._used.add(slot)
        self._used_by[host] += 1
        return slot

    def _release(self, slot: Slot) -> None:
        with self._lock:
            self._used.remove(slot)
            self._used_by[slot.host] -= 1
            if not self._used_by[slot.host]:
                del self._used_by[slot.host]
            self._forget(slot.host)
            self._idle.append(slot)
            self._give_slots()

    def _forget(self, host: str) -> None:
        self._requests_of[host] -= 1
        if not self._requests_of[host]:
            del self._requests_of[host]


class RequestSlotsMiddleware:
    """Runs each request in a slot. It is not used where `TATAMI_WEB_CONNECTIONS` is 0."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        if not settings.TATAMI_WEB_CONNECTIONS:
            raise MiddlewareNotUsed
        self.get_response = get_response
        self._slots = RequestSlots(
            size=settings.TATAMI_WEB_CONNECTIONS,
            running=settings.TATAMI_WEB_RUNNING,
            most_per_host=max(1, settings.TATAMI_WEB_THREADS // 2),
            connect=persistent_connection,
        )

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Pass the request on, or refuse it. The rest of a streamed response is produced outside the slot."""
        try:
            with self._slots.slot(request.META.get("HTTP_HOST", "").lower()) as slot, slot.bound():
                return self.get_response(request)
        except ServiceUnavailable as error:
            return error_response(error, request)


def persistent_connection() -> Any:
    """Return a Django connection that stays open between requests, and that is not bound to a thread."""
    connection = connections.create_connection(ALIAS)
    connection.settings_dict = {
        **connection.settings_dict,
        "CONN_MAX_AGE": settings.TATAMI_CONNECTION_SECONDS,
        "CONN_HEALTH_CHECKS": False,  # a slot looks at the socket, which costs no statement
    }
    connection.inc_thread_sharing()
    return connection


def _has_ended(connection: Any) -> bool:
    """Return whether the server has closed this idle connection, or has sent something unasked."""
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
