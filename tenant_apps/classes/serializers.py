"""The serializers of classes, enrolments, sessions and calendar feeds: for requests, responses and OpenAPI."""

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.utils.translation import gettext, gettext_lazy
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from shared_apps.accounts.models import User
from tatami.api.fields import ArchivedField, BoundedListField, InstantField, ReferenceField, SingleLineField
from tatami.api.serializers import ReferenceSerializer, StrictModelSerializer, StrictSerializer
from tatami.clock import tenant_date
from tenant_apps.classes.models import ClassSession, Closure, Enrolment, PastEnrolment, TrainingClass
from tenant_apps.classes.recurrence import WEEKDAYS
from tenant_apps.dojo.models import LONGEST_WINDOW_MINUTES
from tenant_apps.ranks.models import Discipline, Rank
from tenant_apps.students.models import Student
from tenant_apps.students.serializers import PlausibleDate

_START_TIME: Final = re.compile(r"^(?:[01][0-9]|2[0-3]):[0-5][0-9]\Z", re.ASCII)
MAX_DURATION_MINUTES: Final = 1440
MAX_YEARS_AWAY: Final = 10
MAX_STARTS_A_WEEK: Final = 70
MAX_PAST_SESSIONS: Final = 2_000
MAX_WEEKS_BETWEEN: Final = 8
MAX_CLOSURE_DAYS: Final = 366
MAX_CLASSES_OF_CLOSURE: Final = 200


def _year_error(day: date, now: datetime) -> str | None:
    """Return the message if the year of a date or instant is too far from the present one."""
    if abs(day.year - now.year) > MAX_YEARS_AWAY:
        return gettext("This is more than {years} years away.").format(years=MAX_YEARS_AWAY)
    return None


def _past_error(recurrence: Mapping[str, Any], today: date) -> str | None:
    """Return the message if a recurrence has too many starts in the past: all of them become sessions at once."""
    entries = [recurrence, *recurrence.get("more_times", ())]
    starts = sum(len(entry["weekdays"]) for entry in entries)
    weeks = (today - recurrence["from"]).days / 7 / (recurrence.get("every_weeks") or 1)
    if weeks * starts > MAX_PAST_SESSIONS:
        message = gettext("More than {sessions} sessions would be in the past. Choose a later day.")
        return message.format(sessions=MAX_PAST_SESSIONS)
    return None


# --- classes --------------------------------------------------------------------------------------------------------


class _StoredDocumentSerializer(StrictSerializer):
    """A document that is stored as it was validated, and shown as it is stored."""

    def to_representation(self, instance: Any) -> Any:
        return instance


class TimesSerializer(_StoredDocumentSerializer):
    """Weekdays, a local time of day, and a duration in minutes."""

    weekdays = BoundedListField(
        child=serializers.ChoiceField(choices=list(WEEKDAYS)), min_length=1, max_length=7
    )
    start_time = serializers.RegexField(
        _START_TIME, error_messages={"invalid": gettext_lazy("This must be a time of day: HH:MM.")}
    )
    duration_minutes = serializers.IntegerField(min_value=1, max_value=MAX_DURATION_MINUTES)

    def validate_weekdays(self, value: list[str]) -> list[str]:
        return sorted(set(value), key=WEEKDAYS.index)


