"""The shape of codes, scans and attendance in a request."""

from datetime import datetime
from typing import Any, Final

from rest_framework import serializers

from shared_apps.accounts.models import Role
from tatami import clock
from tatami.api.fields import InstantField, ReferenceField, SingleLineField
from tatami.api.serializers import StrictModelSerializer, StrictSerializer
from tatami.tenancy.scope import current_tenant
from tenant_apps.attendance.answers import shown_attendance
from tenant_apps.attendance.devices import DEVICE
from tenant_apps.attendance.models import Attendance, Refusal
from tenant_apps.attendance.sync import LARGEST_BATCH, LARGEST_SEQ
from tenant_apps.classes.models import ClassSession
from tenant_apps.students.models import Student

LONGEST_NONCE: Final = 100


def students_in_reach(request: Any) -> Any:
    """Return the students that the caller may name."""
    students = Student.objects.live()
    return students if request.user.role != Role.STUDENT else students.filter(links__user=request.user)


def sessions_in_reach(request: Any) -> Any:
    """Return the sessions whose codes the caller may have made: a device stands at today's."""
    if request.user.role != DEVICE:
        return ClassSession.objects.all()
    today = clock.local_date(request.now, current_tenant().timezone)
    return ClassSession.objects.between(today, today)


class CodeText(serializers.CharField):
    """The text of a code. One of any other form than ours is not a fault of form: it is `qr_invalid`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=2_000, trim_whitespace=True, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        value: str = super().to_internal_value(data)
        return value


class QrSerializer(StrictSerializer):
    """For whom or what a code is wanted."""

    student = ReferenceField(queryset=students_in_reach, required=False)
    class_session = ReferenceField(queryset=sessions_in_reach, required=False)
    kind = serializers.ChoiceField(choices=["rotating", "card"], default="rotating")
    format = serializers.ChoiceField(choices=["svg", "png"], default="svg")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("student" in attrs) == ("class_session" in attrs):
            raise serializers.ValidationError("Give either a student or a class session.")
        return attrs


class CardSerializer(StrictSerializer):
    format = serializers.ChoiceField(choices=["svg", "png"], default="svg")


class ScanSerializer(StrictSerializer):
    """One scan."""

    token = CodeText()
    class_session = serializers.UUIDField(required=False)
    student = serializers.UUIDField(required=False)
    nonce = SingleLineField(max_length=LONGEST_NONCE, required=False)
    scanned_at = InstantField(required=False)

    def validate_scanned_at(self, value: datetime) -> datetime:
        if self.context["request"].user.role == Role.STUDENT:
            raise serializers.ValidationError("Only devices and staff say when a code was scanned.")
        return value


class OfflineScanSerializer(StrictSerializer):
    """A scan that was taken offline."""

    token = CodeText()
    class_session = serializers.UUIDField(required=False, allow_null=True)
    nonce = SingleLineField(max_length=LONGEST_NONCE)
    scanned_at = InstantField()
    seq = serializers.IntegerField(required=False, allow_null=True, min_value=0, max_value=LARGEST_SEQ)


class SyncSerializer(StrictSerializer):
    """Scans that were taken offline, and what the device's clock said when it sent them."""

    sent_at = InstantField()
    scans = OfflineScanSerializer(many=True, max_length=LARGEST_BATCH)  # type: ignore[call-arg]


class ManualAttendanceSerializer(StrictSerializer):
    """An attendance recorded by hand."""

    student = ReferenceField(queryset=Student.objects.all())
    class_session = ReferenceField(queryset=ClassSession.objects.all())
    checked_in_at = InstantField(required=False)
    late = serializers.BooleanField(required=False)

    def validate_checked_in_at(self, value: datetime) -> datetime:
        if value > self.context["request"].now:
            raise serializers.ValidationError("This is in the future.")
        return value


class AttendanceSerializer(StrictModelSerializer):
    """One attendance, as it is listed."""

    class Meta:
        model = Attendance
        fields = ("checked_in_at", "method", "late", "uploaded_late")

    def to_representation(self, instance: Attendance) -> dict[str, Any]:
        return shown_attendance(instance)


class RefusalSerializer(StrictModelSerializer):
    """A scan that was refused."""

    student = ReferenceField(read_only=True)
    class_session = ReferenceField(read_only=True)
    recorded_by = ReferenceField(read_only=True)
    device = ReferenceField(read_only=True)

    class Meta:
        model = Refusal
        fields = ("code", "student", "class_session", "scanned_at", "recorded_by", "device")
