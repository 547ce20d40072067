"""Batches and their items."""

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from tatami.api.fields import ReferenceField
from tatami.api.serializers import ReferenceSerializer, StrictModelSerializer, StrictSerializer
from tenant_apps.promotions.models import Batch, BatchItem
from tenant_apps.promotions.responses import EligibilitySerializer
from tenant_apps.promotions.serializers.promotions import refuse_future_award
from tenant_apps.promotions.student_filters import MOST_STUDENTS, StudentFilterSerializer
from tenant_apps.ranks.models import Rank, RankSystem
from tenant_apps.students.models import Student
from tenant_apps.students.serializers import PlausibleDate


class NewBatchSerializer(StrictSerializer):
    """The students of a batch, by id or by a filter (an empty filter selects every active student), and what to do.

    Awards are as of a date that has come; a check may be as of a future date.
    """

    students = ReferenceField(
        queryset=Student.objects.not_archived(),
        many=True,
        required=False,
        allow_empty=False,
        most=MOST_STUDENTS,
    )
    filter = StudentFilterSerializer(required=False)
    rank_system = ReferenceField(queryset=RankSystem.objects.not_archived(), required=False)
    target_ranks = ReferenceField(queryset=Rank.objects.in_use(), many=True, required=False)
    award = serializers.BooleanField()
    as_of = PlausibleDate(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("students" in attrs) == ("filter" in attrs):
            raise serializers.ValidationError({"students": [gettext("Send either `students` or `filter`.")]})
        system = attrs.get("rank_system")
        if system and any(rank.system_id != system.pk for rank in attrs.get("target_ranks", ())):
            message = gettext("All target ranks must be of this rank system.")
            raise serializers.ValidationError({"target_ranks": [message]})
        if attrs["award"] and "as_of" in attrs:
            refuse_future_award("as_of", attrs["as_of"], self.context["request"])
        return attrs


class BatchSerializer(StrictModelSerializer):
    """The progress of a batch: how many of its items (one for each student) are in each state."""

    status = serializers.ChoiceField(choices=Batch.Status.values, read_only=True)
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
        """The items that are no longer queued."""
        return batch.total - batch.counts[BatchItem.State.QUEUED]

    def get_url(self, batch: Batch) -> str:
        return reverse("promotion-batch", kwargs={"id": batch.pk})


class BatchErrorSerializer(serializers.Serializer[Any]):
    """Why nothing was done."""

    code = serializers.CharField()
    message = serializers.CharField()


class AwardedSerializer(serializers.Serializer[Any]):
    """A rank that was awarded."""

    id = serializers.UUIDField(source="event_id")
    rank = ReferenceSerializer(source="event.rank")
    voided = serializers.BooleanField(source="is_voided")


@extend_schema_serializer(component_name="BatchItemAnswer")
class BatchItemSerializer(StrictModelSerializer):
    """The outcome for one student of a batch: `results` as in a check, and `rank_events` that were awarded."""

    student = ReferenceField(read_only=True)
    results = EligibilitySerializer(source="answers", many=True)
    error = BatchErrorSerializer(allow_null=True)
    rank_events = AwardedSerializer(source="decisions", many=True)

    class Meta:
        model = BatchItem
        fields = ("id", "student", "state", "results", "error", "rank_events")
        read_only_fields = fields
