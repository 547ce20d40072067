"""Exports as rows: requested, claimed by a worker, built and stored, or failed; deleted when they expire.

The row is the truth. A worker holds an export by a lease, which it renews while it makes progress. If the worker is
killed, the lease ends, and another worker starts the export again. Each attempt has a file name of its own, so that no
two attempts write one file.

Exports have a queue of their own (with the same lease, `LeaseQuerySet`) instead of the job queue, because a job is one
short run for an active tenant, once per tenant and kind. An export takes minutes and renews its lease; it is allowed
for suspended and deleted tenants, too; there may be several per tenant; it fails after `MAX_ATTEMPTS`; and its row
outlives the tenant until its file is deleted.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from django.conf import settings
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext_noop

from shared_apps.tenants.errors import (
    ArchiveRefused,
    ExportLeaseLost,
    ExportUnfinished,
    SchemaChanged,
    TooManyExports,
    WrongState,
)
from shared_apps.tenants.exports.archive import ArchiveWriter
from shared_apps.tenants.exports.files import length_and_sha256, store_file, temporary_file
from shared_apps.tenants.exports.snapshot import RowCallback
from shared_apps.tenants.models import Tenant, TenantExport
from shared_apps.webhooks.events import publish
from tatami import clock
from tatami.retention import remove_each
from tatami.tenancy.scope import platform_scope, tenant_scope

logger = structlog.get_logger(__name__)

LEASE: Final = timedelta(minutes=1)
"""How long an export stays with a worker that does not renew its lease."""

UPLOAD_LEASE: Final = timedelta(minutes=30)
"""How long the storage may take to save an archive. The worker cannot renew its lease in the meantime."""

RENEW_EVERY: Final = timedelta(seconds=2)

MAX_ATTEMPTS: Final = 3

MOST_OWN_EXPORTS: Final = 3
"""Archives that a dojo keeps for itself at a time. Each has all of its data."""

GAVE_UP_MESSAGE: Final = gettext_noop("The export was interrupted 3 times. Request a new one.")
"""Stored with the export, and translated where it is shown. The number is `MAX_ATTEMPTS`."""

TENANT_GONE_MESSAGE: Final = "The dojo was purged."


@dataclass(frozen=True, slots=True)
class ClaimedExport:
    """An export that this worker has claimed. If the row's attempt is no longer `attempt`, another worker has it."""

    export_id: UUID
    attempt: int
    tenant: Tenant

    @property
    def file_name(self) -> str:
        """Return the name in Django's storage that this attempt writes to."""
        return file_name(self.tenant.pk, self.export_id, self.attempt)


def file_name(tenant_id: UUID, export_id: UUID, attempt: int) -> str:
    """Return the name in Django's storage of one attempt at an export."""
    return f"{tenant_id}/exports/{export_id}-{attempt}.zip"


def request_export(*, tenant: Tenant, requested_by: UUID | None, now: datetime) -> TenantExport:
    """Request an export, which a worker builds. Raises `WrongState` if the tenant is being created or purged."""
    if tenant.status == Tenant.Status.PROVISIONING:
        raise WrongState("A dojo that is being created or purged cannot be exported.")
    return TenantExport.objects.create(
        tenant=tenant,
        requested_by=requested_by,
        lease_until=now,
        created_at=now,
        expires_at=_expires_at(now),
    )


def request_own_export(*, tenant: Tenant, requested_by: UUID, now: datetime) -> TenantExport:
    """Request an export for an admin of the dojo. Call it in a transaction that has locked the tenant.

    So of concurrent requests one succeeds. Raises `ExportUnfinished` while one of the dojo's own is not finished, and
    `TooManyExports` if `MOST_OWN_EXPORTS` are kept.
    """
    own = TenantExport.objects.filter(tenant=tenant, is_own=True)
    if own.unfinished().exists():
        raise ExportUnfinished
    if own.count() >= MOST_OWN_EXPORTS:
        raise TooManyExports
    made = request_export(tenant=tenant, requested_by=requested_by, now=now)
    made.is_own = True
    made.save(update_fields=["is_own"])
    return made


def _expires_at(now: datetime) -> datetime:
    return now + timedelta(days=settings.TATAMI_EXPORT_DAYS)


def claim_export(*, now: datetime, export_id: UUID | None = None) -> ClaimedExport | None:
    """Claim the export that has waited longest, or the given one; return `None` if there is none to build.

    Concurrent calls claim different exports.
    """
    with platform_scope(), transaction.atomic():
        unfinished = TenantExport.objects.unfinished()
        if export_id is not None:
            unfinished = unfinished.filter(pk=export_id)
        export = unfinished.lock_next(now)
        if export is None:
            return None
        tenant = Tenant.objects.with_primary_domain().filter(pk=export.tenant_id).first()
        is_given_up = export.attempts >= MAX_ATTEMPTS
        if tenant is None or is_given_up:
            export.status, export.finished_at = TenantExport.Status.FAILED, now
            export.error = GAVE_UP_MESSAGE if is_given_up else TENANT_GONE_MESSAGE
            export.save()
            return None
        export.status = TenantExport.Status.RUNNING
        export.attempts += 1
        export.done, export.lease_until = 0, now + LEASE
        export.save()
        return ClaimedExport(export.pk, export.attempts, tenant)


def build_next_export() -> bool:
    """Build the export that has waited longest; return whether there was one."""
    claimed = claim_export(now=clock.now())
    if claimed is not None:
        build_export(claimed)
    return claimed is not None


