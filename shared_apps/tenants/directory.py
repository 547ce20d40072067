"""What the kernel asks of the dojos' tables: one statement each."""

from datetime import datetime
from uuid import UUID

from shared_apps.tenants import lifecycle, tasks, turns
from shared_apps.tenants.models import Domain, RoutingEpoch, Tenant
from tatami import clock
from tatami.tenancy.scope import TenantScope, platform_scope


def find_tenant(host: str) -> TenantScope | None:
    """Return the dojo that a verified domain leads to, whatever its status, or None."""
    with platform_scope():
        leads_to = Domain.objects.filter(domain=host, verified_at__isnull=False).values("tenant")
        tenant = Tenant.objects.with_primary_domain().filter(pk__in=leads_to).first()
    return tenant.scope if tenant else None


def find_tenant_by_id(tenant_id: UUID) -> TenantScope | None:
    """Return the dojo with this id, whatever its status, or None."""
    with platform_scope():
        tenant = Tenant.objects.with_primary_domain().filter(pk=tenant_id).first()
    return tenant.scope if tenant else None


def request_turn(tenant: TenantScope, job: str, *, request_id: str | None) -> None:
    """Note that a dojo has work for a job, and wake a worker."""
    turns.request_turn(tenant.tenant_id, job, now=clock.now(), request_id=request_id or "")
    tasks.wake_workers()


def number_waiting() -> int:
    """Return how many turns have waited for more than a moment, or were cut off, in dojos that serve."""
    return turns.number_unheard(now=clock.now())


def read_epoch() -> int:
    """Return the routing epoch; 0 before the first change."""
    with platform_scope():
        return RoutingEpoch.objects.filter(pk=1).values_list("value", flat=True).first() or 0


def change_identity(
    tenant: TenantScope, *, now: datetime, name: str | None, timezone: str | None
) -> TenantScope:
    """Change the name or time zone by which the platform knows a dojo; return it as it is then."""
    with platform_scope():
        lifecycle.change_tenant(tenant=Tenant(pk=tenant.tenant_id), now=now, name=name, timezone=timezone)
    changed = find_tenant_by_id(tenant.tenant_id)
    assert changed is not None
    return changed
