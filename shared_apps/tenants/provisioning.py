"""Making a dojo. Two logins are two transactions, so the row says how far it got.

The app commits `provisioning` (the slug is taken from here on), the owner builds and seals the schema in one
transaction, the app adds the first admin and commits `active`. A dojo that is `provisioning` never serves; one left
behind by a killed process is cleared by `clear_abandoned`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from shared_apps.accounts.models import Role, User
from shared_apps.accounts.passwords import send_link
from shared_apps.accounts.users import create_user
from shared_apps.tenants import lifecycle, schemas
from shared_apps.tenants.errors import MakingCutOff, SlugTaken
from shared_apps.tenants.fleet.runner import Options, Outcome, migrate_fleet
from shared_apps.tenants.models import Domain, RoutingEpoch, Tenant
from tatami import clock
from tatami.ids import uuid7
from tatami.retention import one_by_one
from tatami.tenancy.scope import platform_scope, tenant_scope

ABANDONED: Final = "abandoned"
"""The version of a dojo that the sweeper is taking back: whoever was making it must not let it serve any more."""


@dataclass(frozen=True, slots=True)
class FirstAdmin:
    """Who looks after a new dojo. Without a password he is mailed a link to set one."""

    email: str
    name: str = ""
    password_hash: str | None = None


def create_tenant(
    *, name: str, slug: str, timezone: str, admin: FirstAdmin, now: datetime
) -> tuple[Tenant, User]:
    """Make a dojo that serves when this returns. Call it outside a transaction, on the platform.

    Raises `SlugTaken`, and `ServiceUnavailable` where no owner login is configured. If a step fails, what was made is
    taken back and the error passes on.
    """
    tenant_id = uuid7()
    with schemas.building(tenant_id):
        tenant = reserve(tenant_id, name=name, slug=slug, timezone=timezone, now=now)
        try:
            version = schemas.build_schema(tenant.schema_name, tenant.pk)
            user = add_first_admin(tenant, admin, now)
            activate(tenant, version)
        except BaseException:
            take_back(tenant)
            raise
    return tenant, user


def clear_abandoned(*, dry_run: bool = False) -> int:
    """Take back dojos whose making (or purge) was cut off, or only count them; return how many.

    One that is still being made is left alone: its maker holds a lock. Running this twice, or at once, is harmless.
    """
    unfinished = Tenant.objects.filter(status=Tenant.Status.PROVISIONING)

    def clear(tenant_id: UUID) -> bool:
        with schemas.building(tenant_id, wait=False) as is_ours:
            ours = unfinished.filter(pk=tenant_id) if is_ours else unfinished.none()
            if dry_run:
                return ours.exists()
            is_abandoned = ours.update(schema_version=ABANDONED) > 0
            if is_abandoned:
                take_back(ours.get())
            return is_abandoned

    with platform_scope():
        return one_by_one(list(unfinished.order_by("pk").values_list("pk", flat=True)), clear)


def migrate_all() -> list[Outcome]:
    """Bring `public` and every dojo up to the code's migrations; return those that could not be brought there."""
    return migrate_fleet(Options(wait=True)).failed


def add_first_admin(tenant: Tenant, admin: FirstAdmin, now: datetime) -> User:
    """Add a new dojo's admin; without a password the admin is mailed a link to set one."""
    with tenant_scope(tenant), transaction.atomic():
        user = create_user(
            email=admin.email, name=admin.name, role=Role.ADMIN, password_hash=admin.password_hash
        )
        if admin.password_hash is None:
            send_link(user, now=now)
    return user


@transaction.atomic
def activate(tenant: Tenant, version: str) -> None:
    """Let a dojo serve. Raises `MakingCutOff` if the sweeper was quicker: our lock went with the owner's connection."""
    tenant.status = Tenant.Status.ACTIVE
    tenant.schema_version = version
    tenant.updated_at = clock.now()
    made = {"status": tenant.status, "schema_version": version, "updated_at": tenant.updated_at}
    unfinished = Tenant.objects.filter(pk=tenant.pk, status=Tenant.Status.PROVISIONING)
    if not unfinished.exclude(schema_version=ABANDONED).update(**made):
        raise MakingCutOff
    RoutingEpoch.advance()


def reserve(tenant_id: UUID, *, name: str, slug: str, timezone: str, now: datetime) -> Tenant:
    """Take the slug for a dojo in the making, which does not serve yet. Raises `SlugTaken`."""
    try:
        with transaction.atomic():
            tenant = Tenant.objects.create(
                id=tenant_id,
                schema_name=f"t_{tenant_id.hex}",
                slug=slug,
                name=name,
                timezone=timezone,
            )
            domain = f"{slug}.{settings.TATAMI_BASE_DOMAIN}"
            Domain.objects.create(tenant=tenant, domain=domain, is_primary=True, verified_at=now)
            RoutingEpoch.advance()
    except IntegrityError as violation:
        if "tenant_slug_once" in str(violation) or "domain_once" in str(violation):
            raise SlugTaken from None
        raise
    tenant.primary_domain_name = domain
    return tenant


def take_back(tenant: Tenant) -> None:
    """Undo the making of a dojo, however far it came."""
    lifecycle.erase(tenant)
