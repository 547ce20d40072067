"""The fleet's rows in `public`: who is behind, and how far each is on its way."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F

from shared_apps.tenants.fleet.versions import Key, history
from shared_apps.tenants.models import RoutingEpoch, Tenant, TenantMigration
from tatami import clock
from tatami.tenancy.scope import TenantScope, platform_scope

State = TenantMigration.State


_PLAN: Final = """
INSERT INTO tenants_tenantmigration (tenant_id, target, state, attempts, error)
SELECT id, %(target)s, 'pending', 0, '' FROM tenants_tenant WHERE id = ANY(%(dojos)s) ORDER BY id FOR KEY SHARE
ON CONFLICT (tenant_id) DO UPDATE
SET target = EXCLUDED.target, state = EXCLUDED.state, attempts = 0, error = '', started_at = NULL, finished_at = NULL
"""


@dataclass(frozen=True, slots=True)
class Behind:
    """A dojo that lacks migrations."""

    tenant: TenantScope
    version: str
    applied: frozenset[Key]


def behind(target: frozenset[Key]) -> list[Behind]:
    """Return the dojos that lack something of `target`, in the order in which they were made. One statement."""
    versions: dict[str, frozenset[Key]] = {}
    found = []
    with platform_scope():
        dojos = Tenant.objects.exclude(status=Tenant.Status.PROVISIONING)
        for tenant in dojos.exclude(schema_version=history().version(target)).order_by("pk"):
            version = tenant.schema_version
            applied = versions.setdefault(version, history().applied(version))
            if not target <= applied:
                found.append(Behind(tenant.scope, version, applied))
    return found


def failed_before(target: str) -> set[UUID]:
    """Return the dojos that could not be brought to this version when it was last tried. One statement."""
    with platform_scope():
        failed = TenantMigration.objects.filter(target=target, state=State.FAILED)
        return set(failed.values_list("tenant_id", flat=True))


def plan(dojos: Iterable[Behind], target: str) -> None:
    """Note that these are to be brought to a version, whatever was noted of them before. One statement.

    One that was purged meanwhile is left out.
    """
    given: dict[str, Any] = {"target": target, "dojos": [dojo.tenant.tenant_id for dojo in dojos]}
    with platform_scope(), connection.cursor() as cursor:
        cursor.execute(_PLAN, given)


def begin(tenant_id: UUID) -> None:
    """Note that somebody is at it, once more."""
    with platform_scope():
        TenantMigration.objects.filter(tenant=tenant_id).update(
            state=State.RUNNING, attempts=F("attempts") + 1, started_at=clock.now()
        )


def done(tenant_id: UUID, version: str) -> None:
    """Note that a dojo has a version. The routing epoch is advanced for many at once: `let_processes_look_again`."""
    with platform_scope(), transaction.atomic():
        Tenant.objects.filter(pk=tenant_id).update(schema_version=version, updated_at=clock.now())
        TenantMigration.objects.filter(tenant=tenant_id).update(
            state=State.DONE, error="", finished_at=clock.now()
        )


def failed(tenant_id: UUID, reason: str) -> int | None:
    """Note why a dojo could not be brought there; return how often it was tried, None where there is none any more."""
    with platform_scope():
        row = TenantMigration.objects.filter(tenant=tenant_id)
        row.update(state=State.FAILED, error=reason, finished_at=clock.now())
        return row.values_list("attempts", flat=True).first()


def let_processes_look_again() -> None:
    """Have every process read the dojos' rows again: those that were too far behind serve."""
    with platform_scope():
        RoutingEpoch.advance()


def states(tenants: Iterable[UUID]) -> Mapping[UUID, TenantMigration]:
    """Return what is noted of these dojos. One statement."""
    with platform_scope():
        return TenantMigration.objects.in_bulk(list(tenants))
