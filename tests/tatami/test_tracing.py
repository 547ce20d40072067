"""Spans of requests, jobs, statements and outgoing requests, and what they must not hold.

`tests/http/test_observed_processes.py` reads what real web and worker processes export.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from celery import Task
from django.core.exceptions import MiddlewareNotUsed
from django.db import connection
from django.http import HttpResponse
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from config.celery import app
from shared_apps.tenants.jobs import job_queue
from tatami import jobs, outgoing, tracing
from tatami.celery_base import PlatformTask
from tatami.jobs import DONE, Job, JobRun
from tatami.postgresql.statements import Statement
from tatami.tenancy.scope import TenantScope, tenant_scope
from tatami.tracing import described_statement
from tests.support.clients import Caller, Dojo
from tests.support.live_server import live_server
from tests.support.now import NOW
from tests.webhooks.receiver import receiving

pytestmark = pytest.mark.slow

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNSAMPLED = PARENT.removesuffix("01") + "00"


class Spans:
    """The spans that have ended."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    def all(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())

    def of_kind(self, kind: SpanKind) -> list[ReadableSpan]:
        return [one for one in self.all() if one.kind is kind]

    def named(self, name: str) -> ReadableSpan:
        (found,) = [one for one in self.all() if one.name == name]
        return found

    def text(self) -> str:
        return " ".join(one.to_json() for one in self.all())


