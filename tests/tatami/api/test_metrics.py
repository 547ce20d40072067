"""What Prometheus is told, and where; and that nobody else is."""

import re
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tatami.metrics import serve_metrics
from tatami.tenancy.scope import TenantScope, tenant_scope
from tatami.work import DONE, Job, Turn
from tests.support.clients import Caller, Dojo, Platform
from tests.support.now import NOW
from tests.support.ports import free_port

SAMPLE = re.compile(r"^(?P<name>\w+)(?:\{(?P<labels>[^}]*)\})? (?P<value>\S+)$", re.MULTILINE)


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three turns are due. (The answering thread would not see what this test's transaction wrote.)"""
    monkeypatch.setattr("shared_apps.tenants.directory.number_waiting", lambda: 3)


@pytest.fixture
def port(settings: Any, waiting: None) -> Iterator[int]:
    """Where this process tells Prometheus of itself."""
    settings.TATAMI_METRICS_PORT, settings.TATAMI_METRICS_HOST = free_port(), "127.0.0.1"
    server = serve_metrics()
    assert server is not None
    yield settings.TATAMI_METRICS_PORT
    server.shutdown()
    server.server_close()


def scraped(port: int) -> dict[tuple[str, str], float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return {(one["name"], one["labels"] or ""): float(one["value"]) for one in SAMPLE.finditer(text)}


def risen(port: int, before: dict[tuple[str, str], float]) -> dict[str, float]:
    """Return by how much the counters of requests and turns have risen, by their labels."""
    return {
        labels: value - before.get((name, labels), 0)
        for (name, labels), value in scraped(port).items()
        if name in {"tatami_requests_total", "tatami_turns_total"} and value != before.get((name, labels), 0)
    }


def labels(**given: str) -> str:
    return ",".join(f'{name}="{value}"' for name, value in sorted(given.items()))


def test_requests_are_counted_by_route_and_kind_of_host(port: int, dojo: Dojo, platform: Platform) -> None:
    student = dojo.create("/students", {"first_name": "Mika", "last_name": "Sato"})
    root = platform.superadmin()
    before = scraped(port)
    dojo.admin.get(f"/students/{student['id']}")
    dojo.anonymous.get("/students")
    root.get("/me")
    Caller("nobody.localhost").get("/me")
    root.request("BREW", "/coffee")
    rose = risen(port, before)
    assert rose == {
        labels(method="GET", route="student", status="200", host="dojo"): 1,
        labels(method="GET", route="students", status="401", host="dojo"): 1,
        labels(method="GET", route="me", status="200", host="platform"): 1,
        labels(method="GET", route="none", status="404", host="unknown"): 1,
        labels(method="other", route="none", status="404", host="platform"): 1,
    }


def test_how_long_requests_take_is_told(port: int, dojo: Dojo) -> None:
    dojo.admin.get("/me")
    told = scraped(port)
    assert told["tatami_request_duration_seconds_count", labels(method="GET", route="me")] >= 1
    assert any("le=" in one for name, one in told if name == "tatami_request_duration_seconds_bucket")


def test_turns_are_counted_by_their_outcome(port: int, tenant: TenantScope) -> None:
    def fails(_: Turn) -> str | None:
        raise LookupError

    before = scraped(port)
    with tenant_scope(tenant):
        assert Job("sample.done", lambda _: DONE)(Turn(now=NOW)) is DONE
        with pytest.raises(LookupError):
            Job("sample.failed", fails)(Turn(now=NOW))
    assert risen(port, before) == {
        labels(job="sample.done", outcome="done"): 1,
        labels(job="sample.failed", outcome="failed"): 1,
    }


def test_who_waits_is_told(port: int) -> None:
    assert scraped(port)["tatami_turns_waiting", ""] == 3


def test_nobody_is_named(port: int, dojo: Dojo) -> None:
    student = dojo.create("/students", {"first_name": "Mika", "last_name": "Sato"})
    dojo.admin.get(f"/students/{student['id']}")
    dojo.anonymous.get("/students/Mika?search=Sato")
    told = " ".join(labels for _, labels in scraped(port))
    for secret in (student["id"], str(dojo.tenant.tenant_id), dojo.tenant.slug, "Mika", "Sato"):
        assert secret not in told


def test_nothing_else_is_served_there(port: int) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/me", timeout=10)
    refused.value.close()
    assert refused.value.code == 404


def test_processes_of_one_service_share_the_port(port: int) -> None:
    second = serve_metrics()
    assert second is not None
    second.shutdown()
    second.server_close()


def test_without_a_port_nothing_is_served(settings: Any) -> None:
    settings.TATAMI_METRICS_PORT = 0
    assert serve_metrics() is None


def test_a_port_that_cannot_be_had_stops_nothing(settings: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings.TATAMI_METRICS_PORT, settings.TATAMI_METRICS_HOST = taken.getsockname()[1], "127.0.0.1"
        assert serve_metrics() is None


@pytest.mark.parametrize("host", ["localhost", "aiki.localhost", "nobody.localhost", "127.0.0.1"])
def test_no_public_host_has_metrics(host: str, db: None) -> None:
    answer = Caller(host).get("/metrics")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] in {"not_found", "tenant_not_found"}
