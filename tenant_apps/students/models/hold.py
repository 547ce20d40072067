"""Breaks with dates: who is on hold on a day, and the one rule that makes a status of it."""

from datetime import date
from typing import ClassVar, Self

from django.db import models
from django.db.models import Case, Exists, F, OuterRef, Q, Value, When

from tatami.tenancy.models import TenantModel


class Status(models.TextChoices):
    """How a student stands. `on_hold` is never stored: it follows from the holds."""

    TRIAL = "trial"
    ACTIVE = "active"
    ON_HOLD = "on_hold"
    INACTIVE = "inactive"


STORED_STATUSES = (Status.TRIAL, Status.ACTIVE, Status.INACTIVE)


class StudentHoldQuerySet(models.QuerySet["StudentHold"]):
    """The holds of the dojo."""

    def covering(self, day: date) -> Self:
        """Return those in force on a local date."""
        return self.filter(Q(until__isnull=True) | Q(until__gte=day), starts_on__lte=day)

    def overlapping(self, starts_on: date, until: date | None) -> Self:
        """Return those that share a day with a span; None: without an end."""
        rows = self.filter(Q(until__isnull=True) | Q(until__gte=starts_on))
        return rows if until is None else rows.filter(starts_on__lte=until)


class StudentHold(TenantModel):
    """A break from training (an injury, a semester abroad), both days included; without `until` it lasts.

    A student's holds do not overlap. An exclusion constraint would need btree_gist, which a dojo's schema cannot see:
    the student's row is locked instead, and then asked (`tenant_apps.students.holds`).
    """

    student = models.ForeignKey(
        "students.Student", on_delete=models.CASCADE, related_name="holds", db_index=False
    )
    starts_on = models.DateField()
    until = models.DateField(null=True)
    reason = models.CharField(max_length=500, blank=True)

    objects: ClassVar[StudentHoldQuerySet] = StudentHoldQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ("-starts_on", "-id")
        constraints = [
            models.UniqueConstraint(fields=["student", "starts_on"], name="student_hold_once"),
            models.CheckConstraint(
                condition=Q(until__isnull=True) | Q(until__gte=F("starts_on")), name="student_hold_ends_later"
            ),
        ]


def status_on(day: date, student: str = "") -> Case:
    """Return a student's status on a local date, as an expression to annotate or to filter with.

    `student` leads from the row that is asked to the student: `status_on(day, "student__")` for a card. Whoever is
    inactive stays so; all others are on hold while a hold is in force.
    """
    held = StudentHold.objects.covering(day).filter(student=OuterRef(f"{student}pk"))
    here = Q(**{f"{student}status__in": [Status.TRIAL, Status.ACTIVE]})
    return Case(
        When(here & Q(Exists(held)), then=Value(Status.ON_HOLD.value)),
        default=F(f"{student}status"),
        output_field=models.CharField(),
    )
