"""What check-in holds about a student: visits, refused scans, cards, and the answers that are kept by nonce."""

from datetime import datetime
from typing import Any

from django.db import connection

from tenant_apps.attendance.answers import shown_attendance
from tenant_apps.attendance.models import Attendance, Card, Refusal
from tenant_apps.attendance.serializers import RefusalSerializer
from tenant_apps.students import personal_data
from tenant_apps.students.models import Student

# An answer may name others beside the one it is about: the candidates among whom a parent is to choose.
_FORGET_ANSWERS = """
DELETE FROM attendance_scananswer WHERE student = %s OR position(convert_to(%s, 'UTF8') in answer) > 0
"""


def collect_attendance(student: Student) -> Any:
    """Return the visits, voided ones too."""
    rows = Attendance.objects.filter(student=student).select_related("student", "class_session")
    return [shown_attendance(row) for row in rows]


def collect_refusals(student: Student) -> Any:
    """Return the scans that were refused."""
    rows = Refusal.objects.filter(student=student)
    return RefusalSerializer(
        rows.select_related("student", "class_session", "device", "recorded_by"), many=True
    ).data


def collect_cards(student: Student) -> Any:
    """Return when cards were issued and revoked; never what they say."""
    return list(Card.objects.filter(student=student).values("id", "created_at", "revoked_at", "used_at"))


def erase_attendance(student: Student, now: datetime) -> None:
    """Keep that somebody was there, so that counts stay; forget what was written beside it."""
    Attendance.objects.filter(student=student).exclude(void_reason="").update(void_reason="", updated_at=now)


def erase_scans(student: Student, _now: datetime) -> None:
    """Delete refusals, and answers that name the student."""
    Refusal.objects.filter(student=student).delete()
    with connection.cursor() as cursor:
        cursor.execute(_FORGET_ANSWERS, [student.pk, str(student.pk)])


def erase_cards(student: Student, _now: datetime) -> None:
    """Delete the cards: what was printed means nobody any more."""
    Card.objects.filter(student=student).delete()


def register() -> None:
    """Register what this app holds."""
    personal_data.register(
        "attendance", collect=collect_attendance, erase=erase_attendance, models=(Attendance,)
    )
    personal_data.register("refusals", collect=collect_refusals, erase=erase_scans, models=(Refusal,))
    personal_data.register("cards", collect=collect_cards, erase=erase_cards, models=(Card,))
