"""The functions about tenants that other apps and the kernel call through `tatami.tenancy.tenant_registry`.

The look-ups take one statement each.
"""

from datetime import datetime
from uuid import UUID

from django.db.models import Q

from shared_apps.tenants import lifecycle, tasks
from shared_apps.tenants.jobs import job_queue
from shared_apps.tenants.models import Domain, RoutingEpoch, Tenant
from tatami import clock
from tatami.tenancy.middleware import host_resolver
from tatami.tenancy.scope import TenantScope, platform_scope


def find_tenant(host: str) -> TenantScope | None:
    """Return the tenant with this verified domain, whatever its status, or `None`."""
    with platform_scope():
        is_served = Q(served_until__isnull=True) | Q(served_until__gt=clock.now())
        leads_to = Domain.objects.filter(is_served, domain=host, verified_at__isnull=False).values("tenant")
        tenant = Tenant.objects.with_primary_domain().filter(pk__in=leads_to).first()
    return tenant.scope if tenant else None


def find_tenant_by_id(tenant_id: UUID) -> TenantScope | None:
    """Return the tenant with this id, whatever its status, or `None`."""
    with platform_scope():
        tenant = Tenant.objects.with_primary_domain().filter(pk=tenant_id).first()
    return tenant.scope if tenant else None


def enqueue_job(tenant: TenantScope, job: str, *, request_id: str | None) -> None:
    """Enqueue a job for a tenant, and wake a worker."""
    job_queue.enqueue(tenant.tenant_id, job, now=clock.now(), request_id=request_id or "")
    tasks.wake_workers()


def count_overdue_jobs() -> int:
    """Return how many jobs of active tenants are overdue or were interrupted."""
    return job_queue.count_overdue(now=clock.now())


def read_epoch() -> int:
    """Return the routing epoch: 0 before the first change."""
    with platform_scope():
        return RoutingEpoch.objects.filter(pk=1).values_list("value", flat=True).first() or 0


def change_tenant(
    tenant: TenantScope,
    *,
    now: datetime,
    name: str | None = None,
    timezone: str | None = None,
    language: str | None = None,
) -> TenantScope:
    """Change the platform's record of a tenant's name, time zone or language; return the changed tenant."""
    with platform_scope():
        lifecycle.change_tenant(
            tenant=Tenant(pk=tenant.tenant_id), now=now, name=name, timezone=timezone, language=language
        )
    host_resolver().read_epoch_again()
    changed = find_tenant_by_id(tenant.tenant_id)
    assert changed is not None
    return changed
