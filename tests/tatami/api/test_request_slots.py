"""Slots: which requests run at once, and that one host's requests do not keep others from running."""

import contextvars
import threading
from collections.abc import Callable
from time import monotonic
from typing import Any, cast

import psutil
import psycopg
import pytest
from django.db import OperationalError, connection, connections, transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.test import RequestFactory
from psycopg.pq import TransactionStatus

from shared_apps.tenants.models import Domain
from tatami.api.request_slots import (
    HOSTS_PER_HOME,
    RequestSlots,
    RequestSlotsMiddleware,
    Slot,
    StatementWatch,
    persistent_connection,
)
from tatami.errors import ServiceUnavailable
from tatami.postgresql.statements import Statement
from tatami.tenancy.middleware import host_resolver
from tatami.tenancy.scope import TenantScope, platform_scope, tenant_scope
from tests.support.now import NOW
from tests.support.races import raise_first_error, run_concurrently

AT_ONCE = 0.0
LONG = 30.0


def slots(*, quick: float = LONG, wait: float = LONG, most_per_share: int = 100, **more: Any) -> RequestSlots:
    return RequestSlots(
        **{"size": 4, "running": 1, "most": 1_000, **more},
        most_per_share=most_per_share,
        connect=object,
        quick=quick,
        wait=wait,
    )


def test_a_host_uses_the_same_slot_again_and_hosts_are_spread_over_all_slots() -> None:
    some = slots(running=4)
    hosts = [f"dojo-{number}.localhost" for number in range(4 * HOSTS_PER_HOME)]
    for host in hosts:
        with some.slot(host):
            pass
    used: dict[str, Slot] = {}
    for host in [*hosts, *reversed(hosts)]:
        with some.slot(host) as slot:
            assert used.setdefault(host, slot) is slot
    served = [sum(slot is one for slot in used.values()) for one in some.all]
    assert min(served) > HOSTS_PER_HOME // 2


def test_the_hosts_of_a_small_installation_share_one_connection() -> None:
    some = slots(running=4)
    used = set()
    for number in range(HOSTS_PER_HOME):
        with some.slot(f"dojo-{number}.localhost") as slot:
            used.add(slot)
    assert used == {some.all[0]}


def test_a_host_gets_another_slot_while_its_own_is_used() -> None:
    some = slots(running=4)
    with some.slot("a") as first:
        assert first is some.home("a")
        with some.slot("a") as second:
            assert second is not first
    with some.slot("a") as third:
        assert third is first


def test_a_waiting_request_gets_the_slot_of_one_that_ends() -> None:
    some = slots()
    order: list[str] = []

    def later() -> None:
        with some.slot("b"):
            order.append("later")

    thread = threading.Thread(target=later)
    with some.slot("a"):
        thread.start()
        while not some.waiting:
            thread.join(0.001)
        order.append("earlier")
    thread.join(LONG)
    assert order == ["earlier", "later"]


def test_a_request_that_runs_for_long_does_not_keep_others_from_running() -> None:
    some = slots(quick=AT_ONCE)
    with some.slot("a") as first, some.slot("b") as second:
        assert first is not second


def test_one_host_gets_half_of_the_slots_and_others_get_the_rest() -> None:
    some = slots(quick=AT_ONCE, wait=AT_ONCE)
    with some.slot("a"), some.slot("a"):
        with pytest.raises(ServiceUnavailable), some.slot("a"):
            pass
        with some.slot("b"), some.slot("c"):
            pass
    with some.slot("a"):
        pass


def test_the_requests_of_one_host_beyond_its_share_are_refused_at_once() -> None:
    some = slots(most_per_share=1)
    with some.slot("a"):
        with pytest.raises(ServiceUnavailable), some.slot("a"):
            pass
        assert not some.waiting
    with some.slot("a"):
        pass


def test_all_hosts_of_a_dojo_get_half_of_the_slots_together() -> None:
    some = slots(quick=AT_ONCE, wait=AT_ONCE)
    with some.slot("kita.localhost", "dojo"), some.slot("www.kita.de", "dojo"):
        for host in ("kita.localhost", "www.kita.de", "old.localhost"):
            with pytest.raises(ServiceUnavailable), some.slot(host, "dojo"):
                pass
        with some.slot("a"), some.slot("b"):
            pass
    with some.slot("old.localhost", "dojo"):
        pass


