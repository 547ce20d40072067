"""The shape of classes and enrolments."""

import re
from datetime import date
from typing import Any, Final

from rest_framework import serializers

from shared_apps.accounts.models import User
from tatami.api.fields import ArchivedField, ReferenceField, SingleLineField
from tatami.api.serializers import StrictModelSerializer, StrictSerializer
from tenant_apps.classes.models import Enrolment, TrainingClass
from tenant_apps.classes.schedule import WEEKDAYS
from tenant_apps.dojo.models import LONGEST_WINDOW_MINUTES
from tenant_apps.ranks.models import Discipline, Rank
from tenant_apps.students.models import Student
from tenant_apps.students.serializers import PlausibleDate

_START: Final = re.compile(r"^(?:[01][0-9]|2[0-3]):[0-5][0-9]\Z", re.ASCII)
LONGEST_SESSION_MINUTES: Final = 1440
FARTHEST_YEARS: Final = 10
MOST_STARTS_A_WEEK: Final = 70


class TimesSerializer(StrictSerializer):
    """On which weekdays, when and for how long."""

    weekdays = serializers.ListField(
        child=serializers.ChoiceField(choices=list(WEEKDAYS)), min_length=1, max_length=7
    )
    start_time = serializers.RegexField(
        _START, error_messages={"invalid": "This must be a time of day: HH:MM."}
    )
    duration_minutes = serializers.IntegerField(min_value=1, max_value=LONGEST_SESSION_MINUTES)

    def validate_weekdays(self, value: list[str]) -> list[str]:
        return sorted(set(value), key=WEEKDAYS.index)


class RecurrenceSerializer(TimesSerializer):
    """A weekly recurrence in the dojo's local time. Stored as it is shown: dates as text."""

    until = PlausibleDate(required=False, allow_null=True)
    more_times = TimesSerializer(many=True, required=False, max_length=20)  # type: ignore[call-arg]

    def get_fields(self) -> dict[str, Any]:
        # `from` is a word of Python's, so it cannot be declared as an attribute.
        return {**super().get_fields(), "from": PlausibleDate()}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        first, last = attrs["from"], attrs.get("until")
        if last is not None and last < first:
            raise serializers.ValidationError({"until": ["This is before `from`."]})
        self.refuse_twice(attrs)
        if abs(first.year - self.context["request"].now.year) > FARTHEST_YEARS:
            raise serializers.ValidationError({"from": [f"This is more than {FARTHEST_YEARS} years away."]})
        return {
            name: value.isoformat() if isinstance(value, date) else value for name, value in attrs.items()
        }

    def refuse_twice(self, attrs: dict[str, Any]) -> None:
        """Raise `ValidationError` where two entries name the same start, or all name too many."""
        starts: set[tuple[str, str]] = set()
        for place, entry in enumerate([attrs, *attrs.get("more_times", ())]):
            named = {(weekday, entry["start_time"]) for weekday in entry["weekdays"]}
            if starts & named:
                again: list[Any] = [{} for _ in range(place - 1)]
                message = "The class starts at this time already on one of these days."
                raise serializers.ValidationError({"more_times": [*again, {"start_time": [message]}]})
            starts |= named
        if len(starts) > MOST_STARTS_A_WEEK:
            raise serializers.ValidationError(
                {"more_times": [f"A class starts at most {MOST_STARTS_A_WEEK} times a week."]}
            )

    def to_representation(self, instance: Any) -> Any:
        return instance


class ExpectedAttendanceSerializer(StrictSerializer):
    """`per_week`: visits expected of each enrolled student; `rate`: share of the enrolled expected at a session."""

    per_week = serializers.FloatField(required=False, min_value=0, max_value=50)
    rate = serializers.FloatField(required=False, min_value=0, max_value=1)

    def to_representation(self, instance: Any) -> Any:
        return instance


class CheckInWindowSerializer(StrictSerializer):
    """Minutes from the start; what is null or left out is the dojo's setting."""

    opens_minutes_before = serializers.IntegerField(
        default=None, allow_null=True, min_value=0, max_value=LONGEST_WINDOW_MINUTES
    )
    closes_minutes_after = serializers.IntegerField(
        default=None, allow_null=True, min_value=0, max_value=LONGEST_WINDOW_MINUTES
    )
    late_after_minutes = serializers.IntegerField(
        default=None, allow_null=True, min_value=0, max_value=LONGEST_WINDOW_MINUTES
    )


class TrainingClassSerializer(StrictModelSerializer):
    """A class of the schedule. `apply_from`, in a PATCH: sessions before that day stay as they are."""

    class_type = SingleLineField(max_length=60, required=False, allow_blank=True)
    discipline = ReferenceField(queryset=Discipline.objects.live(), required=False, allow_null=True)
    location = SingleLineField(max_length=120, required=False, allow_blank=True)
    instructors = ReferenceField(queryset=User.objects.active().staff(), many=True, required=False)
    recurrence = RecurrenceSerializer()
    capacity = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=100_000)
    min_rank = ReferenceField(queryset=Rank.objects.all(), required=False, allow_null=True)
    expected_attendance = ExpectedAttendanceSerializer(required=False)
    check_in_window = CheckInWindowSerializer(required=False, source="*")
    apply_from = PlausibleDate(required=False, write_only=True)
    archived = ArchivedField()

    class Meta:
        model = TrainingClass
        fields = (
            "name",
            "class_type",
            "discipline",
            "location",
            "instructors",
            "recurrence",
            "capacity",
            "min_rank",
            "counts_toward_promotion",
            "expected_attendance",
            "check_in_window",
            "apply_from",
            "archived",
        )


class EnrolmentSerializer(StrictModelSerializer):
    student = ReferenceField(queryset=Student.objects.live())

    class Meta:
        model = Enrolment
        fields = ("student",)

    def get_fields(self) -> dict[str, Any]:
        return {**super().get_fields(), "class": ReferenceField(source="training_class", read_only=True)}
