"""Classes as they recur, and the sessions made from them."""

from datetime import date, datetime, timedelta
from typing import ClassVar, Self

from django.db import models
from django.db.models import Q

from shared_apps.accounts.models import User
from tatami.tenancy.models import Archivable, ArchivableQuerySet, TenantModel
from tenant_apps.dojo.models import LONGEST_WINDOW_MINUTES
from tenant_apps.ranks.models import Discipline, Rank
from tenant_apps.students.models import Student


class CheckInWindow(models.Model):
    """When check-in opens and closes and from when it is late, in minutes from the start; null: the dojo's setting."""

    opens_minutes_before = models.PositiveSmallIntegerField(null=True)
    closes_minutes_after = models.PositiveSmallIntegerField(null=True)
    late_after_minutes = models.PositiveSmallIntegerField(null=True)

    class Meta:
        abstract = True


class TrainingClass(Archivable, CheckInWindow):
    """A class of the weekly schedule. `recurrence` is the contract's document, in the dojo's local time."""

    name = models.CharField(max_length=120)
    class_type = models.CharField(max_length=60, blank=True)
    discipline = models.ForeignKey(Discipline, null=True, on_delete=models.PROTECT, related_name="classes")
    location = models.CharField(max_length=120, blank=True)
    recurrence = models.JSONField()
    capacity = models.PositiveIntegerField(null=True)
    min_rank = models.ForeignKey(Rank, null=True, on_delete=models.PROTECT, related_name="+")
    counts_toward_promotion = models.BooleanField(default=True)
    expected_attendance = models.JSONField(default=dict)
    materialised_until = models.DateField(null=True)
    """Sessions exist up to and including this local date."""

    instructors = models.ManyToManyField(User, through="ClassInstructor", related_name="classes")

    objects: ClassVar = ArchivableQuerySet.as_manager()

    class Meta:
        ordering = ("name", "id")

    def __str__(self) -> str:
        return self.name


class ClassInstructor(TenantModel):
    """Who teaches a class."""

    training_class = models.ForeignKey(
        TrainingClass, on_delete=models.CASCADE, related_name="instructor_links"
    )
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["training_class", "user"], name="class_instructor_once")
        ]


class EnrolmentQuerySet(models.QuerySet["Enrolment"]):
    """Who is expected where."""

    def belonging_to(self, user: User) -> Self:
        """Return those of the students a user speaks for."""
        return self.filter(student__links__user=user)


class Enrolment(TenantModel):
    """A student is expected at a class."""

    training_class = models.ForeignKey(TrainingClass, on_delete=models.CASCADE, related_name="enrolments")
    student = models.ForeignKey(Student, on_delete=models.CASCADE, related_name="enrolments")

    objects: ClassVar[EnrolmentQuerySet] = EnrolmentQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [models.UniqueConstraint(fields=["training_class", "student"], name="enrolment_once")]


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
    """One session, with what held when it was made: a later change of the class does not reach it."""

    class Status(models.TextChoices):
        SCHEDULED = "scheduled"
        CANCELLED = "cancelled"

    training_class = models.ForeignKey(
        TrainingClass, null=True, on_delete=models.PROTECT, related_name="sessions"
    )
    name = models.CharField(max_length=120)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    local_date = models.DateField()
    status = models.CharField(max_length=16, choices=Status, default=Status.SCHEDULED)
    class_type = models.CharField(max_length=60, blank=True)
    discipline = models.ForeignKey(Discipline, null=True, on_delete=models.PROTECT, related_name="+")
    location = models.CharField(max_length=120, blank=True)
    note = models.CharField(max_length=500, blank=True)
    capacity = models.PositiveIntegerField(null=True)
    min_rank = models.ForeignKey(Rank, null=True, on_delete=models.PROTECT, related_name="+")
    counts_toward_promotion = models.BooleanField(default=True)

    objects: ClassVar[ClassSessionQuerySet] = ClassSessionQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ("starts_at", "id")
        constraints = [
            models.UniqueConstraint(fields=["training_class", "starts_at"], name="class_session_once"),
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
