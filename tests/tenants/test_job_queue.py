"""The job queue: the order of jobs, the scope in which they run, and interrupted runs."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final

import psycopg
import pytest
from celery.contrib.testing.worker import start_worker
from celery.signals import before_task_publish
from django.db import OperationalError, connection, connections, transaction
from prometheus_client import REGISTRY
from psycopg import sql
from structlog.testing import capture_logs

from config.celery import app
from shared_apps.accounts.models import AttemptCount
from shared_apps.tenants import tasks
from shared_apps.tenants.jobs import job_queue
from shared_apps.tenants.models import PendingJob, Tenant
from tatami import clock
from tatami.ids import uuid7
from tatami.jobs import DONE, MORE, JobNameTaken, JobRun, job
from tatami.tenancy.scope import NoScope, TenantScope, current_scope, platform_scope, tenant_scope
from tests.support.broker import valkey_unavailable
from tests.support.now import NOW
from tests.support.races import raise_first_error, run_concurrently

pytestmark = pytest.mark.slow

TIMEOUT: Final = 120.0
"""Seconds that a worker has to run its jobs."""

runs: list[tuple[str | None, JobRun]] = []
results: list[Callable[[], str | None]] = []
"""What the next runs do and return. Without any, a run returns `DONE`."""


@job("tests.work")
def work(run: JobRun) -> str | None:
    """Do what the test defines, and record for which dojo."""
    scope = current_scope()
    runs.append((scope.slug if isinstance(scope, TenantScope) else None, run))
    return results.pop(0)() if results else DONE


@job("tests.count")
def count(_: JobRun) -> str | None:
    """Write a row of the dojo."""
    AttemptCount.objects.create(key_hash=b"counted", window_started_at=NOW, count=1)
    return DONE


@pytest.fixture(autouse=True)
def no_runs_yet() -> Iterator[None]:
    runs.clear()
    results.clear()
    yield
    assert current_scope() is None


def enqueue(dojo: TenantScope, name: str = "tests.work", *, minutes: float = 0) -> None:
    job_queue.enqueue(dojo.tenant_id, name, now=NOW + timedelta(minutes=minutes))


def run_next(*, seconds: float = 0) -> bool:
    with clock.fixed(NOW + timedelta(seconds=seconds)):
        return job_queue.run_next_job(now=clock.now())


def pending() -> set[tuple[str, str]]:
    with platform_scope():
        return set(PendingJob.objects.values_list("tenant__slug", "job"))


def slugs_of_runs() -> list[str | None]:
    return [slug for slug, _ in runs]


def fail() -> str | None:
    raise LookupError("interrupted")


@pytest.fixture
def wake_calls() -> Iterator[list[Any]]:
    """The wake-up calls that were sent."""
    published: list[Any] = []

    def note(sender: str, **_: Any) -> None:
        if sender == tasks.run_due_jobs.name:
            published.append(sender)

    before_task_publish.connect(note)
    yield published
    before_task_publish.disconnect(note)


@pytest.fixture
def without_valkey() -> Iterator[None]:
    """A broker that does not respond."""
    with valkey_unavailable():
        yield


# --- enqueuing ---


def test_a_job_cannot_be_requested_outside_a_dojo(db: None) -> None:
    with pytest.raises(NoScope):
        work.request()
    with platform_scope(), pytest.raises(NoScope):
        work.request()


def test_a_job_is_enqueued_for_the_dojo_in_whose_scope_it_was_requested(
    tenant: TenantScope, other_tenant: TenantScope, django_capture_on_commit_callbacks: Any
) -> None:
    with tenant_scope(other_tenant), django_capture_on_commit_callbacks(execute=True):
        with tenant_scope(tenant):
            work.request()
        assert pending() == set()
    assert pending() == {("aiki", "tests.work")}


def test_a_job_is_not_enqueued_if_its_transaction_rolls_back(north: TenantScope) -> None:
    with tenant_scope(north), pytest.raises(LookupError), transaction.atomic():
        work.request()
        fail()
    assert pending() == set()


def test_enqueuing_twice_runs_a_job_once(tenant: TenantScope) -> None:
    enqueue(tenant)
    enqueue(tenant)
    assert run_next()
    assert not run_next()
    assert slugs_of_runs() == ["aiki"]


def test_two_jobs_cannot_have_the_same_name() -> None:
    with pytest.raises(JobNameTaken):
        job("tests.work")(lambda _: DONE)


# --- running ---


def test_an_empty_queue_runs_nothing(db: None) -> None:
    assert not run_next()


def test_a_job_runs_in_the_scope_of_its_dojo(tenant: TenantScope, other_tenant: TenantScope) -> None:
    for dojo in (tenant, other_tenant):
        enqueue(dojo, "tests.count")
    assert run_next()
    assert run_next()
    for dojo in (tenant, other_tenant):
        with tenant_scope(dojo):
            assert AttemptCount.objects.get().tenant_id == dojo.tenant_id
    with platform_scope():
        assert not AttemptCount.objects.exists()


def test_a_dojo_with_much_work_does_not_delay_the_others(
    tenant: TenantScope, other_tenant: TenantScope
) -> None:
    enqueue(tenant, minutes=-2)
    results[:] = [lambda: MORE, lambda: DONE, lambda: MORE, lambda: DONE]
    enqueue(other_tenant, minutes=-1)
    while run_next():
        pass
    assert slugs_of_runs() == ["aiki", "kendo", "aiki", "aiki"]


def test_the_next_run_continues_at_the_cursor(tenant: TenantScope) -> None:
    results[:] = [lambda: "first", lambda: "second"]
    enqueue(tenant)
    while run_next():
        pass
    assert [one.cursor for _, one in runs] == ["", "first", "second"]


def test_a_job_that_is_enqueued_during_its_last_run_runs_again(tenant: TenantScope) -> None:
    def enqueue_again() -> None:
        with platform_scope():
            PendingJob.objects.update(marks=2)

    results[:] = [enqueue_again]
    enqueue(tenant)
    assert run_next()
    assert pending() == {("aiki", "tests.work")}
    assert run_next()
    assert pending() == set()


@pytest.mark.parametrize("status", ["provisioning", "suspended", "deleting"])
def test_jobs_of_an_inactive_dojo_wait(tenant: TenantScope, status: str) -> None:
    enqueue(tenant)
    with platform_scope():
        Tenant.objects.filter(pk=tenant.tenant_id).update(status=status)
    assert not run_next()
    assert job_queue.count_overdue(now=NOW + timedelta(seconds=2)) == 0
    with platform_scope():
        Tenant.objects.filter(pk=tenant.tenant_id).update(status="active")
    assert job_queue.count_overdue(now=NOW + timedelta(seconds=2)) == 1
    assert run_next()


def test_jobs_of_a_purged_dojo_are_deleted(tenant: TenantScope) -> None:
    enqueue(tenant)
    with platform_scope():
        Tenant.objects.filter(pk=tenant.tenant_id).delete()
    assert pending() == set()


# --- interrupted runs ---


def test_an_interrupted_job_runs_again_after_its_lease(tenant: TenantScope) -> None:
    results[:] = [fail]
    enqueue(tenant)
    with pytest.raises(LookupError):
        run_next()
    assert not run_next(seconds=9)
    assert run_next(seconds=10)
    assert [one.attempt for _, one in runs] == [1, 2]
    assert pending() == set()


def test_the_lease_grows_with_repeated_failures(tenant: TenantScope) -> None:
    enqueue(tenant)
    waits, seconds = [], 0.0
    for _ in range(10):
        results[:] = [fail]
        with pytest.raises(LookupError):
            run_next(seconds=seconds)
        with platform_scope():
            due = (PendingJob.objects.get().next_at - NOW).total_seconds()
        assert not run_next(seconds=due - 1)
        waits.append(due - seconds)
        seconds = due
    assert waits == [10, 10, 10, 20, 40, 80, 160, 300, 300, 300]
    assert len(runs) == 10


def test_a_successful_run_resets_the_attempts(tenant: TenantScope) -> None:
    results[:] = [fail, lambda: MORE, lambda: DONE]
    enqueue(tenant)
    with pytest.raises(LookupError):
        run_next()
    assert run_next(seconds=10)
    assert run_next(seconds=10)
    assert [one.attempt for _, one in runs] == [1, 2, 1]


def test_a_failure_in_one_dojo_does_not_stop_the_others(
    tenant: TenantScope, other_tenant: TenantScope
) -> None:
    results[:] = [fail, lambda: DONE]
    enqueue(tenant, minutes=-1)
    enqueue(other_tenant)
    with pytest.raises(LookupError):
        run_next()
    assert run_next()
    assert slugs_of_runs() == ["aiki", "kendo"]


def test_an_unknown_job_is_left_to_other_processes(tenant: TenantScope, other_tenant: TenantScope) -> None:
    enqueue(tenant, "tests.of_a_newer_version", minutes=-1)
    enqueue(other_tenant)
    with pytest.raises(KeyError):
        run_next()
    assert run_next()
    assert pending() == {("aiki", "tests.of_a_newer_version")}


def end_locks_of_workers(superuser: psycopg.Connection[Any]) -> None:
    """End the connections with the locks of workers, as the server does when a machine is gone."""
    superuser.execute(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = current_database() "
        "AND state = 'idle in transaction' "
        "AND pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted)"
    )


def test_a_run_that_lost_its_lease_and_its_lock_does_not_change_the_row(
    tenant: TenantScope, superuser: psycopg.Connection[Any]
) -> None:
    def take_too_long() -> str | None:
        results[:] = [lambda: "further on"]
        end_locks_of_workers(superuser)
        assert run_next(seconds=11)
        return DONE

    results[:] = [take_too_long]
    enqueue(tenant)
    assert run_next()
    with platform_scope():
        assert [row.cursor for row in PendingJob.objects.all()] == ["further on"]


# --- one worker for a dojo ---


def test_a_run_that_takes_longer_than_its_lease_is_not_begun_again(tenant: TenantScope) -> None:
    taken: list[bool] = []

    def take_long() -> str | None:
        taken.extend(run_next(seconds=seconds) for seconds in (11, 60))
        return DONE

    results[:] = [take_long]
    enqueue(tenant)
    assert run_next()
    assert taken == [False, False]
    assert len(runs) == 1
    assert pending() == set()


def test_while_a_dojo_has_a_worker_others_serve_other_dojos(
    tenant: TenantScope, other_tenant: TenantScope
) -> None:
    taken: list[bool] = []

    def take_long() -> str | None:
        taken.extend(run_next(seconds=1) for _ in range(2))
        return DONE

    results[:] = [take_long]
    enqueue(tenant, minutes=-3)
    enqueue(tenant, "tests.count", minutes=-2)
    enqueue(other_tenant, minutes=-1)
    assert run_next()
    assert taken == [True, False]
    assert slugs_of_runs() == ["aiki", "kendo"]
    assert pending() == {("aiki", "tests.count")}
    assert run_next(), "its other job is run afterwards"


def test_concurrent_workers_claim_one_job_of_a_dojo(north: TenantScope) -> None:
    for number in range(4):
        enqueue(north, f"tests.job_{number}")
    all_have_tried = threading.Barrier(4, timeout=TIMEOUT)

    def claim() -> Any:
        with job_queue.TenantLock() as lock:
            claimed = job_queue._claim_next(lock, NOW)
            all_have_tried.wait()
            return claimed

    claimed = run_concurrently([claim] * 4)
    raise_first_error(claimed)
    assert sum(one is not None for one in claimed) == 1
    with platform_scope():
        assert PendingJob.objects.filter(attempts=0).count() == 3


def test_a_failed_run_keeps_no_lock(tenant: TenantScope) -> None:
    results[:] = [fail]
    enqueue(tenant, minutes=-1)
    enqueue(tenant, "tests.count")
    with pytest.raises(LookupError):
        run_next()
    assert run_next()


# --- limits of a job ---


@pytest.fixture
def impatient(settings: Any) -> None:
    """Workers that wait for a lock for a moment, and whose statements end soon."""
    settings.TATAMI_JOB_LOCK_SECONDS = 0.05
    settings.TATAMI_JOB_STATEMENT_SECONDS = 1


@contextmanager
def locked_accounts(superuser: psycopg.Connection[Any], dojo: TenantScope) -> Iterator[None]:
    """Lock the table that `tests.count` writes to, within the block."""
    table = sql.Identifier(dojo.schema_name, AttemptCount._meta.db_table)
    with superuser.transaction():
        superuser.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(table))
        yield


def run_as_a_worker_would() -> None:
    """Run the task that runs due jobs. If it does not end, nor does a thread of the failed test for long."""
    (result,) = run_concurrently([lambda: tasks.run_due_jobs.apply(throw=True)])
    raise_first_error([result])


def due_at(dojo: TenantScope, name: str = "tests.count") -> Any:
    with platform_scope():
        return PendingJob.objects.get(tenant=dojo.tenant_id, job=name).next_at


def test_jobs_of_other_dojos_run_while_a_table_of_one_is_locked(
    north: TenantScope, south: TenantScope, superuser: psycopg.Connection[Any], impatient: None
) -> None:
    enqueue(north, "tests.count", minutes=-1)
    enqueue(south, "tests.count")
    with locked_accounts(superuser, north), clock.fixed(NOW), capture_logs() as logs:
        run_as_a_worker_would()
        assert pending() == {("north", "tests.count")}
        assert due_at(north) == NOW + job_queue.LOCKED_DELAY
    assert [line["event"] for line in logs] == ["job_postponed"]
    assert not run_next(seconds=29)
    assert run_next(seconds=30)
    for dojo in (north, south):
        with tenant_scope(dojo):
            assert AttemptCount.objects.count() == 1


def test_waits_for_locks_do_not_count_as_failed_attempts(
    north: TenantScope, superuser: psycopg.Connection[Any], impatient: None
) -> None:
    """Jobs take a third attempt as a sign that a row of theirs kills the worker."""
    attempts = []
    enqueue(north, "tests.count")
    with locked_accounts(superuser, north):
        for number in range(5):
            with clock.fixed(NOW + number * job_queue.LOCKED_DELAY):
                run_as_a_worker_would()
                with platform_scope():
                    attempts.append(PendingJob.objects.get().attempts)
    assert attempts == [1] * 5


def test_a_job_whose_statement_takes_too_long_is_tried_again_ever_later(
    north: TenantScope, settings: Any, impatient: None
) -> None:
    def sleep() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(600)")

    settings.TATAMI_JOB_STATEMENT_SECONDS = 0.05
    enqueue(north)
    waits, at = [], NOW
    for _ in range(6):
        results[:] = [sleep]
        with clock.fixed(at):
            run_as_a_worker_would()
        waits.append((due_at(north, "tests.work") - at).total_seconds())
        at = due_at(north, "tests.work")
    assert waits == [10, 10, 10, 20, 40, 80]
    assert [one.attempt for _, one in runs] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("name", "lock", "statement"),
    [
        (tasks.run_due_jobs.name, "5s", "1min"),
        ("tenants.make_exports", "30s", "15min"),
        ("tenants.purge_overdue", "30s", "15min"),
        ("tenants.clear_abandoned", "30s", "15min"),
    ],
)
def test_tasks_have_limits(north: TenantScope, name: str, lock: str, statement: str) -> None:
    """Long ones have those of the login for a statement."""

    def shown() -> tuple[str, ...]:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('lock_timeout'), current_setting('statement_timeout')")
            return tuple(cursor.fetchone())

    task = type(app.tasks[name])
    declared = type("Declared", (task,), {"run": staticmethod(shown), "name": "tests.limits"})()
    assert declared() == (lock, statement)
    with platform_scope():
        assert shown() == ("0", "15min"), "the limits end with the task"


def test_concurrent_workers_run_different_jobs(north: TenantScope, south: TenantScope) -> None:
    for dojo in (north, south):
        enqueue(dojo, "tests.count")
    with clock.fixed(NOW):
        taken = run_concurrently([lambda: job_queue.run_next_job(now=NOW) for _ in range(4)])
    raise_first_error(taken)
    assert sorted(taken) == [False, False, True, True]
    for dojo in (north, south):
        with tenant_scope(dojo):
            assert AttemptCount.objects.count() == 1


def test_enqueuing_during_a_run_does_not_start_a_second_run(tenant: TenantScope) -> None:
    """Nor does it count as an interrupted run, by which jobs recognise what they must not try again."""
    taken: list[bool] = []

    def enqueue_and_try_to_run() -> str | None:
        for _ in range(5):
            enqueue(tenant)
            taken.append(run_next())
        return DONE

    enqueue(tenant)
    results[:] = [enqueue_and_try_to_run]
    assert run_next()
    assert taken == [False] * 5
    assert run_next(), "the work that was enqueued during the run is done after it"
    assert [one.attempt for _, one in runs] == [1, 1]
    assert pending() == set()


def test_enqueuing_again_does_not_shorten_the_lease_after_a_failure(tenant: TenantScope) -> None:
    enqueue(tenant)
    results[:] = [fail]
    with pytest.raises(LookupError):
        run_next()
    enqueue(tenant)
    assert not run_next()
    assert run_next(seconds=job_queue.LEASE.total_seconds())


def test_new_work_does_not_wait_for_the_long_lease_after_old_failures(tenant: TenantScope) -> None:
    enqueue(tenant)
    seconds = 0.0
    for _ in range(5):
        results[:] = [fail]
        with pytest.raises(LookupError):
            run_next(seconds=seconds)
        with platform_scope():
            seconds = (PendingJob.objects.get().next_at - NOW).total_seconds()
    enqueued_at = seconds - 35
    job_queue.enqueue(tenant.tenant_id, "tests.work", now=NOW + timedelta(seconds=enqueued_at))
    lease = job_queue.LEASE.total_seconds()
    assert not run_next(seconds=enqueued_at + lease - 1)
    assert run_next(seconds=enqueued_at + lease)


# --- workers ---


@pytest.fixture
def worker(without_transaction: None) -> Iterator[str]:
    """A real worker with the real Valkey, in a thread; return the name of its queue."""
    name = f"test-{uuid7()}"
    with start_worker(app, pool="solo", queues=[name], perform_ping_check=False, shutdown_timeout=TIMEOUT):
        yield name
        connections.close_all()


def test_a_woken_worker_runs_jobs_until_none_is_due(
    worker: str, north: TenantScope, south: TenantScope
) -> None:
    for dojo in (north, south):
        with tenant_scope(dojo):
            work.request()
    all_done = threading.Event()
    results[:] = [lambda: MORE, lambda: DONE, all_done.set]
    tasks.run_due_jobs.apply_async(queue=worker)
    assert all_done.wait(TIMEOUT)
    assert slugs_of_runs() == ["north", "south", "north"]


def test_a_platform_task_runs_in_the_platforms_scope(db: None) -> None:
    tasks.request_for_all.apply(["tests.work", 0.0], throw=True)
    assert pending() == {("aiki", "tests.work"), ("kendo", "tests.work")}


def test_overdue_jobs_wake_workers(tenant: TenantScope, wake_calls: list[Any]) -> None:
    for seconds, calls in ((0, 0), (2, 1)):
        enqueue(tenant)
        with clock.fixed(NOW + timedelta(seconds=seconds)):
            tasks.wake.apply(throw=True)
        assert len(wake_calls) == calls


def test_each_call_of_beat_is_counted(
    tenant: TenantScope, wake_calls: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if PostgreSQL does not answer: the alert is about beat."""
    name = "tatami_wake_calls_total"
    before = REGISTRY.get_sample_value(name) or 0.0
    tasks.wake.apply(throw=True)

    def is_away(**_: Any) -> int:
        raise OperationalError

    monkeypatch.setattr(job_queue, "count_overdue", is_away)
    with pytest.raises(OperationalError):
        tasks.wake.apply(throw=True)
    assert REGISTRY.get_sample_value(name) == before + 2


def test_without_valkey_the_job_stays_in_the_queue(
    tenant: TenantScope, without_valkey: None, django_capture_on_commit_callbacks: Any
) -> None:
    with capture_logs() as logs, tenant_scope(tenant), django_capture_on_commit_callbacks(execute=True):
        work.request()
    assert [line["event"] for line in logs] == ["task_not_published"]
    assert pending() == {("aiki", "tests.work")}
