"""What a scan is answered, and the answers that are kept: by nonce, to be replayed whatever has changed since."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import orjson
from django.db import IntegrityError, transaction

from shared_apps.accounts.models import Role, User
from tatami.api.renderers import json_bytes
from tatami.keys import secret_hash
from tenant_apps.attendance.checkin import Outcome
from tenant_apps.attendance.codes import QrInvalid
from tenant_apps.attendance.errors import NonceReused
from tenant_apps.attendance.models import Attendance, Refusal, ScanAnswer
from tenant_apps.students.models import Student
from tenant_apps.students.serializers import HeldRankSerializer
from tenant_apps.students.services import attach_current_ranks

ALERTS: Final = {
    "birthday": "It is this student's birthday.",
    "on_hold": "This student's membership is on hold.",
    "medical": "There are medical notes about this student.",
    "promotion_due": "This student may be due for promotion.",
}
ALERTS_FOR_EVERYBODY: Final = frozenset({"birthday", "promotion_due"})


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP status and the JSON beside it."""

    status: int
    body: dict[str, Any]


def answer_of(outcome: Outcome, *, caller: User, today: date) -> Answer:
    """Return how the contract answers an outcome, with the alerts that the caller's role may see."""
    if outcome.refusal is not None:
        return Answer(outcome.refusal.status, outcome.refusal.envelope())
    assert outcome.attendance is not None
    assert outcome.student is not None
    attach_current_ranks([outcome.student], as_of=today)
    seen = ALERTS.keys() if caller.role != Role.STUDENT else ALERTS_FOR_EVERYBODY
    return Answer(
        201 if outcome.is_new else 200,
        {
            "status": "recorded" if outcome.is_new else "already_recorded",
            "attendance": shown_attendance(outcome.attendance),
            "student": {
                **shown_student(outcome.student),
                "ranks": HeldRankSerializer(outcome.student.current_ranks, many=True).data,  # type: ignore[attr-defined]
            },
            "alerts": [{"code": code, "message": ALERTS[code]} for code in outcome.alerts if code in seen],
        },
    )


def shown_student(student: Student) -> dict[str, Any]:
    """Return a reference to a student."""
    return {"id": student.pk, "name": student.name}


def shown_attendance(row: Attendance) -> dict[str, Any]:
    """Return one attendance as the contract shows it."""
    return {
        "id": row.pk,
        "tenant_id": row.tenant_id,
        "student": shown_student(row.student),
        "class_session": {"id": row.class_session_id, "name": row.class_session.name},
        "checked_in_at": row.checked_in_at,
        "method": row.method,
        "late": row.late,
        "voided": row.voided_at is not None,
        "void_reason": row.void_reason,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def kept_answer(*, caller_id: UUID, nonce: str, token: str) -> Answer | None:
    """Return what this caller was answered to this nonce before, or None. Raises `NonceReused` for another code."""
    kept = ScanAnswer.objects.filter(caller=caller_id, nonce=nonce).first()
    if kept is None:
        return None
    if bytes(kept.token_hash) != secret_hash(token):
        raise NonceReused
    return Answer(kept.status, kept.body)


def keep_answer(answer: Answer, *, caller_id: UUID, nonce: str, token: str) -> Answer:
    """Keep the first answer to a nonce, in the transaction of its effect; return the one that stands."""
    row = ScanAnswer(
        caller=caller_id,
        nonce=nonce,
        token_hash=secret_hash(token),
        status=answer.status,
        body=orjson.loads(json_bytes(answer.body)),
    )
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as violation:
        if "scan_answer_once" not in str(violation):
            raise
        standing = kept_answer(caller_id=caller_id, nonce=nonce, token=token)
        assert standing is not None
        return standing
    return answer


def keep_refusal(outcome: Outcome, *, scanned_at: datetime, caller: User) -> None:
    """Keep the refusal of a well-formed scan for the desk's list; a code that is none of ours is not one."""
    if outcome.refusal is None or isinstance(outcome.refusal, QrInvalid):
        return
    Refusal.objects.create(
        code=outcome.refusal.code,
        student=outcome.student,
        class_session=outcome.session,
        scanned_at=scanned_at,
        recorded_by=caller,
    )
