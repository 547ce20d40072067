"""What is written down about a student: notes, and facts that matter for promotion."""

from django.db import models

from shared_apps.accounts.models import User
from tatami.tenancy.models import TenantModel
from tenant_apps.ranks.models import RankSystem
from tenant_apps.students.models.student import Student


class StudentNote(TenantModel):
    """What staff wrote down about a student."""

    student = models.ForeignKey(Student, on_delete=models.CASCADE, related_name="notes")
    author = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    text = models.TextField(max_length=5_000)

    class Meta:
        ordering = ("-created_at", "-id")


class StudentFact(TenantModel):
    """Something that matters for promotion and is not attendance. Never changed; voided with a reason."""

    class Kind(models.TextChoices):
        OPENING_ATTENDANCE = "opening_attendance"
        POINTS = "points"
        SKILL = "skill"
        APPROVAL = "approval"
        DOCUMENT = "document"
        CREDENTIAL = "credential"
        ACHIEVEMENT = "achievement"
        MEMBERSHIP = "membership"

    student = models.ForeignKey(Student, on_delete=models.CASCADE, related_name="facts")
    kind = models.CharField(max_length=24, choices=Kind)
    rank_system = models.ForeignKey(RankSystem, null=True, on_delete=models.PROTECT, related_name="+")
    value = models.JSONField()
    on = models.DateField()
    expires_on = models.DateField(null=True)
    note = models.CharField(max_length=500, blank=True)
    recorded_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    voided_at = models.DateTimeField(null=True)
    voided_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    void_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ("-on", "-id")
