"""Migrate `public`, and then every outdated tenant, to the version that this code requires. One run at a time.

A killed run needs no clean-up: the next run looks again for outdated tenants. If a tenant cannot be migrated, it keeps
its version and is reported with the reason, and the others go on.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from uuid import UUID

import structlog
from django.db import connections

from shared_apps.tenants.fleet import migration_status
from shared_apps.tenants.fleet.apply import MigrationLimits, migrate_tenant
from shared_apps.tenants.fleet.migration_status import OutdatedTenant
from shared_apps.tenants.fleet.scripts import Script, Scripts
from shared_apps.tenants.fleet.thread_pool import TenantThreadPool, thread_pool, with_retries
from shared_apps.tenants.schema import ddl
from shared_apps.tenants.schema.versions import dotted_names, history

logger = structlog.get_logger(__name__)

LOCK_KEY: Final = 0x7461_7461_6D69
"""The advisory lock of a run: "tatami" in ASCII."""

ROUTING_REFRESH_SECONDS: Final = 1.0
"""How often the routing epoch is advanced during a run: each time, every process looks up its hosts again."""


class MigrationAlreadyRunning(RuntimeError):
    """Another run has to end first."""


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a run."""

    workers: int = 4
    canaries: int = 3
    contract: bool = False
    """Also run contracting migrations. Use it only when no process of the previous release is left."""
    wait: bool = False
    """Wait until another run ends, instead of raising `MigrationAlreadyRunning`."""
    limits: MigrationLimits = field(default_factory=MigrationLimits)


@dataclass(frozen=True, slots=True)
class MigrationOutcome:
    """The result for one tenant. Without a reason, the tenant was migrated."""

    outdated: OutdatedTenant
    attempts: int
    reason: str = ""
    is_gone: bool = False
    """The tenant was purged in the meantime."""


@dataclass(slots=True)
class Report:
    """The result of a run."""

    target: str
    behind: int = 0
    """Tenants that were outdated."""
    migrated: int = 0
    gone: int = 0
    tried_again: int = 0
    """Attempts after the first, of all tenants."""
    failed: list[MigrationOutcome] = field(default_factory=list)
    stopped: str = ""
    """Why the run stopped early."""
    seconds: float = 0.0

    def add(self, outcome: MigrationOutcome) -> None:
        """Count the result for one tenant."""
        self.tried_again += outcome.attempts - 1
        if outcome.is_gone:
            self.gone += 1
        elif outcome.reason:
            self.failed.append(outcome)
        else:
            self.migrated += 1

    @property
    def left(self) -> int:
        """The number of tenants that were not tried."""
        return self.behind - self.migrated - self.gone - len(self.failed)

    @property
    def is_good(self) -> bool:
        """Whether all tenants have the target version."""
        return not (self.failed or self.left or self.stopped)


class RunListener(Protocol):
    """Is told about the progress of a run."""

    def on_start(self, behind: int) -> None: ...
    def on_outcome(self, outcome: MigrationOutcome) -> None: ...


class NoListener:
    """A listener that ignores the progress."""

    def on_start(self, behind: int) -> None: ...
    def on_outcome(self, outcome: MigrationOutcome) -> None: ...


def migrate_fleet(options: Options, listener: RunListener | None = None) -> Report:
    """Migrate `public` and all tenants; return a report. Call it outside a transaction.

    Raises `MigrationAlreadyRunning`, `ServiceUnavailable` if no owner login is configured, and the errors of the
    rehearsal of the migrations: then no tenant was changed.
    """
    with runner_lock(wait=options.wait):
        return _Run(options, listener or NoListener()).report()


@contextmanager
def runner_lock(*, wait: bool) -> Iterator[None]:
    """Lock out other runs. The lock belongs to a session, so it ends with the process.

    Raises `MigrationAlreadyRunning`.
    """
    ddl.require_owner()
    # A separate connection, because django-tenants closes the one with which it migrates.
    session: Any = connections.create_connection(ddl.OWNER)
    session.set_schema_to_public()
    try:
        with session.cursor() as cursor:
            cursor.execute(f"SELECT pg_{'advisory_lock' if wait else 'try_advisory_lock'}(%s)", [LOCK_KEY])
            if cursor.fetchone()[0] is False:
                raise MigrationAlreadyRunning("Another run of migrate_fleet has not ended yet.")
        yield
    finally:
        session.close()


