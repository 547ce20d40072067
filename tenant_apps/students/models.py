"""A student and what is known about her: guardians, notes, facts, rank history."""

from datetime import date
from typing import ClassVar, Self
from uuid import UUID

from django.db import models
from django.db.models import Case, F, Q, QuerySet, Value, When

from shared_apps.accounts.models import User
from tatami.tenancy.models import Archivable, ArchivableQuerySet, TenantModel
from tatami.text import normalise
from tenant_apps.ranks.models import Rank, RankSystem


class StudentQuerySet(ArchivableQuerySet["Student"]):
    """The students of the dojo."""

    def belonging_to(self, user: User) -> Self:
        """Return the students a user speaks for: himself, or his children."""
        return self.filter(links__user=user)

    def promotable(self) -> Self:
        """Return those whom a check without names is about: active, neither on trial nor gone."""
        return self.filter(archived_at__isnull=True, status=Student.Status.ACTIVE)


class Student(Archivable):
    """Somebody who trains here."""

    class Status(models.TextChoices):
        TRIAL = "trial"
        ACTIVE = "active"
        ON_HOLD = "on_hold"
        INACTIVE = "inactive"

    first_name = models.CharField(max_length=100)
    last_name = models.CharField(max_length=100)
    search_name = models.TextField(editable=False)
    email = models.EmailField(max_length=254, blank=True)
    phone = models.CharField(max_length=40, blank=True)
    birth_date = models.DateField(null=True, blank=True)
    gender = models.CharField(max_length=40, blank=True)
    status = models.CharField(max_length=16, choices=Status, default=Status.ACTIVE)
    joined_on = models.DateField(null=True, blank=True)
    external_id = models.CharField(max_length=100, null=True, blank=True)
    medical_notes = models.TextField(blank=True, max_length=5_000)
    check_in_id = models.BinaryField(max_length=16, editable=False)

    users = models.ManyToManyField(User, through="StudentUser", related_name="students")

    objects: ClassVar[StudentQuerySet] = StudentQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ("search_name", "id")
        constraints = [
            models.UniqueConstraint(fields=["check_in_id"], name="student_check_in_id_once"),
            models.UniqueConstraint(
                fields=["external_id"],
                condition=Q(external_id__isnull=False),
                name="student_external_id_once",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["trial", "active", "on_hold", "inactive"]),
                name="student_status_known",
            ),
        ]
        indexes = [models.Index(fields=["search_name", "id"], name="student_by_name")]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """Return the full name as people say it here."""
        return f"{self.first_name} {self.last_name}".strip()

    def set_search_name(self) -> None:
        """Keep what `?search=` compares with: the name without regard to accents and case."""
        self.search_name = normalise(self.name)


class StudentUser(TenantModel):
    """A user speaks for a student: the student herself, or a parent of several."""

    student = models.ForeignKey(Student, on_delete=models.CASCADE, related_name="links")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="student_links")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "student"], name="student_user_once")]


class Guardian(TenantModel):
    """A grown-up who answers for a child, and perhaps for her siblings too."""

    name = models.CharField(max_length=200)
    search_name = models.TextField(editable=False)
    email = models.EmailField(max_length=254, blank=True)
    phone = models.CharField(max_length=40, blank=True)

    class Meta:
        ordering = ("search_name", "id")

    def set_search_name(self) -> None:
        """Keep what `?search=` compares with."""
        self.search_name = normalise(self.name)


class StudentGuardian(TenantModel):
    """Which guardian answers for which student, and as what (mother, grandfather, …)."""

    student = models.ForeignKey(Student, on_delete=models.CASCADE, related_name="guardian_links")
    guardian = models.ForeignKey(Guardian, on_delete=models.CASCADE, related_name="student_links")
    relation = models.CharField(max_length=60, blank=True)

    class Meta:
        ordering = ("created_at", "id")
        constraints = [models.UniqueConstraint(fields=["student", "guardian"], name="student_guardian_once")]


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


class RankEventQuerySet(models.QuerySet["RankEvent"]):
    """The rank histories."""

    def belonging_to(self, user: User) -> Self:
        """Return those of the students a user speaks for."""
        return self.filter(student__links__user=user)

    def standing(self) -> Self:
        """Return the events that were not voided."""
        return self.filter(voided_at__isnull=True)

    def latest_last(self) -> Self:
        """Order by when an event took effect, whatever the order of entry.

        On one day a demotion comes last; of several awards the senior rank does, of several demotions the junior.
        `tenant_apps.ranks` orders facts by the same rule.
        """
        demoted = Case(When(kind=RankEvent.Kind.DEMOTE, then=Value(1)), default=Value(0))
        seniority = Case(
            When(kind=RankEvent.Kind.DEMOTE, then=-F("rank__position")),
            default=F("rank__position"),
            output_field=models.IntegerField(),
        )
        return self.order_by("student_id", "system_id", "effective_on", demoted, seniority)

    def current(self, *, students: "QuerySet[Student] | list[UUID]", as_of: date) -> Self:
        """Return, for each of `students` and rank system, the event whose rank is held on `as_of`. One statement."""
        standing = self.standing().filter(student__in=students, effective_on__lte=as_of)
        return (
            standing.latest_last()
            .reverse()
            .distinct("student_id", "system_id")
            .select_related("rank", "system")
        )


class RankEvent(TenantModel):
    """A line of a student's rank history. Append-only: it may be voided with a reason, never changed."""

    class Kind(models.TextChoices):
        AWARD = "award"
        IMPORT = "import"
        CONVERT = "convert"
        DEMOTE = "demote"

    student = models.ForeignKey(Student, on_delete=models.CASCADE, related_name="rank_events")
    system = models.ForeignKey(RankSystem, on_delete=models.PROTECT, related_name="+")
    rank = models.ForeignKey(Rank, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=16, choices=Kind)
    effective_on = models.DateField()
    note = models.CharField(max_length=500, blank=True)
    recorded_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    voided_at = models.DateTimeField(null=True)
    voided_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    void_reason = models.CharField(max_length=500, blank=True)

    objects: ClassVar[RankEventQuerySet] = RankEventQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ("-effective_on", "-id")
        constraints = [
            models.UniqueConstraint(
                fields=["student", "rank", "kind", "effective_on"],
                condition=Q(voided_at__isnull=True),
                name="rank_event_once",
            )
        ]
