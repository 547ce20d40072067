"""The actions of superadmins in the console: the services of the API, with the same row in the audit trail."""

from collections.abc import Callable
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest

from shared_apps.accounts.console.pages import audit_page, console_session
from shared_apps.tenants import lifecycle, provisioning, tasks, usage
from shared_apps.tenants.console.forms import NewTenantForm
from shared_apps.tenants.exports.build import request_export
from shared_apps.tenants.impersonation import Impersonation, impersonate
from shared_apps.tenants.models import Tenant
from tatami import clock
from tatami.api.request import client_address

TenantAction = Callable[[HttpRequest, Tenant], None]


def create(request: HttpRequest, form: NewTenantForm) -> Tenant:
    """Create a tenant. Raises the errors of `create_tenant`."""
    now = clock.now()
    tenant, _ = provisioning.create_tenant(**form.values(), now=now)
    audit_page(request, "tenants.post", tenant.pk, now=now, fields=("name", "slug", "timezone", "admin"))
    return tenant


def suspend(request: HttpRequest, tenant: Tenant) -> None:
    """Suspend a tenant: it responds 403 until it is resumed."""
    _change_status(request, tenant, Tenant.Status.SUSPENDED)


def resume(request: HttpRequest, tenant: Tenant) -> None:
    """Make a tenant active again that is suspended, or deleted and not yet purged."""
    _change_status(request, tenant, Tenant.Status.ACTIVE)


@transaction.atomic
def delete(request: HttpRequest, tenant: Tenant) -> None:
    """Stop serving a tenant. It is purged after the grace period."""
    now = clock.now()
    lifecycle.delete_tenant(tenant=tenant, now=now)
    audit_page(request, "tenant.delete", tenant.pk, now=now)


@transaction.atomic
def export(request: HttpRequest, tenant: Tenant) -> None:
    """Request an export of a tenant."""
    now = clock.now()
    request_export(tenant=tenant, requested_by=console_session(request).user.pk, now=now)
    transaction.on_commit(tasks.wake_export_worker, robust=True)
    audit_page(request, "tenant-exports.post", tenant.pk, now=now)


def count(_: HttpRequest, tenant: Tenant) -> None:
    """Count a tenant's usage soon. This changes no data of the tenant, so it is not audited."""
    usage.request_collection(tenant)


def act_as(request: HttpRequest, tenant: Tenant, *, reason: str, user_id: UUID | None) -> Impersonation:
    """Act as a user of the tenant. Raises the errors of `impersonate`."""
    visit, now = console_session(request), clock.now()
    opened = impersonate(
        tenant_id=tenant.pk,
        superadmin=visit.user,
        session_id=visit.session_id,
        reason=reason,
        user_id=user_id,
        address=client_address(request),
        now=now,
    )
    fields = ("reason", "user") if user_id else ("reason",)
    audit_page(request, "tenant-impersonations.post", tenant.pk, now=now, fields=fields, reason=reason)
    return opened


@transaction.atomic
def _change_status(request: HttpRequest, tenant: Tenant, status: str) -> None:
    now = clock.now()
    lifecycle.change_tenant(tenant=tenant, now=now, status=status)
    audit_page(request, "tenant.patch", tenant.pk, now=now, fields=("status",))
