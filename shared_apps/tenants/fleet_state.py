"""What metrics say about all dojos together. A scrape takes a fixed number of statements on the rows in `public`.

What waits to be sent is in the schemas of the dojos, which no scrape can read one by one. So the jobs that send report,
at the end of each run, since when the oldest row of their dojo waits (`report_backlog`). Beat runs them in every dojo
several times an hour, so a row that a killed worker left is at most that old.
"""

from datetime import datetime
from typing import Any, Final

from django.db import connection
from django.db.models import Count, Min, QuerySet

from shared_apps.tenants.models import PendingJob, Tenant, TenantBacklog, TenantExport, TenantMigration
from shared_apps.tenants.schema.versions import can_serve
from tatami import clock
from tatami.tenancy.scope import TenantScope, platform_scope, required_scope
from tatami.tenancy.tenant_registry import FleetState, Queue

_REPORT: Final = """
INSERT INTO tenants_tenantbacklog (tenant_id, kind, oldest_at)
SELECT id, %(kind)s, %(oldest)s FROM tenants_tenant WHERE id = %(tenant)s FOR KEY SHARE
ON CONFLICT (tenant_id, kind) DO UPDATE SET oldest_at = EXCLUDED.oldest_at
"""


def report_backlog(kind: str, oldest: datetime | None) -> None:
    """Record since when the oldest row of a kind waits in the current dojo; `None`: none waits. One statement.

    The last of several concurrent reports stays, and a purged dojo gets none. Call it outside a transaction. On the
    platform it does nothing: its rows are few, and its tasks run every minute.
    """
    scope = required_scope()
    if not isinstance(scope, TenantScope):
        return
    with platform_scope():
        if oldest is None:
            TenantBacklog.objects.filter(tenant=scope.tenant_id, kind=kind).delete()
            return
        values: dict[str, Any] = {"tenant": scope.tenant_id, "kind": kind, "oldest": oldest}
        with connection.cursor() as cursor:
            cursor.execute(_REPORT, values)


def read_fleet_state() -> FleetState:
    """Return the state of all dojos. Five statements."""
    now = clock.now()
    active = {"tenant__status": Tenant.Status.ACTIVE}
    with platform_scope():
        versions = list(
            Tenant.objects.order_by().values_list("status", "schema_version").annotate(number=Count("pk"))
        )
        failed = TenantMigration.objects.filter(state=TenantMigration.State.FAILED).count()
        jobs = _queues(PendingJob.objects.due(now).filter(**active), "job", "next_at", now)
        backlogs = _queues(TenantBacklog.objects.filter(**active), "kind", "oldest_at", now)
        exports = TenantExport.objects.unfinished().aggregate(number=Count("pk"), oldest=Min("created_at"))
    dojos = dict.fromkeys(Tenant.Status.values, 0)
    for status, _, number in versions:
        dojos[status] += number
    return FleetState(
        dojos=dojos,
        outdated=sum(
            number
            for status, version, number in versions
            if status != Tenant.Status.PROVISIONING and not can_serve(version)
        ),
        migrations_failed=failed,
        jobs=jobs,
        backlogs=backlogs,
        exports=Queue(exports["number"], _age(exports["oldest"], now)),
    )


def _queues(rows: QuerySet[Any], name: str, since: str, now: datetime) -> dict[str, Queue]:
    grouped = rows.order_by().values_list(name).annotate(number=Count("pk"), oldest=Min(since))
    return {key: Queue(number, _age(oldest, now)) for key, number, oldest in grouped}


def _age(since: datetime | None, now: datetime) -> float:
    return max((now - since).total_seconds(), 0.0) if since else 0.0
