"""The personal data of this app: attendances, refused scans, cards, and stored responses to nonces."""

from datetime import datetime
from typing import Any, Final

from django.db import connection

from tenant_apps.attendance.models import Attendance, Card, Refusal
from tenant_apps.attendance.serializers import AttendanceSerializer, RefusalSerializer
from tenant_apps.students import privacy
from tenant_apps.students.models import Student

# A response may name other students than its own: the candidates from which a parent must choose.
DELETE_RESPONSES_SQL: Final = """
DELETE FROM attendance_scananswer WHERE student = %s OR position(convert_to(%s, 'UTF8') in answer) > 0
"""


def collect_attendance(student: Student) -> Any:
    """Return the attendances, also those that are voided, with what another dojo needs to know of the session."""
    rows = Attendance.objects.filter(student=student).select_related("student", "class_session__discipline")
    return [
        {
            **AttendanceSerializer(row).data,
            "local_date": row.class_session.local_date,
            "discipline": row.class_session.discipline.name if row.class_session.discipline else "",
            "counts_toward_promotion": row.class_session.counts_toward_promotion,
        }
        for row in rows
    ]


def collect_refusals(student: Student) -> Any:
    """Return the scans that were refused."""
    rows = Refusal.objects.filter(student=student)
    return RefusalSerializer(
        rows.select_related("student", "class_session", "device", "recorded_by"), many=True
    ).data


def collect_cards(student: Student) -> Any:
    """Return when cards were issued, revoked and used. The codes themselves are secret."""
    return list(Card.objects.filter(student=student).values("id", "created_at", "revoked_at", "used_at"))


def erase_attendance(student: Student, now: datetime) -> None:
    """Erase the void reasons. The attendances stay, so that counts do not change."""
    Attendance.objects.filter(student=student).exclude(void_reason="").update(void_reason="", updated_at=now)


def erase_scans(student: Student, _now: datetime) -> None:
    """Delete the refusals, and the stored responses that name the student."""
    Refusal.objects.filter(student=student).delete()
    with connection.cursor() as cursor:
        for record in privacy.record_ids(student):
            cursor.execute(DELETE_RESPONSES_SQL, [record, str(record)])


def erase_cards(student: Student, _now: datetime) -> None:
    """Delete the cards. A printed card is then an invalid code."""
    Card.objects.filter(student=student).delete()


def register() -> None:
    """Register what this app stores about a student."""
    privacy.register("attendance", collect=collect_attendance, erase=erase_attendance, models=(Attendance,))
    privacy.register("refusals", collect=collect_refusals, erase=erase_scans, models=(Refusal,))
    privacy.register("cards", collect=collect_cards, erase=erase_cards, models=(Card,))