class _Run:
    """One run, under the lock."""

    def __init__(self, options: Options, listener: RunListener) -> None:
        self._options = options
        self._listener = listener
        self._scripts = Scripts(history().all_keys if options.contract else history().required)
        self._report = Report(history().version(self._scripts.target))
        self._tried: set[UUID] = set()
        self._previously_failed: set[UUID] = set()
        self._refreshed_at = 0.0

    def report(self) -> Report:
        began = time.monotonic()
        limits = self._options.limits
        with_retries(
            lambda _: ddl.migrate_public(contract=self._options.contract, settings=limits.settings(local="")),
            attempts=limits.attempts,
        )
        tenants = self._find_outdated()
        self._listener.on_start(self._report.behind)
        try:
            if tenants:
                self._migrate_all(tenants)
        finally:
            # Needed even if no tenant was outdated: an earlier run may have been killed before its last refresh.
            migration_status.refresh_routing()
        self._report.seconds = time.monotonic() - began
        return self._report

    def _find_outdated(self) -> list[OutdatedTenant]:
        """Return the outdated tenants that were not tried yet, those that failed last time last; record them all."""
        outdated = migration_status.outdated_tenants(self._scripts.target)
        found = [one for one in outdated if one.tenant.tenant_id not in self._tried]
        self._previously_failed = migration_status.previously_failed(self._report.target)
        found.sort(key=lambda one: one.tenant.tenant_id in self._previously_failed)
        migration_status.mark_pending(found, self._report.target)
        # Rehearse now: a migration that fails in the rehearsal raises here, before any tenant is changed.
        for applied in {one.applied for one in found}:
            self._scripts.from_version(applied)
        self._tried.update(one.tenant.tenant_id for one in found)
        self._report.behind += len(found)
        return found

    def _migrate_all(self, tenants: list[OutdatedTenant]) -> None:
        with thread_pool(self._options.workers) as pool:
            rest = self._migrate_canaries(pool, tenants)
            while rest and not self._report.stopped:
                self._migrate_each(pool, rest)
                # Tenants that an older process created in the meantime.
                rest = self._find_outdated()

    def _migrate_canaries(
        self, pool: TenantThreadPool, tenants: list[OutdatedTenant]
    ) -> list[OutdatedTenant]:
        """Migrate tenants until enough of them have succeeded; return the others.

        If one fails, another one follows, because the fault may be in the tenant. If as many fail as should succeed,
        the fault is in the migration, and the run stops. Tenants that failed in an earlier run are no canaries.
        """
        fresh = sum(one.tenant.tenant_id not in self._previously_failed for one in tenants)
        required = min(self._options.canaries, fresh)
        while tenants and (missing := required - self._report.migrated) > 0:
            self._migrate_each(pool, tenants[:missing])
            tenants = tenants[missing:]
            failed = len(self._report.failed)
            if tenants and failed >= required > self._report.migrated:
                self._report.stopped = f"{failed} canaries failed. The other dojos were not migrated."
                break
        return tenants

    def _migrate_each(self, pool: TenantThreadPool, tenants: Sequence[OutdatedTenant]) -> None:
        for outdated, future in pool.each(self._migrate, tenants):
            error = future.exception()
            outcome = self._failure(outdated, error) if error else MigrationOutcome(outdated, future.result())
            self._report.add(outcome)
            self._listener.on_outcome(outcome)
            if time.monotonic() > self._refreshed_at + ROUTING_REFRESH_SECONDS:
                self._refreshed_at = time.monotonic()
                migration_status.refresh_routing()

    def _migrate(self, outdated: OutdatedTenant) -> int:
        """Migrate one tenant; return the number of attempts. Runs in a thread of the pool."""

        def attempt_migration(attempt: int) -> int:
            tenant = outdated.tenant
            migration_status.mark_running(tenant.tenant_id)
            version = migrate_tenant(tenant, outdated.applied, self._scripts, self._options.limits)
            migration_status.mark_done(tenant.tenant_id, version)
            return attempt

        return with_retries(attempt_migration, attempts=self._options.limits.attempts)

    def _failure(self, outdated: OutdatedTenant, error: BaseException) -> MigrationOutcome:
        tenant_id = outdated.tenant.tenant_id
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        attempts = with_retries(
            lambda _: migration_status.mark_failed(tenant_id, reason), attempts=self._options.limits.attempts
        )
        logger.warning("fleet.migration_failed", tenant=str(tenant_id), reason=reason)
        return MigrationOutcome(outdated, attempts or 1, reason, is_gone=attempts is None)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do."""

    target: str
    public: list[str]
    """The migrations that `public` lacks."""
    groups: list[tuple[int, str, Script]]
    """For each version of outdated tenants: the number of tenants, the version, and the script from there."""

    def lines(self) -> Iterator[str]:
        """Yield the plan as lines of text."""
        yield f"public: {', '.join(self.public) or 'up to date'}"
        if not self.groups:
            yield "Every dojo is up to date."
        for number, version, script in self.groups:
            yield f"\n{number:,} dojos at {version}"
            for step in script.steps:
                yield f"  {'.'.join(step.key)}"
                statements = step.statements or ("-- runs Python in each dojo",)
                yield from (f"    {statement};" for statement in statements)

    def as_json(self) -> dict[str, Any]:
        """Return the plan as a JSON document."""
        return {
            "target": self.target,
            "public": self.public,
            "groups": [
                {
                    "dojos": number,
                    "version": version,
                    "migrations": [
                        {
                            "name": ".".join(step.key),
                            "runs_python": step.python_state is not None,
                            "statements": step.statements,
                        }
                        for step in script.steps
                    ],
                }
                for number, version, script in self.groups
            ],
        }


def plan_run(*, contract: bool) -> Plan:
    """Return what a run would do now. Nothing is changed: the rehearsal is rolled back."""
    scripts = Scripts(history().all_keys if contract else history().required)
    public = dotted_names(ddl.missing_in_public(contract=contract))
    # Before the first run there is no table of tenants.
    outdated = migration_status.outdated_tenants(scripts.target) if ddl.is_public_migrated() else []
    numbers = Counter((one.version, one.applied) for one in outdated)
    groups = [
        (number, version, scripts.from_version(applied)) for (version, applied), number in numbers.items()
    ]
    return Plan(history().version(scripts.target), public, groups)
