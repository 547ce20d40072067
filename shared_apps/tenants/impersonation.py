"""A superadmin acts as a user of a tenant, to see what that user sees. Both audit trails record the reason."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from shared_apps.accounts.models import User
from shared_apps.accounts.sessions import open_impersonation
from shared_apps.tenants.errors import WrongState
from shared_apps.tenants.models import Tenant
from tatami.api.audit import add_audit_entry
from tatami.errors import Invalid, TenantSuspended
from tatami.tenancy.hosts import origin, require_serving
from tatami.tenancy.scope import tenant_scope
from tatami.tokens import Actor


@dataclass(frozen=True, slots=True)
class Impersonation:
    """The access token that the superadmin gets, how many seconds it is valid, and the URL where it is."""

    user: User
    access: str
    expires_in: int
    url: str


def impersonate(
    *,
    tenant_id: UUID,
    superadmin: User,
    session_id: UUID,
    reason: str,
    now: datetime,
    user_id: UUID | None = None,
    address: str = "",
) -> Impersonation:
    """Let a superadmin, signed in by `session_id`, act as a user of a tenant (default: its first active admin).

    Call it outside a transaction, in the platform's scope; the caller writes the platform's audit row. Raises
    `TenantSuspended`; `WrongState` if the tenant is not active or has no active admin; `Invalid` if the tenant has no
    such active user; `ServiceUnavailable` while this code cannot serve the tenant's schema.
    """
    tenant = Tenant.objects.with_primary_domain().get(pk=tenant_id)
    if tenant.status == Tenant.Status.SUSPENDED:
        raise TenantSuspended("You cannot act as a user of a suspended dojo. Resume it first.")
    if tenant.status != Tenant.Status.ACTIVE:
        raise WrongState(f"You cannot act as a user of a dojo that is {tenant.status}.")
    with tenant_scope(require_serving(tenant.scope)), transaction.atomic():
        user = _user_or_first_admin(user_id)
        actor = Actor(user_id=superadmin.pk, session_id=session_id)
        token = open_impersonation(user=user, actor=actor, now=now)
        user.impersonator = superadmin
        add_audit_entry(
            actor=user,
            action="impersonations.post",
            object_id=user.pk,
            fields=("reason", "user") if user_id else ("reason",),
            reason=reason,
            address=address,
            now=now,
        )
        return Impersonation(
            user=user, access=str(token), expires_in=token["exp"] - token["iat"], url=origin()
        )


def _user_or_first_admin(user_id: UUID | None) -> User:
    if user_id is None:
        admin = User.objects.active_admins().order_by("created_at", "pk").first()
        if admin is None:
            raise WrongState("This dojo has no active admin.")
        return admin
    user = User.objects.active().filter(pk=user_id).first()
    if user is None:
        raise Invalid.field("user", "This dojo has no active user with this id.")
    return user
