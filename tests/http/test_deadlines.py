"""Nothing that one client or one dojo does keeps the web process from answering the others. Over real HTTP."""

import os
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException
from typing import Any

import psutil
import psycopg
import pytest
from psycopg import sql

from shared_apps.accounts.sessions import open_session
from shared_apps.accounts.users import create_user
from tatami import clock
from tatami.tenancy.scope import TenantScope, tenant_scope
from tests.support.live_server import LiveServer, live_server, send_request

pytestmark = pytest.mark.slow

SLOW_CLIENTS = 150
"""More than the threads of both workers before bodies were received apart from them (128)."""
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"
WITH_LENGTH = b"Content-Length: 50\r\n\r\n{"


@pytest.fixture(scope="module")
def server(committed_dojos: Any, database_name: str) -> Iterator[LiveServer]:
    with live_server(database_name) as running:
        yield running


def token_of(tenant: TenantScope) -> str:
    clock_now = clock.now()
    with tenant_scope(tenant):
        user = create_user(email="ada@example.com", role="admin", password_hash="!")
        return open_session(user, now=clock_now).access


def get(server: LiveServer, host: str, path: str, token: str = "") -> tuple[int, str | None]:
    """Send a GET; return status and Retry-After. Fails if no answer comes for a long time."""
    link = HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        link.request("GET", path, headers={"Host": host, "Authorization": f"Bearer {token}"} if token else {})
        answer = link.getresponse()
        answer.read()
        return answer.status, answer.headers["Retry-After"]
    finally:
        link.close()


@pytest.mark.parametrize("kind", [CHUNKED, WITH_LENGTH], ids=["chunked", "with a length"])
def test_clients_that_stop_in_the_middle_of_a_body_keep_no_one_waiting(
    server: LiveServer, north: TenantScope, kind: bytes
) -> None:
    """They ask for another dojo, because a chunked body that breaks off is like one that ends: its request runs."""
    head = b"POST /auth/login HTTP/1.1\r\nHost: south.localhost\r\nContent-Type: application/json\r\n"
    slow: list[socket.socket] = []
    try:
        for _ in range(SLOW_CLIENTS):
            slow.append(server.connect())
            slow[-1].sendall(head + kind)
        assert get(server, "north.localhost", "/healthz")[0] == 200
        assert get(server, "north.localhost", "/me", token_of(north))[0] == 200
        body = {"email": "unknown@example.com", "password": "wrong"}
        assert send_request(server.port, "POST", "north.localhost", "/auth/login", body)[0] == 401
    finally:
        for link in slow:
            link.close()


def test_a_locked_table_of_one_dojo_delays_no_other(
    server: LiveServer, north: TenantScope, south: TenantScope, superuser: psycopg.Connection[Any]
) -> None:
    tokens = {tenant: token_of(tenant) for tenant in (north, south)}
    table = sql.Identifier(north.schema_name, "accounts_user")
    with superuser.transaction(), ThreadPoolExecutor(80) as threads:
        superuser.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(table))
        waiting = [threads.submit(get, server, "north.localhost", "/me", tokens[north]) for _ in range(80)]
        for _ in range(5):
            assert get(server, "south.localhost", "/me", tokens[south])[0] == 200
            assert get(server, "south.localhost", "/healthz")[0] == 200
        # The lock is held until all of them are answered: none waits for its end.
        answers = [one.result(60) for one in waiting]
    assert {status for status, _ in answers} == {503}
    assert all(retry_after for _, retry_after in answers)
    assert get(server, "north.localhost", "/me", tokens[north])[0] == 200


def workers_of(server: LiveServer) -> set[int]:
    """Return the processes that answer requests."""
    children = psutil.Process(server.pid).children(recursive=True)
    alive = [child for child in children if child.status() != psutil.STATUS_ZOMBIE]
    return {child.pid for child in alive if "resource_tracker" not in " ".join(child.cmdline())}


@pytest.mark.usefixtures("north")
def test_a_killed_worker_is_replaced_while_the_others_serve(server: LiveServer) -> None:
    before = workers_of(server)
    assert len(before) >= 2
    os.kill(min(before), signal.SIGKILL)
    refused, tries = 0, 0
    while (after := workers_of(server)) == before or len(after) < len(before):
        tries += 1
        assert tries < 100_000, "the killed worker was not replaced"
        try:
            assert get(server, "north.localhost", "/healthz")[0] == 200
        except (OSError, HTTPException):
            refused += 1  # a connection that the killed worker had accepted
    assert psutil.pid_exists(server.pid)
    assert refused <= 1 or refused < tries, "only the killed worker refuses"
    assert get(server, "north.localhost", "/healthz")[0] == 200
