"""The rows in `public` about migrations: which tenants are outdated, and the state of each one's migration."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F

from shared_apps.tenants.models import RoutingEpoch, Tenant, TenantMigration
from shared_apps.tenants.schema.versions import MigrationKey, history
from tatami import clock
from tatami.tenancy.scope import TenantScope, platform_scope

State = TenantMigration.State


_MARK_PENDING: Final = """
INSERT INTO tenants_tenantmigration (tenant_id, target, state, attempts, error)
SELECT id, %(target)s, 'pending', 0, '' FROM tenants_tenant WHERE id = ANY(%(tenants)s) ORDER BY id FOR KEY SHARE
ON CONFLICT (tenant_id) DO UPDATE
SET target = EXCLUDED.target, state = EXCLUDED.state, attempts = 0, error = '', started_at = NULL, finished_at = NULL
"""


@dataclass(frozen=True, slots=True)
class OutdatedTenant:
    """A tenant that lacks migrations."""

    tenant: TenantScope
    version: str
    applied: frozenset[MigrationKey]


def outdated_tenants(target: frozenset[MigrationKey]) -> list[OutdatedTenant]:
    """Return the tenants that lack a migration of `target`, in the order of their creation. One statement."""
    applied_by_version: dict[str, frozenset[MigrationKey]] = {}
    found = []
    with platform_scope():
        tenants = Tenant.objects.exclude(status=Tenant.Status.PROVISIONING)
        for tenant in tenants.exclude(schema_version=history().version(target)).order_by("pk"):
            version = tenant.schema_version
            applied = applied_by_version.setdefault(version, history().applied(version))
            if not target <= applied:
                found.append(OutdatedTenant(tenant.scope, version, applied))
    return found


def previously_failed(target: str) -> set[UUID]:
    """Return the ids of the tenants whose last migration to this version failed. One statement."""
    with platform_scope():
        failed = TenantMigration.objects.filter(target=target, state=State.FAILED)
        return set(failed.values_list("tenant_id", flat=True))


def mark_pending(tenants: Iterable[OutdatedTenant], target: str) -> None:
    """Record that these tenants are to be migrated to a version, replacing earlier records. One statement.

    A tenant that was purged in the meantime is left out.
    """
    values: dict[str, Any] = {"target": target, "tenants": [one.tenant.tenant_id for one in tenants]}
    with platform_scope(), connection.cursor() as cursor:
        cursor.execute(_MARK_PENDING, values)


def mark_running(tenant_id: UUID) -> None:
    """Record that an attempt at a tenant's migration starts."""
    with platform_scope():
        TenantMigration.objects.filter(tenant=tenant_id).update(
            state=State.RUNNING, attempts=F("attempts") + 1, started_at=clock.now()
        )


def mark_done(tenant_id: UUID, version: str) -> None:
    """Record the new version of a tenant. `refresh_routing` advances the routing epoch for many tenants at once."""
    with platform_scope(), transaction.atomic():
        Tenant.objects.filter(pk=tenant_id).update(schema_version=version, updated_at=clock.now())
        TenantMigration.objects.filter(tenant=tenant_id).update(
            state=State.DONE, error="", finished_at=clock.now()
        )


def mark_failed(tenant_id: UUID, reason: str) -> int | None:
    """Record why a tenant's migration failed; return the number of attempts, or `None` if the tenant was purged."""
    with platform_scope():
        row = TenantMigration.objects.filter(tenant=tenant_id)
        row.update(state=State.FAILED, error=reason, finished_at=clock.now())
        return row.values_list("attempts", flat=True).first()


def refresh_routing() -> None:
    """Make every process read the tenants' rows again, so that migrated tenants are served."""
    with platform_scope():
        RoutingEpoch.advance()


def migrations_of(tenants: Iterable[UUID]) -> Mapping[UUID, TenantMigration]:
    """Return the migration records of these tenants, by tenant id. One statement."""
    with platform_scope():
        return TenantMigration.objects.in_bulk(list(tenants))
