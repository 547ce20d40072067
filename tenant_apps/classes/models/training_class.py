"""A class of the weekly schedule, who teaches it and who is expected at it."""

from datetime import date
from typing import ClassVar, Self

from django.db import models

from shared_apps.accounts.models import User
from tatami.fields import SearchField
from tatami.tenancy.models import Archivable, ArchivableQuerySet, TenantModel
from tenant_apps.ranks.models import Discipline, Rank
from tenant_apps.students.models import Status, Student, status_on


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
    search_name = SearchField("name", "class_type", "location")
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
    materialised_zone = models.CharField(max_length=64, blank=True)
    """The time zone in which they were timed; where the dojo's is another by now, those to come are timed anew."""

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

    def expected(self, *, on: date) -> Self:
        """Return those whose students train on a local date: not archived or erased, not gone, not on hold."""
        here = self.filter(student__archived_at__isnull=True, student__erased_at__isnull=True)
        return here.alias(stands=status_on(on, "student__")).filter(stands__in=(Status.TRIAL, Status.ACTIVE))


class Enrolment(TenantModel):
    """A student is expected at a class."""

    training_class = models.ForeignKey(TrainingClass, on_delete=models.CASCADE, related_name="enrolments")
    student = models.ForeignKey(Student, on_delete=models.CASCADE, related_name="enrolments")

    objects: ClassVar[EnrolmentQuerySet] = EnrolmentQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [models.UniqueConstraint(fields=["training_class", "student"], name="enrolment_once")]
