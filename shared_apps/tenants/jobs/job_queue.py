"""The job queue: which tenants wait for which jobs, and running the job that has waited longest.

There is one row for each tenant and job with pending work (`PendingJob`). Its `next_at` is both its place in the queue
and its lease: a worker that claims the row moves `next_at` into the future, and back to now when it has done one piece
and more is left. If the worker is killed, the row becomes due when the lease ends, and the job is run again.

Each run is short (a second or two), and the tenants alternate. A tenant has one worker at a time: if one of its tables
is locked, or its statements are slow, all other workers serve the other tenants (`TenantLock`). Exports are long and
have a queue of their own: see `shared_apps.tenants.exports.build`.
"""

import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Self
from uuid import UUID

import psycopg
import structlog
from django.db import DatabaseError, connection, transaction
from django.db.models import Q

from shared_apps.tenants.models import PendingJob, PendingJobQuerySet, Tenant
from tatami import clock
from tatami.jobs import DONE, JobRun, get_job
from tatami.observability import task_log_context
from tatami.postgresql.sqlstates import LOCK_NOT_AVAILABLE, STATEMENT_TIMEOUT, sqlstate_of
from tatami.tenancy.scope import TenantScope, platform_scope, tenant_scope
from tatami.tracing import current_traceparent, job_span

LEASE: Final = timedelta(seconds=10)
"""How long one run may take before another worker may claim the row."""

ATTEMPTS_BEFORE_BACKOFF: Final = 3
"""After this many failed attempts, each further lease is twice as long as the one before."""

MAX_LEASE: Final = timedelta(minutes=5)

LOCKED_DELAY: Final = timedelta(seconds=30)
"""How long a job waits that ended because another transaction kept a lock for longer than `TATAMI_JOB_LOCK_SECONDS`."""

OUTDATED_SCHEMA_DELAY: Final = timedelta(seconds=30)
"""How long jobs of a tenant wait whose schema this code cannot serve, until the schema is looked at again."""

OVERDUE_AFTER: Final = timedelta(seconds=1)
"""A job that has waited this long for its first attempt is overdue: its wake-up call was lost."""

logger: Final = structlog.get_logger(__name__)

_TAKE_LOCK: Final = "SELECT pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtextextended(%s, 0))"

_ENQUEUE: Final = """
INSERT INTO tenants_pendingjob (
    tenant_id, job, next_at, marks, turns, attempts, cursor, request_id, traceparent, created_at
)
VALUES (%(tenant)s, %(job)s, %(now)s, 1, 0, 0, '', %(request_id)s, %(traceparent)s, %(now)s)
ON CONFLICT (tenant_id, job) DO UPDATE
SET marks = tenants_pendingjob.marks + 1,
    next_at = LEAST(tenants_pendingjob.next_at, EXCLUDED.next_at
                    + CASE WHEN tenants_pendingjob.attempts = 0 THEN '0' ELSE %(lease)s::interval END),
    request_id = EXCLUDED.request_id,
    traceparent = EXCLUDED.traceparent
"""


_POSTPONE: Final = """
UPDATE tenants_pendingjob SET next_at = %(until)s
WHERE (tenant_id, job) IN (
    SELECT p.tenant_id, p.job FROM tenants_pendingjob p JOIN tenants_tenant t ON t.id = p.tenant_id
    WHERE p.next_at <= %(now)s AND t.status = 'active' AND t.schema_version = %(version)s
    FOR UPDATE OF p SKIP LOCKED
)
"""


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """A job that this worker has claimed. `turns` and `marks` are the row's values at that moment."""

    tenant: TenantScope
    job: str
    turns: int
    marks: int
    run: JobRun
    request_id: str
    traceparent: str


def enqueue(tenant: UUID, job: str, *, now: datetime, request_id: str = "") -> None:
    """Note that a tenant has work for a job, behind the jobs that wait already. One statement.

    If the job is running, or was interrupted, its lease stays, and the new work is done after it. But new work does
    not wait for the longer leases that follow repeated failures. The job continues the trace of the request.
    """
    values: dict[str, Any] = {
        "tenant": tenant,
        "job": job,
        "now": now,
        "request_id": request_id,
        "traceparent": current_traceparent() if request_id else "",
        "lease": LEASE,
    }
    with platform_scope(), connection.cursor() as cursor:
        cursor.execute(_ENQUEUE, values)


def count_overdue(*, now: datetime) -> int:
    """Return how many jobs of active tenants are overdue or were interrupted. One statement."""
    with platform_scope():
        return _due(now).filter(Q(next_at__lte=now - OVERDUE_AFTER) | Q(attempts__gt=0)).count()


class TenantLock:
    """The right to run a job of a tenant: an advisory lock of a transaction, on a connection of its own.

    It is held while a job runs, and ends with the process that holds it. So a worker that finds a row whose lease has
    ended knows whether the other one still runs. PostgreSQL ends it, too, when the transaction has been idle for as
    long as the login allows (five minutes): for a run that takes longer, or a machine that is gone. Not thread-safe.
    """

    def __init__(self) -> None:
        self._connection: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def acquire(self, tenant: UUID) -> bool:
        """Take the lock of a tenant if no other worker has it; return whether it was taken. Releases the former one."""
        self.release()
        if self._connection is None:
            self._connection = connection.copy()
        with self._connection.wrap_database_errors:
            self._connection.ensure_connection()
            raw = self._connection.connection
            raw.execute("BEGIN")
            (is_taken,) = raw.execute(_TAKE_LOCK, [f"job of {tenant}"]).fetchone()
        if not is_taken:
            self.release()
        return bool(is_taken)

    def release(self) -> None:
        """Release the lock. If that fails the connection has ended, and the lock with it."""
        if self._connection is None or self._connection.connection is None:
            return
        try:
            self._connection.connection.rollback()
        except psycopg.Error:
            self._close()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def run_due_jobs(*, seconds: float, task_id: str | None = None) -> bool:
    """Run due jobs until none is left or `seconds` have passed; return whether there may be more."""
    until = time.monotonic() + seconds
    with TenantLock() as lock:
        while time.monotonic() < until:
            if not _run_next(lock, clock.now(), task_id):
                return False
    return True


