"""Checking, or awarding, for many. These rows are the truth about what is done and what is not."""

from collections.abc import Iterable
from typing import ClassVar, Self

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q

from shared_apps.accounts.models import User
from tatami.counts import numbers_by_state
from tatami.tenancy.models import TenantModel
from tatami.tenancy.scope import current_tenant
from tenant_apps.ranks.models import RankSystem
from tenant_apps.students.models import Student


class BatchQuerySet(models.QuerySet["Batch"]):
    """The batches of the dojo."""

    def unfinished(self) -> Self:
        """Return those with work left, the oldest first."""
        ended = Q(finished_at__isnull=False) | Q(cancelled_at__isnull=False) | Q(reverted_at__isnull=False)
        return self.exclude(ended).order_by("created_at", "id")


class Batch(TenantModel):
    """A check or an award for many students, done piece by piece by workers."""

    award = models.BooleanField()
    as_of = models.DateField()
    rank_system = models.ForeignKey(
        RankSystem, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    target_ranks = models.JSONField(default=list, encoder=DjangoJSONEncoder)
    """Ids of the ranks it is about; none: all."""
    requested_by = models.ForeignKey(
        User, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    cancelled_at = models.DateTimeField(null=True)
    reverted_at = models.DateTimeField(null=True)
    revert_reason = models.CharField(max_length=500, blank=True)

    objects: ClassVar[BatchQuerySet] = BatchQuerySet.as_manager()  # type: ignore[assignment]

    counts: dict[str, int]
    """How many of its items are in each state; see `count_items`."""

    class Meta:
        ordering = ("-created_at", "-id")

    @property
    def total(self) -> int:
        """Return the number of its items."""
        return sum(self.counts.values())

    @property
    def status(self) -> str:
        """Return how far it is, as the contract names it."""
        if self.reverted_at:
            return "reverted"
        if self.cancelled_at:
            return "cancelled"
        if self.finished_at:
            failed = self.counts[BatchItem.State.FAILED]
            return "failed" if failed and failed == self.total else "done"
        if current_tenant().status != "active":
            return "paused"
        return "running" if self.started_at else "queued"


class BatchItem(TenantModel):
    """One student of a batch."""

    class State(models.TextChoices):
        QUEUED = "queued"
        CHECKED = "checked"
        AWARDED = "awarded"
        REFUSED = "refused"
        FAILED = "failed"
        CANCELLED = "cancelled"
        REVERTED = "reverted"

    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="items", db_index=False)
    student = models.ForeignKey(Student, on_delete=models.CASCADE, related_name="+")
    state = models.CharField(max_length=16, choices=State, default=State.QUEUED)
    answers = models.JSONField(default=list, encoder=DjangoJSONEncoder)
    """What the check said, as `POST /promotions/check` shows it, without the student."""
    error = models.JSONField(null=True)
    """Why nothing was done where the check does not say it: code and message."""

    class Meta:
        ordering = ("batch_id", "id")
        constraints = [models.UniqueConstraint(fields=["batch", "student"], name="batch_item_once")]
        indexes = [
            models.Index(fields=["batch", "student"], condition=Q(state="queued"), name="batch_item_queued")
        ]


def count_items(batches: Iterable[Batch]) -> None:
    """Give each the numbers of its items: counted, so that they always add up. One statement."""
    rows = list(batches)
    numbers = numbers_by_state(BatchItem.objects.all(), "batch", rows, BatchItem.State)
    for row in rows:
        row.counts = numbers[row.pk]
