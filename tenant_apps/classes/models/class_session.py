"""One session, as it was made and as it was changed since."""

from datetime import date, datetime, timedelta
from typing import ClassVar, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from shared_apps.accounts.models import User
from tatami.tenancy.models import TenantModel
from tenant_apps.classes.models.training_class import CheckInWindow, TrainingClass
from tenant_apps.dojo.models import LONGEST_WINDOW_MINUTES
from tenant_apps.ranks.models import Discipline, Rank


class ClassSessionQuerySet(models.QuerySet["ClassSession"]):
    """The sessions."""

    def between(self, first: date, last: date) -> Self:
        """Return those of the local dates from `first` to `last`, both included."""
        return self.filter(local_date__gte=first, local_date__lte=last)

    def near(self, instant: datetime) -> Self:
        """Return those whose check-in window may contain `instant`, cancelled ones too."""
        reach = timedelta(minutes=LONGEST_WINDOW_MINUTES)
        return self.filter(starts_at__gte=instant - reach, starts_at__lte=instant + reach)


class ClassSession(TenantModel, CheckInWindow):
    """One session, with what held when it was made.

    A session that a recurrence made fills a slot: a date and a time of day on the dojo's wall clock. The slot stays
    what it was when the session is moved, cancelled or timed anew in another time zone, so it is never filled twice.
    """

    class Status(models.TextChoices):
        SCHEDULED = "scheduled"
        CANCELLED = "cancelled"

    training_class = models.ForeignKey(
        TrainingClass, null=True, on_delete=models.PROTECT, related_name="sessions"
    )
    slot_date = models.DateField(null=True)
    slot_time = models.TimeField(null=True)
    set_by_hand = ArrayField(models.CharField(max_length=40), default=list)
    """The fields that were set for this session alone: a change of the class does not reach them."""
    name = models.CharField(max_length=120)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    local_date = models.DateField()
    status = models.CharField(max_length=16, choices=Status, default=Status.SCHEDULED)
    cancelled_at = models.DateTimeField(null=True)
    cancelled_by = models.ForeignKey(
        User, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    cancel_reason = models.CharField(max_length=500, blank=True)
    class_type = models.CharField(max_length=60, blank=True)
    discipline = models.ForeignKey(Discipline, null=True, on_delete=models.PROTECT, related_name="+")
    location = models.CharField(max_length=120, blank=True)
    note = models.CharField(max_length=500, blank=True)
    capacity = models.PositiveIntegerField(null=True)
    min_rank = models.ForeignKey(Rank, null=True, on_delete=models.PROTECT, related_name="+")
    counts_toward_promotion = models.BooleanField(default=True)
    instructor_ids = ArrayField(models.UUIDField(), default=list)
    """Who teaches it: copied like the rest, so that the past keeps its teachers. Users are never deleted."""

    objects: ClassVar[ClassSessionQuerySet] = ClassSessionQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ("starts_at", "id")
        constraints = [
            models.UniqueConstraint(
                fields=["training_class", "slot_date", "slot_time"], name="class_session_slot_once"
            ),
            models.CheckConstraint(
                condition=Q(ends_at__gt=models.F("starts_at")), name="class_session_ends_later"
            ),
        ]
        indexes = [
            models.Index(fields=["local_date", "starts_at"], name="class_session_by_date"),
            models.Index(fields=["starts_at", "id"], name="class_session_by_start"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def duration(self) -> timedelta:
        """Return how long it lasts."""
        return self.ends_at - self.starts_at

    @property
    def is_cancelled(self) -> bool:
        return self.status == self.Status.CANCELLED
