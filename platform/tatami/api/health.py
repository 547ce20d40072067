"""`/healthz` and `/readyz` for process supervisors: on any host, before the host is looked up."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Lock
from typing import Final

import redis
from django.conf import settings
from django.db import connection
from django.db.utils import Error as DatabaseError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from tatami.api.exception_mapping import error_response
from tatami.api.renderers import JSON, json_bytes
from tatami.api.request import READS
from tatami.errors import MethodNotAllowed, ServiceUnavailable
from tatami.tenancy.scope import platform_scope

TIMEOUT_SECONDS: Final = 2.0
"""Each dependency must respond within this time."""

_executor: Final = ThreadPoolExecutor(max_workers=2, thread_name_prefix="readyz")
_running: Final[dict[str, "Future[None]"]] = {}
_lock: Final = Lock()


class HealthMiddleware:
    """Responds to `/healthz` (the process runs) and `/readyz` (PostgreSQL and Valkey respond)."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Respond, or pass the request on."""
        if request.path_info not in {"/healthz", "/readyz"}:
            return self.get_response(request)
        if request.method not in READS:
            response = error_response(MethodNotAllowed(), request)
            response["Allow"] = "GET, HEAD"
            return response
        down = unavailable_dependencies() if request.path_info == "/readyz" else []
        if down:
            return error_response(ServiceUnavailable(details={"down": down}), request)
        response = HttpResponse(json_bytes({"status": "ok"}), content_type=JSON)
        response["Cache-Control"] = "no-store"
        return response


def unavailable_dependencies() -> list[str]:
    """Return the names of the dependencies that do not respond in time: `database`, `valkey`.

    Requests at the same time share a check, so a dependency that hangs holds one thread.
    """
    checks = {
        name: _check(name, ping) for name, ping in {"database": ping_database, "valkey": ping_valkey}.items()
    }
    wait(checks.values(), timeout=TIMEOUT_SECONDS)
    return [name for name, check in checks.items() if not check.done() or _failed(check)]


def _check(name: str, ping: Callable[[], None]) -> "Future[None]":
    with _lock:
        running = _running.get(name)
        if running is None or running.done():
            running = _running[name] = _executor.submit(ping)
        return running


def _failed(check: "Future[None]") -> bool:
    try:
        check.result()
    except (DatabaseError, redis.RedisError, OSError):
        return True
    return False


def ping_database() -> None:
    """Run `SELECT 1` on a connection of this thread, then close it. Raises Django's database errors."""
    try:
        with platform_scope(), connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchone()
    finally:
        connection.close()


def ping_valkey() -> None:
    """Send a PING to Valkey. Raises `redis.RedisError`."""
    client = redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS
    )
    with client:
        client.ping()
