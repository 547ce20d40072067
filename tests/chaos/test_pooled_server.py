"""The same load with the app login behind PgBouncer: PostgreSQL stops answering, PgBouncer does or is killed, and the
statements of one dojo do not end.

A pooler accepts connections although its server does not answer, and shares its connections between all processes.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Final

import pytest
from psycopg.conninfo import conninfo_to_dict

from tatami.embedded.logins import APP, OWNER, create_database, database_url, drop_database
from tests.chaos import test_stopped_servers
from tests.chaos.mixed_load import MixedLoad
from tests.chaos.served_fleet import ServedFleet, is_ready, running_fleet
from tests.chaos.test_stopped_servers import (
    AFTER_SECONDS,
    BEFORE_SECONDS,
    STOPPED_SECONDS,
    WARM_UP_SECONDS,
    WORKERS,
    assert_promise,
    failures,
)
from tests.repository.test_deployment_files import (
    ROOM_FOR_OTHERS,
    connections_of_one_dojo,
    pooler_configuration,
)
from tests.support.pgbouncer import MISSING, Pooler, installed, running_pgbouncer

DATABASE: Final = "test_tatami_chaos_pooled"
WEB_CONNECTIONS: Final = 16
"""The default of a web process."""
POOL_SIZE: Final = connections_of_one_dojo(WORKERS, WEB_CONNECTIONS, WORKERS) + 2 * ROOM_FOR_OTHERS * WORKERS
"""Little more than docs/operations.md asks for, so that the rule is tested, and not what is left over."""
AS_DEPLOYED: Final = ("query_wait_timeout", "server_connect_timeout", "server_login_retry", "server_lifetime")

Report = Callable[[str], None]


@pytest.fixture(scope="module")
def pooler() -> Iterator[Pooler]:
    program = installed()
    if program is None:
        pytest.skip(MISSING)
    app = conninfo_to_dict(os.environ["DATABASE_URL"])
    deployed = pooler_configuration()["pgbouncer"]
    with running_pgbouncer(
        program,
        server=os.environ["ADMIN_DATABASE_URL"],
        logins={APP: str(app["password"])},
        default_pool_size=str(POOL_SIZE),
        **{name: deployed[name] for name in AS_DEPLOYED},
    ) as pooler:
        yield pooler


@pytest.fixture(scope="module")
def fleet(pooler: Pooler, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedFleet]:
    """An installation on the PostgreSQL of the tests, its app login behind PgBouncer."""
    admin = os.environ["ADMIN_DATABASE_URL"]
    passwords = [
        str(conninfo_to_dict(os.environ[name])["password"]) for name in ("DATABASE_URL", "OWNER_DATABASE_URL")
    ]
    create_database(admin, DATABASE, OWNER, recreate=True)
    fleet_there = running_fleet(
        tmp_path_factory.mktemp("fleet"),
        DATABASE_URL=pooler.url({"USER": APP, "PASSWORD": passwords[0], "NAME": DATABASE}),
        OWNER_DATABASE_URL=database_url(admin, user=OWNER, password=passwords[1], database=DATABASE),
        TATAMI_PREPARED_STATEMENTS="2000" if pooler.program.prepares else "0",
    )
    try:
        with fleet_there as fleet:
            fleet.servers = Path(os.environ["TATAMI_DATA"])
            with MixedLoad(fleet, Random(0)).running():
                time.sleep(WARM_UP_SECONDS)
            yield fleet
    finally:
        drop_database(admin, DATABASE)


@pytest.fixture
def load(fleet: ServedFleet, rng: Random) -> MixedLoad:
    return MixedLoad(fleet, rng)


def test_postgresql_stops_answering(
    fleet: ServedFleet, load: MixedLoad, pooler: Pooler, report: Report
) -> None:
    with load.running():
        time.sleep(BEFORE_SECONDS)
        with fleet.stopped("postgres"):
            time.sleep(STOPPED_SECONDS)
            assert not is_ready(fleet.port)
        since = time.monotonic()
        time.sleep(AFTER_SECONDS)
    report(load.summary(f"PostgreSQL behind {pooler.program} stopped", since))
    assert failures(load) == {503}
    assert_promise(load, since)


def test_the_pooler_stops_answering(
    fleet: ServedFleet, load: MixedLoad, pooler: Pooler, report: Report
) -> None:
    with load.running():
        time.sleep(BEFORE_SECONDS)
        with suspended(pooler):
            time.sleep(STOPPED_SECONDS)
            assert not is_ready(fleet.port)
        since = time.monotonic()
        time.sleep(AFTER_SECONDS)
    report(load.summary(f"{pooler.program} stopped", since))
    assert failures(load) == {503}
    assert_promise(load, since)


@contextmanager
def suspended(pooler: Pooler) -> Iterator[None]:
    pooler.child.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        pooler.child.process.send_signal(signal.SIGCONT)


def test_the_pooler_is_killed(fleet: ServedFleet, load: MixedLoad, pooler: Pooler, report: Report) -> None:
    with load.running():
        time.sleep(BEFORE_SECONDS)
        pooler.child.kill()
        time.sleep(STOPPED_SECONDS / 4)
        pooler.child.start()
        since = time.monotonic()
        time.sleep(AFTER_SECONDS)
    report(load.summary(f"{pooler.program} killed, and started after {STOPPED_SECONDS / 4:.0f} s", since))
    assert failures(load) <= {503}
    assert_promise(load, since)


@pytest.mark.parametrize("suspended", [False, True], ids=["running", "suspended"])
def test_statements_of_one_dojo_are_slow(
    fleet: ServedFleet, load: MixedLoad, report: Report, suspended: bool
) -> None:
    """The other dojos still get connections of the pooler: one dojo has at most half of each process's."""
    test_stopped_servers.test_statements_of_one_dojo_are_slow(fleet, load, report, suspended)
