"""Codes, check-in and attendance."""

from typing import Any, Final

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from shared_apps.accounts.serializers import ReferenceSerializer
from tatami.api.openapi import examples
from tatami.api.openapi.spec import OperationSpec, create_spec, list_spec, no_content_spec
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


ATTENDANCE_EXAMPLE: Final = examples.row(
    examples.ATTENDANCE,
    student=examples.MIKA,
    class_session=examples.THIS_EVENING,
    checked_in_at=examples.NOW,
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
        **examples.MIKA,
        "ranks": [
            {**examples.FIFTH_KYU, "code": "5-kyu", "rank_system": examples.GRADES, "since": "2026-01-10"}
        ],
    },
    "alerts": [{"code": "birthday", "message": ALERTS["birthday"]}],
}
_AGAIN: Final = {**_CHECK_IN, "status": "already_recorded"}
_CODE: Final = {
    "token": examples.CODE,
    "url": f"http://seishin.localhost:8000/check-in/{examples.CODE}",
    "kind": "rotating",
    "expires_at": "2026-06-15T16:40:30Z",
    "image": "data:image/svg+xml;base64,PHN2Zy8+",
}
REFUSAL_EXAMPLE: Final = examples.row(
    examples.REFUSAL,
    code="session_full",
    student=examples.MIKA,
    class_session=examples.THIS_EVENING,
    scanned_at=examples.NOW,
    recorded_by=examples.HANA,
    device=None,
)
_OFFLINE: Final = {
    "sent_at": examples.NOW,
    "scans": [
        {
            "token": examples.CODE,
            "class_session": examples.SESSION,
            "nonce": "desk-1-000043",
            "scanned_at": examples.NOW,
            "seq": 43,
        },
        {"token": "no code of ours", "nonce": "desk-1-000044", "scanned_at": examples.NOW, "seq": 44},
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
        "POST": create_spec(
            {"student": examples.STUDENT, "kind": "rotating", "format": "svg"}, _CODE, response=CodeSerializer
        )
    },
    "student-card": {
        "POST": create_spec(
            {"format": "png"},
            {**_CODE, "kind": "card", "expires_at": None, "image": "data:image/png;base64,iVBORw0KGgo="},
            path={"id": examples.STUDENT},
            response=CodeSerializer,
        ),
        "DELETE": no_content_spec(path={"id": examples.STUDENT}),
    },
    "scan": {
        "POST": create_spec(
            {"token": examples.CODE, "class_session": examples.SESSION, "nonce": "desk-1-000042"},
            _CHECK_IN,
            response=CheckInSerializer,
            other_statuses={200: _AGAIN},
        )
    },
    "attendance": {
        "GET": list_spec(ATTENDANCE_EXAMPLE, response=AttendanceAnswerSerializer),
        "POST": create_spec(
            {"student": examples.NEW_STUDENT, "class_session": examples.SESSION, "late": False},
            _CHECK_IN,
            request=ManualAttendanceSerializer,
            response=CheckInSerializer,
            other_statuses={200: _AGAIN},
        ),
    },
    "attendance-entry": {
        "GET": OperationSpec(
            path={"id": examples.ATTENDANCE},
            response=AttendanceAnswerSerializer,
            response_example=ATTENDANCE_EXAMPLE,
        )
    },
    "attendance-void": {
        "POST": OperationSpec(
            path={"id": examples.ATTENDANCE},
            request_example=_REASON,
            response=AttendanceAnswerSerializer,
            response_example=_VOIDED,
        )
    },
    "student-attendance": {
        "GET": list_spec(
            ATTENDANCE_EXAMPLE, path={"student_id": examples.STUDENT}, response=AttendanceAnswerSerializer
        )
    },
    "refusals": {"GET": list_spec(REFUSAL_EXAMPLE)},
    "sync": {
        "POST": OperationSpec(
            request=SyncSerializer,
            request_example=_OFFLINE,
            response=SyncAnswerSerializer,
            response_example=_SYNCED,
        )
    },
}
