"""Whether a dojo's schema is what it should be: sealed, of the version that its row says, small. Changes nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from django.db import Error

from shared_apps.tenants.blueprint import tenant_tables
from shared_apps.tenants.fleet.crew import crew
from shared_apps.tenants.fleet.retries import with_retries
from shared_apps.tenants.fleet.versions import Key, history, named
from shared_apps.tenants.models import Tenant
from shared_apps.tenants.schemas import app_login, owner_in
from tatami.tenancy.scope import platform_scope
from tatami.tenancy.seal import TABLES_OF_SCHEMA, UNSEALED_TABLES, SealBroken, verify_seal

MOST_TABLES: Final = 50
MOST_INDEXES: Final = 160
"""The budget of a dojo: a connection that serves many keeps the catalogue of each in memory."""

ATTEMPTS: Final = 3

_SIZE: Final = """
SELECT array_agg(c.relname::text), sum((SELECT count(*) FROM pg_index i WHERE i.indrelid = c.oid))
FROM pg_depend o JOIN pg_class c ON c.oid = o.objid
WHERE {tables} AND c.relkind IN ('r', 'p')
""".replace("{tables}", TABLES_OF_SCHEMA)


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found of one dojo."""

    tenant: Tenant
    tables: int
    indexes: int
    faults: tuple[str, ...]
    """What is wrong. Empty: nothing."""


def check_all(tenants: list[Tenant], *, workers: int) -> Iterator[Checked]:
    """Yield what is found of each dojo, as it is found."""
    with crew(workers) as team:
        for _, future in team.each(_checked, tenants):
            yield future.result()


def _checked(tenant: Tenant) -> Checked:
    if tenant.status == Tenant.Status.PROVISIONING:
        return Checked(tenant, 0, 0, ("was never finished: the sweeper clears it",))
    try:
        return with_retries(lambda _: _looked_at(tenant), attempts=ATTEMPTS)
    except Error as error:
        return Checked(tenant, 0, 0, (f"cannot be read: {' '.join(str(error).split())}",))


def _looked_at(tenant: Tenant) -> Checked:
    with platform_scope(), owner_in(tenant.schema_name) as owner, owner.cursor() as cursor:
        cursor.execute("SELECT to_regnamespace(%s) IS NULL", [tenant.schema_name])
        if cursor.fetchone()[0]:
            return Checked(tenant, 0, 0, ("has no schema",))
        cursor.execute(_SIZE, {"schema": tenant.schema_name})
        tables, indexes = cursor.fetchone()
        faults = [
            *_of_seal(cursor, tenant),
            *_of_version(cursor, tenant, set(tables or ())),
            *_of_budget(len(tables or ()), int(indexes or 0)),
        ]
    return Checked(tenant, len(tables or ()), int(indexes or 0), tuple(faults))


def _of_seal(cursor: Any, tenant: Tenant) -> Iterator[str]:
    try:
        verify_seal(cursor, tenant.schema_name, tenant.pk, app_login())
    except SealBroken as broken:
        yield f"seal: {broken}"


def _of_version(cursor: Any, tenant: Tenant, tables: set[str]) -> Iterator[str]:
    if not tables & UNSEALED_TABLES:
        yield "has no record of migrations"
        return
    cursor.execute("SELECT app, name FROM django_migrations")
    applied = history().whole.intersection(cursor.fetchall())
    if missing := history().missing(applied, history().needed):
        yield f"is behind: lacks {', '.join(named(missing))}"
    if applied != history().applied(tenant.schema_version):
        yield f"has version {history().version(applied)}, its row says {tenant.schema_version}"
    if lacking := sorted(_tables_of(applied) - tables):
        yield f"lacks tables: {', '.join(lacking)}"


@cache
def _tables_of(applied: frozenset[Key]) -> frozenset[str]:
    return frozenset(tenant_tables(history().state(applied).apps))


def _of_budget(tables: int, indexes: int) -> Iterator[str]:
    if tables > MOST_TABLES:
        yield f"has {tables} tables, {MOST_TABLES} are the limit"
    if indexes > MOST_INDEXES:
        yield f"has {indexes} indexes, {MOST_INDEXES} are the limit"
