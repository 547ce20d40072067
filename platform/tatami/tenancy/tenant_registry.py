"""The dojos, for the kernel and for apps that may not import the tenants app.

The tenants app registers its functions in `AppConfig.ready()`; `tenant_registry()` returns them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from tatami.tenancy.scope import TenantScope


class EnqueueJob(Protocol):
    """Queue a job for a dojo and wake a worker. Queueing a job twice queues it once."""

    def __call__(self, tenant: TenantScope, job: str, *, request_id: str | None) -> None: ...


class ChangeTenant(Protocol):
    """Change the name, time zone or language of a dojo (`None`: no change), and return its new scope."""

    def __call__(
        self,
        tenant: TenantScope,
        *,
        now: datetime,
        name: str | None = None,
        timezone: str | None = None,
        language: str | None = None,
    ) -> TenantScope: ...


class ReportBacklog(Protocol):
    """Record what waits to be sent in the current scope: since when the oldest row of this kind waits, or `None`."""

    def __call__(self, kind: str, oldest: datetime | None) -> None: ...


@dataclass(frozen=True, slots=True)
class Queue:
    """How many wait, and for how many seconds the oldest has waited."""

    number: int = 0
    oldest_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class FleetState:
    """What the platform's rows say about all dojos together, for metrics."""

    dojos: Mapping[str, int]
    """Status → number of dojos."""
    outdated: int
    """Dojos that this code cannot serve until they are migrated."""
    migrations_failed: int
    jobs: Mapping[str, Queue]
    """Job → what is due."""
    backlogs: Mapping[str, Queue]
    """Kind → the dojos in which rows of this kind wait to be sent."""
    exports: Queue


@dataclass(slots=True)
class TenantRegistry:
    """The functions of the tenants app. The look-ups take one statement each. All work in any scope."""

    find_tenant: Callable[[str], TenantScope | None]
    """Return the dojo of a verified host name, whatever its status, or `None`."""
    find_tenant_by_id: Callable[[UUID], TenantScope | None]
    """Return the dojo with this id, whatever its status, or `None`."""
    enqueue_job: EnqueueJob
    count_overdue_jobs: Callable[[], int]
    """Return how many jobs of serving dojos have been due for more than a moment, or were interrupted."""
    read_fleet_state: Callable[[], FleetState]
    """Return what metrics need, in a fixed number of statements."""
    report_backlog: ReportBacklog
    read_epoch: Callable[[], int]
    """Return the routing epoch, which every change to a dojo or a domain increments."""
    change_tenant: ChangeTenant


_registered: list[TenantRegistry] = []


def register_tenant_registry(
    *,
    find_tenant: Callable[[str], TenantScope | None],
    find_tenant_by_id: Callable[[UUID], TenantScope | None],
    enqueue_job: EnqueueJob,
    count_overdue_jobs: Callable[[], int],
    read_fleet_state: Callable[[], FleetState],
    report_backlog: ReportBacklog,
    read_epoch: Callable[[], int],
    change_tenant: ChangeTenant,
) -> None:
    """Set the functions that `tenant_registry()` returns. A second call replaces the first."""
    _registered[:] = [
        TenantRegistry(
            find_tenant=find_tenant,
            find_tenant_by_id=find_tenant_by_id,
            enqueue_job=enqueue_job,
            count_overdue_jobs=count_overdue_jobs,
            read_fleet_state=read_fleet_state,
            report_backlog=report_backlog,
            read_epoch=read_epoch,
            change_tenant=change_tenant,
        )
    ]


def tenant_registry() -> TenantRegistry:
    """Return the registered functions. Raises `RuntimeError` before the tenants app is ready."""
    if not _registered:
        raise RuntimeError("no tenant registry: `shared_apps.tenants` is not installed, or not ready yet")
    return _registered[0]
