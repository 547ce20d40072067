"""Checks, awards, decisions and the nightly snapshot."""

from datetime import date
from typing import Any

from django.utils.translation import gettext
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from tatami.api.fields import ReferenceField, SingleLineField
from tatami.api.permissions import visible_to
from tatami.api.serializers import StrictModelSerializer, StrictSerializer
from tatami.clock import tenant_date
from tenant_apps.promotions.engine import Eligibility
from tenant_apps.promotions.models import Decision
from tenant_apps.promotions.responses import CriterionSerializer
from tenant_apps.promotions.student_filters import MOST_STUDENTS
from tenant_apps.ranks.models import Rank, RankSystem
from tenant_apps.students.models import EligibilitySnapshot, Student, StudentQuerySet
from tenant_apps.students.serializers import PlausibleDate


def visible_students(request: Any) -> StudentQuerySet:
    """Return the students that the caller may check."""
    students: StudentQuerySet = Student.objects.not_archived()
    return visible_to(request, students)


def refuse_future_award(field: str, day: date, request: Any) -> None:
    """Raise a `ValidationError` for `field` if `day` is after today in the dojo. A reason does not change this."""
    if day > tenant_date(request.now):
        raise serializers.ValidationError(
            {field: [gettext("A rank cannot be awarded before its day has come.")]}
        )


class CheckSerializer(StrictSerializer):
    """Which students are checked, for which rank, as of which date. Without `students`: every active student."""

    students = ReferenceField(queryset=visible_students, many=True, required=False, most=MOST_STUDENTS)
    rank_system = ReferenceField(queryset=RankSystem.objects.not_archived(), required=False)
    target_rank = ReferenceField(queryset=Rank.objects.in_use(), required=False)
    as_of = PlausibleDate(required=False)
    status = serializers.ChoiceField(choices=[choice.value for choice in Eligibility], required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        rank, system = attrs.get("target_rank"), attrs.get("rank_system")
        if rank and system and rank.system_id != system.pk:
            raise serializers.ValidationError(
                {"target_rank": [gettext("This rank is not of this rank system.")]}
            )
        return attrs


class AwardSerializer(StrictSerializer):
    """A rank for one student, as of a date (default: today) that has come. A reason overrides the rules.

    Students who are archived, inactive, on trial or on hold are promoted with a reason only.
    """

    student = ReferenceField(queryset=Student.objects.all())
    target_rank = ReferenceField(queryset=Rank.objects.in_use())
    effective_on = PlausibleDate(required=False)
    override_reason = SingleLineField(max_length=500, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "effective_on" in attrs:
            refuse_future_award("effective_on", attrs["effective_on"], self.context["request"])
        return attrs


@extend_schema_serializer(component_name="DecisionAnswer")
class DecisionSerializer(StrictModelSerializer):
    """Why a rank was awarded: the version of the rules, the criteria, and the reason if the rules were overridden."""

    rank_event = serializers.UUIDField(source="event_id", read_only=True)
    rule_version = serializers.IntegerField(source="rules.version", read_only=True)
    criteria = CriterionSerializer(many=True)
    decided_by = ReferenceField(source="event.recorded_by", read_only=True)

    class Meta:
        model = Decision
        fields = ("rank_event", "rule_version", "status", "path", "criteria", "override_reason", "decided_by")
        read_only_fields = fields


class SnapshotSerializer(StrictModelSerializer):
    """What the last nightly check found for one student and one target rank."""

    student = ReferenceField(read_only=True)
    rank_system = ReferenceField(source="system", read_only=True)
    target_rank = ReferenceField(source="target", read_only=True)

    class Meta:
        model = EligibilitySnapshot
        fields = ("student", "rank_system", "target_rank", "status", "earliest_on", "as_of")
        read_only_fields = fields