class RecurrenceSerializer(TimesSerializer):
    """A weekly recurrence in the dojo's local time. It is stored as this document, with dates as text.

    `every_weeks`: only in every so many weeks, from Monday to Sunday, beginning with the week of `from`; without it,
    every week.
    """

    until = PlausibleDate(required=False, allow_null=True)
    every_weeks = serializers.IntegerField(required=False, min_value=1, max_value=MAX_WEEKS_BETWEEN)
    more_times = TimesSerializer(many=True, required=False, max_length=20)  # type: ignore[call-arg]

    def get_fields(self) -> dict[str, Any]:
        # `from` is a keyword of Python, so it cannot be declared as an attribute.
        return {**super().get_fields(), "from": PlausibleDate()}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        first, last = attrs["from"], attrs.get("until")
        if last is not None and last < first:
            raise serializers.ValidationError({"until": [gettext("This is before `from`.")]})
        self.check_starts(attrs)
        now = self.context["request"].now
        if message := _year_error(first, now) or _past_error(attrs, tenant_date(now)):
            raise serializers.ValidationError({"from": [message]})
        return {
            name: value.isoformat() if isinstance(value, date) else value for name, value in attrs.items()
        }

    def check_starts(self, attrs: dict[str, Any]) -> None:
        """Raise `ValidationError` if two entries name the same start, or there are too many starts."""
        starts: set[tuple[str, str]] = set()
        for place, entry in enumerate([attrs, *attrs.get("more_times", ())]):
            named = {(weekday, entry["start_time"]) for weekday in entry["weekdays"]}
            if starts & named:
                entries_before: list[Any] = [{} for _ in range(place - 1)]
                message = gettext("The class starts at this time already on one of these days.")
                raise serializers.ValidationError(
                    {"more_times": [*entries_before, {"start_time": [message]}]}
                )
            starts |= named
        if len(starts) > MAX_STARTS_A_WEEK:
            raise serializers.ValidationError(
                {
                    "more_times": [
                        gettext("A class starts at most {max_starts_a_week} times a week.").format(
                            max_starts_a_week=MAX_STARTS_A_WEEK
                        )
                    ]
                }
            )


class ExpectedAttendanceSerializer(_StoredDocumentSerializer):
    """`per_week`: attendances expected of each enrolled student; `rate`: share of them expected at each session."""

    per_week = serializers.FloatField(required=False, min_value=0, max_value=50)
    rate = serializers.FloatField(required=False, min_value=0, max_value=1)


def _minutes() -> serializers.IntegerField:
    return serializers.IntegerField(
        default=None, allow_null=True, min_value=0, max_value=LONGEST_WINDOW_MINUTES
    )


class CheckInWindowSerializer(StrictSerializer):
    """Minutes from the start. A value that is null or left out is the dojo's setting."""

    opens_minutes_before = _minutes()
    closes_minutes_after = _minutes()
    late_after_minutes = _minutes()


class TrainingClassSerializer(StrictModelSerializer):
    """A class of the schedule. `apply_from` in a PATCH: sessions before that day stay unchanged."""

    class_type = SingleLineField(max_length=60, required=False, allow_blank=True)
    discipline = ReferenceField(queryset=Discipline.objects.not_archived(), required=False, allow_null=True)
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
    """A student is enrolled in a class from a local date on; without `from`, from today on."""

    student = ReferenceField(queryset=Student.objects.not_archived())

    class Meta:
        model = Enrolment
        fields = ("student",)

    def get_fields(self) -> dict[str, Any]:
        return {
            **super().get_fields(),
            "from": PlausibleDate(source="starts_on", required=False, allow_null=True),
            "class": ReferenceField(source="training_class", read_only=True),
        }


class PastEnrolmentSerializer(StrictModelSerializer):
    """A student was enrolled in a class from one local date until another, both included."""

    class Meta:
        model = PastEnrolment
        fields = ("until",)

    def get_fields(self) -> dict[str, Any]:
        return {
            **super().get_fields(),
            "from": PlausibleDate(source="starts_on"),
            "class": ReferenceField(source="training_class", read_only=True),
        }


# --- sessions -------------------------------------------------------------------------------------------------------


@extend_schema_serializer(component_name="Cancellation")
class NewCancellationSerializer(StrictSerializer):
    """Why a session does not take place."""

    reason = SingleLineField(max_length=500, required=False, allow_blank=True)


@extend_schema_serializer(component_name="CancellationAnswer")
class CancellationSerializer(serializers.Serializer[Any]):
    """Why a session does not take place, who cancelled it, and when."""

    reason = serializers.CharField(source="cancel_reason", allow_blank=True)
    by = ReferenceSerializer(source="cancelled_by", allow_null=True)
    at = serializers.DateTimeField(source="cancelled_at")


