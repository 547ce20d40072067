"""Work for dojos: whose turn it is, what a turn may see, and what is left of a turn that was cut off."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, Final

import pytest
from celery.contrib.testing.worker import start_worker
from celery.signals import before_task_publish
from django.db import connections, transaction
from structlog.testing import capture_logs

from config.celery import app
from shared_apps.accounts.models import AttemptCount
from shared_apps.tenants import tasks, turns
from shared_apps.tenants.models import PendingJob, Tenant
from tatami import clock
from tatami.ids import uuid7
from tatami.tenancy.scope import NoScope, TenantScope, current_scope, platform_scope, tenant_scope
from tatami.work import DONE, MORE, JobNameTaken, Turn, job
from tests.support.broker import valkey_away
from tests.support.committed_dojos import at_once, raise_first
from tests.support.now import NOW

PATIENCE: Final = 15.0
"""Seconds that a worker has to answer."""

done: list[tuple[str | None, Turn]] = []
answers: list[Callable[[], str | None]] = []
"""What the next turns do; without any they are done."""


@job("tests.work")
def work(turn: Turn) -> str | None:
    """Do what the test says, and remember for whom."""
    scope = current_scope()
    done.append((scope.slug if isinstance(scope, TenantScope) else None, turn))
    return answers.pop(0)() if answers else DONE


@job("tests.count")
def count(_: Turn) -> str | None:
    """Write a row of the dojo."""
    AttemptCount.objects.create(key_hash=b"counted", window_started_at=NOW, count=1)
    return DONE


@pytest.fixture(autouse=True)
def nothing_done() -> Iterator[None]:
    done.clear()
    answers.clear()
    yield
    assert current_scope() is None


def ask(dojo: TenantScope, name: str = "tests.work", *, minutes: float = 0) -> None:
    turns.request_turn(dojo.tenant_id, name, now=NOW + timedelta(minutes=minutes))


def turn(*, seconds: float = 0) -> bool:
    with clock.fixed(NOW + timedelta(seconds=seconds)):
        return turns.take_turn(now=clock.now())


def waiting() -> set[tuple[str, str]]:
    with platform_scope():
        return set(PendingJob.objects.values_list("tenant__slug", "job"))


def whose() -> list[str | None]:
    return [slug for slug, _ in done]


def fail() -> str | None:
    raise LookupError("cut off")


@pytest.fixture
def called() -> Iterator[list[Any]]:
    """The calls for workers that were published."""
    published: list[Any] = []

    def note(sender: str, **_: Any) -> None:
        if sender == tasks.take_turns.name:
            published.append(sender)

    before_task_publish.connect(note)
    yield published
    before_task_publish.disconnect(note)


@pytest.fixture
def without_valkey() -> Iterator[None]:
    """A broker where nobody listens."""
    with valkey_away():
        yield


# --- asking ---------------------------------------------------------------------------------------------------


def test_work_cannot_be_asked_for_outside_a_dojo(db: None) -> None:
    with pytest.raises(NoScope):
        work.request()
    with platform_scope(), pytest.raises(NoScope):
        work.request()


def test_work_is_noted_for_the_dojo_in_force_when_it_was_asked_for(
    tenant: TenantScope, other_tenant: TenantScope, django_capture_on_commit_callbacks: Any
) -> None:
    with tenant_scope(other_tenant), django_capture_on_commit_callbacks(execute=True):
        with tenant_scope(tenant):
            work.request()
        assert waiting() == set()
    assert waiting() == {("aiki", "tests.work")}


def test_work_of_a_transaction_that_never_commits_is_not_noted(north: TenantScope) -> None:
    with tenant_scope(north), pytest.raises(LookupError), transaction.atomic():
        work.request()
        fail()
    assert waiting() == set()


def test_asking_twice_is_asking_once(tenant: TenantScope) -> None:
    ask(tenant)
    ask(tenant)
    assert turn()
    assert not turn()
    assert whose() == ["aiki"]


def test_two_jobs_cannot_have_one_name() -> None:
    with pytest.raises(JobNameTaken):
        job("tests.work")(lambda _: DONE)


# --- taking turns ---------------------------------------------------------------------------------------------


def test_nobody_waits(db: None) -> None:
    assert not turn()


def test_a_turn_is_taken_in_the_scope_of_its_dojo(tenant: TenantScope, other_tenant: TenantScope) -> None:
    for dojo in (tenant, other_tenant):
        ask(dojo, "tests.count")
    assert turn()
    assert turn()
    for dojo in (tenant, other_tenant):
        with tenant_scope(dojo):
            assert AttemptCount.objects.get().tenant_id == dojo.tenant_id
    with platform_scope():
        assert not AttemptCount.objects.exists()


def test_a_dojo_with_much_to_do_holds_up_nobody_with_little(
    tenant: TenantScope, other_tenant: TenantScope
) -> None:
    ask(tenant, minutes=-2)
    answers[:] = [lambda: MORE, lambda: DONE, lambda: MORE, lambda: DONE]
    ask(other_tenant, minutes=-1)
    while turn():
        pass
    assert whose() == ["aiki", "kendo", "aiki", "aiki"]


def test_the_next_turn_goes_on_where_the_last_one_ended(tenant: TenantScope) -> None:
    answers[:] = [lambda: "first", lambda: "second"]
    ask(tenant)
    while turn():
        pass
    assert [one.cursor for _, one in done] == ["", "first", "second"]


def test_what_is_asked_for_during_the_last_turn_gets_another(tenant: TenantScope) -> None:
    def ask_again() -> None:
        with platform_scope():
            PendingJob.objects.update(marks=2)

    answers[:] = [ask_again]
    ask(tenant)
    assert turn()
    assert waiting() == {("aiki", "tests.work")}
    assert turn()
    assert waiting() == set()


@pytest.mark.parametrize("status", ["provisioning", "suspended", "deleting"])
def test_a_dojo_that_does_not_serve_waits(tenant: TenantScope, status: str) -> None:
    ask(tenant)
    with platform_scope():
        Tenant.objects.filter(pk=tenant.tenant_id).update(status=status)
    assert not turn()
    assert turns.number_unheard(now=NOW + timedelta(seconds=2)) == 0
    with platform_scope():
        Tenant.objects.filter(pk=tenant.tenant_id).update(status="active")
    assert turns.number_unheard(now=NOW + timedelta(seconds=2)) == 1
    assert turn()


def test_a_dojo_that_is_purged_waits_no_more(tenant: TenantScope) -> None:
    ask(tenant)
    with platform_scope():
        Tenant.objects.filter(pk=tenant.tenant_id).delete()
    assert waiting() == set()


# --- turns that are cut off -----------------------------------------------------------------------------------


def test_a_turn_that_was_cut_off_is_given_again_after_its_lease(tenant: TenantScope) -> None:
    answers[:] = [fail]
    ask(tenant)
    with pytest.raises(LookupError):
        turn()
    assert not turn(seconds=9)
    assert turn(seconds=10)
    assert [one.attempt for _, one in done] == [1, 2]
    assert waiting() == set()


def test_what_fails_again_and_again_is_tried_less_and_less_often(tenant: TenantScope) -> None:
    ask(tenant)
    waits, tried_at = [], 0
    for second in range(1_000):
        answers[:] = [fail]
        before = len(done)
        try:
            turn(seconds=second)
        except LookupError:
            assert len(done) == before + 1
            waits.append(second - tried_at)
            tried_at = second
    assert waits == [0, 10, 10, 10, 20, 40, 80, 160, 300, 300]


def test_a_turn_that_comes_to_its_end_begins_the_count_anew(tenant: TenantScope) -> None:
    answers[:] = [fail, lambda: MORE, lambda: DONE]
    ask(tenant)
    with pytest.raises(LookupError):
        turn()
    assert turn(seconds=10)
    assert turn(seconds=10)
    assert [one.attempt for _, one in done] == [1, 2, 1]


def test_what_fails_in_one_dojo_is_done_in_the_other(tenant: TenantScope, other_tenant: TenantScope) -> None:
    answers[:] = [fail, lambda: DONE]
    ask(tenant, minutes=-1)
    ask(other_tenant)
    with pytest.raises(LookupError):
        turn()
    assert turn()
    assert whose() == ["aiki", "kendo"]


def test_a_job_that_this_process_does_not_know_is_left_to_another(
    tenant: TenantScope, other_tenant: TenantScope
) -> None:
    ask(tenant, "tests.of_a_newer_version", minutes=-1)
    ask(other_tenant)
    with pytest.raises(KeyError):
        turn()
    assert turn()
    assert waiting() == {("aiki", "tests.of_a_newer_version")}


def test_a_turn_that_was_overtaken_settles_nothing(tenant: TenantScope) -> None:
    def take_too_long() -> str | None:
        answers[:] = [lambda: "further on"]
        assert turn(seconds=11)
        return DONE

    answers[:] = [take_too_long]
    ask(tenant)
    assert turn()
    with platform_scope():
        assert [row.cursor for row in PendingJob.objects.all()] == ["further on"]


def test_workers_at_once_take_different_turns(north: TenantScope, south: TenantScope) -> None:
    for dojo in (north, south):
        ask(dojo, "tests.count")
    with clock.fixed(NOW):
        taken = at_once([lambda: turns.take_turn(now=NOW) for _ in range(4)])
    raise_first(taken)
    assert sorted(taken) == [False, False, True, True]
    for dojo in (north, south):
        with tenant_scope(dojo):
            assert AttemptCount.objects.count() == 1


def test_asking_during_a_turn_does_not_give_it_to_another(tenant: TenantScope) -> None:
    """Nor does it count as a turn that was cut off, by which jobs know what they must not try again."""
    taken: list[bool] = []

    def ask_and_look() -> str | None:
        for _ in range(5):
            ask(tenant)
            taken.append(turn())
        return DONE

    ask(tenant)
    answers[:] = [ask_and_look]
    assert turn()
    assert taken == [False] * 5
    assert turn(), "what was asked for meanwhile comes after it"
    assert [one.attempt for _, one in done] == [1, 1]
    assert waiting() == set()


def test_asking_again_does_not_shorten_the_wait_after_a_failure(tenant: TenantScope) -> None:
    ask(tenant)
    answers[:] = [fail]
    with pytest.raises(LookupError):
        turn()
    ask(tenant)
    assert not turn()
    assert turn(seconds=turns.LEASE.total_seconds())


def test_new_work_does_not_wait_for_the_long_leases_of_old_failures(tenant: TenantScope) -> None:
    ask(tenant)
    seconds = 0.0
    for _ in range(5):
        answers[:] = [fail]
        with pytest.raises(LookupError):
            turn(seconds=seconds)
        with platform_scope():
            seconds = (PendingJob.objects.get().next_at - NOW).total_seconds()
    asked_at = seconds - 35
    turns.request_turn(tenant.tenant_id, "tests.work", now=NOW + timedelta(seconds=asked_at))
    lease = turns.LEASE.total_seconds()
    assert not turn(seconds=asked_at + lease - 1)
    assert turn(seconds=asked_at + lease)


# --- workers --------------------------------------------------------------------------------------------------


@pytest.fixture
def worker(without_transaction: None) -> Iterator[str]:
    """A real worker over the real Valkey, in a thread of its own; return the name of its queue."""
    name = f"test-{uuid7()}"
    with start_worker(app, pool="solo", queues=[name], perform_ping_check=False, shutdown_timeout=PATIENCE):
        yield name
        connections.close_all()


def test_a_worker_that_is_called_gives_turns_until_nobody_waits(
    worker: str, north: TenantScope, south: TenantScope
) -> None:
    for dojo in (north, south):
        with tenant_scope(dojo):
            work.request()
    all_done = threading.Event()
    answers[:] = [lambda: MORE, lambda: DONE, all_done.set]
    tasks.take_turns.apply_async(queue=worker)
    assert all_done.wait(PATIENCE)
    assert whose() == ["north", "south", "north"]


def test_a_task_of_the_platform_runs_in_the_platforms_scope(db: None) -> None:
    tasks.request_for_all.apply(["tests.work", 0.0], throw=True)
    assert waiting() == {("aiki", "tests.work"), ("kendo", "tests.work")}


def test_who_waits_too_long_is_called_for(tenant: TenantScope, called: list[Any]) -> None:
    for seconds, calls in ((0, 0), (2, 1)):
        ask(tenant)
        with clock.fixed(NOW + timedelta(seconds=seconds)):
            tasks.wake.apply(throw=True)
        assert len(called) == calls


def test_without_valkey_the_note_stays_and_nobody_minds(
    tenant: TenantScope, without_valkey: None, django_capture_on_commit_callbacks: Any
) -> None:
    with capture_logs() as logs, tenant_scope(tenant), django_capture_on_commit_callbacks(execute=True):
        work.request()
    assert [line["event"] for line in logs] == ["nobody_woken"]
    assert waiting() == {("aiki", "tests.work")}
