"""What was decided about promotions, and the batches in which it is decided for many."""

from tenant_apps.promotions.models.batch import Batch, BatchItem, BatchQuerySet
from tenant_apps.promotions.models.decision import Decision

__all__ = ["Batch", "BatchItem", "BatchQuerySet", "Decision"]