class SessionSerializer(StrictModelSerializer):
    """A class session."""

    # Needs `taught_by` on the row: see `sessions.attach_instructors`.
    discipline = ReferenceField(read_only=True)
    min_rank = ReferenceField(read_only=True)
    instructors = ReferenceField(many=True, read_only=True, source="taught_by")
    duration_minutes = serializers.SerializerMethodField()
    cancellation = CancellationSerializer(allow_null=True)
    closure = serializers.UUIDField(source="closure_id", read_only=True, allow_null=True)
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
            "closure",
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


class SessionChangesSerializer(StrictSerializer):
    """The fields of one session that may be changed without its class.

    With `notify`, the students who are expected receive a mail about a new time or place.
    """

    name = SingleLineField(max_length=120)
    starts_at = InstantField()
    duration_minutes = serializers.IntegerField(min_value=1, max_value=MAX_DURATION_MINUTES)
    instructors = ReferenceField(queryset=User.objects.active().staff(), many=True, required=False)
    capacity = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=100_000)
    location = SingleLineField(max_length=120, required=False, allow_blank=True)
    note = SingleLineField(max_length=500, required=False, allow_blank=True)
    notify = serializers.BooleanField(required=False)

    def validate_starts_at(self, value: datetime) -> datetime:
        if message := _year_error(value, self.context["request"].now):
            raise serializers.ValidationError(message)
        return value


class NewSessionSerializer(SessionChangesSerializer):
    """A session that no recurrence generates: of a class, or without a class and with a name."""

    name = SingleLineField(max_length=120, required=False)
    discipline = ReferenceField(queryset=Discipline.objects.not_archived(), required=False, allow_null=True)

    def get_fields(self) -> dict[str, Any]:
        classes = ReferenceField(
            queryset=TrainingClass.objects.not_archived(),
            source="training_class",
            required=False,
            allow_null=True,
        )
        fields = {**super().get_fields(), "class": classes}
        del fields["notify"]  # A new session was not moved.
        return fields

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("training_class") is None and not attrs.get("name"):
            raise serializers.ValidationError({"name": [gettext("A session without a class needs a name.")]})
        return attrs


# --- closures -------------------------------------------------------------------------------------------------------


class ClosureSerializer(StrictModelSerializer):
    """Days without sessions, both included, of the whole dojo or only of `classes`. `sessions`: how many it cancels."""

    until = PlausibleDate()
    reason = SingleLineField(max_length=500, required=False, allow_blank=True)
    classes = ReferenceField(
        queryset=TrainingClass.objects.not_archived(), many=True, required=False, most=MAX_CLASSES_OF_CLOSURE
    )
    sessions = serializers.IntegerField(source="sessions_cancelled", read_only=True)

    class Meta:
        model = Closure
        fields = ("until", "reason", "classes", "sessions")

    def get_fields(self) -> dict[str, Any]:
        return {**super().get_fields(), "from": PlausibleDate(source="starts_on")}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        first, last = attrs["starts_on"], attrs["until"]
        if last < first:
            raise serializers.ValidationError({"until": [gettext("This is before `from`.")]})
        if (last - first).days >= MAX_CLOSURE_DAYS:
            message = gettext("A closure has at most {days} days. Archive a class that has ended.").format(
                days=MAX_CLOSURE_DAYS
            )
            raise serializers.ValidationError({"until": [message]})
        if error := _year_error(first, self.context["request"].now):
            raise serializers.ValidationError({"from": [error]})
        return attrs


# --- calendar feeds -------------------------------------------------------------------------------------------------


class FeedAddressSerializer(serializers.Serializer[Any]):
    """The URL for a calendar program. Anyone who has it can read the schedule, so keep it secret."""

    url = serializers.URLField()
