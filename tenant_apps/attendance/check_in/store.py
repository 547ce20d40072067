"""Everything that a check-in writes: four SQL statements, each over any number of scans.

The constraint `attendance_once` allows one attendance per student and session that is not voided. Concurrent or
repeated scans all receive that one. Rows are written in the order of their keys, so that two batches cannot deadlock.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection

from tatami.errors import PermissionDenied
from tatami.ids import uuid7
from tatami.keys import secret_hash
from tenant_apps.attendance.check_in.types import (
    AttendanceKey,
    NewAttendance,
    NonceClaim,
    RecordedAttendance,
    Scan,
    ScanDecision,
    Scanner,
    ScanResponse,
)
from tenant_apps.attendance.errors import QrInvalid

PENDING: Final = 0
"""The status of a nonce inside the transaction that will store its response. No other transaction ever sees it."""
CARD_SHARED: Final = "card_shared"
"""The alert, and the code of the note in `attendance_refusal`, for a card used at two devices."""

# The nonce is claimed before anything is looked up. A concurrent scan with the same nonce waits here for the response.
CLAIM_NONCES_SQL: Final = """
INSERT INTO attendance_scananswer AS stored (id, caller, nonce, token_hash, status, answer, created_at, updated_at)
SELECT id, %(caller)s, nonce, token_hash, %(pending)s, '', %(now)s, %(now)s
FROM unnest(%(ids)s::uuid[], %(nonces)s::text[], %(hashes)s::bytea[]) AS claim(id, nonce, token_hash)
ORDER BY nonce
ON CONFLICT (caller, nonce) DO UPDATE SET updated_at = stored.updated_at
RETURNING nonce, token_hash, status, answer
"""

# Advisory locks for sessions whose seats are counted; row locks for cards whose use is compared.
LOCK_SESSIONS_AND_CARDS_SQL: Final = """
WITH locked AS MATERIALIZED (
    SELECT pg_advisory_xact_lock(hashtextextended(id::text, 0))
    FROM (SELECT id FROM unnest(%(sessions)s::uuid[]) id ORDER BY id) ordered
), before AS MATERIALIZED (
    SELECT id, used_at, used_by FROM attendance_card WHERE id = ANY(%(cards)s::uuid[]) ORDER BY id FOR NO KEY UPDATE
), used AS (
    UPDATE attendance_card c SET used_at = use.at, used_by = %(used_by)s
    FROM unnest(%(cards)s::uuid[], %(used_at)s::timestamptz[]) AS use(id, at)
    JOIN before USING (id) WHERE c.id = use.id
)
SELECT before.* FROM (SELECT count(*) FROM locked) all_locked LEFT JOIN before ON true
"""

# Capacity counts the attendances that exist and the earlier rows of this statement. Its snapshot is taken after
# `LOCK_SESSIONS_AND_CARDS_SQL`. A concurrent insert of the same key is a conflict: the update, which changes nothing,
# waits for its commit and returns its row.
INSERT_ATTENDANCES_SQL: Final = """
INSERT INTO attendance_attendance AS a (id, student_id, class_session_id, checked_in_at, method, late, uploaded_late,
    recorded_by_id, device_id, void_reason, created_at, updated_at)
SELECT id, student, session, at, method, late, uploaded_late, %(user)s, %(device)s, '', %(now)s, %(now)s
FROM (
    SELECT counted.*, count(*) FILTER (WHERE NOT is_recorded) OVER (PARTITION BY session ORDER BY place) AS joining
    FROM (
        SELECT new.*,
            capacity IS NOT NULL AND EXISTS (SELECT FROM attendance_attendance t WHERE t.class_session_id = session
                AND t.student_id = student AND t.voided_at IS NULL) AS is_recorded,
            CASE WHEN capacity IS NOT NULL THEN (SELECT count(*) FROM attendance_attendance t
                WHERE t.class_session_id = session AND t.voided_at IS NULL) END AS taken
        FROM unnest(%(ids)s::uuid[], %(students)s::uuid[], %(sessions)s::uuid[], %(at)s::timestamptz[],
            %(methods)s::text[], %(late)s::boolean[], %(uploaded_late)s::boolean[], %(capacities)s::int[])
            WITH ORDINALITY AS new(id, student, session, at, method, late, uploaded_late, capacity, place)
    ) counted
) seated
WHERE capacity IS NULL OR is_recorded OR taken + joining <= capacity
ORDER BY student, session
ON CONFLICT (student_id, class_session_id) WHERE voided_at IS NULL DO UPDATE SET updated_at = a.updated_at
RETURNING id, student_id, class_session_id, checked_in_at, method, late, uploaded_late, created_at, updated_at,
    id = ANY(%(ids)s::uuid[])
"""

SAVE_OUTCOMES_SQL: Final = """
WITH responded AS (
    UPDATE attendance_scananswer stored
    SET status = response.status, answer = response.body, student = response.student
    FROM unnest(%(nonces)s::text[], %(statuses)s::int[], %(bodies)s::bytea[], %(nonce_students)s::uuid[])
        AS response(nonce, status, body, student)
    WHERE stored.caller = %(caller)s AND stored.nonce = response.nonce
)
INSERT INTO attendance_refusal
    (id, code, student_id, class_session_id, scanned_at, recorded_by_id, device_id, created_at, updated_at)
