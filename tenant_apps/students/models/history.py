"""What is recorded about students: notes, facts, rank events; and the results of the nightly check."""

from datetime import date, datetime
from typing import ClassVar, Self, TypeVar
from uuid import UUID

from django.db import models
from django.db.models import Case, F, Q, QuerySet, Value, When

from shared_apps.accounts.models import User
from tatami.tenancy.models import TenantModel
from tenant_apps.ranks.models import Rank, RankSystem
from tenant_apps.ranks.student_facts import RankEventKind
from tenant_apps.students.models.student import Student

M = TypeVar("M", bound=models.Model)


class StudentNote(TenantModel):
    """A note by staff about a student."""

    student = models.ForeignKey(Student, on_delete=models.CASCADE, related_name="notes")
    author = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    text = models.TextField(max_length=5_000)

    class Meta:
        ordering = ("-created_at", "-id")


class VoidableQuerySet(models.QuerySet[M]):
    """Rows that are not deleted, but can be voided with a reason."""

    def not_voided(self) -> Self:
        """Return the rows that were not voided."""
        return self.filter(voided_at__isnull=True)

    def void(self, *, reason: str, by: User, now: datetime) -> int:
        """Void the rows that are not voided yet, and return their number. One statement.

        If two callers void a row at the same time, one of them gets 0.
        """
        return self.not_voided().update(voided_at=now, voided_by=by, void_reason=reason, updated_at=now)


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

    objects: ClassVar[VoidableQuerySet["StudentFact"]] = VoidableQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ("-on", "-id")


class RankEventQuerySet(VoidableQuerySet["RankEvent"]):
    """The rank histories."""

    def belonging_to(self, user: User) -> Self:
        """Return the events of the students linked with a user."""
        return self.filter(student__links__user=user)

    def latest_last(self) -> Self:
        """Order events by the date on which they took effect, whatever the order of entry.

        On one day, demotions come last; awards are ordered from junior to senior, demotions from senior to junior.
        `tenant_apps.ranks.holding` uses the same order.
        """
        demoted = Case(When(kind=RankEvent.Kind.DEMOTE, then=Value(1)), default=Value(0))
        seniority = Case(
            When(kind=RankEvent.Kind.DEMOTE, then=-F("rank__position")),
            default=F("rank__position"),
            output_field=models.IntegerField(),
        )
        return self.order_by("student_id", "system_id", "effective_on", demoted, seniority)

    def held(self, *, as_of: date) -> Self:
        """Return the event whose rank is held on `as_of`, for each student and rank system."""
        effective = self.not_voided().filter(effective_on__lte=as_of)
        return effective.latest_last().reverse().distinct("student_id", "system_id")

    def current(self, *, students: "QuerySet[Student] | list[UUID]", as_of: date) -> Self:
        """Return `held` for these students, with their ranks and systems. One statement."""
        return self.filter(student__in=students).held(as_of=as_of).select_related("rank", "system")


class RankEvent(TenantModel):
    """An event in the rank history of a student. Never changed; voided with a reason."""

    class Kind(models.TextChoices):
        AWARD = RankEventKind.AWARD.value
        IMPORT = RankEventKind.IMPORT.value
        CONVERT = RankEventKind.CONVERT.value
        DEMOTE = RankEventKind.DEMOTE.value

    student = models.ForeignKey(Student, on_delete=models.CASCADE, related_name="rank_events")
    system = models.ForeignKey(RankSystem, on_delete=models.PROTECT, related_name="+")
    rank = models.ForeignKey(Rank, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=16, choices=Kind)
    effective_on = models.DateField()
    follows = models.ForeignKey(
        "self", null=True, on_delete=models.RESTRICT, related_name="+", db_index=False
    )
    """For an award: the event of the rank before it. A step is awarded once after each event, also after a demotion."""
    note = models.CharField(max_length=500, blank=True)
    recorded_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    voided_at = models.DateTimeField(null=True)
    voided_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    void_reason = models.CharField(max_length=500, blank=True)

    later_ranks: "list[RankEvent]"
    """The later ranks that stand on this one; set by the view that voids it."""

    objects: ClassVar[RankEventQuerySet] = RankEventQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ("-effective_on", "-id")
        constraints = [
            models.UniqueConstraint(
                fields=["student", "rank", "kind", "effective_on"],
                condition=Q(voided_at__isnull=True),
                name="rank_event_once",
            ),
            models.UniqueConstraint(
                fields=["student", "rank", "follows"],
                condition=Q(voided_at__isnull=True, kind="award"),
                nulls_distinct=False,
                name="rank_award_once",
            ),
        ]


class EligibilitySnapshotQuerySet(models.QuerySet["EligibilitySnapshot"]):
    """The results of the nightly check."""

    def belonging_to(self, user: User) -> Self:
        """Return the results for the students linked with a user."""
        return self.filter(student__links__user=user)


class EligibilitySnapshot(TenantModel):
    """The result of the nightly check for one student and one step. A hint for staff, not a decision.

    `tenant_apps.promotions` writes these rows. The table belongs to this app so that check-in can read it.
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