@pytest.fixture
def spans() -> Iterator[Spans]:
    """Trace this process. Clients that send their first request afterwards use the middleware."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing.use_provider(provider)
    yield Spans(exporter)
    tracing.stop_tracing()


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


# --- requests ------------------------------------------------------------------------------------------------------


def test_a_request_is_a_span_with_route_status_and_dojo(spans: Spans, dojo: Dojo) -> None:
    response = dojo.admin.get("/students?search=Mika", X_Request_ID="r-1")
    span = spans.named("GET /students")
    assert span.kind is SpanKind.SERVER
    assert span.parent is None
    assert attributes(span) == {
        "http.request.method": "GET",
        "http.route": "/students",
        "http.response.status_code": 200,
        "url.scheme": "http",
        "tatami.request_id": response.headers["X-Request-ID"],
        "tatami.schema": dojo.tenant.schema_name,
        "tatami.tenant": str(dojo.tenant.tenant_id),
    }


def test_a_span_holds_no_path_no_value_and_no_body(spans: Spans, dojo: Dojo) -> None:
    student = dojo.create(
        "/students", {"first_name": "Canaryson", "last_name": "Sato", "medical_notes": "canary-note"}
    )
    code = dojo.admin.post("/qr", {"student": student["id"], "kind": "card"}).json()["token"]
    dojo.anonymous.get(f"/check-in/{code}")
    dojo.anonymous.get("/canary-in-a-path?canary-in-a-query=1", User_Agent="canary-agent")
    dojo.admin.get(f"/students/{student['id']}")
    dojo.admin.get("/students?search=Canaryson")
    text = spans.text()
    assert "/check-in/<" in text
    assert "students_student" in text
    for secret in ("canary", "Canaryson", code, student["id"], str(dojo.admin.token)):
        assert secret not in text


def test_an_unknown_path_has_a_span_without_route(spans: Spans, dojo: Dojo) -> None:
    dojo.anonymous.get("/unknown")
    span = spans.named("GET")
    assert attributes(span)["http.response.status_code"] == 404
    assert "http.route" not in attributes(span)


def test_a_made_up_method_is_not_recorded(spans: Spans, dojo: Dojo) -> None:
    dojo.anonymous.request("BREW", "/unknown")
    assert attributes(spans.named("HTTP"))["http.request.method"] == "_OTHER"


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_are_not_traced(spans: Spans, db: None, path: str) -> None:
    Caller("localhost").get(path)
    assert spans.all() == []


def test_a_request_continues_the_trace_of_its_caller(spans: Spans, dojo: Dojo) -> None:
    dojo.admin.get("/me", traceparent=PARENT)
    span = spans.named("GET /me")
    assert span.parent is not None
    assert f"{span.parent.trace_id:032x}-{span.parent.span_id:016x}" == PARENT[3:-3]
    assert {f"{one.context.trace_id:032x}" for one in spans.all()} == {PARENT[3:35]}


def test_a_trace_that_its_caller_does_not_sample_has_no_spans(spans: Spans, dojo: Dojo) -> None:
    assert dojo.admin.get("/me", traceparent=UNSAMPLED).status_code == 200
    assert spans.all() == []


@pytest.mark.parametrize("sent", ["", "x", "00-0-0-01", PARENT.replace("0af7", "0AG7"), PARENT * 50])
def test_an_invalid_context_begins_a_new_trace(spans: Spans, dojo: Dojo, sent: str) -> None:
    assert dojo.admin.get("/me", traceparent=sent).status_code == 200
    assert spans.named("GET /me").parent is None


def test_an_error_is_named_by_its_class_only(spans: Spans) -> None:
    with pytest.raises(LookupError), tracing.span("sample"):
        raise LookupError("canary-message")
    span = spans.named("sample")
    assert span.status.status_code is StatusCode.ERROR
    assert attributes(span) == {"error.type": "LookupError"}
    assert "canary" not in spans.text()


# --- statements ----------------------------------------------------------------------------------------------------


def test_statements_of_a_request_are_its_children(spans: Spans, dojo: Dojo) -> None:
    dojo.admin.get("/me")
    request = spans.named("GET /me")
    inside = spans.of_kind(SpanKind.CLIENT)
    assert {one.parent.span_id for one in inside if one.parent} == {request.context.span_id}
    prepared = {one.name: attributes(one) for one in inside if "$1" in attributes(one)["db.query.text"]}
    assert prepared.keys() >= {"linked_students"}, (
        "statements of fixed text, which psycopg's cursors do not see"
    )
    for name, one in prepared.items():
        assert one["db.query.summary"] == name
        assert one["db.namespace"].endswith(f"|{dojo.tenant.schema_name}")


def test_a_statement_has_no_span_outside_a_trace(spans: Spans, tenant: TenantScope) -> None:
    with tenant_scope(tenant), connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    assert spans.all() == []


def test_a_failed_statement_has_its_sqlstate(spans: Spans, tenant: TenantScope) -> None:
    with tenant_scope(tenant), pytest.raises(Exception, match="division"), tracing.span("outer"):
        Statement("sample.division", "SELECT 1 / $1::int").rows(0)
    assert attributes(spans.named("sample.division"))["db.response.status_code"] == "22012"


@pytest.mark.parametrize(
    ("sql", "name", "text"),
    [
        ("/* t_1@0a students.page */ SELECT $1", "students.page", "SELECT $1"),
        ('SELECT "a" FROM "students_student" WHERE x = %s', "SELECT students_student", None),
        (
            "INSERT INTO ranks_rank (a) VALUES ('it''s')",
            "INSERT ranks_rank",
            "INSERT INTO ranks_rank (a) VALUES (?)",
        ),
        ("UPDATE \"dojo_room\" SET a = E'x'", "UPDATE dojo_room", 'UPDATE "dojo_room" SET a = E?'),
        ("SELECT 1;", "SELECT", None),
        ("COMMIT", "COMMIT", None),
        ("", "", None),
    ],
)
def test_the_text_of_a_statement_has_a_name_and_no_values(sql: str, name: str, text: str | None) -> None:
    assert described_statement(sql) == (name, sql if text is None else text)


# --- tasks and jobs ------------------------------------------------------------------------------------------------


@pytest.fixture
def task() -> Iterator[Any]:
    """A task that returns its span."""
    yield app.task(tracing.current_traceparent, base=PlatformTask, name="sample.task")
    del app.tasks["sample.task"]


def run_task(task: Any, **headers: str) -> Any:
    """Call a task as a worker does."""
    task.push_request(id="task-1", headers=headers)
    try:
        return task()
    finally:
        task.pop_request()


def test_a_task_continues_the_trace_of_its_message(spans: Spans, db: None, task: Any) -> None:
    with tracing.span("request") as outer:
        headers = tracing.outgoing_headers()
    run_task(task, tatami_request="r-7", **headers)
    span = spans.named("run sample.task")
    assert span.kind is SpanKind.CONSUMER
    assert span.parent is not None
    assert outer is not None
    assert span.parent.span_id == outer.get_span_context().span_id
    assert attributes(span) == {
        "messaging.system": "celery",
        "messaging.message.id": "task-1",
        "tatami.task": "sample.task",
        "tatami.request_id": "r-7",
    }


def test_a_task_that_polls_is_traced_only_if_a_request_caused_it(spans: Spans, db: None, task: Any) -> None:
    task.polls = True
    assert run_task(task) == ""
    assert spans.all() == []
    assert run_task(task, traceparent=PARENT).startswith(PARENT[:35])


def test_a_job_continues_the_trace_of_its_request(
    spans: Spans, tenant: TenantScope, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(jobs._jobs, "sample.job", Job("sample.job", lambda _: DONE))
    with tracing.span("request") as request:
        job_queue.enqueue(tenant.tenant_id, "sample.job", now=NOW, request_id="r-1")
    assert job_queue.run_next_job(now=NOW)
    span = spans.named("sample.job")
    assert request is not None
    assert span.parent is not None
    assert span.parent.span_id == request.get_span_context().span_id
    assert attributes(span) == {
        "tatami.job": "sample.job",
        "tatami.attempt": 1,
        "tatami.request_id": "r-1",
        "tatami.schema": tenant.schema_name,
        "tatami.tenant": str(tenant.tenant_id),
    }


def test_a_job_of_a_request_that_is_not_sampled_has_no_span(
    spans: Spans, tenant: TenantScope, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(jobs._jobs, "sample.job", Job("sample.job", lambda _: DONE))
    with tracing.span("request", parent=tracing.context_of({"traceparent": UNSAMPLED})):
        job_queue.enqueue(tenant.tenant_id, "sample.job", now=NOW, request_id="r-1")
        assert tracing.outgoing_headers()["traceparent"].endswith("-00")
    assert job_queue.run_next_job(now=NOW)
    assert spans.all() == []


def test_a_published_task_has_a_span_and_its_context(
    spans: Spans, task: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    published: list[Any] = []
    monkeypatch.setattr(Task, "apply_async", lambda *_, headers, **__: published.append(headers))
    task.apply_async()
    with tracing.span("request"):
        task.apply_async()
    alone, in_a_request = published
    assert "traceparent" not in alone
    span = spans.named("publish sample.task")
    assert span.kind is SpanKind.PRODUCER
    assert f"{span.context.span_id:016x}" in in_a_request["traceparent"]


def test_a_job_without_a_request_begins_a_trace(
    spans: Spans, tenant: TenantScope, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: JobRun) -> str | None:
        raise LookupError("canary")

    monkeypatch.setitem(jobs._jobs, "sample.job", Job("sample.job", fails))
    job_queue.enqueue(tenant.tenant_id, "sample.job", now=NOW)
    with pytest.raises(LookupError):
        job_queue.run_next_job(now=NOW)
    span = spans.named("sample.job")
    assert span.parent is None
    assert attributes(span)["error.type"] == "LookupError"


# --- outgoing requests ---------------------------------------------------------------------------------------------


def test_an_outgoing_request_is_a_span_without_its_url(spans: Spans, settings: Any) -> None:
    settings.TATAMI_WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    with receiving() as server:
        assert outgoing.post(server.url, b"{}", {"X-Canary": "canary"}) == 204
        (received,) = server.received
        port = server.port
    assert "traceparent" not in received.headers, "the receiver is a stranger"
    span = spans.named("POST")
    assert span.kind is SpanKind.CLIENT
    assert attributes(span) == {
        "http.request.method": "POST",
        "http.response.status_code": 204,
        "server.address": "127.0.0.1",
        "server.port": port,
    }


def test_an_outgoing_request_that_fails_has_its_error(spans: Spans, settings: Any) -> None:
    settings.TATAMI_WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    with pytest.raises(outgoing.RequestFailed):
        outgoing.post("http://127.0.0.1:1/canary", b"", {})
    assert attributes(spans.named("POST"))["error.type"] == "ConnectionRefusedError"
    assert "canary" not in spans.text()


# --- without a collector -------------------------------------------------------------------------------------------


WITHOUT_PACKAGES = """
import sys

