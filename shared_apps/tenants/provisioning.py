"""Create a tenant. The two logins need two transactions, so the status of the row shows how far the creation got.

The app commits the row as `provisioning`, which takes the slug. The owner builds and seals the schema in one
transaction. The app adds the first admin and commits `active`. A tenant that is `provisioning` is never served. If the
process is killed, `remove_incomplete_tenants` removes what it left.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import Error, IntegrityError, transaction
from prometheus_client import Histogram

from shared_apps.accounts.models import Role, User
from shared_apps.accounts.password_mails import queue_password_mail
from shared_apps.accounts.users import create_user
from shared_apps.tenants import lifecycle
from shared_apps.tenants.errors import CreationInterrupted, SlugTaken
from shared_apps.tenants.fleet.runner import MigrationOutcome, Options, migrate_fleet
from shared_apps.tenants.models import Domain, RoutingEpoch, Tenant
from shared_apps.tenants.schema import ddl
from shared_apps.webhooks.events import publish
from tatami import clock
from tatami.ids import uuid7
from tatami.postgresql.sqlstates import is_connection_lost
from tatami.retention import remove_each
from tatami.tenancy.scope import platform_scope, tenant_scope
from tatami.tracing import span

ABANDONED: Final = "abandoned"
"""The version of an incomplete tenant that is being removed: the process that was creating it must not activate it."""


PROVISIONING_SECONDS: Final = Histogram(
    "tatami_provisioning_duration_seconds",
    "How long it took to create a dojo, by outcome: done, refused (the slug is taken), failed.",
    ["outcome"],
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
for _outcome in ("done", "refused", "failed"):  # so that the first failure is an increase
    PROVISIONING_SECONDS.labels(_outcome)


@dataclass(frozen=True, slots=True)
class FirstAdmin:
    """The first admin of a new tenant. Without a password, the admin is mailed a link to set one."""

    email: str
    name: str = ""
    password_hash: str | None = None


def create_tenant(
    *, name: str, slug: str, timezone: str, admin: FirstAdmin, now: datetime
) -> tuple[Tenant, User]:
    """Create a tenant, which is active when this returns. Call it outside a transaction, in the platform's scope.

    Raises `SlugTaken`, and `ServiceUnavailable` if no owner login is configured. If a step fails, everything is undone
    (`undone_if_it_fails`) and the error propagates.
    """
    tenant_id = uuid7()
    with _measured(), span("create dojo"), ddl.schema_lock(tenant_id):
        tenant = reserve_slug(tenant_id, name=name, slug=slug, timezone=timezone, now=now)
        with undone_if_it_fails(tenant):
            version = ddl.build_schema(tenant.schema_name, tenant.pk)
            user = add_first_admin(tenant, admin, now)
            activate(tenant, version)
    return tenant, user


@contextmanager
def undone_if_it_fails(tenant: Tenant) -> Iterator[None]:
    """Undo the creation of a tenant if the block raises.

    If a connection was lost, `remove_incomplete_tenants` undoes it later, as if the process had been killed: a server
    that does not answer would have to be waited for once more.
    """
    try:
        yield
    except BaseException as error:
        if not (isinstance(error, Error) and is_connection_lost(error)):
            undo_creation(tenant)
        raise


@contextmanager
def _measured() -> Iterator[None]:
    """Measure the creation of a tenant. A slug that is taken is refused, and not a failure."""
    began = time.perf_counter()
    outcome = "failed"
    try:
        yield
        outcome = "done"
    except SlugTaken:
        outcome = "refused"
        raise
    finally:
        PROVISIONING_SECONDS.labels(outcome).observe(time.perf_counter() - began)


def remove_incomplete_tenants(*, dry_run: bool = False) -> int:
    """Remove tenants whose creation or purge was interrupted, or only count them; return how many.

    A tenant that is still being created is left alone, because its process holds a lock. Repeated and concurrent calls
    are safe.
    """
    unfinished = Tenant.objects.filter(status=Tenant.Status.PROVISIONING)

    def remove(tenant_id: UUID) -> bool:
        with ddl.schema_lock(tenant_id, wait=False) as is_locked:
            found = unfinished.filter(pk=tenant_id) if is_locked else unfinished.none()
            if dry_run:
                return found.exists()
            is_incomplete = found.update(schema_version=ABANDONED) > 0
            if is_incomplete:
                undo_creation(found.get())
            return is_incomplete

    with platform_scope():
        return remove_each(list(unfinished.order_by("pk").values_list("pk", flat=True)), remove)


def migrate_all() -> list[MigrationOutcome]:
    """Migrate `public` and every tenant to this code's version; return the tenants whose migration failed."""
    return migrate_fleet(Options(wait=True)).failed


def add_first_admin(tenant: Tenant, admin: FirstAdmin, now: datetime) -> User:
    """Add the first admin of a new tenant. Without a password, the admin is mailed a link to set one."""
    with tenant_scope(tenant), transaction.atomic():
        user = create_user(
            email=admin.email, name=admin.name, role=Role.ADMIN, password_hash=admin.password_hash
        )
        if admin.password_hash is None:
            queue_password_mail(user.email_key, now=now)
    return user


@transaction.atomic
def activate(tenant: Tenant, version: str) -> None:
    """Make a tenant active.

    Raises `CreationInterrupted` if the sweeper has removed it: the lock was lost with the owner's connection.
    """
    tenant.status = Tenant.Status.ACTIVE
    tenant.schema_version = version
    tenant.updated_at = clock.now()
    values = {"status": tenant.status, "schema_version": version, "updated_at": tenant.updated_at}
    unfinished = Tenant.objects.filter(pk=tenant.pk, status=Tenant.Status.PROVISIONING)
    if not unfinished.exclude(schema_version=ABANDONED).update(**values):
        raise CreationInterrupted
    publish("tenant.created", [{"id": tenant.pk}], now=tenant.updated_at)
    RoutingEpoch.advance()


def reserve_slug(tenant_id: UUID, *, name: str, slug: str, timezone: str, now: datetime) -> Tenant:
    """Create the row of a tenant that is not served yet, which takes the slug. Raises `SlugTaken`."""
    try:
        with transaction.atomic():
            tenant = Tenant.objects.create(
                id=tenant_id,
                schema_name=f"t_{tenant_id.hex}",
                slug=slug,
                name=name,
                timezone=timezone,
            )
            Domain.delete_expired(now, Domain.objects.filter(domain=tenant.subdomain))
            Domain.objects.create(tenant=tenant, domain=tenant.subdomain, is_primary=True, verified_at=now)
            RoutingEpoch.advance()
    except IntegrityError as violation:
        if "tenant_slug_once" in str(violation) or "domain_once" in str(violation):
            raise SlugTaken from None
        raise
    tenant.primary_domain_name = tenant.subdomain
    return tenant


def undo_creation(tenant: Tenant) -> None:
    """Undo the creation of a tenant, whichever step it had reached."""
    lifecycle.erase_tenant(tenant)
