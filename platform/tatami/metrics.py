"""Prometheus metrics: counts, durations and outcomes, without personal data.

No label names a dojo, a person or an id, so the number of time series does not grow with the number of dojos. The
processes of one service (web, or worker) write into files of one folder, `PROMETHEUS_MULTIPROC_DIR`, and share a port.
The process that accepts a scrape answers for all of them.
"""

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from socketserver import ThreadingTCPServer
from typing import Final, TypeVar
from urllib.parse import urlsplit

import psutil
import redis
import structlog
from django.conf import settings
from django.db.utils import Error as DatabaseError
from django.http import HttpRequest
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import MetricsHandler
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from tatami.postgresql.shared_calls import SharedCall
from tatami.tenancy.scope import PLATFORM, Scope
from tatami.tenancy.tenant_registry import FleetState, tenant_registry

T = TypeVar("T")

logger: Final = structlog.get_logger(__name__)

FOLDER: Final = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
"""The variable of prometheus_client, which reads it at import. Without it each process counts for itself."""
QUEUE: Final = "tatami"
"""The queue of Celery (`task_default_queue`): the name of its list in Valkey."""
UNACKNOWLEDGED: Final = "unacked"
"""The hash in which kombu keeps the messages that a worker has taken."""
BROKER_SECONDS: Final = 1.0
SCRAPE_SECONDS: Final = 2.0
"""How long each of the two reads of PostgreSQL may take. With Valkey's limit a scrape takes 5 seconds at most;
Prometheus waits for 10."""
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

if FOLDER:
    Path(FOLDER).mkdir(mode=0o700, parents=True, exist_ok=True)


def counter_of(name: str, documentation: str, **values: tuple[str, ...]) -> Counter:
    """Return a counter with one label, whose values exist from the start.

    Prometheus sees an increase only where there was a value before, so an alert would miss the first event.
    """
    ((label, known),) = values.items()
    counter = Counter(name, documentation, [label])
    for value in known:
        counter.labels(value)
    return counter


REQUESTS: Final = Counter("tatami_requests", "Requests answered.", ["method", "route", "status", "host"])
REQUEST_SECONDS: Final = Histogram(
    "tatami_request_duration_seconds", "From the request to its answer.", ["method", "route"]
)
SLOTS: Final = Gauge(
    "tatami_web_slots",
    "Database connections for requests, by state (used, idle).",
    ["state"],
    multiprocess_mode="livesum",
)
WAITING: Final = Gauge(
    "tatami_web_requests_waiting",
    "Requests that wait for a database connection.",
    multiprocess_mode="livesum",
)
SLOT_WAIT: Final = Histogram(
    "tatami_web_slot_wait_seconds",
    "How long requests waited that did not get a database connection at once.",
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2),
)
STATEMENTS_OVERDUE: Final = Counter(
    "tatami_statements_overdue", "Connections that were ended because PostgreSQL did not answer in time."
)
REFUSED: Final = counter_of(
    "tatami_requests_refused",
    "Requests that got 503 before they ran: more of one host or client than its share, or of the whole process.",
    reason=("host", "process", "timeout", "client", "bodies"),
)
STATEMENTS_SLOW: Final = Counter("tatami_slow_statements", "Statements that were logged as slow.")
ALARMS: Final = counter_of(
    "tatami_alarms",
    "Errors that never happen in normal operation, by the event of their log line.",
    event=("security.row_refused", "access.no_rule", "unhandled_exception"),
)
JOB_RUNS: Final = Counter("tatami_turns", "Turns of jobs in dojos, by outcome.", ["job", "outcome"])
JOB_RUN_SECONDS: Final = Histogram("tatami_turn_duration_seconds", "How long a turn took.", ["job"])


def observe_request(request: HttpRequest, status: int, seconds: float) -> None:
    """Count an answered request and its duration."""
    match = request.resolver_match
    method = request.method if request.method in METHODS else "other"
    route = (match.view_name if match else "") or "none"
    REQUESTS.labels(method, route, str(status), _kind_of_host(getattr(request, "scope", None))).inc()
    REQUEST_SECONDS.labels(method, route).observe(seconds)


