"""What last night's check of the rules said about each student."""

from typing import ClassVar, Self

from django.db import models

from shared_apps.accounts.models import User
from tatami.tenancy.models import TenantModel
from tenant_apps.ranks.models import Rank, RankSystem
from tenant_apps.students.models.student import Student


class EligibilitySnapshotQuerySet(models.QuerySet["EligibilitySnapshot"]):
    """What last night's check said."""

    def belonging_to(self, user: User) -> Self:
        """Return what it said about the students a user speaks for."""
        return self.filter(student__links__user=user)


class EligibilitySnapshot(TenantModel):
    """One step of one student as of a night: a reminder for the desk and a list for the instructor, not a decision.

    `tenant_apps.promotions` writes it. It stands with the students so that check-in can read it.
    """

    class Status(models.TextChoices):
        ELIGIBLE = "eligible"
        NOT_ELIGIBLE = "not_eligible"
        UNKNOWN = "unknown"

    student = models.ForeignKey(Student, on_delete=models.CASCADE, related_name="eligibility", db_index=False)
    system = models.ForeignKey(RankSystem, on_delete=models.CASCADE, related_name="+")
    target = models.ForeignKey(Rank, on_delete=models.CASCADE, related_name="+")
    status = models.CharField(max_length=16, choices=Status)
    earliest_on = models.DateField(null=True)
    as_of = models.DateField()

    objects: ClassVar[EligibilitySnapshotQuerySet] = EligibilitySnapshotQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ("student_id", "id")
        constraints = [
            models.UniqueConstraint(fields=["student", "target"], name="eligibility_snapshot_once"),
        ]
