"""`/healthz` and `/readyz`, for whoever supervises the process: on any host, before the host is looked up."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as Overdue
from typing import Final

import redis
from django.conf import settings
from django.db import connection
from django.db.utils import Error as DatabaseError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from tatami.api.errors import error_response
from tatami.api.renderers import JSON, json_bytes
from tatami.api.request import READS
from tatami.errors import MethodNotAllowed, ServiceUnavailable
from tatami.tenancy.scope import platform_scope

PATIENCE: Final = 2.0
"""Seconds that each part has to answer."""

_waiting = ThreadPoolExecutor(max_workers=4, thread_name_prefix="readyz")


class Health:
    """Middleware: answers the two addresses itself."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer, or pass the request on."""
        if request.path_info not in {"/healthz", "/readyz"}:
            return self.get_response(request)
        if request.method not in READS:
            response = error_response(MethodNotAllowed(), request)
            response["Allow"] = "GET, HEAD"
            return response
        down = missing_parts() if request.path_info == "/readyz" else []
        if down:
            return error_response(ServiceUnavailable(details={"down": down}), request)
        response = HttpResponse(json_bytes({"status": "ok"}), content_type=JSON)
        response["Cache-Control"] = "no-store"
        return response


def missing_parts() -> list[str]:
    """Return the names of the parts that do not answer in time."""
    answers = {
        name: _waiting.submit(check)
        for name, check in {"database": ask_database, "valkey": ask_valkey}.items()
    }
    missing = []
    for name, answer in answers.items():
        try:
            answer.result(timeout=PATIENCE)
        except (DatabaseError, redis.RedisError, Overdue, OSError):
            missing.append(name)
    return missing


def ask_database() -> None:
    """Ask PostgreSQL for a row, on a connection of this thread. Raises Django's database errors."""
    try:
        with platform_scope(), connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchone()
    finally:
        connection.close()


def ask_valkey() -> None:
    """Ask Valkey for a sign of life. Raises `redis.RedisError`."""
    client = redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE
    )
    with client:
        client.ping()
