"""What a scan is answered."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import orjson
from rest_framework import status

from tatami.api.renderers import json_bytes
from tatami.errors import DomainError
from tenant_apps.attendance.alerts import ALERTS, shown_alerts
from tenant_apps.attendance.models import Attendance
from tenant_apps.attendance.recording import Recorded
from tenant_apps.attendance.scans import Scanner, Verdict
from tenant_apps.classes.models import ClassSession
from tenant_apps.students.models import Student

__all__ = ["ALERTS", "Answer", "answer_of", "shown", "shown_attendance", "shown_student"]


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP status and the JSON beside it, encoded: what is replayed is equal to the byte."""

    status: int
    body: bytes

    @classmethod
    def of(cls, error: DomainError) -> "Answer":
        """Return the answer that an error is."""
        return cls(error.status, json_bytes(error.envelope()))

    def made_id(self) -> str | None:
        """Return the id of the attendance that is new by this answer, if one is."""
        return (
            str(orjson.loads(self.body)["attendance"]["id"])
            if self.status == status.HTTP_201_CREATED
            else None
        )

    def as_result(self, nonce: str) -> dict[str, Any]:
        """Return the line about this scan in the answer to a batch."""
        body = orjson.loads(self.body)
        if "error" in body:
            return {"nonce": nonce, "status": "refused", "code": body["error"]["code"]}
        return {"nonce": nonce, "status": body["status"], "attendance": body["attendance"]}


def answer_of(
    verdict: Verdict, row: Recorded | None, *, is_new: bool, scanner: Scanner, today: date
) -> Answer:
    """Return how the contract answers a verdict, with the alerts that the caller may receive."""
    if verdict.refusal is not None:
        return Answer.of(verdict.refusal)
    assert row is not None
    assert verdict.person is not None
    assert verdict.session is not None
    student = shown_student(verdict.person.student)
    body = {
        "status": "recorded" if is_new else "already_recorded",
        "attendance": shown(row, student=student, session=verdict.session),
        "student": {**student, "ranks": [_shown_rank(rank) for rank in verdict.person.ranks_held(today)]},
        "alerts": shown_alerts(verdict.alerts, to_staff=scanner.is_staff),
    }
    return Answer(201 if is_new else 200, json_bytes(body))


def shown_student(student: Student) -> dict[str, Any]:
    """Return a reference to a student."""
    return {"id": student.pk, "name": student.name}


def shown_attendance(row: Attendance) -> dict[str, Any]:
    """Return one attendance as the contract shows it; student and session are on the row."""
    return shown(row, student=shown_student(row.student), session=row.class_session)


def shown(row: Attendance | Recorded, *, student: dict[str, Any], session: ClassSession) -> dict[str, Any]:
    """Return one attendance as the contract shows it. What was just `Recorded` is not voided."""
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


def _shown_rank(held: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": UUID(held["rank_id"]),
        "name": held["name"],
        "code": held["code"],
        "rank_system": {"id": UUID(held["system_id"]), "name": held["system_name"]},
        "since": held["effective_on"],
    }
