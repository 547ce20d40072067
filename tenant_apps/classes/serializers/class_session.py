"""The shape of class sessions."""

from datetime import datetime, timedelta
from typing import Any

from rest_framework import serializers

from shared_apps.accounts.models import User
from tatami.api.fields import InstantField, ReferenceField, SingleLineField
from tatami.api.serializers import StrictModelSerializer, StrictSerializer
from tenant_apps.classes.models import ClassSession, TrainingClass
from tenant_apps.classes.serializers.training_class import (
    FARTHEST_YEARS,
    LONGEST_SESSION_MINUTES,
    CheckInWindowSerializer,
)
from tenant_apps.ranks.models import Discipline


class CancellationSerializer(StrictSerializer):
    """Why a session does not take place, said by whom and when."""

    reason = SingleLineField(max_length=500, required=False, allow_blank=True, source="cancel_reason")
    by = ReferenceField(source="cancelled_by", read_only=True)
    at = serializers.DateTimeField(source="cancelled_at", read_only=True)


class SessionSerializer(StrictModelSerializer):
    """A class session. Needs `taught_by` on the row (see `sessions.attach_instructors`)."""

    discipline = ReferenceField(read_only=True)
    min_rank = ReferenceField(read_only=True)
    instructors = ReferenceField(many=True, read_only=True, source="taught_by")
    duration_minutes = serializers.SerializerMethodField()
    cancellation = serializers.SerializerMethodField()
    check_in_window = CheckInWindowSerializer(source="*", read_only=True)

    class Meta:
        model = ClassSession
        fields = (
            "name",
            "starts_at",
            "ends_at",
            "duration_minutes",
            "local_date",
            "status",
            "cancellation",
            "class_type",
            "discipline",
            "instructors",
            "location",
            "note",
            "capacity",
            "min_rank",
            "counts_toward_promotion",
            "check_in_window",
        )

    def get_fields(self) -> dict[str, Any]:
        return {**super().get_fields(), "class": ReferenceField(source="training_class", read_only=True)}

    def get_duration_minutes(self, session: ClassSession) -> int:
        return session.duration // timedelta(minutes=1)

    def get_cancellation(self, session: ClassSession) -> dict[str, Any] | None:
        return CancellationSerializer(session).data if session.is_cancelled else None


class SessionChangesSerializer(StrictSerializer):
    """What may be changed of one session for itself."""

    name = SingleLineField(max_length=120)
    starts_at = InstantField()
    duration_minutes = serializers.IntegerField(min_value=1, max_value=LONGEST_SESSION_MINUTES)
    instructors = ReferenceField(queryset=User.objects.active().staff(), many=True, required=False)
    capacity = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=100_000)
    location = SingleLineField(max_length=120, required=False, allow_blank=True)
    note = SingleLineField(max_length=500, required=False, allow_blank=True)

    def validate_starts_at(self, value: datetime) -> datetime:
        if abs(value.year - self.context["request"].now.year) > FARTHEST_YEARS:
            raise serializers.ValidationError(f"This is more than {FARTHEST_YEARS} years away.")
        return value


class NewSessionSerializer(SessionChangesSerializer):
    """A session that no recurrence made: of a class, or on its own with a name."""

    name = SingleLineField(max_length=120, required=False)
    discipline = ReferenceField(queryset=Discipline.objects.live(), required=False, allow_null=True)

    def get_fields(self) -> dict[str, Any]:
        classes = ReferenceField(
            queryset=TrainingClass.objects.live(), source="training_class", required=False, allow_null=True
        )
        return {**super().get_fields(), "class": classes}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("training_class") is None and not attrs.get("name"):
            raise serializers.ValidationError({"name": ["A session without a class needs a name."]})
        return attrs