class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("opentelemetry", "google"):
            raise ImportError(name, name=name)

sys.meta_path.insert(0, NotInstalled())
"""


def start_process(code: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    command = [sys.executable, "-c", WITHOUT_PACKAGES + code]
    return subprocess.run(command, env=kept | variables, capture_output=True, text=True, check=False)


def test_without_a_collector_no_package_is_needed() -> None:
    code = "import config.wsgi, config.celery; from tatami import tracing; assert not tracing.is_tracing()"
    ended = start_process(code)
    assert ended.returncode == 0, ended.stderr


def test_a_collector_without_the_packages_is_refused_at_the_start() -> None:
    ended = start_process("import config.wsgi", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1")
    assert "requirements-traces.txt" in ended.stderr.splitlines()[-1]


def test_without_tracing_the_middleware_is_left_out() -> None:
    with pytest.raises(MiddlewareNotUsed):
        tracing.TracingMiddleware(lambda _: HttpResponse())


def test_log_lines_have_the_trace(spans: Spans, dojo: Dojo, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        dojo.admin.get("/me")
    (line,) = [
        one.msg for one in caplog.records if isinstance(one.msg, dict) and one.msg["event"] == "request"
    ]
    assert re.fullmatch("[0-9a-f]{32}", line["traceId"])
    assert line["traceId"] == f"{spans.named('GET /me').context.trace_id:032x}"


def test_a_web_process_exports_its_last_spans_when_it_stops(
    database_name: str, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "600000")
    with receiving() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"http://127.0.0.1:{collector.port}/spans")
        with live_server(database_name) as server:
            server.post("unknown.localhost", "/auth/login", {})
            assert collector.received == []
        assert {one.path for one in collector.received} == {"/spans"}
