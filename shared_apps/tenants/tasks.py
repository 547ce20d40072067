"""Celery tasks: run the job queue, build exports, and clean up tenants that are unfinished or deleted.

The clean-up runs where an owner login is configured. The sweeps are declared here, so that every worker knows them.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from celery import shared_task
from django.db import transaction
from prometheus_client import Counter

from shared_apps.tenants import lifecycle, provisioning
from shared_apps.tenants.exports import build
from shared_apps.tenants.jobs import job_queue, schedules
from shared_apps.tenants.models import Domain
from shared_apps.tenants.usage import JOB as USAGE
from shared_apps.tenants.usage import collect
from tatami import clock, retention
from tatami.celery_base import PlatformTask
from tatami.jobs import DONE, JobRun, job
from tatami.retention import ON_THE_PLATFORM, register_cleanup
from tatami.tenancy.scope import platform_scope

SWEEP_EXPORTS: Final = "tenants.sweep_exports"
SWEEP_DOMAINS: Final = "tenants.sweep_domains"

RUN_SECONDS: Final = 5.0
"""How long one task runs jobs before it queues up again behind the other tasks."""

EXPIRES_AFTER_SECONDS: Final = 30
"""A wake-up call that no worker took by then is dropped. So calls cannot pile up; beat repeats them."""

MAX_WAKE_CALLS: Final = 8
"""How many workers beat wakes at a time."""

WAKE_CALLS: Final = Counter(
    "tatami_wake_calls", "Calls of beat that reached a worker: one every two seconds, if none is busy."
)


@shared_task(base=PlatformTask, name="tenants.take_turns", bind=True, polls=True)
def run_due_jobs(self: Any) -> None:
    """Run due jobs for a while, and queue up again if more may be due."""
    if job_queue.run_due_jobs(seconds=RUN_SECONDS, task_id=self.request.id):
        wake_workers()


@shared_task(base=PlatformTask, name="tenants.wake", polls=True)
def wake() -> None:
    """Wake workers for overdue jobs: their wake-up calls were lost with Valkey, or with a worker."""
    WAKE_CALLS.inc()
    wake_workers(min(job_queue.count_overdue(now=clock.now()), MAX_WAKE_CALLS))


@shared_task(base=PlatformTask, name="tenants.request_for_all")
def request_for_all(job: str, spread_seconds: float) -> int:
    """Enqueue a job for every active tenant, within `spread_seconds` from now."""
    return schedules.enqueue_for_all(job, now=clock.now(), spread=timedelta(seconds=spread_seconds))


@shared_task(base=PlatformTask, name="tenants.request_daily")
def request_daily(job: str, spread_seconds: float, at_local_hour: int) -> int:
    """Enqueue a job for the tenants whose local hour has passed, within `spread_seconds` from now."""
    spread = timedelta(seconds=spread_seconds)
    return schedules.enqueue_daily(job, now=clock.now(), spread=spread, at_local_hour=at_local_hour)


def wake_workers(calls: int = 1) -> None:
    """Send wake-up calls to workers. Without Valkey nothing is sent and nothing is lost: beat repeats the calls."""
    for _ in range(calls):
        if not run_due_jobs.call(expires=EXPIRES_AFTER_SECONDS):
            break


@shared_task(base=PlatformTask, name="tenants.clear_abandoned", is_long=True)
def remove_incomplete_tenants() -> int:
    """Remove tenants whose creation or purge was interrupted."""
    return provisioning.remove_incomplete_tenants()


@shared_task(base=PlatformTask, name="tenants.purge_overdue", is_long=True)
def purge_overdue() -> int:
    """Purge the deleted tenants whose grace period has ended."""
    return lifecycle.purge_overdue(now=clock.now())


@shared_task(base=PlatformTask, name="tenants.make_exports", is_long=True)
def build_exports() -> None:
    """Build the export that has waited longest, and queue up again if another one waits."""
    if build.build_next_export() and build.is_waiting(now=clock.now()):
        wake_export_worker()


def wake_export_worker() -> None:
    """Wake a worker for an export. Without Valkey nothing is lost: beat calls once a minute."""
    build_exports.call(expires=EXPIRES_AFTER_SECONDS)


@shared_task(base=PlatformTask, name=SWEEP_DOMAINS)
def sweep_domains() -> None:
    """Delete the former subdomains of renamed tenants when their time is over."""
    retention.sweep(SWEEP_DOMAINS, now=clock.now())


@shared_task(base=PlatformTask, name=SWEEP_EXPORTS)
def sweep_exports() -> None:
    """Delete expired exports, and exports of purged tenants."""
    retention.sweep(SWEEP_EXPORTS, now=clock.now())


@job(USAGE)
def collect_usage(run: JobRun) -> str | None:
    """Count what one tenant uses."""
    collect(now=run.now)
    return DONE


def sweep_incomplete_tenants(*, now: datetime, dry_run: bool = False) -> int:  # noqa: ARG001 - as all sweeps are called
    """Remove tenants whose creation or purge was interrupted; return how many."""
    return provisioning.remove_incomplete_tenants(dry_run=dry_run)


def sweep_deleted_tenants(*, now: datetime, dry_run: bool = False) -> int:
    """Purge the deleted tenants whose grace period has ended; return how many."""
    return lifecycle.purge_overdue(now=now, dry_run=dry_run)


def sweep_former_subdomains(*, now: datetime, dry_run: bool = False) -> int:
    """Delete the former subdomains of renamed tenants whose time is over; return how many."""
    with platform_scope(), transaction.atomic():
        if dry_run:
            return Domain.objects.filter(served_until__lte=now).count()
        return Domain.delete_expired(now)


register_cleanup(
    sweep_incomplete_tenants,
    "abandoned_dojos",
    keep=timedelta(0),
    job="tenants.clear_abandoned",
    scopes=ON_THE_PLATFORM,
)
register_cleanup(
    sweep_deleted_tenants,
    "deleted_dojos",
    keep="TATAMI_DELETION_GRACE_DAYS",
    job="tenants.purge_overdue",
    scopes=ON_THE_PLATFORM,
)
register_cleanup(
    sweep_former_subdomains,
    "former_subdomains",
    keep="TATAMI_OLD_SLUG_DAYS",
    job=SWEEP_DOMAINS,
    scopes=ON_THE_PLATFORM,
)
register_cleanup(
    build.sweep_exports,
    "exports",
    keep="TATAMI_EXPORT_DAYS",
    job=SWEEP_EXPORTS,
    scopes=ON_THE_PLATFORM,
)