SELECT id, code, student, session, at, %(user)s, %(device)s, %(now)s, %(now)s
FROM unnest(%(ids)s::uuid[], %(codes)s::text[], %(students)s::uuid[], %(sessions)s::uuid[], %(at)s::timestamptz[])
    AS refused(id, code, student, session, at)
"""


def claim_nonces(scans: Sequence[Scan], *, scanner: Scanner, now: datetime) -> dict[str, NonceClaim]:
    """Claim the nonces of `scans`; return the claim of each. A new nonce belongs to the first scan that has it.

    One statement, none without nonces. Waits for a concurrent transaction that claimed the same nonce.
    """
    tokens: dict[str, str] = {}
    for scan in scans:
        if scan.nonce is not None:
            tokens.setdefault(scan.nonce, scan.token)
    if not tokens:
        return {}
    params: dict[str, Any] = {
        "caller": scanner.id,
        "pending": PENDING,
        "now": now,
        "ids": [uuid7() for _ in tokens],
        "nonces": list(tokens),
        "hashes": [secret_hash(token) for token in tokens.values()],
    }
    with connection.cursor() as cursor:
        cursor.execute(CLAIM_NONCES_SQL, params)
        return {
            nonce: NonceClaim(
                bytes(token_hash), None if status == PENDING else ScanResponse(status, bytes(body))
            )
            for nonce, token_hash, status, body in cursor.fetchall()
        }


def lock_sessions_and_cards(
    *, sessions: Iterable[UUID], cards: Mapping[UUID, datetime], scanner_id: UUID
) -> dict[UUID, tuple[datetime, UUID]]:
    """Lock `sessions` until commit, and note that a device or user used `cards` (card id → instant) now.

    Returns when and by which device or user each card was used before. One statement.
    """
    params: dict[str, Any] = {
        "sessions": list(sessions),
        "cards": list(cards),
        "used_at": list(cards.values()),
        "used_by": scanner_id,
    }
    with connection.cursor() as cursor:
        cursor.execute(LOCK_SESSIONS_AND_CARDS_SQL, params)
        return {
            card: (used_at, used_by) for card, used_at, used_by in cursor.fetchall() if used_at is not None
        }


def insert_attendances(
    attendances: Sequence[NewAttendance], *, user: UUID | None, device: UUID | None, now: datetime
) -> dict[AttendanceKey, RecordedAttendance]:
    """Write attendances; return the one that counts for each key, new or not. One statement.

    A key is missing from the result if its session was full. A key may occur once in `attendances`. If `capacity` is
    set, call `lock_sessions_and_cards` for the session first.
    """
    params: dict[str, Any] = {
        "ids": [uuid7() for _ in attendances],
        "students": [new.student for new in attendances],
        "sessions": [new.session for new in attendances],
        "at": [new.checked_in_at for new in attendances],
        "methods": [new.method for new in attendances],
        "late": [new.late for new in attendances],
        "uploaded_late": [new.uploaded_late for new in attendances],
        "capacities": [new.capacity for new in attendances],
        "user": user,
        "device": device,
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(INSERT_ATTENDANCES_SQL, params)
        rows = [RecordedAttendance(*row) for row in cursor.fetchall()]
    return {row.key: row for row in rows}


def save_outcomes(
    outcomes: Sequence[tuple[ScanDecision, ScanResponse]], *, scanner: Scanner, now: datetime
) -> None:
    """Store the response to each nonce, and list the refusals for the desk. One statement, none if there is nothing.

    Not listed are tokens that are not valid codes, and scans that the role of the caller does not permit. A shared card
    is listed although the scan was recorded.
    """
    by_nonce = {
        decision.scan.nonce: (decision, response)
        for decision, response in outcomes
        if decision.scan.nonce is not None
    }
    listed = [(decision, code) for decision, _ in outcomes if (code := _code_to_list(decision)) is not None]
    if not by_nonce and not listed:
        return
    params: dict[str, Any] = {
        "caller": scanner.id,
        "user": scanner.user,
        "device": scanner.device,
        "now": now,
        "nonces": list(by_nonce),
        "statuses": [response.status for _, response in by_nonce.values()],
        "bodies": [response.body for _, response in by_nonce.values()],
        "nonce_students": [_student_id(decision) for decision, _ in by_nonce.values()],
        "ids": [uuid7() for _ in listed],
        "codes": [code for _, code in listed],
        "students": [_student_id(decision) for decision, _ in listed],
        "sessions": [decision.session.pk if decision.session else None for decision, _ in listed],
        "at": [decision.scan.scanned_at for decision, _ in listed],
    }
    with connection.cursor() as cursor:
        cursor.execute(SAVE_OUTCOMES_SQL, params)


def _code_to_list(decision: ScanDecision) -> str | None:
    if decision.refusal is None:
        return CARD_SHARED if CARD_SHARED in decision.alerts else None
    return None if isinstance(decision.refusal, PermissionDenied | QrInvalid) else decision.refusal.code


def _student_id(decision: ScanDecision) -> UUID | None:
    return decision.student.student.pk if decision.student else None
