"""How many requests a web process runs at once, and with which database connections.

A request runs in a slot. A slot is a database connection that stays open between requests. Three rules decide when a
request gets which one:

- Python runs one thread at a time, so requests that run together only slow each other down. At most `running` slots are
  used at once. A request that has run for `QUICK_SECONDS` no longer counts: it is waiting, for a lock or for a slow
  statement, and others run beside it.
- Each host has a slot that is its `home`, so that its dojo's prepared statements and catalogue are in the memory of
  one connection, and a connection serves few dojos. Only while that slot is used by another request does the host get
  another one. For each `HOSTS_PER_HOME` hosts another slot becomes a home: few connections are faster than many.
- The requests of one dojo, whichever of its hosts they are for, get at most half of the slots, and at most half of the
  places to wait. So a dojo whose requests do not end takes nothing from the other dojos. Its own further requests are
  refused at once. A host that no dojo is known for has a share of its own.

`ServiceUnavailable` (503, Retry-After) is raised for a request that gets no slot within `WAIT_SECONDS`, and for one
that finds all places taken. A statement ends after `TATAMI_STATEMENT_SECONDS`: PostgreSQL cancels it, and if PostgreSQL
does not answer at all, `StatementWatch` ends the connection.
"""

import select
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from zlib import crc32

import structlog
from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.db import connections
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from tatami.api.exception_mapping import error_response
from tatami.errors import ServiceUnavailable
from tatami.metrics import REFUSED, SLOT_WAIT, SLOTS, STATEMENTS_OVERDUE, WAITING
from tatami.postgresql.limits import request_limits, set_local_limits
from tatami.postgresql.owner.base import open_owners
from tatami.tenancy.hosts import normalised_host
from tatami.tenancy.middleware import host_resolver

logger: Final = structlog.get_logger(__name__)

QUICK_SECONDS: Final = 0.1
WAIT_SECONDS: Final = 1.5
"""With the longest statement and the interval of the watch, a request that nothing answers ends within 6 seconds."""
WATCH_SECONDS: Final = 0.25
HOSTS_PER_HOME: Final = 50
ALIAS: Final = "default"


@dataclass(slots=True, eq=False)
class Slot:
    """A database connection, used by one request at a time."""

    connection: Any
    host: str = ""
    share: str = ""
    """What its request counts against: the dojo of the host (`HostResolver.share_of`)."""
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
    share: str
    ready: Any = field(default_factory=threading.Lock)
    slot: Slot | None = None


