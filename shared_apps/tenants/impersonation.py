"""A superadmin acts as a user of a dojo, to see what that user sees. Both sides keep a row that says why."""

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
from tatami.tenancy.addresses import origin
from tatami.tenancy.hosts import serving
from tatami.tenancy.scope import tenant_scope
from tatami.tokens import Actor


@dataclass(frozen=True, slots=True)
class Impersonation:
    """What the superadmin is handed: a token of the dojo, for how many seconds it is good, and where."""

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
    """Let a superadmin, signed in by `session_id`, act as a user of a dojo (default: its first active admin).

    Call it outside a transaction, on the platform, whose own audit row is the caller's to write. Raises
    `TenantSuspended`, `WrongState` where the dojo does not serve or has no active admin, and `Invalid` for a user who
    is not an active one of this dojo; `ServiceUnavailable` while the dojo is too far behind this code.
    """
    tenant = Tenant.objects.with_primary_domain().get(pk=tenant_id)
    if tenant.status == Tenant.Status.SUSPENDED:
        raise TenantSuspended("A dojo that is suspended has nobody to act as. Resume it first.")
    if tenant.status != Tenant.Status.ACTIVE:
        raise WrongState(f"A dojo that is {tenant.status} has nobody to act as.")
    with tenant_scope(serving(tenant.scope)), transaction.atomic():
        user = _somebody(user_id)
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


def _somebody(user_id: UUID | None) -> User:
    if user_id is None:
        admin = User.objects.active_admins().order_by("created_at", "pk").first()
        if admin is None:
            raise WrongState("This dojo has no active admin.")
        return admin
    user = User.objects.active().filter(pk=user_id).first()
    if user is None:
        raise Invalid.field("user", "This dojo has no active user with this id.")
    return user