@contextmanager
def observe_job_run(job: str) -> Iterator[None]:
    """Count a run of a job and its duration. The outcome is `failed` if the block raises, else `done`."""
    began = time.perf_counter()
    outcome = "failed"
    try:
        yield
        outcome = "done"
    finally:
        JOB_RUNS.labels(job, outcome).inc()
        JOB_RUN_SECONDS.labels(job).observe(time.perf_counter() - began)


def _read(call: SharedCall[T], function: Callable[[], T], event: str) -> T | None:
    """Return what a function reads. If PostgreSQL is unavailable or late, log the event and return `None`.

    Then a scrape has all other metrics. `RuntimeError`: the tenants app is not ready.
    """
    try:
        return call.result(function)
    except (DatabaseError, TimeoutError, RuntimeError) as error:
        logger.warning(event, reason=str(error) or type(error).__name__)
        return None


class OverdueJobsCollector(Collector):
    """The number of overdue jobs. Each scrape counts them in PostgreSQL, so it is right even if no worker runs."""

    def __init__(self) -> None:
        self._call = SharedCall[int]("overdue jobs", seconds=SCRAPE_SECONDS)

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Return the metric without a value, and without a query."""
        return [GaugeMetricFamily("tatami_turns_waiting", "Turns that were due a second ago, or cut off.")]

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return the number; an empty list if PostgreSQL is unavailable."""
        number = _read(self._call, lambda: tenant_registry().count_overdue_jobs(), "overdue_jobs_unknown")
        if number is None:
            return []
        (overdue,) = self.describe()
        overdue.add_metric([], number)
        return [overdue]


class FleetCollector(Collector):
    """What the platform's rows say, read at each scrape: a fixed number of statements, whatever the number of dojos."""

    def __init__(self) -> None:
        self._call = SharedCall[FleetState]("fleet state", seconds=SCRAPE_SECONDS)

    def describe(self) -> Sequence[GaugeMetricFamily]:
        """Return the metrics without values, and without a query."""
        return [
            GaugeMetricFamily("tatami_dojos", "Dojos, by status.", labels=["status"]),
            GaugeMetricFamily(
                "tatami_dojos_outdated", "Dojos that this code cannot serve until they are migrated."
            ),
            GaugeMetricFamily("tatami_dojos_migration_failed", "Dojos whose last migration failed."),
            GaugeMetricFamily("tatami_jobs_due", "Jobs that are due, by name.", labels=["name"]),
            GaugeMetricFamily(
                "tatami_jobs_due_seconds", "How long the job that is due longest has waited.", labels=["name"]
            ),
            GaugeMetricFamily(
                "tatami_backlog_dojos", "Dojos in which something waits to be sent.", labels=["kind"]
            ),
            GaugeMetricFamily(
                "tatami_backlog_seconds", "Age of the oldest row that waits to be sent.", labels=["kind"]
            ),
            GaugeMetricFamily("tatami_exports_waiting", "Exports that are not finished."),
            GaugeMetricFamily(
                "tatami_exports_waiting_seconds", "Age of the oldest export that is not finished."
            ),
        ]

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return the metrics; none if PostgreSQL is unavailable, or the tenants app is not ready."""
        state = _read(self._call, lambda: tenant_registry().read_fleet_state(), "fleet_state_unknown")
        if state is None:
            return []
        families = self.describe()
        values: list[Mapping[str, float] | float] = [
            state.dojos,
            state.outdated,
            state.migrations_failed,
            {job: queue.number for job, queue in state.jobs.items()},
            {job: queue.oldest_seconds for job, queue in state.jobs.items()},
            {kind: queue.number for kind, queue in state.backlogs.items()},
            {kind: queue.oldest_seconds for kind, queue in state.backlogs.items()},
            state.exports.number,
            state.exports.oldest_seconds,
        ]
        for family, value in zip(families, values, strict=True):
            for labels, number in value.items() if isinstance(value, Mapping) else [("", value)]:
                family.add_metric([labels] if labels else [], number)
        return families


def valkey_url(broker: str) -> str | None:
    """Return the URL of a broker of Celery as redis-py reads it; `None` if it is not Valkey.

    kombu has its own scheme for Unix sockets, and its own name for the number of the database.
    """
    if broker.startswith("redis+socket://"):
        return broker.replace("redis+socket", "unix", 1).replace("virtual_host=", "db=")
    return broker if broker.startswith(("redis://", "rediss://")) else None


class BrokerCollector(Collector):
    """The length of the queue of Celery, read from Valkey at each scrape."""

    def __init__(self) -> None:
        self._client: redis.Redis | None = None

    def describe(self) -> Sequence[GaugeMetricFamily]:
        """Return the metrics without values, and without a request."""
        return [
            GaugeMetricFamily("tatami_broker_messages", "Messages that no worker has taken yet."),
            GaugeMetricFamily(
                "tatami_broker_unacknowledged", "Messages whose task is running, or was cut off."
            ),
        ]

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return the metrics; none if Valkey is unavailable, or the broker is not Valkey."""
        url = valkey_url(settings.CELERY_BROKER_URL)
        if url is None:
            return []
        if self._client is None:
            limits = {"socket_timeout": BROKER_SECONDS, "socket_connect_timeout": BROKER_SECONDS}
            self._client = redis.Redis.from_url(url, **limits)
        try:
            found = [self._client.llen(QUEUE), self._client.hlen(UNACKNOWLEDGED)]
        except (redis.RedisError, OSError) as error:
            logger.warning("broker_unknown", reason=type(error).__name__)
            return []
        families = self.describe()
        for family, number in zip(families, found, strict=True):
            family.add_metric([], float(number))
        return families


