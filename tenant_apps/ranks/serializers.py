"""The shape of disciplines and rank systems."""

from rest_framework import serializers

from tatami.api.fields import ArchivedField, ReferenceField, SingleLineField
from tatami.api.serializers import StrictModelSerializer, StrictSerializer
from tenant_apps.ranks.models import Discipline, Rank, RankSystem


class DisciplineSerializer(StrictModelSerializer):
    archived = ArchivedField()

    class Meta:
        model = Discipline
        fields = ("name", "archived")


class RankSerializer(StrictModelSerializer):
    order = serializers.IntegerField(source="position", read_only=True)

    class Meta:
        model = Rank
        fields = ("id", "code", "name", "native_name", "order", "kind", "track", "colours")


class RankSystemSerializer(StrictModelSerializer):
    """A rank system with its ranks; the rules have a route of their own."""

    discipline = ReferenceField(queryset=Discipline.objects.live(), allow_null=True, required=False)
    ranks = RankSerializer(many=True, read_only=True)
    archived = ArchivedField()

    class Meta:
        model = RankSystem
        fields = ("name", "discipline", "preset", "ranks", "archived")
        read_only_fields = ("preset",)


class NewRankSystemSerializer(StrictSerializer):
    """What stands beside a definition, or in its place."""

    preset = SingleLineField(max_length=60, required=False)
    discipline = ReferenceField(queryset=Discipline.objects.live(), allow_null=True, required=False)


class RulesVersionSerializer(StrictSerializer):
    version = serializers.IntegerField(min_value=1, allow_null=True)
