"""The shape of notes, facts and rank histories."""

from typing import Any

from rest_framework import serializers

from tatami.api.serializers import Line, Reference, StrictModelSerializer, StrictSerializer, Text
from tenant_apps.ranks.models import Rank, RankSystem
from tenant_apps.students.models import RankEvent, StudentFact, StudentNote
from tenant_apps.students.serializers.dates import PlausibleDate

MOST_VISITS = 100_000
MOST_POINTS = 1_000_000
LONGEST_NAME = 200


class NoteSerializer(StrictModelSerializer):
    text = Text(max_length=5_000)
    author = Reference(read_only=True)

    class Meta:
        model = StudentNote
        fields = ("text", "author")


class FactSerializer(StrictModelSerializer):
    """A fact that matters for promotion. What `value` is depends on the kind."""

    rank_system = Reference(queryset=RankSystem.objects.live(), required=False, allow_null=True)
    value = serializers.JSONField()
    on = PlausibleDate()
    expires_on = PlausibleDate(required=False, allow_null=True)
    note = Line(max_length=500, required=False, allow_blank=True)
    recorded_by = Reference(read_only=True)
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
        value, kind = attrs["value"], attrs["kind"]
        if kind == StudentFact.Kind.OPENING_ATTENDANCE:
            if type(value) is not int or not 0 <= value <= MOST_VISITS:
                raise serializers.ValidationError(
                    {"value": [f"A whole number from 0 to {MOST_VISITS} is needed."]}
                )
        elif kind == StudentFact.Kind.POINTS:
            if type(value) not in {int, float} or not 0 <= value <= MOST_POINTS:
                raise serializers.ValidationError({"value": [f"A number from 0 to {MOST_POINTS} is needed."]})
        elif not isinstance(value, str) or not 1 <= len(value.strip()) <= LONGEST_NAME:
            raise serializers.ValidationError(
                {"value": [f"A name of 1 to {LONGEST_NAME} characters is needed."]}
            )
        if attrs.get("expires_on") and attrs["expires_on"] < attrs["on"]:
            raise serializers.ValidationError({"expires_on": ["This is before the fact's own date."]})
        return attrs


class RankEventSerializer(StrictModelSerializer):
    """A line of a rank history."""

    student = Reference(read_only=True)
    rank_system = Reference(source="system", read_only=True)
    rank = Reference(queryset=Rank.objects.select_related("system").filter(system__archived_at__isnull=True))
    kind = serializers.ChoiceField(choices=["import", "convert", "demote"])
    effective_on = PlausibleDate()
    note = Line(max_length=500, required=False, allow_blank=True)
    recorded_by = Reference(read_only=True)
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
    reason = Line(max_length=500)
