"""How much each dojo uses: counted in the dojo by a job, kept in `public`, so that no page asks 10,000 schemas."""

from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Sum

from shared_apps.accounts.models import User
from shared_apps.tenants.models import Tenant, TenantExport, TenantUsage
from tatami import usage
from tatami.observability import current_request_id
from tatami.tenancy.directory import directory
from tatami.tenancy.scope import current_tenant, platform_scope
from tatami.tenancy.seal import TABLES_OF_SCHEMA

JOB: Final = "tenants.usage"

_SIZE: Final = """
SELECT COALESCE(sum(pg_total_relation_size(c.oid)), 0)::bigint
FROM pg_depend o JOIN pg_class c ON c.oid = o.objid
WHERE {tables} AND c.relkind = 'r'
""".replace("{tables}", TABLES_OF_SCHEMA)


def collect(*, now: datetime) -> None:
    """Count what the dojo in force uses, then keep it in `public`. Twice is harmless: the last count stands."""
    dojo = current_tenant()
    with transaction.atomic():
        found = {**usage.figures(now=now), **_own_figures(dojo.schema_name)}
    with platform_scope():
        found["file_bytes"] = _file_bytes(dojo.tenant_id)
        TenantUsage.objects.bulk_create(
            [TenantUsage(tenant_id=dojo.tenant_id, collected_at=now, **found)],
            update_conflicts=True,
            unique_fields=["tenant"],
            update_fields=["collected_at", *found],
        )


def request_collection(tenant: Tenant) -> None:
    """Have a dojo counted soon, before the night comes."""
    directory().request_turn(tenant.scope, JOB, request_id=current_request_id())


def usage_of(tenant: Tenant) -> TenantUsage:
    """Return what was last counted; blank figures where nothing was yet."""
    return TenantUsage.objects.filter(tenant=tenant).first() or TenantUsage(tenant=tenant)


def _file_bytes(tenant_id: UUID) -> int:
    kept = TenantExport.objects.filter(tenant=tenant_id, status=TenantExport.Status.DONE)
    return int(kept.aggregate(size=Sum("bytes"))["size"] or 0)


def _own_figures(schema: str) -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(_SIZE, {"schema": schema})
        size = int(cursor.fetchone()[0])
    return {"users": User.objects.live().count(), "bytes": size}
