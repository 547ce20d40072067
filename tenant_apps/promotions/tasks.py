"""The background jobs of promotions. Every worker imports this module, so that the jobs are registered."""

from datetime import datetime
from typing import Final

from django.db.models import QuerySet

from tatami import retention
from tatami.jobs import DONE, JobRun, job
from tatami.retention import delete_after
from tenant_apps.promotions.batches import run_batches
from tenant_apps.promotions.models import Batch
from tenant_apps.promotions.snapshot import take_snapshot

__all__ = ["run_batches", "sweep", "take_snapshot"]

SWEEP: Final = "promotions.sweep"


@delete_after("TATAMI_CHECK_BATCH_DAYS", job=SWEEP)
def check_batches(until: datetime) -> QuerySet[Batch]:
    """Return the check batches from before an instant. Batches that awarded are kept: they explain the awards."""
    return Batch.objects.filter(award=False, created_at__lt=until)


@job(SWEEP)
def sweep(run: JobRun) -> str | None:
    """Delete expired check batches."""
    retention.sweep(SWEEP, now=run.now)
    return DONE
