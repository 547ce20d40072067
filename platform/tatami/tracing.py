"""Traces for OpenTelemetry, if a collector is configured by the standard variables OTEL_* (`settings.TATAMI_TRACES`).

Without one nothing of OpenTelemetry is imported, and each place that would begin a span looks at one variable.

Spans hold what the log may hold: the route of a request and never its path, the text of a statement without its values,
the host of an outgoing request and never its URL. They hold no body, no header, no address and no message of an error.
Instrumentations from packages record some of these, so the spans are made here.
"""

import multiprocessing.util
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, MiddlewareNotUsed
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.status import is_server_error

from tatami.metrics import METHODS
from tatami.tenancy.scope import Scope, TenantScope, current_scope

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

NAME: Final = "tatami"
UNTRACED_PATHS: Final = frozenset({"/healthz", "/readyz"})
"""Supervisors and proxies request these every few seconds."""
SHUTDOWN_PRIORITY: Final = 100
MAX_TEXT: Final = 4_000
"""Characters of a statement in a span or a log line."""

_TEXTS: Final = re.compile(r"'(?:[^']|'')*'")
_LEADING_COMMENT: Final = re.compile(r"\s*/\* (?:\S+ )?(\S+) \*/ ")
_TABLE: Final = re.compile(r'\b(?:FROM|INTO|UPDATE|TABLE)\s+(?:ONLY\s+)?"?([a-z_][a-z0-9_]*)', re.IGNORECASE)


@dataclass(slots=True)
class _Tracing:
    """What makes the spans of this process; `None` without tracing."""

    provider: "TracerProvider | None" = None
    tracer: "Tracer | None" = None


_tracing: Final = _Tracing()


# --- start and stop ------------------------------------------------------------------------------------------------


