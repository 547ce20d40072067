"""The shape of codes, scans and attendance in a request."""

from datetime import datetime
from typing import Any

from rest_framework import serializers

from tatami.api.serializers import Line, Reference, StrictModelSerializer, StrictSerializer
from tenant_apps.attendance.answers import shown_attendance
from tenant_apps.attendance.checkin import OLDEST_SCAN
from tenant_apps.attendance.models import Attendance, Refusal
from tenant_apps.classes.models import ClassSession
from tenant_apps.students.models import Student


def students_in_reach(request: Any) -> Any:
    """Return the students that the caller may name."""
    students = Student.objects.live()
    return students if request.user.role != "student" else students.filter(links__user=request.user)


class QrSerializer(StrictSerializer):
    """For whom or what a code is wanted."""

    student = Reference(queryset=students_in_reach, required=False)
    class_session = Reference(queryset=ClassSession.objects.all(), required=False)
    kind = serializers.ChoiceField(choices=["rotating", "card"], default="rotating")
    format = serializers.ChoiceField(choices=["svg", "png"], default="svg")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("student" in attrs) == ("class_session" in attrs):
            raise serializers.ValidationError("Give either a student or a class session.")
        return attrs


class CardSerializer(StrictSerializer):
    format = serializers.ChoiceField(choices=["svg", "png"], default="svg")


class ScanSerializer(StrictSerializer):
    """One scan. A token of any other form than ours is not a fault of form: it is `qr_invalid`."""

    token = serializers.CharField(max_length=2_000, trim_whitespace=True)
    class_session = serializers.UUIDField(required=False)
    student = serializers.UUIDField(required=False)
    nonce = Line(max_length=100, required=False)
    scanned_at = serializers.DateTimeField(required=False)

    def validate_scanned_at(self, value: datetime) -> datetime:
        request = self.context["request"]
        if request.user.role == "student":
            raise serializers.ValidationError("Only devices and staff say when a code was scanned.")
        if not request.now - OLDEST_SCAN <= value <= request.now:
            raise serializers.ValidationError("This is in the future, or more than 72 hours ago.")
        return value


class ManualAttendanceSerializer(StrictSerializer):
    """An attendance recorded by hand."""

    student = Reference(queryset=Student.objects.all())
    class_session = Reference(queryset=ClassSession.objects.all())
    checked_in_at = serializers.DateTimeField(required=False)
    late = serializers.BooleanField(required=False)

    def validate_checked_in_at(self, value: datetime) -> datetime:
        if value > self.context["request"].now:
            raise serializers.ValidationError("This is in the future.")
        return value


class AttendanceSerializer(StrictModelSerializer):
    """One attendance, as it is listed."""

    class Meta:
        model = Attendance
        fields = ("checked_in_at", "method", "late")

    def to_representation(self, instance: Attendance) -> dict[str, Any]:
        return shown_attendance(instance)


class RefusalSerializer(StrictModelSerializer):
    """A scan that was refused."""

    student = Reference(read_only=True)
    class_session = Reference(read_only=True)

    class Meta:
        model = Refusal
        fields = ("code", "student", "class_session", "scanned_at")
