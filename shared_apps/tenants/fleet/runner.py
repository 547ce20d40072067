"""Bringing `public` and then every dojo that is behind to the version that this code needs. One runner at a time.

Nothing has to be cleared away after a run that was killed: the next one asks again who is behind. A dojo that cannot
be migrated keeps its version, is told of with the reason, and holds up nobody else.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from uuid import UUID

import structlog
from django.db import connections

from shared_apps.tenants import schemas
from shared_apps.tenants.fleet import rows
from shared_apps.tenants.fleet.crew import Crew, crew
from shared_apps.tenants.fleet.replay import Patience, bring_up_to_date
from shared_apps.tenants.fleet.retries import with_retries
from shared_apps.tenants.fleet.rows import Behind
from shared_apps.tenants.fleet.scripts import Scripts
from shared_apps.tenants.fleet.versions import history

logger = structlog.get_logger(__name__)

LOCK_KEY: Final = 0x7461_7461_6D69
"""The advisory lock of the one who runs: "tatami"."""

TELL_PROCESSES_EVERY: Final = 1.0
"""Seconds: each time, every process looks its hosts up again."""


class AnotherRunner(RuntimeError):
    """Another run is at it; it has to end first."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a run goes about it."""

    workers: int = 4
    canaries: int = 3
    contract: bool = False
    """Also run what takes away: only when no process of the version before is left."""
    wait: bool = False
    """Wait for another runner to end, rather than raise `AnotherRunner`."""
    patience: Patience = field(default_factory=Patience)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one dojo. Without a reason it is up to date."""

    dojo: Behind
    tries: int
    reason: str = ""
    is_gone: bool = False
    """It was purged meanwhile."""


@dataclass(slots=True)
class Report:
    """What became of all."""

    target: str
    behind: int = 0
    migrated: int = 0
    gone: int = 0
    tried_again: int = 0
    """Tries beyond each dojo's first."""
    failed: list[Outcome] = field(default_factory=list)
    stopped: str = ""
    """Why the run ended before its end."""
    seconds: float = 0.0

    def note(self, outcome: Outcome) -> None:
        """Count what became of one dojo."""
        self.tried_again += outcome.tries - 1
        if outcome.is_gone:
            self.gone += 1
        elif outcome.reason:
            self.failed.append(outcome)
        else:
            self.migrated += 1

    @property
    def left(self) -> int:
        """How many were not tried."""
        return self.behind - self.migrated - self.gone - len(self.failed)

    @property
    def is_good(self) -> bool:
        """Whether every dojo is at the target."""
        return not (self.failed or self.left or self.stopped)


class Watcher(Protocol):
    """Who is told how it goes."""

    def begins(self, behind: int) -> None: ...
    def ended(self, outcome: Outcome) -> None: ...


class Nobody:
    """A watcher who does not look."""

    def begins(self, behind: int) -> None: ...
    def ended(self, outcome: Outcome) -> None: ...


def migrate_fleet(options: Options, watcher: Watcher | None = None) -> Report:
    """Migrate `public` and all dojos; say what became of it. Call it outside a transaction.

    Raises `AnotherRunner`, `ServiceUnavailable` without an owner login, and whatever the rehearsal of the migrations
    raises: then no dojo was touched.
    """
    with only_runner(wait=options.wait):
        return _Run(options, watcher or Nobody()).report()


@contextmanager
def only_runner(*, wait: bool) -> Iterator[None]:
    """Be the one who runs. The lock is a session's: it ends with the process that holds it."""
    schemas.require_owner()
    # A connection of its own: django-tenants closes the one it migrated with.
    session: Any = connections.create_connection(schemas.OWNER)
    session.set_schema_to_public()
    try:
        with session.cursor() as cursor:
            cursor.execute(f"SELECT pg_{'advisory_lock' if wait else 'try_advisory_lock'}(%s)", [LOCK_KEY])
            if cursor.fetchone()[0] is False:
                raise AnotherRunner("Another run of migrate_fleet is at it.")
        yield
    finally:
        session.close()