class ServiceCollector(MultiProcessCollector):
    """The metrics that all processes of this service have counted. Gauges of processes that have ended are removed."""

    def collect(self) -> Iterable[Metric]:
        """Return the metrics."""
        for path in Path(FOLDER or "").glob("gauge_live*_*.db"):
            pid = int(path.stem.rpartition("_")[2])
            if not psutil.pid_exists(pid):
                mark_process_dead(pid, FOLDER)  # type: ignore[no-untyped-call]
        found: Iterable[Metric] = super().collect()  # type: ignore[no-untyped-call]
        return found


class MetricsRequestHandler(MetricsHandler):
    """Serves `GET /metrics`, and 404 for any other path."""

    def do_GET(self) -> None:  # noqa: N802
        """Serve the metrics."""
        if urlsplit(self.path).path == "/metrics":
            super().do_GET()
        else:
            self.send_error(HTTPStatus.NOT_FOUND)


class SharedPortServer(ThreadingTCPServer):
    """A server on a port that all processes of the service share."""

    daemon_threads = True
    allow_reuse_address = True
    allow_reuse_port = True


def build_registry() -> Collector:
    """Return the registry of a scrape: the metrics of all processes of this service."""
    registry = CollectorRegistry()
    if FOLDER:
        ServiceCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry.register(REGISTRY)
    for collector in (OverdueJobsCollector(), FleetCollector(), BrokerCollector()):
        registry.register(collector)
    return registry


def serve_metrics() -> SharedPortServer | None:
    """Serve the metrics from a thread of this process on `TATAMI_METRICS_PORT`; return the server, `None` if it is 0.

    If the port is not available, log a warning and return `None`, because requests can still be served.
    """
    if not settings.TATAMI_METRICS_PORT:
        return None
    address = (settings.TATAMI_METRICS_HOST, settings.TATAMI_METRICS_PORT)
    handler = type("Handler", (MetricsRequestHandler,), {"registry": build_registry()})
    try:
        server = SharedPortServer(address, handler)
    except OSError as error:
        logger.warning("metrics_not_served", port=settings.TATAMI_METRICS_PORT, reason=str(error))
        return None
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server


def _kind_of_host(scope: Scope | None) -> str:
    if scope is None:
        return "unknown"
    return "platform" if scope is PLATFORM else "dojo"
