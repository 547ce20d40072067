"""What superadmins do in the console: the services of the API, with the same row in the audit."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest

from shared_apps.accounts.console.site import console_session
from shared_apps.tenants import lifecycle, provisioning, tasks, usage
from shared_apps.tenants.admin.forms import NewTenantForm
from shared_apps.tenants.exports.queueing import request_export
from shared_apps.tenants.impersonation import Impersonation, impersonate
from shared_apps.tenants.models import Tenant
from tatami import clock
from tatami.api.audit import add_audit_entry
from tatami.api.request import client_address

Deed = Callable[[HttpRequest, Tenant], None]


def create(request: HttpRequest, form: NewTenantForm) -> Tenant:
    """Make a dojo. Raises what `create_tenant` does."""
    now = clock.now()
    tenant, _ = provisioning.create_tenant(**form.values(), now=now)
    _note(request, "tenants.post", tenant.pk, now=now, fields=("name", "slug", "timezone", "admin"))
    return tenant


def suspend(request: HttpRequest, tenant: Tenant) -> None:
    """Have a dojo answer 403 until it is resumed."""
    _change_status(request, tenant, Tenant.Status.SUSPENDED)


def resume(request: HttpRequest, tenant: Tenant) -> None:
    """Have a dojo serve again: one that is suspended, or deleted and not yet purged."""
    _change_status(request, tenant, Tenant.Status.ACTIVE)


@transaction.atomic
def delete(request: HttpRequest, tenant: Tenant) -> None:
    """Stop serving a dojo; it is purged after the grace period."""
    now = clock.now()
    lifecycle.delete_tenant(tenant=tenant, now=now)
    _note(request, "tenant.delete", tenant.pk, now=now)


@transaction.atomic
def export(request: HttpRequest, tenant: Tenant) -> None:
    """Have a dojo's archive made."""
    now = clock.now()
    request_export(tenant=tenant, requested_by=console_session(request).user.pk, now=now)
    transaction.on_commit(tasks.call_exporter, robust=True)
    _note(request, "tenant-exports.post", tenant.pk, now=now)


def count(_: HttpRequest, tenant: Tenant) -> None:
    """Have a dojo's usage counted soon. Changes nothing of the dojo, so no row says so."""
    usage.request_collection(tenant)


def act_as(request: HttpRequest, tenant: Tenant, *, reason: str, user_id: UUID | None) -> Impersonation:
    """Act as a user of the dojo. Raises what `impersonate` does."""
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
    _note(request, "tenant-impersonations.post", tenant.pk, now=now, fields=fields, reason=reason)
    return opened


@transaction.atomic
def _change_status(request: HttpRequest, tenant: Tenant, status: str) -> None:
    now = clock.now()
    lifecycle.change_tenant(tenant=tenant, now=now, status=status)
    _note(request, "tenant.patch", tenant.pk, now=now, fields=("status",))


def _note(
    request: HttpRequest,
    action: str,
    object_id: UUID,
    *,
    now: datetime,
    fields: tuple[str, ...] = (),
    reason: str = "",
) -> None:
    add_audit_entry(
        actor=console_session(request).user,
        action=action,
        object_id=object_id,
        fields=fields,
        reason=reason,
        address=client_address(request),
        now=now,
    )