def build_now(export: TenantExport, *, on_total: RowCallback, on_rows: RowCallback) -> TenantExport:
    """Build an export in this process instead of waiting for a worker; return its row afterwards."""
    claimed = claim_export(now=clock.now(), export_id=export.pk)
    if claimed is not None:
        build_export(claimed, on_total=on_total, on_rows=on_rows)
    with platform_scope():
        return TenantExport.objects.get(pk=export.pk)


def build_export(
    claimed: ClaimedExport,
    *,
    on_total: RowCallback = lambda _: None,
    on_rows: RowCallback = lambda _: None,
) -> None:
    """Build a claimed export: write the archive to a temporary file, store it, and mark the row as done.

    Errors of the database or the storage propagate; the export is then tried again when its lease has ended.
    """
    progress = _ProgressRecorder(claimed, on_total, on_rows)
    try:
        with temporary_file() as file:
            writer = ArchiveWriter(claimed.tenant, now=clock.now())
            writer.write(file, on_total=progress.start, on_rows=progress.add)
            bytes_, sha256 = length_and_sha256(file)
            renew(claimed, now=clock.now(), lease=UPLOAD_LEASE, done=progress.done)
            name = store_file(file, claimed.file_name)
            finish(claimed, bytes=bytes_, sha256=sha256, name=name, now=clock.now())
    except SchemaChanged:
        requeue(claimed, now=clock.now())
    except ArchiveRefused as refusal:
        fail(claimed, error=refusal.message, now=clock.now())
    except ExportLeaseLost:
        default_storage.delete(claimed.file_name)
        logger.info("export_lease_lost", export=str(claimed.export_id))


class _ProgressRecorder:
    """Passes progress on to the callbacks, and writes it to the row every few seconds."""

    def __init__(self, claimed: ClaimedExport, on_total: RowCallback, on_rows: RowCallback) -> None:
        self.done = 0
        self._claimed, self._on_total, self._on_rows = claimed, on_total, on_rows
        self._renewed_at = clock.now()

    def start(self, total: int) -> None:
        renew(self._claimed, now=clock.now(), total=total)
        self._on_total(total)

    def add(self, rows: int) -> None:
        self.done += rows
        self._on_rows(rows)
        now = clock.now()
        if now - self._renewed_at >= RENEW_EVERY:
            renew(self._claimed, now=now, done=self.done)
            self._renewed_at = now


def renew(claimed: ClaimedExport, *, now: datetime, lease: timedelta = LEASE, **progress: int) -> None:
    """Record progress and renew the lease. Raises `ExportLeaseLost` if another worker has the export."""
    _update(claimed, lease_until=now + lease, **progress)


def finish(claimed: ClaimedExport, *, bytes: int, sha256: str, name: str, now: datetime) -> None:
    """Record that the archive is stored under `name`. Raises `ExportLeaseLost` if another worker has the export."""
    values = {"status": TenantExport.Status.DONE, "bytes": bytes, "sha256": sha256, "name": name}
    tenant = claimed.tenant
    with platform_scope(), transaction.atomic():
        _update(claimed, **values, finished_at=now, expires_at=_expires_at(now))
        publish("export.done", [{"id": claimed.export_id, "tenant": tenant.pk}], now=now)
    if not tenant.scope.is_behind:  # else its schema may not have the tables of webhooks yet
        with tenant_scope(tenant.scope), transaction.atomic():
            publish("export.done", [{"id": claimed.export_id}], now=now)


def fail(claimed: ClaimedExport, *, error: str, now: datetime) -> None:
    """Record that the export cannot be built, and why. Raises `ExportLeaseLost`."""
    _update(claimed, status=TenantExport.Status.FAILED, error=error, finished_at=now)


def requeue(claimed: ClaimedExport, *, now: datetime) -> None:
    """Put the export back into the queue. Raises `ExportLeaseLost`."""
    _update(claimed, status=TenantExport.Status.QUEUED, lease_until=now)


def _update(claimed: ClaimedExport, **values: object) -> None:
    with platform_scope():
        ours = TenantExport.objects.filter(
            pk=claimed.export_id, attempts=claimed.attempt, status=TenantExport.Status.RUNNING
        )
        if not ours.update(**values):
            raise ExportLeaseLost(str(claimed.export_id))


def is_waiting(*, now: datetime) -> bool:
    """Return whether an export waits for a worker."""
    with platform_scope():
        return TenantExport.objects.unfinished().due(now).exists()


def sweep_exports(*, now: datetime, dry_run: bool = False) -> int:
    """Delete expired exports and exports of purged tenants, each file before its row, or only count them.

    Returns how many. If it is killed, the next call continues.
    """
    with platform_scope():
        expired = list(_expired(now))
        return len(expired) if dry_run else remove_each(expired, delete_export)


def delete_export(export: TenantExport) -> bool:
    """Delete an export with its files; return whether its row still existed. A second call changes nothing."""
    for attempt in range(1, export.attempts + 1):
        default_storage.delete(file_name(export.tenant_id, export.pk, attempt))
    return bool(export.delete()[0])


def _expired(now: datetime) -> QuerySet[TenantExport]:
    has_tenant = Exists(Tenant.objects.filter(pk=OuterRef("tenant_id")))
    return TenantExport.objects.filter(Q(expires_at__lte=now) | ~has_tenant).order_by("pk")
