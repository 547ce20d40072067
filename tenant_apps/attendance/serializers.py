"""The serializers of codes, scans, attendances, rosters and devices: for requests, responses and OpenAPI.

Scans and lists are called often, so their responses are built as dicts. The serializers that document these are beside
that code: `check_in/responses.py` and `check_in/offline.py`.
"""

from datetime import datetime
from typing import Any, Final

from django.utils.translation import gettext
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from shared_apps.accounts.models import Role
from tatami.api.fields import InstantField, ReferenceField, SingleLineField, reference_errors
from tatami.api.serializers import ReferenceSerializer, StrictModelSerializer, StrictSerializer
from tenant_apps.attendance.check_in.offline import MAX_BATCH_SIZE, MAX_SEQ, SyncResultSerializer
from tenant_apps.attendance.check_in.responses import AttendanceSerializer, CheckInSerializer
from tenant_apps.attendance.models import Attendance, Device, Refusal
from tenant_apps.attendance.roster import ABSENT, EXPECTED, LATE, PRESENT
from tenant_apps.classes.models import ClassSession
from tenant_apps.classes.serializers import SessionSerializer
from tenant_apps.students.models import Student
from tenant_apps.students.queries import lock_students

__all__ = [
    "AttendanceSerializer",
    "CardFormatSerializer",
    "CheckInSerializer",
    "CodeSerializer",
    "DeviceSerializer",
    "ManualAttendanceSerializer",
    "NewCodeSerializer",
    "NewDeviceSerializer",
    "PairedSerializer",
    "PairingSerializer",
    "RefusalSerializer",
    "RosterSerializer",
    "ScanSerializer",
    "SessionWithRosterSerializer",
    "SyncResultsSerializer",
    "SyncSerializer",
    "UnpairedDeviceSerializer",
]

MAX_TOKEN_LENGTH: Final = 2_000
MAX_NONCE_LENGTH: Final = 100
MAX_ROSTER_ENTRIES: Final = 500
IMAGE_FORMATS: Final = ["svg", "png"]


# --- scans ----------------------------------------------------------------------------------------------------------


class TokenField(serializers.CharField):
    """The text of a code. Text in another format than ours is valid here: the response is `qr_invalid`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=MAX_TOKEN_LENGTH, trim_whitespace=True, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        value: str = super().to_internal_value(data)
        return value


class ScanSerializer(StrictSerializer):
    """One scan."""

    token = TokenField()
    class_session = serializers.UUIDField(required=False)
    student = serializers.UUIDField(required=False)
    nonce = SingleLineField(max_length=MAX_NONCE_LENGTH, required=False)
    scanned_at = InstantField(required=False)

    def validate_scanned_at(self, value: datetime) -> datetime:
        if self.context["request"].user.role == Role.STUDENT:
            raise serializers.ValidationError(
                gettext("Only devices and staff can say when a code was scanned.")
            )
        return value


class OfflineScanSerializer(StrictSerializer):
    """A scan that was taken offline."""

    token = TokenField()
    class_session = serializers.UUIDField(required=False, allow_null=True)
    nonce = SingleLineField(max_length=MAX_NONCE_LENGTH)
    scanned_at = InstantField()
    seq = serializers.IntegerField(required=False, allow_null=True, min_value=0, max_value=MAX_SEQ)


class SyncSerializer(StrictSerializer):
    """Scans that were taken offline, and the time of the device's clock at the upload."""

    sent_at = InstantField()
    scans = OfflineScanSerializer(many=True, max_length=MAX_BATCH_SIZE)  # type: ignore[call-arg]


@extend_schema_serializer(component_name="SyncAnswer")
class SyncResultsSerializer(serializers.Serializer[Any]):
    """A result for each scan, in the order in which they were sent."""

    results = SyncResultSerializer(many=True)


# --- attendances and refusals ---------------------------------------------------------------------------------------


class ManualAttendanceSerializer(StrictSerializer):
    """An attendance recorded by hand."""

    student = ReferenceField(queryset=Student.objects.all())
    class_session = ReferenceField(queryset=ClassSession.objects.all())
    checked_in_at = InstantField(required=False)
    late = serializers.BooleanField(required=False)

    def validate_checked_in_at(self, value: datetime) -> datetime:
        if value > self.context["request"].now:
            raise serializers.ValidationError(gettext("This is in the future."))
        return value


class RefusalSerializer(StrictModelSerializer):
    """A scan that was refused."""

    student = ReferenceField(read_only=True)
    class_session = ReferenceField(read_only=True)
    recorded_by = ReferenceField(read_only=True)
    device = ReferenceField(read_only=True)

    class Meta:
        model = Refusal
        fields = ("code", "student", "class_session", "scanned_at", "recorded_by", "device")


# --- rosters --------------------------------------------------------------------------------------------------------


@extend_schema_serializer(component_name="RosterLineAnswer")
class RosterEntrySerializer(serializers.Serializer[Any]):
    """A student on the roster. `attendance` is the id of the attendance that is not voided, if there is one."""

    student = ReferenceSerializer()
    state = serializers.ChoiceField(choices=[EXPECTED, PRESENT, LATE, ABSENT])
    enrolled = serializers.BooleanField()
    trial = serializers.BooleanField()
    attendance = serializers.UUIDField(allow_null=True)
    checked_in_at = serializers.DateTimeField(allow_null=True)
    method = serializers.ChoiceField(choices=Attendance.Method.choices, allow_null=True)


