"""The background jobs of promotions. Every worker imports this module, so that the jobs are registered."""

from tenant_apps.promotions.batches import run_batches, sweep
from tenant_apps.promotions.snapshot import take_snapshot

__all__ = ["run_batches", "sweep", "take_snapshot"]