def run_next_job(*, now: datetime, task_id: str | None = None) -> bool:
    """Run the job that has waited longest of those whose tenant has no worker; return False if there is none.

    If a statement of the job exceeds its limits, the job is tried again later. Other errors propagate: its row stays
    until the lease ends, and the job is then tried again.
    """
    with TenantLock() as lock:
        return _run_next(lock, now, task_id)


def _run_next(lock: TenantLock, now: datetime, task_id: str | None) -> bool:
    claimed = _claim_next(lock, now)
    if claimed is None:
        return False
    try:
        with task_log_context(claimed.job, task_id, claimed.tenant.tenant_id, claimed.request_id):
            _run(claimed)
    finally:
        lock.release()
    return True


def _run(claimed: ClaimedJob) -> None:
    try:
        with tenant_scope(claimed.tenant), _span(claimed):
            cursor = get_job(claimed.job)(claimed.run)
    except DatabaseError as error:
        if sqlstate_of(error) not in {LOCK_NOT_AVAILABLE, STATEMENT_TIMEOUT}:
            raise
        _postpone(claimed, is_locked=sqlstate_of(error) == LOCK_NOT_AVAILABLE, now=clock.now())
        logger.warning("job_postponed", attempt=claimed.run.attempt, reason=str(error).partition("\n")[0])
    else:
        _finish(claimed, cursor, now=clock.now())


def _span(claimed: ClaimedJob) -> AbstractContextManager[Any]:
    return job_span(
        claimed.job,
        traceparent=claimed.traceparent,
        attempt=claimed.run.attempt,
        request_id=claimed.request_id,
    )


def _due(now: datetime) -> PendingJobQuerySet:
    return PendingJob.objects.due(now).filter(tenant__status=Tenant.Status.ACTIVE)


def _claim_next(lock: TenantLock, now: datetime) -> ClaimedJob | None:
    """Claim the oldest due job of a tenant without a worker; postpone tenants whose schema is outdated.

    Concurrent calls claim jobs of different tenants. The caller releases the lock after the run.
    """
    busy: list[UUID] = []
    with platform_scope(), transaction.atomic():
        while (row := _due(now).exclude(tenant__in=busy).lock_next(now)) is not None:
            if not lock.acquire(row.tenant_id):
                busy.append(row.tenant_id)
                continue
            found = Tenant.objects.with_primary_domain().get(pk=row.tenant_id)
            tenant = found.scope
            if not tenant.is_behind:
                break
            _postpone_version(found.schema_version, now)
        else:
            return None
        row.turns += 1
        row.attempts += 1
        row.next_at = now + _lease(row.attempts)
        row.save(update_fields=["turns", "attempts", "next_at"])
        run = JobRun(now=now, attempt=row.attempts, cursor=row.cursor)
        return ClaimedJob(tenant, row.job, row.turns, row.marks, run, row.request_id, row.traceparent)


def _postpone_version(version: str, now: datetime) -> None:
    """Postpone the due jobs of all tenants with a schema version that this code cannot serve. One statement."""
    values: dict[str, Any] = {"version": version, "now": now, "until": now + OUTDATED_SCHEMA_DELAY}
    with connection.cursor() as cursor:
        cursor.execute(_POSTPONE, values)


def _lease(attempt: int) -> timedelta:
    lease = LEASE
    for _ in range(ATTEMPTS_BEFORE_BACKOFF, attempt):
        lease = min(lease * 2, MAX_LEASE)
    return lease


def _postpone(claimed: ClaimedJob, *, is_locked: bool, now: datetime) -> None:
    """Let a job wait whose statement exceeded its limits.

    A wait for a lock does not count as another failed attempt, because it says nothing about the rows of the job.
    """
    attempts = max(1, claimed.run.attempt - 1) if is_locked else claimed.run.attempt
    delay = LOCKED_DELAY if is_locked else _lease(attempts)
    with platform_scope():
        _ours(claimed).update(next_at=now + delay, attempts=attempts)


def _ours(claimed: ClaimedJob) -> PendingJobQuerySet:
    """Return the row of a claim; no row if another worker has claimed it since."""
    return PendingJob.objects.filter(tenant=claimed.tenant.tenant_id, job=claimed.job, turns=claimed.turns)


def _finish(claimed: ClaimedJob, cursor: str | None, *, now: datetime) -> None:
    """Make the row due again, or delete it if the job is done and was not enqueued during the run.

    If another worker has claimed the row since, the row belongs to that worker, and nothing changes.
    """
    with platform_scope():
        ours = _ours(claimed)
        if cursor is DONE and ours.filter(marks=claimed.marks).delete()[0]:
            return
        ours.update(next_at=now, attempts=0, cursor=cursor or "")
