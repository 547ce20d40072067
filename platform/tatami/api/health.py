"""`/healthz` and `/readyz` for process supervisors: on any host, before the host is looked up."""

from collections.abc import Callable
from concurrent.futures import Future, wait
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
from tatami.postgresql.shared_calls import SharedCall
from tatami.tenancy.scope import platform_scope

TIMEOUT_SECONDS: Final = 2.0
"""Each dependency must respond within this time."""

_DATABASE: Final = SharedCall[None]("readyz database", seconds=TIMEOUT_SECONDS)
_VALKEY: Final = SharedCall[None]("readyz valkey", seconds=TIMEOUT_SECONDS)


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

    Requests at the same time share a check, so a dependency that hangs holds one thread, for some ten seconds.
    """
    checks = {"database": _DATABASE.start(ping_database), "valkey": _VALKEY.start(ping_valkey)}
    wait(checks.values(), timeout=TIMEOUT_SECONDS)
    return [name for name, check in checks.items() if not check.done() or _failed(check)]


def _failed(check: "Future[None]") -> bool:
    try:
        check.result()
    except (DatabaseError, redis.RedisError, OSError):
        return True
    return False


def ping_database() -> None:
    """Run `SELECT 1` on a connection of this thread. Raises Django's database errors."""
    with platform_scope(), connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()


def ping_valkey() -> None:
    """Send a PING to Valkey. Raises `redis.RedisError`."""
    client = redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS
    )
    with client:
        client.ping()
