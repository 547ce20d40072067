"""What each tenant uses: a job counts it in the tenant and stores it in `public`.

So no page has to query 10,000 schemas.
"""

from datetime import datetime
from functools import cache
from typing import Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Sum

from shared_apps.accounts.models import User
from shared_apps.tenants.models import Tenant, TenantExport, TenantUsage
from tatami import usage
from tatami.observability import current_request_id
from tatami.tenancy.scope import current_tenant, platform_scope
from tatami.tenancy.seal import TABLES_OF_SCHEMA
from tatami.tenancy.tenant_registry import tenant_registry

JOB: Final = "tenants.usage"

_SIZE_OF_TABLES: Final = """
SELECT COALESCE(sum({size}), 0)::bigint
FROM pg_depend o JOIN pg_class c ON c.oid = o.objid
WHERE {tables} AND c.relkind = 'r'
""".replace("{tables}", TABLES_OF_SCHEMA)
_SIZE: Final = _SIZE_OF_TABLES.replace("{size}", "pg_total_relation_size(c.oid)")
# On Citus, the coordinator has an empty table for each one on a worker. It has the rows of a schema that is not
# distributed yet.
_SIZE_ON_CITUS: Final = _SIZE_OF_TABLES.replace(
    "{size}",
    "CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_dist_partition d WHERE d.logicalrelid = c.oid)"
    " THEN citus_total_relation_size(c.oid::regclass) ELSE pg_total_relation_size(c.oid) END",
)


def collect(*, now: datetime) -> None:
    """Count what the current tenant uses, and store it in `public`. The last count replaces the one before."""
    tenant = current_tenant()
    with transaction.atomic():
        figures = {**usage.figures(now=now), **_own_figures(tenant.schema_name)}
    with platform_scope():
        figures["file_bytes"] = _file_bytes(tenant.tenant_id)
        TenantUsage.objects.bulk_create(
            [TenantUsage(tenant_id=tenant.tenant_id, collected_at=now, **figures)],
            update_conflicts=True,
            unique_fields=["tenant"],
            update_fields=["collected_at", *figures],
        )


def request_collection(tenant: Tenant) -> None:
    """Count a tenant soon, without waiting for the nightly schedule."""
    tenant_registry().enqueue_job(tenant.scope, JOB, request_id=current_request_id())


def usage_of(tenant: Tenant) -> TenantUsage:
    """Return what was last counted. All figures are `None` before the first count."""
    return TenantUsage.objects.filter(tenant=tenant).first() or TenantUsage(tenant=tenant)


def _file_bytes(tenant_id: UUID) -> int:
    exports = TenantExport.objects.filter(tenant=tenant_id, status=TenantExport.Status.DONE)
    return int(exports.aggregate(size=Sum("bytes"))["size"] or 0)


@cache
def _size_statement() -> str:
    """Return the statement for the size of a schema. Asks once per process whether the server has Citus."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regproc('citus_total_relation_size') IS NOT NULL")
        return _SIZE_ON_CITUS if cursor.fetchone()[0] else _SIZE


def _own_figures(schema: str) -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(_size_statement(), {"schema": schema})
        size = int(cursor.fetchone()[0])
    return {"users": User.objects.not_archived().count(), "bytes": size}
