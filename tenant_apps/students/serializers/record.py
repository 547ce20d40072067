"""The shape of notes, facts and rank histories."""

from typing import Any

from rest_framework import serializers

from tatami.api.fields import MultiLineField, ReferenceField, SingleLineField
from tatami.api.serializers import StrictModelSerializer, StrictSerializer
from tenant_apps.ranks.models import Rank, RankSystem
from tenant_apps.students.models import RankEvent, StudentFact, StudentNote
from tenant_apps.students.serializers.dates import PlausibleDate
from tenant_apps.students.serializers.fact_values import EXPIRES_EARLY, value_field


class NoteSerializer(StrictModelSerializer):
    text = MultiLineField(max_length=5_000)
    author = ReferenceField(read_only=True)

    class Meta:
        model = StudentNote
        fields = ("text", "author")


class FactSerializer(StrictModelSerializer):
    """A fact that matters for promotion. What `value` is depends on the kind.

    `opening_attendance`: a whole number of visits. `points`: a number, or `{"points": 3, "category": "kata"}`. All
    others: a name. `expires_on` is the last day on which it counts.
    """

    rank_system = ReferenceField(queryset=RankSystem.objects.live(), required=False, allow_null=True)
    value = serializers.JSONField()
    on = PlausibleDate()
    expires_on = PlausibleDate(required=False, allow_null=True)
    note = SingleLineField(max_length=500, required=False, allow_blank=True)
    recorded_by = ReferenceField(read_only=True)
    voided = serializers.SerializerMethodField()

    class Meta:
        model = StudentFact
        fields = (
            "kind",
            "rank_system",
            "value",
            "on",
            "expires_on",
            "note",
            "recorded_by",
            "voided",
            "void_reason",
        )
        read_only_fields = ("void_reason",)

    def get_voided(self, fact: StudentFact) -> bool:
        return fact.voided_at is not None

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        try:
            attrs["value"] = value_field(attrs["kind"]).run_validation(attrs["value"])
        except serializers.ValidationError as error:
            raise serializers.ValidationError({"value": error.detail}) from None
        if attrs.get("expires_on") and attrs["expires_on"] < attrs["on"]:
            raise serializers.ValidationError({"expires_on": [EXPIRES_EARLY]})
        return attrs


class RankEventSerializer(StrictModelSerializer):
    """A line of a rank history."""

    student = ReferenceField(read_only=True)
    rank_system = ReferenceField(source="system", read_only=True)
    rank = ReferenceField(
        queryset=Rank.objects.select_related("system").filter(system__archived_at__isnull=True)
    )
    kind = serializers.ChoiceField(choices=["import", "convert", "demote"])
    effective_on = PlausibleDate()
    note = SingleLineField(max_length=500, required=False, allow_blank=True)
    recorded_by = ReferenceField(read_only=True)
    voided = serializers.SerializerMethodField()

    class Meta:
        model = RankEvent
        fields = (
            "student",
            "rank_system",
            "rank",
            "kind",
            "effective_on",
            "note",
            "recorded_by",
            "voided",
            "void_reason",
        )
        read_only_fields = ("void_reason",)

    def get_voided(self, event: RankEvent) -> bool:
        return event.voided_at is not None

    def to_representation(self, instance: RankEvent) -> dict[str, Any]:
        return {**super().to_representation(instance), "kind": instance.kind}


class ReasonSerializer(StrictSerializer):
    reason = SingleLineField(max_length=500)
