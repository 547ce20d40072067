"""Traces, metrics and slow statements of real web and worker processes, as an operator sees them.

The collector is an HTTP server on this machine that receives OTLP; what arrives is decoded with the published schema.
"""

import gzip
import os
import re
import time
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

import orjson
import pytest
import yaml
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from shared_apps.tenants.tasks import run_due_jobs
from tests.chaos.served_fleet import OUTPUT, ServedDojo, ServedFleet, running_fleet
from tests.support.live_server import free_port, send_request
from tests.webhooks.receiver import Receiver, receiving

pytestmark = pytest.mark.slow

ROOT: Final = Path(__file__).resolve().parents[2]
WITHIN_SECONDS: Final = 90.0
NAME: Final = "Canaryson"
QUERY: Final = "canary-in-a-query"
METRIC: Final = re.compile(r"\btatami_[a-z_]+")


@dataclass
class Observed:
    """What an installation has exported: spans by the service that made them, logs and metrics."""

    spans: list[tuple[str, Span]]
    log: list[dict[str, Any]]
    metrics: str
    schema: str
    secrets: dict[str, str]

    def of(self, service: str) -> list[Span]:
        return [span for name, span in self.spans if name == service]

    def named(self, service: str, name: str) -> Span:
        return next(span for span in self.of(service) if span.name == name)


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Observed:
    folder, metrics_port = tmp_path_factory.mktemp("observed"), free_port()
    with receiving() as collector:
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.port}",
            "OTEL_EXPORTER_OTLP_HEADERS": "x-key=canary-key-of-the-collector",
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test",
            "TATAMI_METRICS_PORT": str(metrics_port),
            "TATAMI_SLOW_STATEMENT_MS": "1",
            "TATAMI_WEBHOOK_NETWORKS": "127.0.0.0/8",
        }
        inherited = {name for name in os.environ if name.startswith("OTEL_")}
        assert not inherited, "the test sets these itself"
        with running_fleet(folder, dojos=1, **environment) as fleet:
            secrets = use(fleet, collector)
            wait_for(lambda: any(span.name == "webhooks.deliver" for _, span in decoded(collector)))
            metrics = "".join(scrape(port) for port in (metrics_port, metrics_port + 1))
            schema = schema_of(fleet)
        # Spans that were left at the end arrive while the processes stop.
        spans = decoded(collector)
    lines = (folder / OUTPUT).read_text().splitlines()
    lines += (folder / "data" / "logs" / "worker.log").read_text().splitlines()
    log = [orjson.loads(line) for line in lines if line.startswith("{")]
    return Observed(spans, log, metrics, schema, secrets)


def use(fleet: ServedFleet, collector: Receiver) -> dict[str, str]:
    """Let web and worker work, in a trace that a caller began; return what no span may hold."""
    (dojo,) = fleet.dojos
    dojo.create("/webhooks", {"url": f"{collector.url}&token={QUERY}", "events": ["student.created"]})
    student = dojo.create(
        "/students", {"first_name": "Ada", "last_name": NAME, "medical_notes": "canary-note"}
    )
    code = dojo.create("/qr", {"student": student["id"], "kind": "card"})["token"]
    visit(dojo, f"/check-in/{code}?q={QUERY}")
    dojo.send("GET", f"/students/{student['id']}")
    dojo.send("POST", "/attendance/scan", {"token": code, "class_session": dojo.class_session})
    visit(dojo, f"/{code}")
    return {
        "name": NAME,
        "note": "canary-note",
        "query": QUERY,
        "card": code,
        "id in a path": student["id"],
        "access token": dojo.access,
        "key of the collector": "canary-key",
    }


def visit(dojo: ServedDojo, path: str) -> None:
    """Request a page as a browser does, whatever the response."""
    link = HTTPConnection("127.0.0.1", dojo.port, timeout=60)
    try:
        link.request("GET", path, headers={"Host": dojo.host})
        link.getresponse().read()
    finally:
        link.close()


def schema_of(fleet: ServedFleet) -> str:
    _, page = send_request(fleet.port, "GET", "localhost", "/tenants", token=fleet.superadmin)
    return str(page["results"][0]["schema_name"])


def decoded(collector: Receiver) -> list[tuple[str, Span]]:
    """Return the spans that have arrived, with the name of their service."""
    found = []
    for one in list(collector.received):
        if one.path != "/v1/traces":
            continue
        assert one.headers["content-type"] == "application/x-protobuf"
        assert one.headers["x-key"] == "canary-key-of-the-collector"
        body = gzip.decompress(one.body) if one.headers.get("content-encoding") == "gzip" else one.body
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = attributes(resource.resource)["service.name"]
            found += [(service, span) for scope in resource.scope_spans for span in scope.spans]
    return found


def attributes(of: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in of.attributes}


def scrape(port: int) -> str:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as response:
        return str(response.read().decode())


def wait_for(happens: Any) -> None:
    deadline = time.monotonic() + WITHIN_SECONDS
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_web_and_worker_export_their_spans(observed: Observed) -> None:
    assert {service for service, _ in observed.spans} == {"tatami-web", "tatami-worker"}


