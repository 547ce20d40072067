"""What may become of a dojo: suspended and resumed, deleted and restored within a grace period, purged."""

from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import transaction

from shared_apps.tenants import schemas
from shared_apps.tenants.errors import WrongState
from shared_apps.tenants.models import RoutingEpoch, Tenant
from tatami.tenancy.scope import platform_scope

_MAY_BECOME: Final = {
    Tenant.Status.ACTIVE: {Tenant.Status.SUSPENDED, Tenant.Status.DELETING},
    Tenant.Status.SUSPENDED: {Tenant.Status.ACTIVE, Tenant.Status.DELETING},
    Tenant.Status.DELETING: {Tenant.Status.ACTIVE},
}


@transaction.atomic
def change_tenant(
    *,
    tenant: Tenant,
    now: datetime,
    name: str | None = None,
    timezone: str | None = None,
    status: str | None = None,
) -> Tenant:
    """Change what is given; every process knows within a second. Setting what is already so changes nothing.

    Raises `WrongState` for a status that the present one does not allow.
    """
    tenant = Tenant.objects.select_for_update().get(pk=tenant.pk)
    if status is not None and status != tenant.status:
        if status not in _MAY_BECOME.get(Tenant.Status(tenant.status), set()):
            raise WrongState(f"A dojo that is {tenant.status} cannot become {status}.")
        tenant.status = status
        tenant.deleted_at = now if status == Tenant.Status.DELETING else None
    tenant.name = name if name is not None else tenant.name
    tenant.timezone = timezone if timezone is not None else tenant.timezone
    tenant.save()
    RoutingEpoch.advance()
    return tenant


def delete_tenant(*, tenant: Tenant, now: datetime) -> Tenant:
    """Stop serving a dojo at once; its data is purged after the grace period. Twice changes nothing."""
    return change_tenant(tenant=tenant, now=now, status=Tenant.Status.DELETING)


def purge(*, tenant: Tenant) -> None:
    """Drop a deleted dojo with all its data, for good. Call it outside a transaction.

    Raises `WrongState` unless it is `deleting`. Killed in the middle it can be called again: the row goes last.
    """
    if tenant.status != Tenant.Status.DELETING:
        raise WrongState("Only a dojo that is being deleted can be purged.")
    schemas.drop_schema(tenant.schema_name)
    with platform_scope(), transaction.atomic():
        tenant.delete()
        RoutingEpoch.advance()


def purge_overdue(*, now: datetime) -> int:
    """Purge the dojos whose grace period is over; return how many."""
    grace = timedelta(days=settings.TATAMI_DELETION_GRACE_DAYS)
    with platform_scope():
        overdue = list(Tenant.objects.filter(status=Tenant.Status.DELETING, deleted_at__lt=now - grace))
        for tenant in overdue:
            purge(tenant=tenant)
    return len(overdue)
