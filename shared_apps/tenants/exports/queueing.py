"""Exports as rows: asked for, claimed by a worker, done or failed, and swept when their time is over.

The row is the truth. A worker that makes an export holds it by a lease, which it renews as it gets on; one that is
killed loses it, and the export begins again. Each attempt has a file name of its own, so that no two write one file.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from shared_apps.tenants.errors import WrongState
from shared_apps.tenants.exports.errors import ExportOvertaken
from shared_apps.tenants.models import Tenant, TenantExport
from tatami.retention import one_by_one
from tatami.tenancy.scope import platform_scope

LEASE: Final = timedelta(minutes=1)
"""How long an export stays with a worker that was not heard of."""

STORING: Final = timedelta(minutes=30)
"""How long the storage may take to swallow an archive: meanwhile nothing is heard of the worker."""

RENEWED_EVERY: Final = timedelta(seconds=2)

MOST_ATTEMPTS: Final = 3

GAVE_UP: Final = f"It was tried {MOST_ATTEMPTS} times and never came to its end."

GONE: Final = "The dojo is gone."


@dataclass(frozen=True, slots=True)
class Claim:
    """An export that was given to us. `attempt` is the row's at that moment: with another it is somebody else's."""

    export_id: UUID
    attempt: int
    tenant: Tenant

    @property
    def file_name(self) -> str:
        """Return the name in Django's storage that this attempt writes to."""
        return file_name(self.tenant.pk, self.export_id, self.attempt)


def file_name(tenant_id: UUID, export_id: UUID, attempt: int) -> str:
    """Return where an attempt at an export is stored."""
    return f"{tenant_id}/exports/{export_id}-{attempt}.zip"


def request_export(*, tenant: Tenant, requested_by: UUID | None, now: datetime) -> TenantExport:
    """Ask for an export; a worker makes it. Raises `WrongState` for a dojo that is still in the making."""
    if tenant.status == Tenant.Status.PROVISIONING:
        raise WrongState("A dojo that is still being made cannot be exported.")
    expires_at = now + timedelta(days=settings.TATAMI_EXPORT_DAYS)
    return TenantExport.objects.create(
        tenant=tenant, requested_by=requested_by, lease_until=now, created_at=now, expires_at=expires_at
    )


def claim_export(*, now: datetime, export_id: UUID | None = None) -> Claim | None:
    """Take the export that has waited longest (or this one), or None. Two at once take two."""
    with platform_scope(), transaction.atomic():
        waiting = TenantExport.objects.unfinished().filter(lease_until__lte=now)
        if export_id is not None:
            waiting = waiting.filter(pk=export_id)
        export = waiting.order_by("lease_until", "pk").select_for_update(skip_locked=True).first()
        if export is None:
            return None
        tenant = Tenant.objects.with_primary_domain().filter(pk=export.tenant_id).first()
        is_tried_enough = export.attempts >= MOST_ATTEMPTS
        if tenant is None or is_tried_enough:
            export.status, export.finished_at = TenantExport.Status.FAILED, now
            export.error = GAVE_UP if is_tried_enough else GONE
            export.save()
            return None
        export.status = TenantExport.Status.RUNNING
        export.attempts += 1
        export.done, export.lease_until = 0, now + LEASE
        export.save()
        return Claim(export.pk, export.attempts, tenant)


def renew(claim: Claim, *, now: datetime, lease: timedelta = LEASE, **progress: int) -> None:
    """Note how far it is, and keep it. Raises `ExportOvertaken` if it is not ours any more."""
    _note(claim, lease_until=now + lease, **progress)


def finish(claim: Claim, *, bytes: int, sha256: str, name: str, now: datetime) -> None:
    """Note that the archive lies in the storage under `name`. Raises `ExportOvertaken` if it is not ours any more."""
    expires_at = now + timedelta(days=settings.TATAMI_EXPORT_DAYS)
    done = {"status": TenantExport.Status.DONE, "bytes": bytes, "sha256": sha256, "name": name}
    _note(claim, **done, finished_at=now, expires_at=expires_at)


def fail(claim: Claim, *, error: str, now: datetime) -> None:
    """Note that it cannot be made, and why."""
    _note(claim, status=TenantExport.Status.FAILED, error=error, finished_at=now)


def begin_again(claim: Claim, *, now: datetime) -> None:
    """Put it back into the queue."""
    _note(claim, status=TenantExport.Status.QUEUED, lease_until=now)


def is_waiting(*, now: datetime) -> bool:
    """Say whether an export waits for a worker."""
    with platform_scope():
        return TenantExport.objects.unfinished().filter(lease_until__lte=now).exists()


def sweep(*, now: datetime, dry_run: bool = False) -> int:
    """Delete the exports whose time is over, and those of dojos that were purged: files first, then rows.

    Return how many. Killed in the middle it goes on the next time.
    """
    with platform_scope():
        overdue = list(_overdue(now))
        return len(overdue) if dry_run else one_by_one(overdue, delete)


def delete(export: TenantExport) -> bool:
    """Delete an export with its file; return whether it was still there. Twice changes nothing."""
    for attempt in range(1, export.attempts + 1):
        default_storage.delete(file_name(export.tenant_id, export.pk, attempt))
    return bool(export.delete()[0])


def _overdue(now: datetime) -> QuerySet[TenantExport]:
    there = Exists(Tenant.objects.filter(pk=OuterRef("tenant_id")))
    return TenantExport.objects.filter(Q(expires_at__lte=now) | ~there).order_by("pk")


def _note(claim: Claim, **values: object) -> None:
    with platform_scope():
        ours = TenantExport.objects.filter(
            pk=claim.export_id, attempts=claim.attempt, status=TenantExport.Status.RUNNING
        )
        if not ours.update(**values):
            raise ExportOvertaken(str(claim.export_id))
