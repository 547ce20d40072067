"""The work of promotions that is done in the background; the names are here so that every worker knows them."""

from datetime import timedelta

from django.conf import settings

from tatami.work import DONE, Turn, job
from tenant_apps.promotions.batches import run_batches
from tenant_apps.promotions.models import Batch
from tenant_apps.promotions.snapshot import take_snapshot

__all__ = ["run_batches", "sweep", "take_snapshot"]


@job("promotions.sweep")
def sweep(turn: Turn) -> str | None:
    """Delete checks that are too old. Awards stay: their batch says how they came about."""
    until = turn.now - timedelta(days=settings.TATAMI_CHECK_BATCH_DAYS)
    Batch.objects.filter(award=False, created_at__lt=until).delete()
    return DONE
