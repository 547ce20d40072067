"""The metrics for Prometheus, and that no public host serves them."""

import re
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tatami.jobs import DONE, Job, JobRun
from tatami.metrics import serve_metrics
from tatami.tenancy.scope import TenantScope, tenant_scope
from tatami.tenancy.tenant_registry import tenant_registry
from tests.support.clients import Caller, Dojo, Platform
from tests.support.now import NOW

SAMPLE = re.compile(r"^(?P<name>\w+)(?:\{(?P<labels>[^}]*)\})? (?P<value>\S+)$", re.MULTILINE)


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three jobs are due. (The thread that serves metrics cannot see rows of the test's transaction.)"""
    monkeypatch.setattr(tenant_registry(), "count_overdue_jobs", lambda: 3)


@pytest.fixture
def port(settings: Any, waiting: None) -> Iterator[int]:
    """Serve the metrics of this process; return the port.

    The port is reserved by a socket that shares it but does not listen. Otherwise another process could take it, and
    would share it with this one.
    """
    with socket.socket() as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reserved.bind(("127.0.0.1", 0))
        settings.TATAMI_METRICS_PORT, settings.TATAMI_METRICS_HOST = reserved.getsockname()[1], "127.0.0.1"
        server = serve_metrics()
        assert server is not None
        yield settings.TATAMI_METRICS_PORT
        server.shutdown()
        server.server_close()


def scrape(port: int) -> dict[tuple[str, str], float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as response:
        text = response.read().decode()
    return {(one["name"], one["labels"] or ""): float(one["value"]) for one in SAMPLE.finditer(text)}


def increases(port: int, before: dict[tuple[str, str], float]) -> dict[str, float]:
    """Return the increase of the counters of requests and of jobs since `before`, by labels."""
    return {
        labels: value - before.get((name, labels), 0)
        for (name, labels), value in scrape(port).items()
        if name in {"tatami_requests_total", "tatami_turns_total"} and value != before.get((name, labels), 0)
    }


def labels(**given: str) -> str:
    return ",".join(f'{name}="{value}"' for name, value in sorted(given.items()))


def test_requests_are_counted_by_route_and_kind_of_host(port: int, dojo: Dojo, platform: Platform) -> None:
    student = dojo.create("/students", {"first_name": "Mika", "last_name": "Sato"})
    root = platform.superadmin()
    before = scrape(port)
    dojo.admin.get(f"/students/{student['id']}")
    dojo.anonymous.get("/students")
    root.get("/me")
    Caller("unknown.localhost").get("/me")
    root.request("BREW", "/coffee")
    assert increases(port, before) == {
        labels(method="GET", route="student", status="200", host="dojo"): 1,
        labels(method="GET", route="students", status="401", host="dojo"): 1,
        labels(method="GET", route="me", status="200", host="platform"): 1,
        labels(method="GET", route="none", status="404", host="unknown"): 1,
        labels(method="other", route="none", status="404", host="platform"): 1,
    }


def test_the_duration_of_requests_is_measured(port: int, dojo: Dojo) -> None:
    dojo.admin.get("/me")
    metrics = scrape(port)
    assert metrics["tatami_request_duration_seconds_count", labels(method="GET", route="me")] >= 1
    assert any("le=" in one for name, one in metrics if name == "tatami_request_duration_seconds_bucket")


def test_jobs_are_counted_by_outcome(port: int, tenant: TenantScope) -> None:
    def fails(_: JobRun) -> str | None:
        raise LookupError

    before = scrape(port)
    with tenant_scope(tenant):
        assert Job("sample.done", lambda _: DONE)(JobRun(now=NOW)) is DONE
        with pytest.raises(LookupError):
            Job("sample.failed", fails)(JobRun(now=NOW))
    assert increases(port, before) == {
        labels(job="sample.done", outcome="done"): 1,
        labels(job="sample.failed", outcome="failed"): 1,
    }


def test_the_number_of_due_jobs_is_measured(port: int) -> None:
    assert scrape(port)["tatami_turns_waiting", ""] == 3


def test_labels_contain_no_personal_data(port: int, dojo: Dojo) -> None:
    student = dojo.create("/students", {"first_name": "Mika", "last_name": "Sato"})
    dojo.admin.get(f"/students/{student['id']}")
    dojo.anonymous.get("/students/Mika?search=Sato")
    text = " ".join(labels for _, labels in scrape(port))
    for secret in (student["id"], str(dojo.tenant.tenant_id), dojo.tenant.slug, "Mika", "Sato"):
        assert secret not in text


def test_the_metrics_port_serves_nothing_else(port: int) -> None:
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/me", timeout=10)
    error.value.close()
    assert error.value.code == 404


def test_several_processes_share_the_port(port: int) -> None:
    second = serve_metrics()
    assert second is not None
    second.shutdown()
    second.server_close()


def test_without_a_port_no_metrics_are_served(settings: Any) -> None:
    settings.TATAMI_METRICS_PORT = 0
    assert serve_metrics() is None


def test_a_port_in_use_does_not_stop_the_process(settings: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings.TATAMI_METRICS_PORT, settings.TATAMI_METRICS_HOST = taken.getsockname()[1], "127.0.0.1"
        assert serve_metrics() is None


@pytest.mark.parametrize("host", ["localhost", "aiki.localhost", "unknown.localhost", "127.0.0.1"])
def test_no_public_host_has_metrics(host: str, db: None) -> None:
    response = Caller(host).get("/metrics")
    assert response.status_code == 404
    assert response.json()["error"]["code"] in {"not_found", "tenant_not_found"}
