"""Codes, check-in and attendance."""

from typing import Any, Final

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from config.openapi import values
from config.openapi.accounts import ReferenceSerializer
from config.openapi.frequent import listed, made, silent
from tatami.api.openapi import Described
from tenant_apps.attendance.answers import ALERTS
from tenant_apps.attendance.models import Attendance
from tenant_apps.attendance.serializers import ManualAttendanceSerializer, SyncSerializer
from tenant_apps.students.serializers import HeldRankSerializer


class CodeSerializer(serializers.Serializer[Any]):
    """A code to show or print. `expires_at` is null for what does not rotate; `image` is a data URI."""

    token = serializers.CharField()
    url = serializers.CharField()
    kind = serializers.ChoiceField(choices=["rotating", "card"])
    expires_at = serializers.DateTimeField(allow_null=True)
    image = serializers.CharField()


@extend_schema_serializer(component_name="Attendance")
class AttendanceAnswerSerializer(serializers.Serializer[Any]):
    """A student was at a session."""

    id = serializers.UUIDField()
    tenant_id = serializers.UUIDField()
    student = ReferenceSerializer()
    class_session = ReferenceSerializer()
    checked_in_at = serializers.DateTimeField()
    method = serializers.ChoiceField(choices=Attendance.Method.choices)
    late = serializers.BooleanField()
    uploaded_late = serializers.BooleanField()
    voided = serializers.BooleanField()
    void_reason = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class CheckedInStudentSerializer(ReferenceSerializer):
    """Who checked in, with the ranks held today."""

    ranks = HeldRankSerializer(many=True)


class AlertSerializer(serializers.Serializer[Any]):
    """What the desk should know about a student."""

    code = serializers.ChoiceField(choices=list(ALERTS))
    message = serializers.CharField()


class CheckInSerializer(serializers.Serializer[Any]):
    """What a scan is answered: 201 and `recorded`, or 200, `already_recorded` and the first attendance."""

    status = serializers.ChoiceField(choices=["recorded", "already_recorded"])
    attendance = AttendanceAnswerSerializer()
    student = CheckedInStudentSerializer()
    alerts = AlertSerializer(many=True)


class SyncResultSerializer(serializers.Serializer[Any]):
    """What became of one scan: `attendance` if it is recorded, `code` if it is refused; `retry` is not final."""

    nonce = serializers.CharField()
    status = serializers.ChoiceField(choices=["recorded", "already_recorded", "refused", "retry"])
    attendance = AttendanceAnswerSerializer(required=False)
    code = serializers.CharField(required=False)


class SyncAnswerSerializer(serializers.Serializer[Any]):
    """A result for each scan, in the order in which they were sent."""

    results = SyncResultSerializer(many=True)


ATTENDANCE_EXAMPLE: Final = values.row(
    values.ATTENDANCE,
    student=values.MIKA,
    class_session=values.THIS_EVENING,
    checked_in_at=values.NOW,
    method="qr_rotating",
    late=False,
    uploaded_late=False,
    voided=False,
    void_reason="",
)
_CHECK_IN: Final[dict[str, Any]] = {
    "status": "recorded",
    "attendance": ATTENDANCE_EXAMPLE,
    "student": {
        **values.MIKA,
        "ranks": [{**values.FIFTH_KYU, "code": "5-kyu", "rank_system": values.GRADES, "since": "2026-01-10"}],
    },
    "alerts": [{"code": "birthday", "message": ALERTS["birthday"]}],
}
_AGAIN: Final = {**_CHECK_IN, "status": "already_recorded"}
_CODE: Final = {
    "token": values.CODE,
    "url": f"http://seishin.localhost:8000/check-in/{values.CODE}",
    "kind": "rotating",
    "expires_at": "2026-06-15T16:40:30Z",
    "image": "data:image/svg+xml;base64,PHN2Zy8+",
}
REFUSAL_EXAMPLE: Final = values.row(
    values.REFUSAL,
    code="session_full",
    student=values.MIKA,
    class_session=values.THIS_EVENING,
    scanned_at=values.NOW,
    recorded_by=values.HANA,
    device=None,
)
_OFFLINE: Final = {
    "sent_at": values.NOW,
    "scans": [
        {
            "token": values.CODE,
            "class_session": values.SESSION,
            "nonce": "desk-1-000043",
            "scanned_at": values.NOW,
            "seq": 43,
        },
        {"token": "no code of ours", "nonce": "desk-1-000044", "scanned_at": values.NOW, "seq": 44},
    ],
}
_SYNCED: Final = {
    "results": [
        {"nonce": "desk-1-000043", "status": "recorded", "attendance": ATTENDANCE_EXAMPLE},
        {"nonce": "desk-1-000044", "status": "refused", "code": "qr_invalid"},
    ]
}
_REASON: Final = {"reason": "It was entered twice."}
_VOIDED: Final = {**ATTENDANCE_EXAMPLE, "voided": True, "void_reason": _REASON["reason"]}

ATTENDANCE: Final = {
    "qr": {
        "POST": made(
            {"student": values.STUDENT, "kind": "rotating", "format": "svg"}, _CODE, answer=CodeSerializer
        )
    },
    "student-card": {
        "POST": made(
            {"format": "png"},
            {**_CODE, "kind": "card", "expires_at": None, "image": "data:image/png;base64,iVBORw0KGgo="},
            at={"id": values.STUDENT},
            answer=CodeSerializer,
        ),
        "DELETE": silent(at={"id": values.STUDENT}),
    },
    "scan": {
        "POST": made(
            {"token": values.CODE, "class_session": values.SESSION, "nonce": "desk-1-000042"},
            _CHECK_IN,
            answer=CheckInSerializer,
            also={200: _AGAIN},
        )
    },
    "attendance": {
        "GET": listed(ATTENDANCE_EXAMPLE, answer=AttendanceAnswerSerializer),
        "POST": made(
            {"student": values.NEW_STUDENT, "class_session": values.SESSION, "late": False},
            _CHECK_IN,
            takes=ManualAttendanceSerializer,
            answer=CheckInSerializer,
            also={200: _AGAIN},
        ),
    },
    "attendance-entry": {
        "GET": Described(
            at={"id": values.ATTENDANCE}, answer=AttendanceAnswerSerializer, shown=ATTENDANCE_EXAMPLE
        )
    },
    "attendance-void": {
        "POST": Described(
            at={"id": values.ATTENDANCE}, body=_REASON, answer=AttendanceAnswerSerializer, shown=_VOIDED
        )
    },
    "student-attendance": {
        "GET": listed(
            ATTENDANCE_EXAMPLE, at={"student_id": values.STUDENT}, answer=AttendanceAnswerSerializer
        )
    },
    "refusals": {"GET": listed(REFUSAL_EXAMPLE)},
    "sync": {
        "POST": Described(takes=SyncSerializer, body=_OFFLINE, answer=SyncAnswerSerializer, shown=_SYNCED)
    },
}