class RequestSlots:
    """The slots of one process. Thread-safe.

    `size` is the number of slots, `running` how many are used at once while requests end, `most` how many requests run
    or wait, and `most_per_share` how many of one dojo.
    """

    def __init__(
        self,
        *,
        size: int,
        running: int,
        most: int,
        most_per_share: int,
        connect: Callable[[], Any],
        quick: float = QUICK_SECONDS,
        wait: float = WAIT_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.all = tuple(Slot(connect()) for _ in range(size))
        self._idle = list(self.all)
        self._running = running
        self._slots_per_share = max(1, size // 2)
        self._most = most
        self._most_per_share = most_per_share
        self._quick = quick
        self._wait = wait
        self._monotonic = monotonic
        self._lock = threading.Lock()
        """Held for the few steps that change the following."""
        self._used: set[Slot] = set()
        self._used_by: Counter[str] = Counter()
        self._requests_of: Counter[str] = Counter()
        self._waiting: deque[_Waiting] = deque()
        self._hosts: set[str] = set()
        """The hosts that were asked for, until every slot is a home."""
        self._homes = 1

    @property
    def waiting(self) -> int:
        """Return how many requests wait for a slot."""
        return len(self._waiting)

    def home(self, host: str) -> Slot:
        """Return the slot whose connection the requests of this host use, unless another request uses it."""
        return self.all[crc32(host.encode("utf-8", "surrogateescape")) % self._homes]

    def _notice(self, host: str) -> None:
        """Make another slot a home if there are enough hosts for it. Many hosts then get another home, once."""
        if self._homes < len(self.all) and host not in self._hosts:
            self._hosts.add(host)
            self._homes = 1 + (len(self._hosts) - 1) // HOSTS_PER_HOME

    def observe(self) -> None:
        """Set the gauges of the slots."""
        used = len(self._used)
        SLOTS.labels("used").set(used)
        SLOTS.labels("idle").set(len(self.all) - used)
        WAITING.set(self.waiting)

    @contextmanager
    def slot(self, host: str, share: str | None = None) -> Iterator[Slot]:
        """Wait for a slot, and hold it within the block. Raises `ServiceUnavailable`.

        `share` stands for all hosts of a dojo; by default the host has a share of its own.
        """
        slot = self._acquire(host, host if share is None else share)
        try:
            yield slot
        finally:
            self._release(slot)

    def _acquire(self, host: str, share: str) -> Slot:
        with self._lock:
            if (
                self._requests_of[share] >= self._most_per_share
                or len(self._used) + len(self._waiting) >= self._most
            ):
                reason = "host" if self._requests_of[share] >= self._most_per_share else "process"
                REFUSED.labels(reason).inc()
                raise ServiceUnavailable("Too many requests are being answered. Try again shortly.")
            self._requests_of[share] += 1
            self._notice(host)
            waiting = _Waiting(host, share)
            waiting.ready.acquire()
            self._waiting.append(waiting)
            self._give_slots()
            if waiting.slot is not None:
                return waiting.slot
        began = self._monotonic()
        ends_at = began + self._wait
        # A request becomes a long one without telling, so look from time to time.
        while not waiting.ready.acquire(timeout=max(self._quick, 0.001)):
            with self._lock:
                self._give_slots()
                if waiting.slot is None and self._monotonic() >= ends_at:
                    self._waiting.remove(waiting)
                    self._forget(share)
                    REFUSED.labels("timeout").inc()
                    raise ServiceUnavailable
        assert waiting.slot is not None
        SLOT_WAIT.observe(self._monotonic() - began)
        return waiting.slot

    def _give_slots(self) -> None:
        """Give slots to the requests that have waited longest, and wake their threads."""
        for waiting in [*self._waiting]:
            if not self._has_room():
                break
            waiting.slot = self._take(waiting.host, waiting.share)
            if waiting.slot is not None:
                self._waiting.remove(waiting)
                waiting.ready.release()

    def _has_room(self) -> bool:
        """Return whether another request may run now."""
        if len(self._used) < self._running:
            return True
        began_before = self._monotonic() - self._quick
        return sum(slot.since > began_before for slot in self._used) < self._running

    def _take(self, host: str, share: str) -> Slot | None:
        """Return the home of this host, another idle slot if that is used, or `None` if there is none for the dojo."""
        if not self._idle or self._used_by[share] >= self._slots_per_share:
            return None
        home = self.home(host)
        slot = home if home in self._idle else self._idle[-1]
        self._idle.remove(slot)
        slot.host, slot.share, slot.since = host, share, self._monotonic()
        self._used.add(slot)
        self._used_by[share] += 1
        return slot

    def _release(self, slot: Slot) -> None:
        with self._lock:
            self._used.remove(slot)
            self._used_by[slot.share] -= 1
            if not self._used_by[slot.share]:
                del self._used_by[slot.share]
            self._forget(slot.share)
            self._idle.append(slot)
            self._give_slots()

    def _forget(self, share: str) -> None:
        self._requests_of[share] -= 1
        if not self._requests_of[share]:
            del self._requests_of[share]


class RequestSlotsMiddleware:
    """Runs each request in a slot. It is not used where `TATAMI_WEB_CONNECTIONS` is 0."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        if not settings.TATAMI_WEB_CONNECTIONS:
            raise MiddlewareNotUsed
        self.get_response = get_response
        most = max(settings.TATAMI_WEB_THREADS // 4, min(settings.TATAMI_WEB_THREADS // 2, 64))
        self._slots = RequestSlots(
            size=settings.TATAMI_WEB_CONNECTIONS,
            running=settings.TATAMI_WEB_RUNNING,
            most=most,
            most_per_share=max(1, most // 2),
            connect=persistent_connection,
        )
        self.watch = StatementWatch(
            self._slots.all, seconds=settings.TATAMI_STATEMENT_SECONDS, observe=self._slots.observe
        )
        threading.Thread(target=self.watch.run, name="statement watch", daemon=True).start()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Pass the request on, or refuse it. The rest of a streamed response is produced outside the slot."""
        host = _host(request)
        try:
            with self._slots.slot(host, host_resolver().share_of(host)) as slot, slot.bound():
                return self.get_response(request)
        except ServiceUnavailable as error:
            return error_response(error, request)


def _host(request: HttpRequest) -> str:
    """Return the host that the request is for, unverified. Behind a proxy, `Host` may name the proxy itself."""
    forwarded = request.META.get("HTTP_X_FORWARDED_HOST") if settings.USE_X_FORWARDED_HOST else None
    return normalised_host(forwarded or request.META.get("HTTP_HOST", ""))


def persistent_connection() -> Any:
    """Return a Django connection that stays open between requests, and that is not bound to a thread."""
    connection: Any = connections.create_connection(ALIAS)
    connection.settings_dict = {
        **connection.settings_dict,
        "CONN_MAX_AGE": settings.TATAMI_CONNECTION_SECONDS,
        "CONN_HEALTH_CHECKS": False,  # a slot looks at the socket, which costs no statement
    }
    connection.transaction_limits = set_local_limits(request_limits())
    connection.inc_thread_sharing()
    return connection


class StatementWatch:
    """Ends connections whose statement takes longer than `seconds`, because PostgreSQL does not answer.

    It watches the slots, and the connections of the owner login.

    The server's own limit ends a slow statement first. A thread that waits for a server that is stopped, or for a
    network that is cut, cannot look at a clock: its socket is shut down, and it gets the error of a lost connection.
    """

    def __init__(
        self, slots: Sequence[Slot], *, seconds: float, observe: Callable[[], None] = lambda: None
    ) -> None:
        """`observe` is called at each look, for metrics that would cost something at each request."""
        self._slots = slots
        self._seconds = seconds
        self._observe = observe
        self._stopped = threading.Event()

    def run(self) -> None:
        """Look again and again, until it is stopped."""
        while not self._stopped.wait(WATCH_SECONDS):
            self.end_overdue(now=time.monotonic())
            self._observe()

    def stop(self) -> None:
        """Let `run` return. A web process watches for as long as it runs."""
        self._stopped.set()

    def end_overdue(self, *, now: float) -> None:
        """End the connections whose statement is overdue at `now`, on the monotonic clock."""
        for slot in self._slots:
            self._end_if_overdue(slot.connection, now, host=slot.host)
        for owner in open_owners():
            self._end_if_overdue(owner, now, login="owner")

    def _end_if_overdue(self, connection: Any, now: float, **known: str) -> None:
        since = connection.waiting_since
        if since is not None and now - since > (connection.patience or self._seconds):
            STATEMENTS_OVERDUE.inc()
            logger.warning("statement_overdue", **known, seconds=round(now - since, 1))
            connection.shut_down()


def _has_ended(connection: Any) -> bool:
    """Return whether the server has closed this idle connection, or has sent something unasked."""
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
