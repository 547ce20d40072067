"""Jobs: work for a dojo that runs after the request, in small steps.

An app stores what has to be done in rows of the dojo, and declares a job, which does the next step of it:

    @job("promotions.batches")
    def run_batches(run: JobRun) -> str | None: …

    run_batches.request()        # with the rows, in their transaction

PostgreSQL holds the queue; a Celery message only wakes a worker. When the transaction commits, the platform records
that this dojo waits for this job (`shared_apps.tenants.jobs.job_queue`). Workers run the job that has waited longest,
so a dojo with ten thousand steps does not delay a dojo with ten. An interrupted run is repeated: do each piece of work
in one transaction, and select its rows with SKIP LOCKED. A run may have several such transactions (one for each mail).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from celery import shared_task
from django.db import transaction

from tatami.celery_base import PlatformTask
from tatami.metrics import observe_job_run
from tatami.observability import current_request_id
from tatami.tenancy.scope import current_tenant, current_tenant_id
from tatami.tenancy.tenant_registry import tenant_registry

DONE: Final = None
"""A job returns this when nothing is left to do."""

MORE: Final = ""
"""A job returns this to run again without a cursor."""

MIN_DELAY: Final = timedelta(seconds=1)
MAX_DELAY: Final = timedelta(minutes=4)
"""Below the broker's visibility timeout, after which a delayed task would be given to another worker as well."""


@dataclass(frozen=True, slots=True)
class JobRun:
    """One run of a job for the current dojo."""

    now: datetime
    attempt: int = 1
    """Greater than 1 if the runs before this one did not complete (a killed worker, an error)."""
    cursor: str = ""
    """What the previous run returned: where to continue."""


JobFunction = Callable[[JobRun], str | None]
"""Does one step, which takes a second or two. Returns the cursor of the next run, or `DONE`."""


@dataclass(frozen=True)
class Job:
    """A kind of work that every dojo may have. Its name is stored in rows, so it never changes."""

    name: str
    function: JobFunction = field(repr=False)

    def __call__(self, run: JobRun) -> str | None:
        """Do one step for the current dojo, and count it in the metrics."""
        with observe_job_run(self.name):
            return self.function(run)

    def request(self) -> None:
        """Queue this job for the current dojo when the transaction commits. Repeated requests are one.

        If the process is killed between the commit and queueing, the rows stay without a queued job. Beat queues every
        job for every dojo from time to time. Raises `NoScope` outside a dojo's scope.
        """
        tenant, request_id = current_tenant(), current_request_id()

        def enqueue() -> None:  # no partial: Django logs a failed callback by its `__qualname__`
            tenant_registry().enqueue_job(tenant, self.name, request_id=request_id)

        transaction.on_commit(enqueue, robust=True)

    def request_later(self, *, after: timedelta) -> None:
        """Queue this job for the current dojo after a delay of 1 second to 4 minutes.

        The task can get lost with the broker or a worker. Therefore beat queues such a job for every dojo regularly.
        """
        request_job.call(str(current_tenant_id()), self.name, countdown=countdown(after))


def countdown(after: timedelta) -> float:
    """Return the seconds after which a delayed task runs: `after`, but from 1 second to 4 minutes."""
    return min(max(after, MIN_DELAY), MAX_DELAY).total_seconds()


@shared_task(base=PlatformTask, name="tenants.request_job")
def request_job(tenant_id: str, job: str) -> None:
    """Queue a job for a dojo. Does nothing if the dojo is gone."""
    tenant = tenant_registry().find_tenant_by_id(UUID(tenant_id))
    if tenant is not None:
        tenant_registry().enqueue_job(tenant, job, request_id=None)


class JobNameTaken(RuntimeError):
    """Two jobs have the same name."""


_jobs: dict[str, Job] = {}


def job(name: str) -> Callable[[JobFunction], Job]:
    """Declare the decorated function as a job. Raises `JobNameTaken` if the name is in use."""

    def declare(function: JobFunction) -> Job:
        if name in _jobs:
            raise JobNameTaken(name)
        _jobs[name] = Job(name, function)
        return _jobs[name]

    return declare


def get_job(name: str) -> Job:
    """Return the job with this name. Raises `KeyError` if this process does not know it."""
    return _jobs[name]