class _Run:
    """One run, from the moment on that nobody else runs."""

    def __init__(self, options: Options, watcher: Watcher) -> None:
        self._options = options
        self._watcher = watcher
        self._scripts = Scripts(history().whole if options.contract else history().needed)
        self._report = Report(history().version(self._scripts.target))
        self._tried: set[UUID] = set()
        self._suspects: set[UUID] = set()
        self._told_at = 0.0

    def report(self) -> Report:
        began = time.monotonic()
        patience = self._options.patience
        with_retries(
            lambda _: schemas.migrate_public(
                contract=self._options.contract, settings=patience.settings(local="")
            ),
            attempts=patience.attempts,
        )
        dojos = self._who_is_behind()
        self._watcher.begins(self._report.behind)
        try:
            if dojos:
                self._migrate(dojos)
        finally:
            # Also where nothing was left to do: a run before this one may have been killed before it told them.
            rows.let_processes_look_again()
        self._report.seconds = time.monotonic() - began
        return self._report

    def _who_is_behind(self) -> list[Behind]:
        """Return who is behind and was not tried yet, those that failed last time last; note them all."""
        found = [d for d in rows.behind(self._scripts.target) if d.tenant.tenant_id not in self._tried]
        self._suspects = rows.failed_before(self._report.target)
        found.sort(key=lambda dojo: dojo.tenant.tenant_id in self._suspects)
        rows.plan(found, self._report.target)
        # What cannot be rehearsed is raised here, before any dojo is touched.
        for applied in {dojo.applied for dojo in found}:
            self._scripts.from_version(applied)
        self._tried.update(dojo.tenant.tenant_id for dojo in found)
        self._report.behind += len(found)
        return found

    def _migrate(self, dojos: list[Behind]) -> None:
        with crew(self._options.workers) as team:
            rest = self._canaries_first(team, dojos)
            while rest and not self._report.stopped:
                self._go(team, rest)
                # Dojos that an older process made meanwhile.
                rest = self._who_is_behind()

    def _canaries_first(self, team: Crew, dojos: list[Behind]) -> list[Behind]:
        """Migrate dojos until enough of them are well; return the others.

        One that fails is followed by another: it may be the dojo. If as many fail as should be well, it is not. Those
        that failed in an earlier run are no canaries.
        """
        fresh = sum(dojo.tenant.tenant_id not in self._suspects for dojo in dojos)
        wanted = min(self._options.canaries, fresh)
        while dojos and (need := wanted - self._report.migrated) > 0:
            self._go(team, dojos[:need])
            dojos = dojos[need:]
            failed = len(self._report.failed)
            if dojos and failed >= wanted > self._report.migrated:
                self._report.stopped = f"{failed} canaries failed: the other dojos were left alone."
                break
        return dojos

    def _go(self, team: Crew, dojos: Sequence[Behind]) -> None:
        for dojo, future in team.each(self._bring, dojos):
            error = future.exception()
            outcome = self._failed(dojo, error) if error else Outcome(dojo, future.result())
            self._report.note(outcome)
            self._watcher.ended(outcome)
            if time.monotonic() > self._told_at + TELL_PROCESSES_EVERY:
                self._told_at = time.monotonic()
                rows.let_processes_look_again()

    def _bring(self, dojo: Behind) -> int:
        """Bring one dojo up to date; return how often that was tried. Runs in a thread of the crew."""

        def bring(attempt: int) -> int:
            tenant = dojo.tenant
            rows.begin(tenant.tenant_id)
            version = bring_up_to_date(tenant, dojo.applied, self._scripts, self._options.patience)
            rows.done(tenant.tenant_id, version)
            return attempt

        return with_retries(bring, attempts=self._options.patience.attempts)

    def _failed(self, dojo: Behind, error: BaseException) -> Outcome:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        tries = with_retries(
            lambda _: rows.failed(dojo.tenant.tenant_id, reason), attempts=self._options.patience.attempts
        )
        logger.warning("fleet.dojo_failed", tenant=str(dojo.tenant.tenant_id), reason=reason)
        return Outcome(dojo, tries or 1, reason, is_gone=tries is None)
