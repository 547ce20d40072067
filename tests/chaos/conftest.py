"""Fixtures for chaos tests: a dojo served by real processes that are killed, in a database of its own.

Only `make test-chaos` runs these tests, because they take minutes.
"""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

from shared_apps.accounts.sessions import open_session
from shared_apps.tenants.models import Tenant
from tatami import clock
from tatami.embedded.valkey import valkey_binary
from tatami.tenancy.scope import platform_scope, tenant_scope
from tests.attendance.factories import CheckInDojo
from tests.chaos.background_processes import BackgroundProcesses, running_background_processes
from tests.chaos.installation import Installation, running_installation
from tests.support.clients import Dojo
from tests.support.live_server import free_port, live_server, login_urls, send_request


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seed", type=int, help="repeat the choices of the run that printed this seed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/chaos/" in item.path.as_posix():
            item.add_marker(pytest.mark.chaos)


@pytest.fixture(scope="session")
def database_name() -> str:
    """A database of their own, because these tests commit."""
    return "test_tatami_chaos"


@pytest.fixture
def rng(request: pytest.FixtureRequest, report: Callable[[str], None]) -> Random:
    """Decides which process is killed when. `--seed` repeats the choices, but not the progress of each process."""
    given = request.config.getoption("--seed", default=None)
    seed = time.time_ns() % 100_000 if given is None else given
    report(f'seed {seed}: `make test-chaos ARGS="--seed={seed}"` repeats the choices')
    return Random(seed)


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Return a function that prints a line in the terminal, with the seconds since the test began."""
    began = time.monotonic()

    def line(text: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n  {time.monotonic() - began:6.1f} s  {text}")
            sys.stdout.flush()

    return line


@pytest.fixture(scope="session")
def chaos_dojo(django_db_setup: None, django_db_blocker: Any) -> Iterator[CheckInDojo]:
    """A dojo, with shortcuts to create its data."""
    with django_db_blocker.unblock():
        with platform_scope():
            scope = Tenant.objects.with_primary_domain().get(slug="aiki").scope
        yield CheckInDojo(Dojo(scope))


@pytest.fixture
def valkey_port(monkeypatch: pytest.MonkeyPatch) -> int:
    """The port of this test's Valkey, set in the environment of all processes that it starts."""
    assert valkey_binary().exists()
    port = free_port()
    for name in ("REDIS_URL", "CELERY_BROKER_URL"):
        monkeypatch.setenv(name, f"redis://127.0.0.1:{port}/0")
    return port


@pytest.fixture
def processes(
    tmp_path: Any,
    valkey_port: int,
    chaos_dojo: CheckInDojo,
    database_name: str,
    report: Callable[[str], None],
) -> Iterator[BackgroundProcesses]:
    """Running Valkey, worker and beat."""
    report(f"the logs of worker, beat and Valkey: {tmp_path / 'logs'}")
    with running_background_processes(tmp_path, login_urls(database_name), valkey_port) as processes:
        yield processes


@pytest.fixture
def installation(tmp_path: Path, report: Callable[[str], None]) -> Iterator[Installation]:
    """An installation for one test, with the two demo dojos."""
    with running_installation(tmp_path) as installation:
        report(f"its logs: {installation.folder / 'data' / 'logs'}")
        yield installation


NEW_TOKEN_AFTER_SECONDS: Final = 120.0
"""Access tokens expire after five minutes. The dojo is shared by tests that take longer."""


class Api:
    """A client of the web process: the admin of the dojo."""

    def __init__(self, port: int, check_in_dojo: CheckInDojo) -> None:
        self.port = port
        self.host = check_in_dojo.host
        self._tenant, self._admin = check_in_dojo.dojo.tenant, check_in_dojo.dojo.admin
        self._sign_in()

    def _sign_in(self) -> None:
        """Give the admin of the dojo a new token, also for requests without this client."""
        assert self._admin.user is not None
        with tenant_scope(self._tenant):
            self._admin.token = open_session(self._admin.user, now=clock.now()).access
        self._signed_in_at = time.monotonic()

    def admin_token(self) -> str:
        """Return an access token of the admin that is still valid for minutes."""
        if time.monotonic() > self._signed_in_at + NEW_TOKEN_AFTER_SECONDS:
            self._sign_in()
        return self._admin.token or ""

    def send_request(
        self, method: str, path: str, body: Any = None, *, token: str | None = None
    ) -> tuple[int, Any]:
        """Send a request; return status and JSON."""
        return send_request(self.port, method, self.host, path, body, token or self.admin_token())

    def batch(self, **body: Any) -> dict[str, Any]:
        """Create a batch of awards; return it."""
        status, batch = self.send_request("POST", "/promotions/batches", {"award": True, **body})
        assert status == 202, batch
        return dict(batch)

    def fetch(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Fetch the batch."""
        status, found = self.send_request("GET", f"/promotions/batches/{batch['id']}")
        assert status == 200, found
        return dict(found)


@pytest.fixture
def api(processes: BackgroundProcesses, chaos_dojo: CheckInDojo, database_name: str) -> Iterator[Api]:
    """The web process, which publishes to the Valkey of this test."""
    with live_server(database_name) as server:
        yield Api(server.port, chaos_dojo)
