"""The work of promotions that is done in the background; the names are here so that every worker knows them."""

from datetime import datetime

from django.db.models import QuerySet

from tatami import retention
from tatami.retention import kept_for
from tatami.work import DONE, Turn, job
from tenant_apps.promotions.batches import run_batches
from tenant_apps.promotions.models import Batch
from tenant_apps.promotions.snapshot import take_snapshot

__all__ = ["run_batches", "sweep", "take_snapshot"]


SWEEP = "promotions.sweep"


@kept_for("TATAMI_CHECK_BATCH_DAYS", job=SWEEP)
def check_batches(until: datetime) -> QuerySet[Batch]:
    """Return the batches from before a moment that only checked. Others stay: they say how awards came about."""
    return Batch.objects.filter(award=False, created_at__lt=until)


@job(SWEEP)
def sweep(turn: Turn) -> str | None:
    """Delete checks that are too old."""
    retention.sweep(SWEEP, now=turn.now)
    return DONE
