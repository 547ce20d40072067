"""The rank histories of the students."""

from datetime import date
from typing import ClassVar, Self
from uuid import UUID

from django.db import models
from django.db.models import Case, F, Q, QuerySet, Value, When

from shared_apps.accounts.models import User
from tatami.tenancy.models import TenantModel
from tenant_apps.ranks.models import Rank, RankSystem
from tenant_apps.students.models.student import Student


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
    follows = models.ForeignKey(
        "self", null=True, on_delete=models.RESTRICT, related_name="+", db_index=False
    )
    """Of an award: the event whose rank it was awarded from. One step up is taken once, also after a demotion."""
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
            ),
            models.UniqueConstraint(
                fields=["student", "rank", "follows"],
                condition=Q(voided_at__isnull=True, kind="award"),
                nulls_distinct=False,
                name="rank_award_once",
            ),
        ]
