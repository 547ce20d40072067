"""What Prometheus may know of this installation: how much, how long, with what outcome; never who.

No label names a dojo, a person or an id: what there is to tell stays few, however many dojos there are. The processes
of one service (web, or worker) write into files of one folder, `PROMETHEUS_MULTIPROC_DIR`, and share one port, on
which whoever takes the call answers for all of them.
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

from tatami.tenancy.directory import directory
from tatami.tenancy.scope import PLATFORM, Scope

logger: Final = structlog.get_logger(__name__)

FOLDER: Final = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
"""The library's own variable, which it read when it was imported. Without it each process counts for itself."""
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

if FOLDER:
    Path(FOLDER).mkdir(mode=0o700, parents=True, exist_ok=True)

REQUESTS: Final = Counter("tatami_requests", "Requests answered.", ["method", "route", "status", "host"])
REQUEST_SECONDS: Final = Histogram(
    "tatami_request_duration_seconds", "From the request to its answer.", ["method", "route"]
)
TURNS: Final = Counter("tatami_turns", "Turns of jobs in dojos, by outcome.", ["job", "outcome"])
TURN_SECONDS: Final = Histogram("tatami_turn_duration_seconds", "How long a turn took.", ["job"])


def observe_request(request: HttpRequest, status: int, seconds: float) -> None:
    """Count a request that was answered."""
    match = request.resolver_match
    method = request.method if request.method in METHODS else "other"
    route = (match.view_name if match else "") or "none"
    REQUESTS.labels(method, route, str(status), _kind_of_host(getattr(request, "scope", None))).inc()
    REQUEST_SECONDS.labels(method, route).observe(seconds)


@contextmanager
def observed_turn(job: str) -> Iterator[None]:
    """Count a turn, failed if an error leaves the block, and the time it takes."""
    began = time.perf_counter()
    outcome = "failed"
    try:
        yield
        outcome = "done"
    finally:
        TURNS.labels(job, outcome).inc()
        TURN_SECONDS.labels(job).observe(time.perf_counter() - began)


class WaitingTurns(Collector):
    """How many turns wait for too long, asked of PostgreSQL at each scrape: true even when no worker lives."""

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Return the name, without asking anybody."""
        return [GaugeMetricFamily("tatami_turns_waiting", "Turns that were due a second ago, or cut off.")]

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return the number; without PostgreSQL nothing."""
        (waiting,) = self.describe()
        try:
            waiting.add_metric([], directory().number_waiting())
        except DatabaseError as error:
            logger.warning("waiting_turns_unknown", reason=str(error))
            return []
        finally:
            connection.close()
        return [waiting]


class Scrape(MetricsHandler):
    """Answers `GET /metrics`, and nothing else."""

    def do_GET(self) -> None:  # noqa: N802
        """Answer."""
        if urlsplit(self.path).path == "/metrics":
            super().do_GET()
        else:
            self.send_error(HTTPStatus.NOT_FOUND)


class SharedPort(ThreadingTCPServer):
    """A server whose port the other processes of the service listen on as well."""

    daemon_threads = True
    allow_reuse_address = True
    allow_reuse_port = True


def exposed() -> Collector:
    """Return what this process answers with: the numbers of all processes of its service."""
    registry = CollectorRegistry()
    if FOLDER:
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry.register(REGISTRY)
    registry.register(WaitingTurns())
    return registry


def serve_metrics() -> SharedPort | None:
    """Answer Prometheus from a thread of this process, if `TATAMI_METRICS_PORT` says where; return the server.

    A port that cannot be had is no reason not to serve dojos: it is logged.
    """
    if not settings.TATAMI_METRICS_PORT:
        return None
    address = (settings.TATAMI_METRICS_HOST, settings.TATAMI_METRICS_PORT)
    handler = type("ScrapeHere", (Scrape,), {"registry": exposed()})
    try:
        server = SharedPort(address, handler)
    except OSError as error:
        logger.warning("metrics_not_served", port=settings.TATAMI_METRICS_PORT, reason=str(error))
        return None
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server


def _kind_of_host(scope: Scope | None) -> str:
    if scope is None:
        return "unknown"
    return "platform" if scope is PLATFORM else "dojo"
