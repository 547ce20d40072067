"""A network that is cut, or a machine that is gone, is noticed although nothing is sent."""

import socket
from collections.abc import Iterator
from typing import Any, Final

import pytest
from django.db import connections
from psycopg import pq
from psycopg.conninfo import make_conninfo

OF_LIBPQ: Final = frozenset(option.keyword.decode() for option in pq.Conninfo.get_defaults())


@pytest.fixture
def port() -> Iterator[int]:
    """A server that accepts connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def socket_options(alias: str, port: int) -> dict[str, int]:
    """Return what the kernel does with a TCP connection that is opened with the parameters of an alias."""
    params: dict[str, Any] = connections[alias].get_connection_params()
    given = {name: value for name, value in params.items() if name in OF_LIBPQ and value is not None}
    conninfo = make_conninfo(**given | {"host": "127.0.0.1", "port": port})
    pgconn = pq.PGconn.connect_start(conninfo.encode())
    try:
        pgconn.connect_poll()
        with socket.socket(fileno=pgconn.socket) as link:
            tcp = {
                name: link.getsockopt(socket.IPPROTO_TCP, getattr(socket, f"TCP_{name}"))
                for name in ("KEEPIDLE", "KEEPINTVL", "KEEPCNT", "USER_TIMEOUT")
            }
            found = {"KEEPALIVE": link.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), **tcp}
            link.detach()
    finally:
        pgconn.finish()
    return found


@pytest.mark.parametrize("alias", ["default", "owner"])
def test_a_silent_server_is_noticed_within_a_minute(alias: str, port: int) -> None:
    found = socket_options(alias, port)
    assert found["KEEPALIVE"] == 1
    assert found["KEEPIDLE"] + found["KEEPINTVL"] * found["KEEPCNT"] <= 60
    assert 0 < found["USER_TIMEOUT"] <= 60_000