class SessionWithRosterSerializer(SessionSerializer):
    """A class session. Staff receive its roster too."""

    roster = RosterEntrySerializer(many=True)

    class Meta(SessionSerializer.Meta):
        fields = (*SessionSerializer.Meta.fields, "roster")  # type: ignore[assignment]
        shown_to_some = ("roster",)


@extend_schema_serializer(component_name="Entry")
class RosterMarkSerializer(StrictSerializer):
    """A student, and whether they came."""

    student = serializers.UUIDField()
    state = serializers.ChoiceField(choices=[PRESENT, LATE, ABSENT])


class RosterSerializer(StrictSerializer):
    """Which students came. Students who are not named keep their attendance; `reason` is that of the voids."""

    entries = RosterMarkSerializer(many=True, max_length=MAX_ROSTER_ENTRIES)  # type: ignore[call-arg]
    reason = SingleLineField(max_length=500, required=False, allow_blank=True)

    def validate_entries(self, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Refuse students who do not exist or are named twice. Lock the others, so that none is erased meanwhile."""
        ids = [entry["student"] for entry in entries]
        errors = reference_errors(
            entries, "student", lock_students(ids), twice=gettext("This student is named twice.")
        )
        if any(errors):
            raise serializers.ValidationError(errors)
        return entries


# --- codes ----------------------------------------------------------------------------------------------------------


def students_with_codes(request: Any) -> Any:
    """Return the students whose codes the caller may request."""
    return codes_of_students(request.user if request.user.role == Role.STUDENT else None)


def codes_of_students(user: Any) -> Any:
    """Return the students who have a code; those linked with a user, or for `None` all. It may be a parameter."""
    students = Student.objects.not_archived()
    return students if user is None else students.belonging_to(user)


def sessions_with_codes(request: Any) -> Any:
    """Return the sessions whose codes the caller may request."""
    return ClassSession.objects.visible_to(request.user.role, now=request.now)


@extend_schema_serializer(component_name="Qr")
class NewCodeSerializer(StrictSerializer):
    """The student or the class session for which a code is requested."""

    student = ReferenceField(queryset=students_with_codes, required=False)
    class_session = ReferenceField(queryset=sessions_with_codes, required=False)
    kind = serializers.ChoiceField(choices=["rotating", "card"], default="rotating")
    format = serializers.ChoiceField(choices=IMAGE_FORMATS, default="svg")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("student" in attrs) == ("class_session" in attrs):
            raise serializers.ValidationError(gettext("Give either a student or a class session."))
        return attrs


@extend_schema_serializer(component_name="Card")
class CardFormatSerializer(StrictSerializer):
    """The image format of a card."""

    format = serializers.ChoiceField(choices=IMAGE_FORMATS, default="svg")


class CodeSerializer(serializers.Serializer[Any]):
    """A code to show or print. `expires_at` is null if the code does not rotate; `image` is a data URI."""

    token = serializers.CharField()
    url = serializers.CharField()
    kind = serializers.ChoiceField(choices=["rotating", "card"])
    expires_at = serializers.DateTimeField(allow_null=True)
    image = serializers.CharField()


# --- devices --------------------------------------------------------------------------------------------------------


class NewDeviceSerializer(StrictSerializer):
    """A device to pair. `location` is compared with the location of class sessions."""

    name = SingleLineField(max_length=120)
    location = SingleLineField(max_length=120, required=False, allow_blank=True, default="")


@extend_schema_serializer(component_name="NewDeviceAnswer")
class UnpairedDeviceSerializer(serializers.Serializer[Any]):
    """A device that waits to be paired, with its pairing code, which is shown only here."""

    id = serializers.UUIDField()
    pairing_code = serializers.CharField()
    expires_at = serializers.DateTimeField(source="pairing_expires_at")


class DeviceSerializer(StrictModelSerializer):
    """A device. `last_seen` is exact to a minute, and null if the device was never used."""

    last_seen = serializers.DateTimeField(source="last_seen_at", allow_null=True)
    paired = serializers.SerializerMethodField()
    revoked = serializers.SerializerMethodField()

    class Meta:
        model = Device
        fields = ("name", "location", "last_seen", "last_seq", "paired", "paired_at", "revoked", "revoked_at")

    def get_paired(self, device: Device) -> bool:
        return device.paired_at is not None

    def get_revoked(self, device: Device) -> bool:
        return device.revoked_at is not None


class PairingSerializer(StrictSerializer):
    """The pairing code as typed: case and separators do not matter."""

    code = SingleLineField(max_length=40)


class PairedDeviceSerializer(serializers.Serializer[Any]):
    """The device that was paired."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    location = serializers.CharField()


class PairedSerializer(serializers.Serializer[Any]):
    """The response to a pairing: the device and its bearer token, which is shown only here."""

    device = PairedDeviceSerializer()
    access = serializers.CharField()
