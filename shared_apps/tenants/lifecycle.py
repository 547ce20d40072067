"""The life of a tenant after its creation: suspend, resume, delete, restore within a grace period, purge."""

from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from shared_apps.tenants import domains
from shared_apps.tenants.errors import WrongState
from shared_apps.tenants.models import RoutingEpoch, Tenant
from shared_apps.tenants.schema import ddl
from shared_apps.webhooks.events import publish
from tatami import tenant_files
from tatami.retention import remove_each
from tatami.tenancy.scope import platform_scope

_ALLOWED_CHANGES: Final = {
    Tenant.Status.ACTIVE: {Tenant.Status.SUSPENDED, Tenant.Status.DELETING},
    Tenant.Status.SUSPENDED: {Tenant.Status.ACTIVE, Tenant.Status.DELETING},
    Tenant.Status.DELETING: {Tenant.Status.ACTIVE},
}

_STATUS_EVENTS: Final = {
    Tenant.Status.ACTIVE: "tenant.resumed",
    Tenant.Status.SUSPENDED: "tenant.suspended",
    Tenant.Status.DELETING: "tenant.deleted",
}


@transaction.atomic
def change_tenant(
    *,
    tenant: Tenant,
    now: datetime,
    name: str | None = None,
    timezone: str | None = None,
    language: str | None = None,
    status: str | None = None,
    slug: str | None = None,
) -> Tenant:
    """Change the given attributes. Every process knows within a second.

    If all given values are the present ones, nothing is written. After a change of the slug, the former subdomain leads
    to the tenant for `TATAMI_OLD_SLUG_DAYS`. Raises `WrongState` if the present status does not allow the change, and
    `SlugTaken`.
    """
    tenant = Tenant.objects.select_for_update().get(pk=tenant.pk)
    before = (tenant.name, tenant.timezone, tenant.language, tenant.status)
    new_slug = slug is not None and slug != tenant.slug
    if slug is not None and new_slug:
        domains.change_slug(tenant=tenant, slug=slug, now=now)
    old_status = tenant.status
    if status is not None and status != tenant.status:
        if status not in _ALLOWED_CHANGES.get(Tenant.Status(tenant.status), set()):
            raise WrongState(f"A dojo that is {tenant.status} cannot become {status}.")
        tenant.status = status
        tenant.deleted_at = now if status == Tenant.Status.DELETING else None
    tenant.name = name if name is not None else tenant.name
    tenant.timezone = timezone if timezone is not None else tenant.timezone
    tenant.language = language if language is not None else tenant.language
    if (tenant.name, tenant.timezone, tenant.language, tenant.status) != before:
        tenant.save()
        RoutingEpoch.advance()
    changed = [{"id": tenant.pk}]
    if new_slug or (tenant.name, tenant.timezone) != before[:2]:
        publish("tenant.updated", changed, now=now)
    if tenant.status != old_status:
        publish(_STATUS_EVENTS[Tenant.Status(tenant.status)], changed, now=now)
    return tenant


def delete_tenant(*, tenant: Tenant, now: datetime) -> Tenant:
    """Stop serving a tenant, in every process within a second. Its data is purged after the grace period.

    A second call changes nothing.
    """
    return change_tenant(tenant=tenant, now=now, status=Tenant.Status.DELETING)


def purge(*, tenant: Tenant, deleted_before: datetime | None = None, wait: bool = True) -> bool:
    """Drop a deleted tenant with all its data, permanently; return whether this call did it.

    Call it outside a transaction. Raises `WrongState` unless the tenant is `deleting`. With `deleted_before`, a tenant
    that was restored, or deleted again, since then is left alone. A tenant that is purged already is no error. Without
    `wait`, a tenant that another process is purging is left to that process. If the process is killed, or a backup
    reads the tables, call this again; `provisioning.remove_incomplete_tenants` finishes the purge, too.
    """
    with ddl.schema_lock(tenant.pk, wait=wait) as is_locked:
        purged = _mark_incomplete(tenant, deleted_before) if is_locked else None
        if purged is not None:
            erase_tenant(purged)
    return purged is not None


def erase_tenant(tenant: Tenant) -> None:
    """Stop serving a tenant, then remove its schema, its files and, last, its row. A second call changes nothing."""
    with platform_scope(), transaction.atomic():
        Tenant.objects.filter(pk=tenant.pk).update(status=Tenant.Status.PROVISIONING)
        RoutingEpoch.advance()
    ddl.drop_schema(tenant.schema_name)
    tenant_files.delete_tenant_files(tenant.pk)
    with platform_scope(), transaction.atomic():
        if tenant.deleted_at is not None:  # a purge, not the end of a creation that failed
            publish("tenant.purged", [{"id": tenant.pk}])
        tenant.delete()
        RoutingEpoch.advance()


def overdue(*, now: datetime) -> QuerySet[Tenant]:
    """Return the deleted tenants whose grace period has ended."""
    return Tenant.objects.filter(status=Tenant.Status.DELETING, deleted_at__lt=_latest_deletion(now))


def purge_overdue(*, now: datetime, dry_run: bool = False) -> int:
    """Purge the deleted tenants whose grace period has ended, or only count them; return how many.

    Concurrent calls are safe.
    """

    def purge_overdue_tenant(tenant: Tenant) -> bool:
        return purge(tenant=tenant, deleted_before=_latest_deletion(now), wait=False)

    with platform_scope():
        tenants = list(overdue(now=now))
        return len(tenants) if dry_run else remove_each(tenants, purge_overdue_tenant)


def _latest_deletion(now: datetime) -> datetime:
    return now - timedelta(days=settings.TATAMI_DELETION_GRACE_DAYS)


def _mark_incomplete(tenant: Tenant, deleted_before: datetime | None) -> Tenant | None:
    """Mark the tenant as incomplete, so that it cannot be restored while it is dropped; `None` if it is gone."""
    with platform_scope(), transaction.atomic():
        present = Tenant.objects.select_for_update().filter(pk=tenant.pk).first()
        if present is None:
            return None
        is_deleted = present.status == Tenant.Status.DELETING
        deleted_at = present.deleted_at if is_deleted else None
        if deleted_before and not (deleted_at and deleted_at < deleted_before):
            return None
        # `provisioning` under `schema_lock` means that another purge was killed in the middle.
        if not is_deleted and present.status != Tenant.Status.PROVISIONING:
            raise WrongState("Only a deleted dojo can be purged. Delete it first.")
        present.status = Tenant.Status.PROVISIONING
        present.save(update_fields=["status", "updated_at"])
        return present
