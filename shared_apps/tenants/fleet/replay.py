"""Bringing one dojo up to date: a script, in one transaction of the owner."""

from dataclasses import dataclass

from shared_apps.tenants.fleet.scripts import Script, Scripts
from shared_apps.tenants.fleet.versions import Key, history
from shared_apps.tenants.schemas import app_login, lock_key, note_migrations, owner_in, send
from tatami.tenancy.scope import TenantScope, tenant_scope
from tatami.tenancy.seal import seal_statements, verify_seal


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a dojo's migrations may wait and work, in seconds, and how often they are tried."""

    lock_timeout: float = 2.0
    """For any lock. Requests of the dojo queue up behind a migration that waits: so not long."""
    statement_timeout: float = 30.0
    """For any statement. It may hold a lock that the dojo's requests wait for."""
    attempts: int = 6

    def settings(self, local: str = "LOCAL ") -> list[str]:
        """Return the statements that put the timeouts in force."""
        return [
            f"SET {local}lock_timeout = {round(self.lock_timeout * 1000)}",
            f"SET {local}statement_timeout = {round(self.statement_timeout * 1000)}",
        ]


class _StartsElsewhere(Exception):
    """The schema has other migrations than the script starts from."""

    def __init__(self, applied: frozenset[Key]) -> None:
        self.applied = applied
        super().__init__()


def bring_up_to_date(
    tenant: TenantScope, applied: frozenset[Key], scripts: Scripts, patience: Patience
) -> str:
    """Run what a dojo lacks, seal what is new, verify; return its version then. All or nothing.

    The schema's own record decides what it lacks, not `applied`, which the dojo's row tells: a runner that was killed
    between the two leaves the row behind. Twice changes nothing, and two at once follow one another.
    """
    script = scripts.from_version(applied)
    try:
        _play(tenant, script, patience)
    except _StartsElsewhere as found:
        script = scripts.from_version(found.applied)
        _play(tenant, script, patience)
    return script.version


def _play(tenant: TenantScope, script: Script, patience: Patience) -> None:
    with tenant_scope(tenant), owner_in(tenant.schema_name) as owner, owner.cursor() as cursor:
        send(owner, patience.settings())
        # The lock of `schemas.building`: a killed runner's server process may still be at work on this dojo.
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [lock_key(tenant.tenant_id)])
        cursor.execute("SELECT app, name FROM django_migrations")
        applied = history().whole.intersection(cursor.fetchall())
        if applied != script.start:
            raise _StartsElsewhere(applied)
        for step in script.steps:
            send(owner, step.statements)
            if step.by_hand is not None:
                with owner.schema_editor() as editor:
                    history().migration(step.key).apply(step.by_hand.clone(), editor)
        send(owner, seal_statements(script.tables, tenant.tenant_id, app_login()))
        note_migrations(cursor, (step.key for step in script.steps))
        verify_seal(cursor, tenant.schema_name, tenant.tenant_id, app_login())
