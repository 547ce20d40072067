"""Keeping what became of scans, in the transaction of its effect: answers by nonce, and refusals for the desk."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection

from tatami.errors import PermissionDenied
from tatami.ids import uuid7
from tenant_apps.attendance.answers import Answer
from tenant_apps.attendance.codes import QrInvalid
from tenant_apps.attendance.scans import Scanner, Verdict

_KEEP: Final = """
WITH answered AS (
    UPDATE attendance_scananswer kept SET status = said.status, answer = said.answer, student = said.student
    FROM unnest(%(nonces)s::text[], %(statuses)s::int[], %(answers)s::bytea[], %(answered)s::uuid[])
        AS said(nonce, status, answer, student)
    WHERE kept.caller = %(caller)s AND kept.nonce = said.nonce
)
INSERT INTO attendance_refusal
    (id, code, student_id, class_session_id, scanned_at, recorded_by_id, device_id, created_at, updated_at)
SELECT id, code, student, session, at, %(user)s, %(device)s, %(now)s, %(now)s
FROM unnest(%(ids)s::uuid[], %(codes)s::text[], %(students)s::uuid[], %(sessions)s::uuid[], %(at)s::timestamptz[])
    AS refused(id, code, student, session, at)
"""
CARD_SHARED: Final = "card_shared"


def keep(answered: Sequence[tuple[Verdict, Answer]], *, scanner: Scanner, now: datetime) -> None:
    """Keep the answers to nonces, each once, and why scans were refused. One statement, none for nothing to keep.

    A code that is none of ours is no scan to be listed, nor is what the caller's role may not do. A card that is
    shared is noted beside the refusals.
    """
    nonces = {
        verdict.scan.nonce: (verdict, said) for verdict, said in answered if verdict.scan.nonce is not None
    }
    noted = [(verdict, code) for verdict, _ in answered if (code := _code(verdict)) is not None]
    if not nonces and not noted:
        return
    params: dict[str, Any] = {
        "caller": scanner.id,
        "user": scanner.user,
        "device": scanner.device,
        "now": now,
        "nonces": list(nonces),
        "statuses": [said.status for _, said in nonces.values()],
        "answers": [said.body for _, said in nonces.values()],
        "answered": [_student(verdict) for verdict, _ in nonces.values()],
        "ids": [uuid7() for _ in noted],
        "codes": [code for _, code in noted],
        "students": [_student(verdict) for verdict, _ in noted],
        "sessions": [verdict.session.pk if verdict.session else None for verdict, _ in noted],
        "at": [verdict.scan.scanned_at for verdict, _ in noted],
    }
    with connection.cursor() as cursor:
        cursor.execute(_KEEP, params)


def _code(verdict: Verdict) -> str | None:
    if verdict.refusal is None:
        return CARD_SHARED if CARD_SHARED in verdict.alerts else None
    return None if isinstance(verdict.refusal, PermissionDenied | QrInvalid) else verdict.refusal.code


def _student(verdict: Verdict) -> UUID | None:
    return verdict.person.student.pk if verdict.person else None
