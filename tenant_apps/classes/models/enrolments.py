"""Enrolments of students in classes: those in force, and those that ended."""

from typing import Any, ClassVar, Self, TypeVar

from django.db import models
from django.db.models import Exists, F, FilteredRelation, OuterRef, Q

from shared_apps.accounts.models import User
from tatami.tenancy.models import TenantModel
from tenant_apps.classes.models.schedule import TrainingClass
from tenant_apps.students.models import Status, Student, StudentHold

M = TypeVar("M", bound="Enrolment | PastEnrolment")


class EnrolmentPeriodQuerySet(models.QuerySet[M]):
    """The enrolments of the dojo: those in force, or those that ended."""

    def belonging_to(self, user: User) -> Self:
        """Return those of the students that are linked with a user."""
        return self.filter(student__links__user=user)

    def expecting(self, *conditions: Q, **lookups: Any) -> Self:
        """Return a row for each enrolment and each session at which its student is expected; `session` leads to it.

        Give all conditions on `session__…` here: those of a later `filter` would be about any session of the class.

        The enrolment covers the local date of the session. By that day the student had joined; they were not on hold,
        and not archived before the session was over. Students who are inactive are expected nowhere: the date is not
        recorded. Sessions that are cancelled are included, because people need to know.
        """
        day = F("session__local_date")
        on_hold = StudentHold.objects.covering(OuterRef("session__local_date")).filter(
            student=OuterRef("student")
        )
        rows = self.alias(session=FilteredRelation("training_class__sessions"))
        return rows.filter(
            *conditions,
            Q(starts_on__isnull=True) | Q(starts_on__lte=day),
            *(() if self.model is Enrolment else (Q(until__gte=day),)),
            Q(student__joined_on__isnull=True) | Q(student__joined_on__lte=day),
            Q(student__archived_at__isnull=True) | Q(student__archived_at__gte=F("session__ends_at")),
            ~Exists(on_hold),
            student__erased_at__isnull=True,
            student__status__in=(Status.TRIAL, Status.ACTIVE),
            **lookups,
        )


class Enrolment(TenantModel):
    """A student is enrolled in a class, from a local date on. When it ends, it becomes a `PastEnrolment`."""

    training_class = models.ForeignKey(TrainingClass, on_delete=models.CASCADE, related_name="enrolments")
    student = models.ForeignKey(Student, on_delete=models.CASCADE, related_name="enrolments")
    starts_on = models.DateField(null=True)
    """Null only in rows of an earlier version, until the hourly job fills it with the day of `created_at`."""

    objects: ClassVar[EnrolmentPeriodQuerySet["Enrolment"]] = EnrolmentPeriodQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [models.UniqueConstraint(fields=["training_class", "student"], name="enrolment_once")]


class PastEnrolment(TenantModel):
    """A student was enrolled in a class from one local date until another, both included.

    The periods of a student in a class do not overlap: `services` locks the row of the student before it checks.
    """

    training_class = models.ForeignKey(
        TrainingClass, on_delete=models.CASCADE, related_name="past_enrolments", db_index=False
    )
    student = models.ForeignKey(Student, on_delete=models.CASCADE, related_name="past_enrolments")
    starts_on = models.DateField()
    until = models.DateField()

    objects: ClassVar[EnrolmentPeriodQuerySet["PastEnrolment"]] = EnrolmentPeriodQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ("-starts_on", "-id")
        constraints = [
            models.UniqueConstraint(
                fields=["training_class", "student", "starts_on"], name="past_enrolment_once"
            ),
            models.CheckConstraint(condition=Q(until__gte=F("starts_on")), name="past_enrolment_ends_later"),
        ]
