"""No request waits for a server outside: what it has to tell others is a row, which a worker sends later.

PostgreSQL is reached by libpq, which Python does not see. Valkey, which wakes workers, may be asked for two seconds;
files are stored in a folder here, and in a bucket within the limits of `tests/tenants/test_bucket.py`.
"""

import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings

from tatami import clock
from tests.http.sample_dojos import SampleHost, create_sample_dojo, create_sample_platform, password_hash
from tests.http.test_access_matrix import body_for, cases, is_platform, path_for, row_of, send_case
from tests.support.clients import Dojo, Platform
from tests.support.now import NOW
from tests.support.undo import rolled_back

pytestmark = pytest.mark.slow

BY_THE_OWNER = {("/tenants", "POST"), ("/tenants/{}/purge", "POST")}
"""They create and drop schemas with the owner login, which cannot be rolled back here."""
EVENTS = {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"}


@dataclass
class Sockets:
    """What Python's sockets reach while `is_watching`."""

    reached: list[str] = field(default_factory=list)
    is_watching: bool = False

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.is_watching and event in EVENTS:
            asked = arguments[1] if event in {"socket.connect", "socket.sendto"} else arguments[0]
            self.reached.append(f"{event} {asked}")


SOCKETS = Sockets()
sys.addaudithook(SOCKETS.hook)  # a hook stays until the process ends


@pytest.fixture
def sockets() -> Iterator[Sockets]:
    SOCKETS.is_watching = True
    yield SOCKETS
    SOCKETS.is_watching = False


@pytest.fixture
def hosts(dojo: Dojo, hashings: Any) -> Iterator[dict[bool, SampleHost]]:
    with clock.fixed(NOW):
        hashed_password = password_hash()
        yield {
            False: create_sample_dojo(dojo, hashed_password),
            True: create_sample_platform(Platform(), hashed_password),
        }


def is_valkey(line: str) -> bool:
    broker = urlsplit(settings.CELERY_BROKER_URL)
    return (broker.hostname or broker.path) in line


def test_no_route_reaches_another_server(hosts: dict[bool, SampleHost], sockets: Sockets) -> None:
    reached: dict[str, list[str]] = {}
    for case in cases():
        if case[1:] in BY_THE_OWNER:
            continue
        sample = hosts[is_platform(case)]
        path, body = path_for(case, sample, "admin"), body_for(case, sample, "admin")
        sockets.reached.clear()
        with rolled_back():
            answer = send_case(sample.callers["admin"], case, path, body)
            answer.getvalue()  # of a stream as well
            for close_file in answer._resource_closers:
                close_file()
        assert answer.status_code == row_of(case).admin, (case, answer.status_code)
        lines = [line for line in sockets.reached if not is_valkey(line)]
        if lines:
            reached[f"{case[2]} {case[1]}"] = lines
    assert reached == {}


def test_the_watch_sees_a_connection(sockets: Sockets) -> None:
    sockets.reached.clear()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", 1))
    assert any("127.0.0.1" in line for line in sockets.reached)
