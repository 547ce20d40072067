"""A dojo as it is at one moment, seen by the app login, on a connection that is used for nothing else."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection

from shared_apps.tenants.exports.contents import SETTINGS
from shared_apps.tenants.exports.errors import SchemaMoved
from shared_apps.tenants.exports.states import SchemaState, listed, state_at
from shared_apps.tenants.models import Tenant
from tatami.postgresql.scoped import local_settings
from tatami.tenancy.scope import platform_scope


@contextmanager
def snapshot_of(tenant: Tenant) -> Iterator[tuple[Any, SchemaState]]:
    """Yield a psycopg connection that reads the dojo's rows of one moment, and the state that its schema is at.

    Its tables are locked against migrations, not against writes. The connection is one of its own, so that progress
    can be noted in `public` meanwhile. Raises `SchemaMoved` if the schema was migrated just now.
    """
    state = state_at(tenant.schema_version)
    apart = connection.copy()
    with apart.wrap_database_errors:
        apart.ensure_connection()
        try:
            raw = apart.connection
            raw.execute(
                f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {local_settings(tenant.scope)}; {SETTINGS}"
            )
            # Before the first query, which takes the snapshot: what is read is then what is locked.
            raw.execute(f"LOCK TABLE {listed(state.tables)} IN ACCESS SHARE MODE")
            _refuse_moved(tenant)
            yield raw, state
            raw.rollback()
        finally:
            apart.close()


def _refuse_moved(tenant: Tenant) -> None:
    with platform_scope():
        if not Tenant.objects.filter(pk=tenant.pk, schema_version=tenant.schema_version).exists():
            raise SchemaMoved(tenant.slug)
