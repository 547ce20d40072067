"""Check tenants' schemas: the seal, the version against the tenant's row, the number of tables. Changes nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from django.db import Error

from shared_apps.tenants.fleet.thread_pool import thread_pool, with_retries
from shared_apps.tenants.models import Tenant
from shared_apps.tenants.schema.blueprint import tenant_tables
from shared_apps.tenants.schema.ddl import app_login, owner_connection
from shared_apps.tenants.schema.versions import MigrationKey, dotted_names, history
from tatami.tenancy.scope import platform_scope
from tatami.tenancy.seal import TABLES_OF_SCHEMA, UNSEALED_TABLES, SealBroken, verify_seal

MAX_TABLES: Final = 60
MAX_INDEXES: Final = 180
"""The budget of a tenant: a connection that serves many tenants keeps the catalogue of each in memory."""

ATTEMPTS: Final = 3

_SIZE: Final = """
SELECT array_agg(c.relname::text), sum((SELECT count(*) FROM pg_index i WHERE i.indrelid = c.oid))
FROM pg_depend o JOIN pg_class c ON c.oid = o.objid
WHERE {tables} AND c.relkind IN ('r', 'p')
""".replace("{tables}", TABLES_OF_SCHEMA)


@dataclass(frozen=True, slots=True)
class FleetCheckResult:
    """The result for one tenant."""

    tenant: Tenant
    tables: int
    indexes: int
    faults: tuple[str, ...]
    """What is wrong; empty if nothing is."""


def check_all(tenants: list[Tenant], *, workers: int) -> Iterator[FleetCheckResult]:
    """Yield the result for each tenant, in the order in which the checks finish."""
    with thread_pool(workers) as pool:
        for _, future in pool.each(_check, tenants):
            yield future.result()


def _check(tenant: Tenant) -> FleetCheckResult:
    if tenant.status == Tenant.Status.PROVISIONING:
        return FleetCheckResult(tenant, 0, 0, ("its creation was not finished: the sweeper removes it",))
    try:
        return with_retries(lambda _: _check_schema(tenant), attempts=ATTEMPTS)
    except Error as error:
        return FleetCheckResult(tenant, 0, 0, (f"cannot be read: {' '.join(str(error).split())}",))


def _check_schema(tenant: Tenant) -> FleetCheckResult:
    with platform_scope(), owner_connection(tenant.schema_name) as owner, owner.cursor() as cursor:
        cursor.execute("SELECT to_regnamespace(%s) IS NULL", [tenant.schema_name])
        if cursor.fetchone()[0]:
            return FleetCheckResult(tenant, 0, 0, ("has no schema",))
        cursor.execute(_SIZE, {"schema": tenant.schema_name})
        tables, indexes = cursor.fetchone()
        faults = [
            *_seal_faults(cursor, tenant),
            *_version_faults(cursor, tenant, set(tables or ())),
            *_budget_faults(len(tables or ()), int(indexes or 0)),
        ]
    return FleetCheckResult(tenant, len(tables or ()), int(indexes or 0), tuple(faults))


def _seal_faults(cursor: Any, tenant: Tenant) -> Iterator[str]:
    try:
        verify_seal(cursor, tenant.schema_name, tenant.pk, app_login())
    except SealBroken as broken:
        yield f"seal: {broken}"


def _version_faults(cursor: Any, tenant: Tenant, tables: set[str]) -> Iterator[str]:
    if not tables & UNSEALED_TABLES:
        yield "has no table of migrations"
        return
    cursor.execute("SELECT app, name FROM django_migrations")
    applied = history().all_keys.intersection(cursor.fetchall())
    if missing := history().missing(applied, history().required):
        yield f"is behind: lacks {', '.join(dotted_names(missing))}"
    if applied != history().applied(tenant.schema_version):
        yield f"has version {history().version(applied)}, but its row says {tenant.schema_version}"
    if missing_tables := sorted(_tables_of(applied) - tables):
        yield f"lacks tables: {', '.join(missing_tables)}"


@cache
def _tables_of(applied: frozenset[MigrationKey]) -> frozenset[str]:
    return frozenset(tenant_tables(history().state(applied).apps))


def _budget_faults(tables: int, indexes: int) -> Iterator[str]:
    if tables > MAX_TABLES:
        yield f"has {tables} tables; the limit is {MAX_TABLES}"
    if indexes > MAX_INDEXES:
        yield f"has {indexes} indexes; the limit is {MAX_INDEXES}"
