"""The job queue: which tenants wait for which jobs, and running the job that has waited longest.

There is one row for each tenant and job with pending work (`PendingJob`). Its `next_at` is both its place in the queue
and its lease: a worker that claims the row moves `next_at` into the future, and back to now when it has done one piece
and more is left. If the worker is killed, the row becomes due when the lease ends, and the job is run again.

Each run is short (a second or two), and the tenants alternate. Exports are long and have a queue of their own: see
`shared_apps.tenants.exports.build`.
"""

import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q

from shared_apps.tenants.models import PendingJob, PendingJobQuerySet, Tenant
from tatami import clock
from tatami.jobs import DONE, JobRun, get_job
from tatami.observability import task_log_context
from tatami.tenancy.scope import TenantScope, platform_scope, tenant_scope
from tatami.tracing import current_traceparent, job_span

LEASE: Final = timedelta(seconds=10)
"""How long one run may take before another worker may claim the row."""

ATTEMPTS_BEFORE_BACKOFF: Final = 3
"""After this many failed attempts, each further lease is twice as long as the one before."""

MAX_LEASE: Final = timedelta(minutes=5)

OUTDATED_SCHEMA_DELAY: Final = timedelta(seconds=30)
"""How long jobs of a tenant wait whose schema this code cannot serve, until the schema is looked at again."""

OVERDUE_AFTER: Final = timedelta(seconds=1)
"""A job that has waited this long for its first attempt is overdue: its wake-up call was lost."""

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


def run_due_jobs(*, seconds: float, task_id: str | None = None) -> bool:
    """Run due jobs until none is left or `seconds` have passed; return whether there may be more."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not run_next_job(now=clock.now(), task_id=task_id):
            return False
    return True


def run_next_job(*, now: datetime, task_id: str | None = None) -> bool:
    """Run the job that has waited longest; return False if none is due.

    Errors of the job propagate: its row stays until the lease ends, and the job is then tried again.
    """
    claimed = _claim_next(now)
    if claimed is None:
        return False
    log_context = task_log_context(claimed.job, task_id, claimed.tenant.tenant_id, claimed.request_id)
    with log_context, tenant_scope(claimed.tenant), _span(claimed):
        cursor = get_job(claimed.job)(claimed.run)
    _finish(claimed, cursor, now=clock.now())
    return True


def _span(claimed: ClaimedJob) -> AbstractContextManager[Any]:
    return job_span(
        claimed.job,
        traceparent=claimed.traceparent,
        attempt=claimed.run.attempt,
        request_id=claimed.request_id,
    )


def _due(now: datetime) -> PendingJobQuerySet:
    return PendingJob.objects.due(now).filter(tenant__status=Tenant.Status.ACTIVE)


def _claim_next(now: datetime) -> ClaimedJob | None:
    """Claim the oldest due job; postpone tenants whose schema is outdated. Concurrent calls claim different jobs."""
    with platform_scope(), transaction.atomic():
        while (row := _due(now).lock_next(now)) is not None:
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


def _finish(claimed: ClaimedJob, cursor: str | None, *, now: datetime) -> None:
    """Make the row due again, or delete it if the job is done and was not enqueued during the run.

    If another worker has claimed the row since, the row belongs to that worker, and nothing changes.
    """
    with platform_scope():
        ours = PendingJob.objects.filter(
            tenant=claimed.tenant.tenant_id, job=claimed.job, turns=claimed.turns
        )
        if cursor is DONE and ours.filter(marks=claimed.marks).delete()[0]:
            return
        ours.update(next_at=now, attempts=0, cursor=cursor or "")
