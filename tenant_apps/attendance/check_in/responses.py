"""The response to a scan. Hot paths build plain dicts; the serializer that documents each shape is beside it."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from django.utils.translation import gettext, gettext_noop
from rest_framework import serializers

from tatami.api.renderers import json_bytes
from tatami.api.serializers import ReferenceSerializer
from tenant_apps.attendance.check_in.rules import ranks_held
from tenant_apps.attendance.check_in.types import (
    LONG_ABSENCE,
    Method,
    RecordedAttendance,
    ScanDecision,
    ScanResponse,
)
from tenant_apps.classes.models import ClassSession
from tenant_apps.students.models import Student
from tenant_apps.students.serializers import HeldRankSerializer

ALERTS: Final = {
    "birthday": gettext_noop("It is this student's birthday."),
    "on_hold": gettext_noop("This student's membership is on hold."),
    "medical": gettext_noop("There are medical notes about this student."),
    "absent_for_long": gettext_noop("This student has not been here for more than {days} days."),
    "card_shared": gettext_noop("This card was used at another device a moment ago."),
    "promotion_due": gettext_noop("This student may be due for promotion."),
}
"""Code of an alert → message; `{days}` is the length of a long absence."""
PUBLIC_ALERTS: Final = frozenset({"birthday", "promotion_due"})
"""The alerts that devices and students receive too. The others are for staff."""


class AttendanceSerializer(serializers.Serializer[Any]):
    """A student was at a session."""

    id = serializers.UUIDField()
    tenant_id = serializers.UUIDField()
    student = ReferenceSerializer()
    class_session = ReferenceSerializer()
    checked_in_at = serializers.DateTimeField()
    method = serializers.ChoiceField(choices=Method.choices)
    late = serializers.BooleanField()
    uploaded_late = serializers.BooleanField()
    voided = serializers.BooleanField()
    void_reason = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """Return an attendance whose student and session are loaded on the row. Lists are hot: no field by field."""
        return attendance_data(
            instance, student=student_reference(instance.student), session=instance.class_session
        )


def attendance_data(
    row: Any | RecordedAttendance, *, student: Mapping[str, Any], session: ClassSession
) -> dict[str, Any]:
    """Return an `Attendance` or a `RecordedAttendance` (which is never voided) as `AttendanceSerializer` says."""
    return {
        "id": row.id,
        "tenant_id": session.tenant_id,
        "student": student,
        "class_session": {"id": session.pk, "name": session.name},
        "checked_in_at": row.checked_in_at,
        "method": row.method,
        "late": row.late,
        "uploaded_late": row.uploaded_late,
        "voided": getattr(row, "voided_at", None) is not None,
        "void_reason": getattr(row, "void_reason", ""),
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def student_reference(student: Student) -> dict[str, Any]:
    """Return a student as `ReferenceSerializer` says."""
    return {"id": student.pk, "name": student.name}


class CheckedInStudentSerializer(ReferenceSerializer):
    """The student who checked in: what they prefer to be called, if it is known, and the ranks held today."""

    preferred_name = serializers.CharField(required=False)
    ranks = HeldRankSerializer(many=True)


class AlertSerializer(serializers.Serializer[Any]):
    """Something to know about a student who checks in."""

    code = serializers.ChoiceField(choices=list(ALERTS))
    message = serializers.CharField()


class CheckInSerializer(serializers.Serializer[Any]):
    """The response to a scan: 201 and `recorded`, or 200, `already_recorded` and the first attendance."""

    status = serializers.ChoiceField(choices=["recorded", "already_recorded"])
    attendance = AttendanceSerializer()
    student = CheckedInStudentSerializer()
    alerts = AlertSerializer(many=True)


def build_response(
    decision: ScanDecision, row: RecordedAttendance | None, *, is_new: bool, to_staff: bool, today: date
) -> ScanResponse:
    """Return the response to a decision, as `CheckInSerializer` says, or the error that refuses the scan.

    `row` is the attendance that counts. `to_staff` adds the alerts for staff. `today` is the dojo's local date, for the
    ranks that the student holds.
    """
    if decision.refusal is not None:
        return ScanResponse.from_error(decision.refusal)
    assert row is not None
    assert decision.student is not None
    assert decision.session is not None
    student = student_reference(decision.student.student)
    called = decision.student.student.preferred_name
    ranks = [_rank_data(event) for event in ranks_held(decision.student, today)]
    alerts = [code for code in decision.alerts if to_staff or code in PUBLIC_ALERTS]
    body = {
        "status": "recorded" if is_new else "already_recorded",
        "attendance": attendance_data(row, student=student, session=decision.session),
        "student": {
            **student,
            **({"preferred_name": called} if called else {}),
            "ranks": ranks,
        },
        "alerts": [{"code": code, "message": alert_message(code)} for code in alerts],
    }
    return ScanResponse(201 if is_new else 200, json_bytes(body))


def alert_message(code: str) -> str:
    """Return what an alert says, in the language of the dojo."""
    return gettext(ALERTS[code]).format(days=LONG_ABSENCE.days)


def _rank_data(event: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": event["rank_id"],
        "name": event["name"],
        "code": event["code"],
        "rank_system": {"id": event["system_id"], "name": event["system_name"]},
        "since": event["effective_on"],
    }
