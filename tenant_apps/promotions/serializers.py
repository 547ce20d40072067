"""The shape of checks, awards and batches."""

from datetime import date
from typing import Any, Final

from django.urls import reverse
from rest_framework import serializers

from tatami.api.fields import ReferenceField, SingleLineField
from tatami.api.serializers import StrictModelSerializer, StrictSerializer
from tenant_apps.dojo.dates import dojo_today
from tenant_apps.promotions.choosing import StudentFilterSerializer
from tenant_apps.promotions.engine import Eligibility
from tenant_apps.promotions.models import Batch, BatchItem, Decision
from tenant_apps.ranks.models import Rank, RankSystem
from tenant_apps.students.models import EligibilitySnapshot, Student
from tenant_apps.students.serializers import PlausibleDate, ReasonSerializer

__all__ = [
    "AwardSerializer",
    "BatchItemSerializer",
    "BatchSerializer",
    "CheckSerializer",
    "DecisionSerializer",
    "NewBatchSerializer",
    "ReasonSerializer",
    "SnapshotSerializer",
]

MOST_STUDENTS: Final = 10_000

STATUSES: Final = ("queued", "running", "paused", "done", "failed", "cancelled", "reverted")

_RANKS = Rank.objects.select_related("system").filter(system__archived_at__isnull=True)


def students_in_reach(request: Any) -> Any:
    """Return the students about whom the caller may ask."""
    students = Student.objects.live()
    return students.belonging_to(request.user) if request.user.role == "student" else students


def refuse_day_to_come(field: str, day: date, request: Any) -> None:
    """Raise a `ValidationError` of a field for an award on a local date after today, with a reason or without."""
    if day > dojo_today(request.now):
        raise serializers.ValidationError({field: ["No rank is awarded before its day has come."]})


class CheckSerializer(StrictSerializer):
    """Who, for what, as of when. Without `students`: every active student."""

    students = ReferenceField(queryset=students_in_reach, many=True, required=False, most=MOST_STUDENTS)
    rank_system = ReferenceField(queryset=RankSystem.objects.live(), required=False)
    target_rank = ReferenceField(queryset=_RANKS, required=False)
    as_of = PlausibleDate(required=False)
    status = serializers.ChoiceField(choices=[choice.value for choice in Eligibility], required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        rank, system = attrs.get("target_rank"), attrs.get("rank_system")
        if rank and system and rank.system_id != system.pk:
            raise serializers.ValidationError({"target_rank": ["This rank is not of this rank system."]})
        return attrs


class AwardSerializer(StrictSerializer):
    """A rank for one student, as of a day (default: today) that has come, past the rules with a reason."""

    student = ReferenceField(queryset=Student.objects.live())
    target_rank = ReferenceField(queryset=_RANKS)
    effective_on = PlausibleDate(required=False)
    override_reason = SingleLineField(max_length=500, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "effective_on" in attrs:
            refuse_day_to_come("effective_on", attrs["effective_on"], self.context["request"])
        return attrs


class DecisionSerializer(StrictModelSerializer):
    """Why a rank was awarded: by which version of the rules, with which answers; past them for which reason."""

    rank_event = serializers.UUIDField(source="event_id", read_only=True)
    rule_version = serializers.IntegerField(source="rules.version", read_only=True)
    decided_by = ReferenceField(source="event.recorded_by", read_only=True)

    class Meta:
        model = Decision
        fields = ("rank_event", "rule_version", "status", "path", "criteria", "override_reason", "decided_by")
        read_only_fields = fields


class NewBatchSerializer(StrictSerializer):
    """Whom a batch is about (named, or by a filter; an empty filter means every active student), and what to do.

    Awards are as of a day that has come; a check may look ahead.
    """

    students = ReferenceField(
        queryset=Student.objects.live(), many=True, required=False, allow_empty=False, most=MOST_STUDENTS
    )
    filter = StudentFilterSerializer(required=False)
    rank_system = ReferenceField(queryset=RankSystem.objects.live(), required=False)
    target_ranks = ReferenceField(queryset=_RANKS, many=True, required=False)
    award = serializers.BooleanField()
    as_of = PlausibleDate(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("students" in attrs) == ("filter" in attrs):
            raise serializers.ValidationError({"students": ["Name students, or give a filter: one of both."]})
        system = attrs.get("rank_system")
        if system and any(rank.system_id != system.pk for rank in attrs.get("target_ranks", ())):
            raise serializers.ValidationError(
                {"target_ranks": ["These ranks are not all of this rank system."]}
            )
        if attrs["award"] and "as_of" in attrs:
            refuse_day_to_come("as_of", attrs["as_of"], self.context["request"])
        return attrs


class BatchSerializer(StrictModelSerializer):
    """How far a batch is. Items are students: those done are checked, awarded, refused, failed, or left undone."""

    status = serializers.ChoiceField(choices=STATUSES, read_only=True)
    target_ranks = serializers.ListField(child=serializers.UUIDField(), read_only=True)
    total = serializers.IntegerField(read_only=True)
    done = serializers.SerializerMethodField()
    checked = serializers.IntegerField(source="counts.checked", read_only=True)
    awarded = serializers.IntegerField(source="counts.awarded", read_only=True)
    refused = serializers.IntegerField(source="counts.refused", read_only=True)
    failed = serializers.IntegerField(source="counts.failed", read_only=True)
    cancelled = serializers.IntegerField(source="counts.cancelled", read_only=True)
    reverted = serializers.IntegerField(source="counts.reverted", read_only=True)
    rank_system = ReferenceField(read_only=True)
    requested_by = ReferenceField(read_only=True)
    url = serializers.SerializerMethodField()

    class Meta:
        model = Batch
        fields = (
            "status", "total", "done", "url", "award", "as_of", "rank_system", "target_ranks", "checked", "awarded",
            "refused", "failed", "cancelled", "reverted", "requested_by", "started_at", "finished_at",
            "cancelled_at", "reverted_at", "revert_reason",
        )  # fmt: skip
        read_only_fields = fields

    def get_done(self, batch: Batch) -> int:
        """Every item that waits no more."""
        return batch.total - batch.counts[BatchItem.State.QUEUED]

    def get_url(self, batch: Batch) -> str:
        return reverse("promotion-batch", kwargs={"id": batch.pk})


class BatchItemSerializer(StrictModelSerializer):
    """What became of one student of a batch; `results` are as in a check, `rank_events` what was awarded."""

    student = ReferenceField(read_only=True)
    results = serializers.JSONField(source="answers", read_only=True)
    error = serializers.JSONField(read_only=True)
    rank_events = serializers.SerializerMethodField()

    class Meta:
        model = BatchItem
        fields = ("id", "student", "state", "results", "error", "rank_events")
        read_only_fields = fields

    def get_rank_events(self, item: BatchItem) -> list[dict[str, Any]]:
        return [
            {
                "id": str(one.event_id),
                "rank": {"id": str(one.event.rank_id), "name": one.event.rank.name},
                "voided": one.event.voided_at is not None,
            }
            for one in item.decisions.all()
        ]


class SnapshotSerializer(StrictModelSerializer):
    """What last night's check said about one step of one student."""

    student = ReferenceField(read_only=True)
    rank_system = ReferenceField(source="system", read_only=True)
    target_rank = ReferenceField(source="target", read_only=True)

    class Meta:
        model = EligibilitySnapshot
        fields = ("student", "rank_system", "target_rank", "status", "earliest_on", "as_of")
        read_only_fields = fields
