"""Logging: one JSON object per line, with the request or the task that caused it.

Query strings, bodies and tokens are never logged, nor are the row values in PostgreSQL's error messages
(`DETAIL: Key (email)=(…)`). Of a path only ids are: other parameters may be secrets, such as the code of a card.
"""

import logging.config
import re
import time
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import orjson
import structlog
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.status import is_server_error
from structlog.contextvars import bind_contextvars, bound_contextvars, get_contextvars

from tatami.ids import uuid7
from tatami.metrics import observe_request
from tatami.tenancy.scope import TenantScope, current_scope
from tatami.tracing import current_trace_id

REQUEST_ID_HEADER: Final = "X-Request-ID"
_VALID_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")
_ROW_VALUES: Final = re.compile(r"DETAIL:.*?(?=\n\n|\n(?:HINT|CONTEXT):|\Z)", re.DOTALL)
_PARAMETER: Final = re.compile(r"<(?:[^<>:]+:)?([^<>]+)>")
_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PATHS_WITHOUT_ROUTE: Final = frozenset({"/healthz", "/readyz"})

logger: Final = logging.getLogger("tatami.request")


class RequestLine(dict[str, Any]):
    """The line of a request. It has all its fields, so no processor of structlog adds or removes any."""


class Formatter(structlog.stdlib.ProcessorFormatter):
    """Formats the lines of structlog and of other libraries. A web process writes a `RequestLine` per request."""

    def __init__(self, *args: Any, render: Callable[..., Any], **options: Any) -> None:
        super().__init__(*args, **options)
        self._render = render

    def format(self, record: logging.LogRecord) -> str:
        """Return one line, without its end."""
        if type(record.msg) is RequestLine:
            return str(self._render(None, record.levelname, record.msg))
        return super().format(record)


def logging_configuration(log_format: str = "json", level: str = "INFO") -> dict[str, Any]:
    """Configure our logs, Django's and Celery's with one formatter to stdout; return the applied `dictConfig`.

    `log_format` is `json`, or `console` for reading in a terminal. Raises `ValueError` for another value.
    """
    if log_format not in {"json", "console"}:
        raise ValueError(f"LOG_FORMAT must be json or console, not {log_format!r}")
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        add_tenant,
        add_trace,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
        structlog.processors.StackInfoRenderer(),
    ]
    # Not the pretty tracebacks of `rich`: they show the values of local variables.
    lines: Any = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    if log_format == "json":
        lines = structlog.processors.JSONRenderer(_to_json)
    renderer: list[Any] = [structlog.processors.format_exc_info, redact_row_values, lines]
    configuration = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structured": {
                "()": Formatter,
                "render": lines,
                "foreign_pre_chain": shared,
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
            }
        },
        "handlers": {
            "stdout": {
                "class": "logging.StreamHandler",
                "stream": "ext://sys.stdout",
                "formatter": "structured",
            }
        },
        "root": {"handlers": ["stdout"], "level": level},
        "loggers": {
            # Our own request line and error handler log the same with more detail.
            "django": {"handlers": [], "level": level, "propagate": True},
            "django.request": {"level": "CRITICAL"},
            "django.security": {"level": "CRITICAL"},
        },
    }
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(configuration)
    return configuration


def add_tenant(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add the current dojo to every line that does not name one."""
    scope = current_scope()
    event.setdefault("tenant", str(scope.tenant_id) if isinstance(scope, TenantScope) else None)
    return event


def add_trace(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add the current trace to every line, if there is one."""
    if trace_id := current_trace_id():
        event.setdefault("traceId", trace_id)
    return event


def redact_row_values(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Remove row values from PostgreSQL's messages, because logs are kept longer than the data of an erased person."""
    for key, value in event.items():
        if isinstance(value, str) and "DETAIL:" in value:
            event[key] = _ROW_VALUES.sub("DETAIL: (withheld)", value)
    return event


def _to_json(event: Any, **_: Any) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode("utf-8")


class RequestLogMiddleware:
    """The outermost middleware: gives each request an id, and logs one line when it is answered."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Set `X-Request-ID` on the response: the client's if it is valid, else a new one."""
        started = time.perf_counter()
        sent = request.META.get("HTTP_X_REQUEST_ID", "")
        request_id = sent if _VALID_REQUEST_ID.fullmatch(sent) else str(uuid7())
        request.request_id = request_id  # type: ignore[attr-defined]
        with bound_contextvars(requestId=request_id, userId=None):
            response = self.get_response(request)
            response[REQUEST_ID_HEADER] = request_id
            seconds = time.perf_counter() - started
            observe_request(request, response.status_code, seconds)
            elapsed = round(seconds * 1000, 1)
            level = logging.ERROR if is_server_error(response.status_code) else logging.INFO
            if logger.isEnabledFor(level):
                _log_request(request, level, status=response.status_code, elapsed=elapsed)
        return response


def _log_request(request: HttpRequest, level: int, *, status: int, elapsed: float) -> None:
    """Write the line of a request. It is built here: structlog's processors would take longer than some requests."""
    line = RequestLine(
        timestamp=datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        level=logging.getLevelName(level).lower(),
        event="request",
        requestId=request.request_id,  # type: ignore[attr-defined]
        **request_log_fields(request),
        status=status,
        durationMs=elapsed,
        **({"traceId": trace_id} if (trace_id := current_trace_id()) else {}),
    )
    logger.handle(logging.LogRecord(logger.name, level, __file__, 0, line, None, None))


def request_log_fields(request: HttpRequest) -> dict[str, Any]:
    """Return the fields that every line about a request has: dojo, user, method and path, but no values."""
    scope = getattr(request, "scope", None)
    user_id = getattr(request, "user_id", None)
    impersonator = getattr(request, "impersonator", None)
    return {
        "tenant": str(scope.tenant_id) if isinstance(scope, TenantScope) else None,
        "userId": str(user_id) if user_id else None,
        **({"impersonatedBy": str(impersonator.pk)} if impersonator else {}),
        "path": loggable_path(request),
        "method": request.method,
    }


def loggable_path(request: HttpRequest) -> str:
    """Return the path of the request's route with the ids that the client sent: `/check-in/<token>`, `/students/019…`.

    A path without a route may contain anything, also a secret that was mistyped, so only `(no route)` is returned.
    """
    match = request.resolver_match
    if match is None:
        return request.path if request.path in _PATHS_WITHOUT_ROUTE else "(no route)"
    if "<" not in match.route:
        return request.path if not match.kwargs and not match.args else f"/{match.route}"

    def parameter(found: re.Match[str]) -> str:
        value = str((match.kwargs).get(found[1], ""))
        return value if _ID.fullmatch(value) else f"<{found[1]}>"

    return "/" + _PARAMETER.sub(parameter, match.route)


def bind_user(request: HttpRequest, user_id: object) -> None:
    """Add the user to every following line of this request."""
    request.user_id = user_id  # type: ignore[attr-defined]
    bind_contextvars(userId=str(user_id))


def current_request_id() -> str | None:
    """Return the id of the current request, or of the request that caused the current task."""
    return get_contextvars().get("requestId")


@contextmanager
def task_log_context(
    task: str, task_id: str | None, tenant: UUID | None, request_id: str | None
) -> Iterator[None]:
    """Add the task's name and id, its dojo, and the request that caused it to every line within the block.

    They are removed at the end of the block, because a worker's thread continues with other tasks.
    """
    dojo = str(tenant) if tenant else None
    with bound_contextvars(task=task, taskId=task_id, tenant=dojo, requestId=request_id, userId=None):
        yield
