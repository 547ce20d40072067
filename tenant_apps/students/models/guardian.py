"""Who answers for a student who is not of age."""

from typing import ClassVar, Self

from django.db import models

from shared_apps.accounts.models import User
from tatami.tenancy.models import TenantModel
from tatami.text import normalise


class GuardianQuerySet(models.QuerySet["Guardian"]):
    """The guardians of the dojo."""

    def belonging_to(self, user: User) -> Self:
        """Return those of the students a user speaks for."""
        mine = StudentGuardian.objects.filter(student__links__user=user)
        return self.filter(pk__in=mine.values("guardian"))


class Guardian(TenantModel):
    """A grown-up who answers for a child, and perhaps for her siblings too."""

    name = models.CharField(max_length=200)
    search_name = models.TextField(editable=False)
    email = models.EmailField(max_length=254, blank=True)
    phone = models.CharField(max_length=40, blank=True)

    objects: ClassVar[GuardianQuerySet] = GuardianQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ("search_name", "id")

    def set_search_name(self) -> None:
        """Keep what `?search=` compares with."""
        self.search_name = normalise(self.name)


class StudentGuardian(TenantModel):
    """Which guardian answers for which student, and as what (mother, grandfather, …)."""

    student = models.ForeignKey("students.Student", on_delete=models.CASCADE, related_name="guardian_links")
    # Links go first; the database refuses to forget a guardian who still answers for somebody.
    guardian = models.ForeignKey(Guardian, on_delete=models.DO_NOTHING, related_name="student_links")
    relation = models.CharField(max_length=60, blank=True)

    class Meta:
        ordering = ("created_at", "id")
        constraints = [models.UniqueConstraint(fields=["student", "guardian"], name="student_guardian_once")]
