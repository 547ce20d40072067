"""A dojo with a thousand students, served by real processes that do not live long. In a database of its own.

Only `make test-chaos` runs these tests: they take minutes, in real time.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from django.conf import settings
from psycopg.conninfo import make_conninfo

from shared_apps.tenants.models import Tenant
from tatami.embedded.logins import database_url
from tatami.embedded.valkey import binary
from tatami.tenancy.scope import platform_scope
from tests.attendance.factories import CheckInDojo
from tests.chaos.crew import Crew, crew_at_work
from tests.chaos.installation import Installation, installed
from tests.support.clients import Dojo
from tests.support.live_server import ask, live_server
from tests.support.ports import free_port


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seed", type=int, help="deal the same blows as the run that printed this seed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/chaos/" in item.path.as_posix():
            item.add_marker(pytest.mark.chaos)


@pytest.fixture(scope="session")
def database_name() -> str:
    """Not the one of the other tests: these commit."""
    return "test_tatami_chaos"


@pytest.fixture
def rng(request: pytest.FixtureRequest, say: Callable[[str], None]) -> Random:
    """What decides who is killed when. The seed repeats the choices; when a process is how far, nobody can repeat."""
    given = request.config.getoption("--seed", default=None)
    seed = time.time_ns() % 100_000 if given is None else given
    say(f'seed {seed}: `make test-chaos ARGS="--seed={seed}"` deals the same blows')
    return Random(seed)


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Print a line for the person at the terminal, with the seconds since the test began."""
    began = time.monotonic()

    def line(text: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n  {time.monotonic() - began:6.1f} s  {text}")
            sys.stdout.flush()

    return line


@pytest.fixture(scope="module")
def chaos_desk(django_db_setup: None, django_db_blocker: Any) -> Iterator[CheckInDojo]:
    """A dojo, with the shortcuts to make what it needs."""
    with django_db_blocker.unblock():
        with platform_scope():
            scope = Tenant.objects.with_primary_domain().get(slug="aiki").scope
        yield CheckInDojo(Dojo(scope))


@pytest.fixture
def valkey_port(monkeypatch: pytest.MonkeyPatch) -> int:
    """Where the Valkey of this test is: in the environment of all processes that are started."""
    assert binary().exists()
    port = free_port()
    for name in ("REDIS_URL", "CELERY_BROKER_URL"):
        monkeypatch.setenv(name, f"redis://127.0.0.1:{port}/0")
    return port


@pytest.fixture
def crew(
    tmp_path: Any, valkey_port: int, chaos_desk: CheckInDojo, database_name: str, say: Callable[[str], None]
) -> Iterator[Crew]:
    """Valkey, worker and beat."""
    admin = make_conninfo(os.environ["ADMIN_DATABASE_URL"])
    urls = {}
    for variable, alias in (("DATABASE_URL", "default"), ("OWNER_DATABASE_URL", "owner")):
        login = settings.DATABASES[alias]
        urls[variable] = database_url(
            admin, user=login["USER"], password=login["PASSWORD"], database=database_name
        )
    say(f"the logs of worker, beat and Valkey: {tmp_path / 'logs'}")
    with crew_at_work(tmp_path, urls, valkey_port) as crew:
        yield crew


@pytest.fixture
def installation(tmp_path: Path, say: Callable[[str], None]) -> Iterator[Installation]:
    """An installation of this test alone, with the two demo dojos."""
    with installed(tmp_path) as installation:
        say(f"its logs: {installation.folder / 'data' / 'logs'}")
        yield installation


class Api:
    """The web process, as the admin of the dojo uses it."""

    def __init__(self, port: int, check_in_dojo: CheckInDojo) -> None:
        self.port = port
        self.host = check_in_dojo.host
        self.token = check_in_dojo.dojo.admin.token

    def ask(self, method: str, path: str, body: Any = None, *, token: str | None = None) -> tuple[int, Any]:
        """Return status and JSON."""
        return ask(self.port, method, self.host, path, body, token or self.token or "")

    def batch(self, **body: Any) -> dict[str, Any]:
        """Ask for awards; return the batch."""
        status, batch = self.ask("POST", "/promotions/batches", {"award": True, **body})
        assert status == 202, batch
        return dict(batch)

    def look_at(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Return the batch as it is now."""
        status, found = self.ask("GET", f"/promotions/batches/{batch['id']}")
        assert status == 200, found
        return dict(found)


@pytest.fixture
def api(crew: Crew, chaos_desk: CheckInDojo, database_name: str) -> Iterator[Api]:
    """The web process. It publishes to the Valkey that dies."""
    with live_server(database_name) as server:
        yield Api(server.port, chaos_desk)
