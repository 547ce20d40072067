"""What may become of a dojo: suspended and resumed, deleted and restored within a grace period, purged."""

from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from shared_apps.tenants import schemas
from shared_apps.tenants.errors import WrongState
from shared_apps.tenants.models import RoutingEpoch, Tenant
from tatami import files
from tatami.retention import one_by_one
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


def purge(*, tenant: Tenant, deleted_before: datetime | None = None, wait: bool = True) -> bool:
    """Drop a deleted dojo with all its data, for good; return whether that was done. Call it outside a transaction.

    Raises `WrongState` unless it is `deleting`; with `deleted_before` it is left alone if it was restored, or deleted
    again since. One that is gone already is no error; without `wait`, nor is one that somebody else is at. Killed in
    the middle, or given up because a backup reads its tables, it can be called again, and the sweeper of abandoned
    dojos finishes it.
    """
    with schemas.building(tenant.pk, wait=wait) as is_ours:
        doomed = _give_up(tenant, deleted_before) if is_ours else None
        if doomed is not None:
            erase(doomed)
    return doomed is not None


def erase(tenant: Tenant) -> None:
    """Take away a dojo: it stops serving, then its schema goes, its files and, last, its row. Twice changes nothing."""
    with platform_scope(), transaction.atomic():
        Tenant.objects.filter(pk=tenant.pk).update(status=Tenant.Status.PROVISIONING)
        RoutingEpoch.advance()
    schemas.drop_schema(tenant.schema_name)
    files.remove_all(tenant.pk)
    with platform_scope(), transaction.atomic():
        tenant.delete()
        RoutingEpoch.advance()


def overdue(*, now: datetime) -> QuerySet[Tenant]:
    """Return the deleted dojos whose grace period is over."""
    return Tenant.objects.filter(status=Tenant.Status.DELETING, deleted_at__lt=_grace_ends(now))


def purge_overdue(*, now: datetime, dry_run: bool = False) -> int:
    """Purge the dojos whose grace period is over, or only count them; return how many. Twice at once is harmless."""

    def purge_it(tenant: Tenant) -> bool:
        return purge(tenant=tenant, deleted_before=_grace_ends(now), wait=False)

    with platform_scope():
        doomed = list(overdue(now=now))
        return len(doomed) if dry_run else one_by_one(doomed, purge_it)


def _grace_ends(now: datetime) -> datetime:
    return now - timedelta(days=settings.TATAMI_DELETION_GRACE_DAYS)


def _give_up(tenant: Tenant, deleted_before: datetime | None) -> Tenant | None:
    """Mark the dojo as not whole, so that nobody restores what is being dropped; None if it is gone already."""
    with platform_scope(), transaction.atomic():
        present = Tenant.objects.select_for_update().filter(pk=tenant.pk).first()
        if present is None:
            return None
        is_deleted = present.status == Tenant.Status.DELETING
        deleted_at = present.deleted_at if is_deleted else None
        if deleted_before and not (deleted_at and deleted_at < deleted_before):
            return None
        # Abandoned, if we have the lock that `building` gives: another purge was killed half way.
        if not is_deleted and present.status != Tenant.Status.PROVISIONING:
            raise WrongState("Only a dojo that is being deleted can be purged.")
        present.status = Tenant.Status.PROVISIONING
        present.save(update_fields=["status", "updated_at"])
        return present
