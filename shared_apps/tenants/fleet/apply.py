"""Apply a script of migrations to one tenant, in one transaction of the owner."""

from dataclasses import dataclass

from shared_apps.tenants.fleet.scripts import Script, Scripts
from shared_apps.tenants.schema.ddl import (
    app_login,
    execute_all,
    lock_key,
    owner_connection,
    record_migrations,
)
from shared_apps.tenants.schema.versions import MigrationKey, history
from tatami.tenancy.scope import TenantScope, tenant_scope
from tatami.tenancy.seal import seal_statements, verify_seal


@dataclass(frozen=True, slots=True)
class MigrationLimits:
    """How long a tenant's migrations may wait and run, in seconds, and how many attempts they get."""

    lock_timeout: float = 2.0
    """For any lock. Requests to the tenant queue up behind a migration that waits, so keep it short."""
    statement_timeout: float = 30.0
    """For any statement; 0 for no limit. The statement may hold a lock that requests to the tenant wait for."""
    attempts: int = 6

    def settings(self, local: str = "LOCAL ") -> list[str]:
        """Return the statements that set the timeouts: for the transaction, or with `local=""` for the session."""
        return [
            f"SET {local}lock_timeout = {round(self.lock_timeout * 1000)}",
            f"SET {local}statement_timeout = {round(self.statement_timeout * 1000)}",
        ]


class _UnexpectedVersion(Exception):
    """The schema has other migrations than those the script starts from."""

    def __init__(self, applied: frozenset[MigrationKey]) -> None:
        self.applied = applied
        super().__init__()


def migrate_tenant(
    tenant: TenantScope, applied: frozenset[MigrationKey], scripts: Scripts, limits: MigrationLimits
) -> str:
    """Run the missing migrations, seal new tables and verify the seal; return the new version. All or nothing.

    The schema's own `django_migrations` decides what is missing, not `applied`, which comes from the tenant's row: if
    a runner was killed between the two, the row is outdated. A second call changes nothing; concurrent calls run one
    after the other.
    """
    script = scripts.from_version(applied)
    try:
        _apply(tenant, script, limits)
    except _UnexpectedVersion as found:
        script = scripts.from_version(found.applied)
        _apply(tenant, script, limits)
    return script.version


def _apply(tenant: TenantScope, script: Script, limits: MigrationLimits) -> None:
    with tenant_scope(tenant), owner_connection(tenant.schema_name) as owner, owner.cursor() as cursor:
        execute_all(owner, limits.settings())
        # The lock of `ddl.schema_lock`: the server process of a killed runner may still be changing this tenant.
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [lock_key(tenant.tenant_id)])
        cursor.execute("SELECT app, name FROM django_migrations")
        applied = history().all_keys.intersection(cursor.fetchall())
        if applied != script.start:
            raise _UnexpectedVersion(applied)
        for step in script.steps:
            execute_all(owner, step.statements)
            if step.python_state is not None:
                with owner.schema_editor() as editor:
                    history().migration(step.key).apply(step.python_state.clone(), editor)
        execute_all(owner, seal_statements(script.tables, tenant.tenant_id, app_login()))
        record_migrations(cursor, (step.key for step in script.steps))
        verify_seal(cursor, tenant.schema_name, tenant.tenant_id, app_login())
