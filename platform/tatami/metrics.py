"""Prometheus metrics: counts, durations and outcomes, without personal data.

No label names a dojo, a person or an id, so the number of time series does not grow with the number of dojos. The
processes of one service (web, or worker) write into files of one folder, `PROMETHEUS_MULTIPROC_DIR`, and share a port.
The process that accepts a scrape answers for all of them.
"""

import os
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from socketserver import ThreadingTCPServer
from typing import Final
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from django.db import connection
from django.db.utils import Error as DatabaseError
from django.http import HttpRequest
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import MetricsHandler
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from tatami.tenancy.scope import PLATFORM, Scope
from tatami.tenancy.tenant_registry import tenant_registry

logger: Final = structlog.get_logger(__name__)

FOLDER: Final = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
"""The variable of prometheus_client, which reads it at import. Without it each process counts for itself."""
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

if FOLDER:
    Path(FOLDER).mkdir(mode=0o700, parents=True, exist_ok=True)

REQUESTS: Final = Counter("tatami_requests", "Requests answered.", ["method", "route", "status", "host"])
REQUEST_SECONDS: Final = Histogram(
    "tatami_request_duration_seconds", "From the request to its answer.", ["method", "route"]
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


class OverdueJobsCollector(Collector):
    """The number of overdue jobs. Each scrape counts them in PostgreSQL, so it is right even if no worker runs."""

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Return the metric without a value, and without a query."""
        return [GaugeMetricFamily("tatami_turns_waiting", "Turns that were due a second ago, or cut off.")]

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return the number; an empty list if PostgreSQL is unavailable."""
        (overdue,) = self.describe()
        try:
            overdue.add_metric([], tenant_registry().count_overdue_jobs())
        except DatabaseError as error:
            logger.warning("overdue_jobs_unknown", reason=str(error))
            return []
        finally:
            connection.close()
        return [overdue]


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
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry.register(REGISTRY)
    registry.register(OverdueJobsCollector())
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