def test_a_request_has_route_status_and_schema(observed: Observed) -> None:
    span = observed.named("tatami-web", "POST /students")
    found = attributes(span)
    assert span.kind == Span.SPAN_KIND_SERVER
    assert (found["http.route"], found["http.response.status_code"]) == ("/students", 201)
    assert found["tatami.schema"] == observed.schema
    assert any(one.name.startswith("GET /check-in/<") for one in observed.of("tatami-web"))


def test_the_statements_of_a_request_are_in_its_trace(observed: Observed) -> None:
    request = observed.named("tatami-web", "POST /attendance/scan")
    inside = [one for one in observed.of("tatami-web") if one.parent_span_id == request.span_id]
    assert {"BEGIN", "COMMIT"} <= {one.name for one in inside}
    texts = [attributes(one).get("db.query.text", "") for one in inside]
    assert any("$1" in text for text in texts), "statements of fixed text"
    assert all(
        attributes(one)["db.namespace"].endswith(f"|{observed.schema}")
        for one in inside
        if "db.query.text" in attributes(one)
    )


def test_the_job_of_a_request_continues_its_trace_in_the_worker(observed: Observed) -> None:
    request = observed.named("tatami-web", "POST /students")
    jobs = [one for one in observed.of("tatami-worker") if one.name == "webhooks.deliver"]
    job = next(one for one in jobs if one.trace_id == request.trace_id)
    assert job.kind == Span.SPAN_KIND_CONSUMER
    assert attributes(job)["tatami.request_id"] == attributes(request)["tatami.request_id"]
    inside = [one for one in observed.of("tatami-worker") if one.parent_span_id == job.span_id]
    post = next(one for one in inside if one.name == "POST")
    assert attributes(post)["http.response.status_code"] == 204
    assert any("db.query.text" in attributes(one) for one in inside)


def test_a_task_of_a_request_continues_its_trace_in_the_worker(observed: Observed) -> None:
    request = observed.named("tatami-web", "POST /students")
    sent = next(
        one
        for one in observed.of("tatami-web")
        if one.name == f"publish {run_due_jobs.name}" and one.trace_id == request.trace_id
    )
    ran = [one for one in observed.of("tatami-worker") if one.parent_span_id == sent.span_id]
    assert {one.name for one in ran} <= {f"run {run_due_jobs.name}"}


def test_polling_leaves_no_trace(observed: Observed) -> None:
    assert not [one for one in observed.of("tatami-worker") if one.name == "run tenants.wake"]
    assert not [one for one in observed.of("tatami-web") if "readyz" in str(one)]


def test_no_span_holds_a_secret_or_a_person(observed: Observed) -> None:
    text = "".join(str(span) for _, span in observed.spans)
    assert len(observed.spans) > 50
    assert {name for name, secret in observed.secrets.items() if secret in text} == set()


def test_a_line_of_the_log_leads_to_its_trace(observed: Observed) -> None:
    request = observed.named("tatami-web", "POST /students")
    lines = [one for one in observed.log if one.get("traceId") == request.trace_id.hex()]
    (line,) = [one for one in lines if one["event"] == "request"]
    assert line["requestId"] == attributes(request)["tatami.request_id"]


def test_slow_statements_are_logged_with_their_request_and_without_values(observed: Observed) -> None:
    slow = [one for one in observed.log if one["event"] == "slow_statement"]
    assert any(one.get("requestId") and one["tenant"] for one in slow)
    assert all(one["backendPid"] for one in slow)
    text = orjson.dumps(slow).decode()
    assert {name for name, secret in observed.secrets.items() if secret in text} == set()


def metrics_of_rules() -> set[str]:
    rules = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())
    expressions = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    return {name for expression in expressions for name in METRIC.findall(expression)}


def test_every_metric_of_the_alerts_is_exposed(observed: Observed) -> None:
    exposed = {line.partition("{")[0].partition(" ")[0] for line in observed.metrics.splitlines()}
    # These have values only where something waits.
    waiting = {"tatami_jobs_due_seconds", "tatami_backlog_seconds"}
    of_backups = {"tatami_last_backup_timestamp_seconds"}  # tests/config/test_backups.py
    described = {line.split()[2] for line in observed.metrics.splitlines() if line.startswith("# HELP")}
    used = metrics_of_rules() - of_backups
    assert len(used) > 15
    assert used - waiting <= exposed
    assert used & waiting <= described


def test_every_metric_is_documented(observed: Observed) -> None:
    text = (ROOT / "docs/operations.md").read_text()
    described = {
        line.split()[2] for line in observed.metrics.splitlines() if line.startswith("# TYPE tatami_")
    }
    assert {name for name in described if name not in text} == set()


def test_the_slots_of_all_web_processes_are_added(observed: Observed) -> None:
    found = dict(re.findall(r'^tatami_web_slots\{state="(\w+)"\} (\S+)$', observed.metrics, re.MULTILINE))
    assert float(found["used"]) + float(found["idle"]) == 32
