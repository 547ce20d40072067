"""Grading exams: a day, who examines, who is examined, and how it went."""

from typing import ClassVar, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Exists, OuterRef, Q

from shared_apps.accounts.models import User
from tatami.tenancy.models import TenantModel
from tenant_apps.ranks.models import Rank, RankSystem
from tenant_apps.students.models import RankEvent, Student


class ExamQuerySet(models.QuerySet["Exam"]):
    """The exams of the dojo."""

    def belonging_to(self, user: User) -> Self:
        """Return those in which a student whom a user speaks for is a candidate."""
        return self.filter(Exists(Candidate.objects.filter(exam=OuterRef("pk"), student__links__user=user)))


class Exam(TenantModel):
    """An exam in one rank system. What its candidates pass is awarded when it is finished, as of its date."""

    name = models.CharField(max_length=120)
    date = models.DateField()
    rank_system = models.ForeignKey(RankSystem, on_delete=models.PROTECT, related_name="+", db_index=False)
    location = models.CharField(max_length=120, blank=True)
    examiner_ids = ArrayField(models.UUIDField(), default=list)
    """Users of the dojo."""
    guest_examiners = ArrayField(models.CharField(max_length=120), default=list)
    """Names of those who came from elsewhere."""
    finished_at = models.DateTimeField(null=True)
    finished_by = models.ForeignKey(
        User, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    reopened_at = models.DateTimeField(null=True)
    reopen_reason = models.CharField(max_length=500, blank=True)

    objects: ClassVar[ExamQuerySet] = ExamQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ("-date", "-id")


class CandidateQuerySet(models.QuerySet["Candidate"]):
    """Who is examined."""

    def belonging_to(self, user: User) -> Self:
        """Return those whom a user speaks for."""
        return self.filter(student__links__user=user)


class Candidate(TenantModel):
    """A student who is examined for a rank, and how it went."""

    class Outcome(models.TextChoices):
        PASSED = "passed"
        FAILED = "failed"
        ABSENT = "absent"

    exam = models.ForeignKey(Exam, on_delete=models.CASCADE, related_name="candidates", db_index=False)
    student = models.ForeignKey(Student, on_delete=models.CASCADE, related_name="+")
    target = models.ForeignKey(Rank, on_delete=models.PROTECT, related_name="+", db_index=False)
    outcome = models.CharField(max_length=8, choices=Outcome, blank=True)
    override_reason = models.CharField(max_length=500, blank=True)
    event = models.OneToOneField(RankEvent, null=True, on_delete=models.SET_NULL, related_name="candidate")
    """What was awarded, while the exam is finished."""

    objects: ClassVar[CandidateQuerySet] = CandidateQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ("student__search_name", "id")
        constraints = [
            models.UniqueConstraint(fields=["exam", "student"], name="candidate_once"),
            models.CheckConstraint(
                condition=Q(outcome__in=["", "passed", "failed", "absent"]), name="candidate_outcome_known"
            ),
        ]
