"""Requests and responses of disciplines and rank systems."""

from typing import Any, Final

from rest_framework import serializers

from tatami.api.fields import ArchivedField, ReferenceField, SingleLineField
from tatami.api.serializers import StrictModelSerializer, StrictSerializer
from tenant_apps.ranks.definition import Confidence
from tenant_apps.ranks.models import Discipline, Rank, RankSystem


class DisciplineSerializer(StrictModelSerializer):
    """An art or a part of one, such as Aikido or weapons."""

    archived = ArchivedField()

    class Meta:
        model = Discipline
        fields = ("name", "archived")


class RankSerializer(StrictModelSerializer):
    """A rank of a system. `order` counts from 0, the lowest."""

    colours = serializers.ListField(child=serializers.CharField(), read_only=True)
    order = serializers.IntegerField(source="position", read_only=True)

    class Meta:
        model = Rank
        fields = ("id", "code", "name", "native_name", "order", "kind", "track", "colours")


class RankSystemSerializer(StrictModelSerializer):
    """A rank system with its ranks. The rules have their own route."""

    discipline = ReferenceField(queryset=Discipline.objects.not_archived(), allow_null=True, required=False)
    ranks = RankSerializer(many=True, read_only=True)
    archived = ArchivedField()

    class Meta:
        model = RankSystem
        fields = ("name", "discipline", "preset", "ranks", "archived")
        read_only_fields = ("preset",)


CONFIDENCE_LABELS: Final = {
    Confidence.OFFICIAL.value: "the federation's own text was read",
    Confidence.SECONDARY.value: "a secondary page reproduces it",
    Confidence.CLUB.value: "club or third-party page",
    Confidence.MEMORY.value: "unverified",
}


class PresetSerializer(serializers.Serializer[Any]):
    """A rank system to start from. Only one with confidence O or S may be shown as the federation's own."""

    # Serializes `{"key": …, "definition": RankDefinition}`.
    key = serializers.CharField()
    name = serializers.CharField(source="definition.name")
    art = serializers.CharField(source="definition.art")
    source = serializers.CharField(source="definition.source")  # type: ignore[assignment]
    confidence = serializers.ChoiceField(
        choices=list(CONFIDENCE_LABELS.items()), source="definition.confidence"
    )


class NewRankSystemSerializer(StrictSerializer):
    """The fields of a new rank system beside the definition, or in place of it."""

    preset = SingleLineField(max_length=60, required=False)
    discipline = ReferenceField(queryset=Discipline.objects.not_archived(), allow_null=True, required=False)


class RulesVersionSerializer(StrictSerializer):
    """The version that the client has read, beside a definition."""

    version = serializers.IntegerField(min_value=1, allow_null=True)