def test_the_requests_of_all_hosts_of_a_dojo_beyond_its_share_are_refused_at_once() -> None:
    some = slots(most_per_share=1)
    with some.slot("kita.localhost", "dojo"):
        with pytest.raises(ServiceUnavailable), some.slot("www.kita.de", "dojo"):
            pass
        assert not some.waiting


def test_a_slot_is_released_when_its_request_fails() -> None:
    some = slots(size=2)
    for _ in range(5):
        with pytest.raises(ZeroDivisionError), some.slot("a"):
            raise ZeroDivisionError


def test_many_requests_of_many_hosts_are_all_answered_and_no_slot_is_used_twice_at_once() -> None:
    some = slots(size=8, running=2, quick=0.001)
    used: set[int] = set()
    faults: list[str] = []

    def send(host: str) -> None:
        for _ in range(50):
            with some.slot(host) as slot:
                if id(slot) in used:
                    faults.append(f"{host} shares a slot")
                used.add(id(slot))
                threading.Event().wait(0.0005)
                used.discard(id(slot))

    threads = [threading.Thread(target=send, args=(f"dojo-{number % 5}",)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG)
    assert not faults
    assert not any(thread.is_alive() for thread in threads)
    assert not some.waiting


def test_a_connection_stays_open_and_a_lost_one_is_opened_anew(
    north: TenantScope, superuser: psycopg.Connection[Any]
) -> None:
    def backend(slot: Slot) -> int:
        with slot.bound(), tenant_scope(north), connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (pid,) = cursor.fetchone()
        return int(pid)

    outside = connections["default"]
    slot = Slot(persistent_connection())
    try:
        first = backend(slot)
        assert backend(slot) == first
        assert connections["default"] is not slot.connection
        superuser.execute("SELECT pg_terminate_backend(%s, 10000)", [first])
        assert backend(slot) != first
    finally:
        slot.connection.close()
        connections["default"] = outside


def test_requests_beyond_the_places_of_the_process_are_refused_at_once() -> None:
    some = slots(most=2, size=8, running=8)
    with some.slot("a"), some.slot("b"):
        with pytest.raises(ServiceUnavailable), some.slot("c"):
            pass
        assert not some.waiting


def test_a_statement_that_the_server_never_answers_ends_with_its_connection(north: TenantScope) -> None:
    outside = connections["default"]
    slot = Slot(persistent_connection())
    slot.connection.transaction_limits = ""  # the server does not cancel it, as if it were stopped
    errors: list[Exception] = []

    def wait_for_ever() -> None:
        try:
            with slot.bound(), tenant_scope(north), connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(600)")
        except OperationalError as error:
            errors.append(error)

    watch = StatementWatch([slot], seconds=4)
    waiting = threading.Thread(target=contextvars.copy_context().run, args=[wait_for_ever])
    try:
        waiting.start()
        while slot.connection.waiting_since is None or not is_sleeping(slot):
            waiting.join(0.01)
        watch.end_overdue(now=slot.connection.waiting_since + 3.9)
        assert not errors
        watch.end_overdue(now=slot.connection.waiting_since + 4.1)
        waiting.join(LONG)
        assert len(errors) == 1
        assert slot.connection.waiting_since is None
        with slot.bound(), tenant_scope(north), connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            assert cursor.fetchone() == (1,)
    finally:
        slot.connection.close()
        connections["default"] = outside


def query() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def prepared_query() -> None:
    Statement("a query", "SELECT $1::int").row(1)


def savepoint() -> None:
    with transaction.atomic():
        pass


def commit() -> None:
    """What follows in every case."""


@pytest.mark.direct_connection("it suspends the server's process of this connection")
@pytest.mark.parametrize("act", [query, prepared_query, savepoint, commit])
def test_a_request_whose_server_stops_meanwhile_waits_once_and_for_no_other_connection(
    north: TenantScope, act: Callable[[], None]
) -> None:
    outside = connections["default"]
    slot = Slot(persistent_connection())
    backend: list[psutil.Process] = []
    errors: list[Exception] = []
    left: list[Any] = []

    def request() -> None:
        with slot.bound():
            try:
                with tenant_scope(north), transaction.atomic():
                    query()
                    backend.append(psutil.Process(slot.connection.connection.info.backend_pid))
                    backend[0].suspend()
                    act()
            except OperationalError as error:
                errors.append(error)
            left.append(slot.connection.connection)

    watch = StatementWatch([slot], seconds=4)
    waiting = threading.Thread(target=contextvars.copy_context().run, args=[request])
    try:
        waiting.start()
        fails_at = monotonic() + LONG
        while not backend or slot.connection.waiting_since is None:
            waiting.join(0.01)
            assert waiting.is_alive()
            assert monotonic() < fails_at, "it waits, and the watch does not see it"
        watch.end_overdue(now=slot.connection.waiting_since + 4.1)
        waiting.join(LONG)
        assert (len(errors), left) == (1, [None])
    finally:
        for process in backend:
            process.resume()
        slot.connection.close()
        connections["default"] = outside
    with tenant_scope(north):
        query()


def is_sleeping(slot: Slot) -> bool:
    """Return whether the connection's transaction has begun and its statement runs."""
    wire = slot.connection.connection.pgconn if slot.connection.connection else None
    return wire is not None and wire.transaction_status == TransactionStatus.ACTIVE


@pytest.mark.parametrize(
    ("setting", "in_request", "elsewhere"),
    [
        ("statement_timeout", "4s", "15min"),
        ("lock_timeout", "2s", "0"),
        ("idle_in_transaction_session_timeout", "5min", "5min"),
    ],
    ids=str,
)
def test_the_statements_of_a_request_end_sooner_than_those_of_a_worker(
    north: TenantScope, setting: str, in_request: str, elsewhere: str
) -> None:
    def current() -> Any:
        with tenant_scope(north), connection.cursor() as cursor:
            cursor.execute(f"SHOW {setting}")
            return cursor.fetchone()

    outside = connections["default"]
    slot = Slot(persistent_connection())
    try:
        with slot.bound():
            assert current() == (in_request,)
    finally:
        slot.connection.close()
        connections["default"] = outside
    assert current() == (elsewhere,)


def answer_during_another(first: str, second: str) -> HttpResponseBase:
    """Return the answer to a request for the second host during one for the first."""
    outside = connections["default"]

    def inner(request: HttpRequest) -> HttpResponseBase:
        if request.path == "/second":
            return HttpResponse()
        again = RequestFactory().get("/second", headers={"host": second})
        (answer,) = run_concurrently([lambda: middleware(again)])
        raise_first_error([answer])
        return cast("HttpResponseBase", answer)

    middleware = RequestSlotsMiddleware(inner)
    try:
        return middleware(RequestFactory().get("/first", headers={"host": first}))
    finally:
        middleware.watch.stop()  # it sets the gauges of the whole process
        connections["default"] = outside


@pytest.fixture
def one_request_per_dojo(settings: Any) -> None:
    settings.TATAMI_WEB_CONNECTIONS, settings.TATAMI_WEB_THREADS = 2, 4


def test_two_hosts_of_one_dojo_have_one_share(
    tenant: TenantScope, other_tenant: TenantScope, one_request_per_dojo: None
) -> None:
    with platform_scope():
        Domain.objects.create(
            tenant_id=tenant.tenant_id, domain="www.kita.de", is_primary=False, verified_at=NOW
        )
    assert answer_during_another("aiki.localhost", "www.kita.de").status_code == 200, "neither is known yet"
    for host in ("aiki.localhost", "www.kita.de", "kendo.localhost"):
        host_resolver().resolve(host)
    for first, second in (("aiki.localhost", "WWW.kita.de:8000"), ("www.kita.de", "aiki.localhost.")):
        assert answer_during_another(first, second).status_code == 503
    assert answer_during_another("www.kita.de", "kendo.localhost").status_code == 200
    assert answer_during_another("www.kita.de", "unknown.localhost").status_code == 200


def test_the_response_names_a_time_to_try_again(one_request_per_dojo: None) -> None:
    refused = answer_during_another("north.localhost", "north.localhost")
    assert refused.status_code == 503
    assert int(refused["Retry-After"]) > 0
