"""Calls that may hang with the database: shared while they run, left after a while, and limited by the server."""

import threading
from collections.abc import Iterator
from typing import Any, Final

import pytest
from django.db import OperationalError, connection, connections
from psycopg.pq import TransactionStatus
from structlog.testing import capture_logs

from tatami.metrics import FleetCollector, OverdueJobsCollector, build_registry
from tatami.postgresql.shared_calls import ABANDONED_SECONDS, SharedCall
from tatami.tenancy.scope import platform_scope
from tatami.tenancy.tenant_registry import tenant_registry

LONG: Final = 60.0
"""Seconds that only a failing test waits."""


class Hanging:
    """A function that does not end before the test lets it."""

    def __init__(self) -> None:
        self.calls = 0
        self.end = threading.Event()

    def __call__(self) -> int:
        self.calls += 1
        assert self.end.wait(LONG)
        return self.calls


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    found = Hanging()
    yield found
    found.end.set()


def test_those_who_ask_at_the_same_time_share_a_call(hanging: Hanging) -> None:
    call = SharedCall[Any]("shared", seconds=LONG)
    futures = [call.start(hanging) for _ in range(5)]
    assert len(set(futures)) == 1
    hanging.end.set()
    assert call.result(hanging) == 1
    assert call.result(hanging) == 2, "a call that has ended is not used again"


def test_no_one_waits_longer_than_the_limit(hanging: Hanging) -> None:
    call = SharedCall[Any]("limited", seconds=0.01)
    for _ in range(5):
        with pytest.raises(TimeoutError):
            call.result(hanging)
    assert hanging.calls == 1


def test_an_error_reaches_all_who_wait_and_the_next_call_is_a_new_one() -> None:
    results = iter([ZeroDivisionError(), 7])

    def fails_once() -> int:
        result = next(results)
        if isinstance(result, Exception):
            raise result
        return result

    call = SharedCall[Any]("failing", seconds=LONG)
    with pytest.raises(ZeroDivisionError):
        call.result(fails_once)
    assert call.result(fails_once) == 7


@pytest.mark.parametrize(("seconds", "calls"), [(ABANDONED_SECONDS - 1, 1), (ABANDONED_SECONDS, 2)])
def test_a_call_that_has_run_for_long_is_abandoned(hanging: Hanging, seconds: float, calls: int) -> None:
    now = [0.0]
    call = SharedCall[Any]("abandoned", seconds=0.01, monotonic=lambda: now[0])
    first = call.start(hanging)
    now[0] = seconds
    assert (call.start(hanging) is first) is (calls == 1)
    hanging.end.set()
    call.start(hanging).result(LONG)
    assert hanging.calls == calls


@pytest.mark.usefixtures("without_transaction")
def test_the_connection_of_an_abandoned_call_is_ended() -> None:
    now, ours, ended = [0.0], list[Any](), list[Exception]()

    def sleep_once() -> int:
        if ours:
            return 2
        ours.append(connections["default"])
        try:
            with platform_scope(), connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(600)")
        except OperationalError as error:
            ended.append(error)
            raise
        return 1

    call = SharedCall[Any]("sleeping", seconds=LONG * 2, monotonic=lambda: now[0])
    first = call.start(sleep_once)
    waiting = threading.Event()
    while not ours or not is_waiting(ours[0]):
        waiting.wait(0.01)
    now[0] = ABANDONED_SECONDS
    assert call.result(sleep_once) == 2
    with pytest.raises(OperationalError):
        first.result(LONG)
    assert len(ended) == 1


def is_waiting(connection: Any) -> bool:
    driver = connection.connection
    return driver is not None and driver.pgconn.transaction_status == TransactionStatus.ACTIVE


@pytest.mark.usefixtures("without_transaction")
def test_the_server_cancels_the_statement_of_a_call_that_no_one_waits_for() -> None:
    def sleep() -> None:
        with platform_scope(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(600)")

    call = SharedCall[Any]("cancelled", seconds=0.05)
    with pytest.raises(OperationalError, match="statement timeout"):
        call.start(sleep).result(LONG)


# --- scrapes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("collector", "read", "event"),
    [
        (OverdueJobsCollector, "count_overdue_jobs", "overdue_jobs_unknown"),
        (FleetCollector, "read_fleet_state", "fleet_state_unknown"),
    ],
)
def test_a_scrape_does_not_wait_for_a_server_that_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, hanging: Hanging, collector: Any, read: str, event: str
) -> None:
    """PostgreSQL behind a pooler accepts the connection, and then nothing comes."""
    monkeypatch.setattr(tenant_registry(), read, hanging)
    monkeypatch.setattr("tatami.metrics.SCRAPE_SECONDS", 0.01)
    one = collector()
    with capture_logs() as logs:
        assert [list(one.collect()) for _ in range(3)] == [[], [], []]
    assert [line["event"] for line in logs] == [event] * 3
    assert hanging.calls == 1, "each scrape would hold one more thread"


def test_the_other_metrics_remain(monkeypatch: pytest.MonkeyPatch, hanging: Hanging) -> None:
    for read in ("count_overdue_jobs", "read_fleet_state"):
        monkeypatch.setattr(tenant_registry(), read, hanging)
    monkeypatch.setattr("tatami.metrics.SCRAPE_SECONDS", 0.01)
    names = {family.name for family in build_registry().collect()}
    assert "tatami_requests" in names
    assert "tatami_broker_messages" in names
    assert not names & {"tatami_turns_waiting", "tatami_dojos"}