def start_tracing(service: str) -> None:
    """Export the spans of this process, if a collector is configured. Call it after a fork: it starts a thread.

    `service` is the name of the service, unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES name it. Raises
    `ImproperlyConfigured` if the packages for it are not installed.
    """
    if not settings.TATAMI_TRACES:
        return
    # Baggage of a client would travel on in our messages. It is read where it is asked for.
    os.environ.setdefault("OTEL_PROPAGATORS", "tracecontext")
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise ImproperlyConfigured(
            f"a collector for traces is configured (OTEL_EXPORTER_OTLP_ENDPOINT), but {error.name} is not installed: "
            "install requirements-traces.txt"
        ) from error
    resource = Resource.create()
    if str(resource.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        resource = resource.merge(Resource({SERVICE_NAME: service}))
    provider = TracerProvider(resource=resource.merge(Resource({"process.pid": os.getpid()})))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    use_provider(provider)
    # The web server's processes end without atexit, which is what the SDK uses.
    multiprocessing.util.Finalize(None, stop_tracing, exitpriority=SHUTDOWN_PRIORITY)


def use_provider(provider: "TracerProvider | None") -> None:
    """Make spans with this provider from now on; with `None`, make none."""
    _tracing.provider = provider
    _tracing.tracer = provider.get_tracer(NAME) if provider else None


def stop_tracing() -> None:
    """Export what is left and make no more spans. Calling it again does nothing."""
    provider = _tracing.provider
    if provider is not None:
        use_provider(None)
        provider.shutdown()


def is_tracing() -> bool:
    """Return whether this process makes spans."""
    return _tracing.tracer is not None


def is_recording() -> bool:
    """Return whether the current span is recorded. Statements have no spans outside one that is."""
    if _tracing.tracer is None:
        return False
    from opentelemetry.trace import get_current_span

    return get_current_span().is_recording()


# --- spans ---------------------------------------------------------------------------------------------------------


@contextmanager
def span(
    name: str,
    kind: str = "INTERNAL",
    attributes: Mapping[str, Any] | None = None,
    *,
    parent: "Context | None" = None,
) -> Iterator["Span | None"]:
    """Make a span within the block, and yield it; `None` if there is no tracing.

    `kind` is a name of `SpanKind`. `parent` is what `context_of` returned; without it the parent is the current span.
    If the block raises, the span has the class of the error, not its message, which may contain values.
    """
    if _tracing.tracer is None:
        yield None
        return
    from opentelemetry.trace import SpanKind, Status, StatusCode

    with _tracing.tracer.start_as_current_span(
        name,
        parent,
        kind=SpanKind[kind],
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as made:
        try:
            yield made
        except BaseException as error:
            made.set_attribute("error.type", type(error).__qualname__)
            made.set_status(Status(StatusCode.ERROR))
            raise


def context_of(headers: Mapping[str, Any]) -> "Context | None":
    """Return the context that a caller sent (`outgoing_headers`), for the parent of a span. Without one it is a root.

    What is not valid is ignored. Returns `None` without tracing.
    """
    if _tracing.tracer is None:
        return None
    from opentelemetry import propagate
    from opentelemetry.context import Context

    return propagate.extract(headers, context=Context())


def outgoing_headers() -> dict[str, str]:
    """Return the headers that let a message continue the current trace; none outside a trace."""
    headers: dict[str, str] = {}
    if _tracing.tracer is not None:
        from opentelemetry import propagate

        propagate.inject(headers)
    return headers


def header_names() -> frozenset[str]:
    """Return the names of the headers that `outgoing_headers` may return."""
    if _tracing.tracer is None:
        return frozenset()
    from opentelemetry import propagate

    return frozenset(propagate.get_global_textmap().fields)


def current_traceparent() -> str:
    """Return the current span as W3C Trace Context writes it, to store it with a job; empty outside a trace."""
    if _tracing.tracer is None:
        return ""
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    headers: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(headers)
    return headers.get("traceparent", "")


def job_span(
    job: str, *, traceparent: str, attempt: int, request_id: str
) -> AbstractContextManager["Span | None"]:
    """Make the span of a job's run in the current dojo. It continues the trace of the request that caused the job."""
    if _tracing.tracer is None:
        return nullcontext()
    from opentelemetry.context import Context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    caused_by = TraceContextTextMapPropagator().extract({"traceparent": traceparent}, Context())
    attributes = {"tatami.job": job, "tatami.attempt": attempt, **scope_attributes(current_scope())}
    return span(job, "CONSUMER", attributes | request_attributes(request_id), parent=caused_by)


def current_trace_id() -> str | None:
    """Return the id of the current trace in hexadecimal, or `None`."""
    if _tracing.tracer is None:
        return None
    from opentelemetry.trace import format_trace_id, get_current_span

    context = get_current_span().get_span_context()
    return format_trace_id(context.trace_id) if context.is_valid else None


def request_attributes(request_id: str | None) -> dict[str, str]:
    """Return the attribute that joins a span with the log."""
    return {"tatami.request_id": request_id} if request_id else {}


def scope_attributes(scope: Scope | None) -> dict[str, str]:
    """Return the attributes that say whose data a span is about: schema, and id of the dojo."""
    if scope is None:
        return {}
    dojo = {"tatami.tenant": str(scope.tenant_id)} if isinstance(scope, TenantScope) else {}
    return {"tatami.schema": scope.schema_name, **dojo}


# --- requests ------------------------------------------------------------------------------------------------------


class TracingMiddleware:
    """Makes a span of each request, around the log line. It is not used without tracing.

    A valid `traceparent` is continued, as `X-Request-ID` is.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        if not is_tracing():
            raise MiddlewareNotUsed
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Pass the request on, within a span."""
        if request.path_info in UNTRACED_PATHS:
            return self.get_response(request)
        method = request.method if request.method in METHODS else "_OTHER"
        attributes = {"http.request.method": method, "url.scheme": request.scheme or "http"}
        with span(_verb(method), "SERVER", attributes, parent=context_of(request.headers)) as made:
            response = self.get_response(request)
            if made is not None:
                _describe(made, request, method, response.status_code)
        return response


def _verb(method: str) -> str:
    return "HTTP" if method == "_OTHER" else method


def _describe(made: "Span", request: HttpRequest, method: str, status: int) -> None:
    made.set_attributes(
        {
            "http.response.status_code": status,
            **request_attributes(getattr(request, "request_id", None)),
            **scope_attributes(getattr(request, "scope", None)),
        }
    )
    match = request.resolver_match
    if match is not None:
        made.update_name(f"{_verb(method)} /{match.route}")
        made.set_attribute("http.route", f"/{match.route}")
    if is_server_error(status):
        from opentelemetry.trace import Status, StatusCode

        made.set_attribute("error.type", str(status))
        made.set_status(Status(StatusCode.ERROR))


# --- statements ----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=2_000)
def described_statement(sql: str) -> tuple[str, str]:
    """Return a short name of a statement, and its text without values.

    The name is that of the `Statement`, which its first comment holds, or the command with the first table. Parameters
    are not part of a text. Quoted texts in it are replaced by `?`, as they may be values.
    """
    comment = _LEADING_COMMENT.match(sql)
    text = _TEXTS.sub("?", sql[comment.end() :] if comment else sql)[:MAX_TEXT]
    if comment:
        return comment[1], text
    command = text.split(None, 1)[0].strip(";").upper() if text.strip() else ""
    table = _TABLE.search(text)
    return f"{command} {table[1]}" if table else command, text


@contextmanager
def statement_span(connection: Any, sql: Any) -> Iterator[None]:
    """Make the span of a statement on a Django connection, within a recorded span. Raises what the block raises."""
    if not is_recording():
        yield
        return
    # A composed statement of psycopg contains its values.
    summary, text = described_statement(sql) if isinstance(sql, str) else ("SQL", "")
    scope = connection.scope_in_force
    database = connection.settings_dict["NAME"]
    attributes = {
        "db.system.name": "postgresql",
        "db.namespace": f"{database}|{scope.schema_name}" if scope else database,
        "db.query.summary": summary,
        **({"db.query.text": text} if text else {}),
    }
    with span(summary, "CLIENT", attributes) as made:
        try:
            yield
        except Exception as error:
            sqlstate = getattr(error, "sqlstate", None) or getattr(error.__cause__, "sqlstate", None)
            if made is not None and sqlstate:
                made.set_attribute("db.response.status_code", sqlstate)
            raise
