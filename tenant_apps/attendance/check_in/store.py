"""Everything that a check-in writes: small SQL statements, each over any number of scans.

The constraint `attendance_once` allows one attendance per student and session that is not voided. Concurrent or
repeated scans all receive that one. Rows are written in the order of their keys, so that two batches cannot deadlock.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from shared_apps.webhooks.events import publish
from tatami.api.renderers import json_bytes
from tatami.errors import PermissionDenied
from tatami.ids import uuid7
from tatami.keys import secret_hash
from tatami.postgresql.parameters import bytea_text, uuid_array
from tatami.postgresql.statements import Statement
from tenant_apps.attendance.check_in.types import (
    RECORDED,
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
"""The status of a nonce inside the transaction that will store its response (`CLAIM_NONCES`). No other transaction
ever sees it."""
CARD_SHARED: Final = "card_shared"
"""The alert, and the code of the note in `attendance_refusal`, for a card used at two devices."""

# The nonce is claimed before anything is looked up. A concurrent scan with the same nonce waits here for the response.
CLAIM_NONCES: Final = Statement(
    "check-in: claim nonces",
    """
INSERT INTO attendance_scananswer AS stored (id, caller, nonce, token_hash, status, answer, created_at, updated_at)
SELECT id, $2, nonce, token_hash, 0, '', $3, $3
FROM json_to_recordset($1::json) AS claim(id uuid, nonce text, token_hash bytea)
ORDER BY nonce
ON CONFLICT (caller, nonce) DO UPDATE SET updated_at = stored.updated_at
RETURNING nonce, token_hash, status, answer
""",
)

# Advisory locks for sessions whose seats are counted; row locks for cards whose use is compared.
LOCK_SESSIONS_AND_CARDS: Final = Statement(
    "check-in: lock sessions and cards",
    """
WITH locked AS MATERIALIZED (
    SELECT pg_advisory_xact_lock(hashtextextended(id::text, 0))
    FROM (SELECT id FROM unnest($1::uuid[]) id ORDER BY id) ordered
), before AS MATERIALIZED (
    SELECT id, used_at, used_by FROM attendance_card WHERE id = ANY($2::uuid[]) ORDER BY id FOR NO KEY UPDATE
), used AS (
    UPDATE attendance_card c SET used_at = use.at, used_by = $4
    FROM json_to_recordset($3::json) AS use(id uuid, at timestamptz)
    JOIN before USING (id) WHERE c.id = use.id
)
SELECT before.* FROM (SELECT count(*) FROM locked) all_locked LEFT JOIN before ON true
""",
)

# A concurrent insert of the same key is a conflict: the update, which changes nothing, waits for its commit and returns
# its row.
INSERT_SQL: Final = f"""
INSERT INTO attendance_attendance AS a (id, student_id, class_session_id, checked_in_at, method, late, uploaded_late,
    recorded_by_id, device_id, void_reason, created_at, updated_at)
SELECT id, student, session, at, method, late, uploaded_late, $2, $3, '', $4, $4
FROM {{new}}
ORDER BY student, session
ON CONFLICT (student_id, class_session_id) WHERE voided_at IS NULL DO UPDATE SET updated_at = a.updated_at
RETURNING {RecordedAttendance.columns("a")}
"""  # noqa: S608
NEW: Final = """json_to_recordset($1::json) AS new(id uuid, student uuid, session uuid, at timestamptz, method text,
    late boolean, uploaded_late boolean, capacity int, place int)"""
INSERT_ATTENDANCES: Final = Statement("check-in: insert attendances", INSERT_SQL.format(new=NEW))

# Capacity counts the attendances that exist and the earlier rows of this statement. Its snapshot is taken after
# `LOCK_SESSIONS_AND_CARDS`. An INSERT that reads other rows outside a materialized CTE inserts nothing on Citus.
INSERT_WITHIN_CAPACITY: Final = Statement(
    "check-in: insert attendances within capacity",
    f"""
WITH counted AS MATERIALIZED (
    SELECT new.*,
        capacity IS NOT NULL AND EXISTS (SELECT FROM attendance_attendance t WHERE t.class_session_id = session
            AND t.student_id = student AND t.voided_at IS NULL) AS is_recorded,
        CASE WHEN capacity IS NOT NULL THEN (SELECT count(*) FROM attendance_attendance t
            WHERE t.class_session_id = session AND t.voided_at IS NULL) END AS taken
    FROM {NEW}
)"""  # noqa: S608
    + INSERT_SQL.format(
        new="""(
    SELECT *, count(*) FILTER (WHERE NOT is_recorded) OVER (PARTITION BY session ORDER BY place) AS joining FROM counted
) seated
WHERE capacity IS NULL OR is_recorded OR taken + joining <= capacity"""
    ),
)

SAVE_RESPONSES: Final = Statement(
    "check-in: save responses",
    """
UPDATE attendance_scananswer stored
SET status = response.status, answer = response.body, student = response.student
FROM json_to_recordset($2::json) AS response(nonce text, status int, body bytea, student uuid)
WHERE stored.caller = $1 AND stored.nonce = response.nonce
RETURNING stored.id
""",
)
LIST_REFUSALS: Final = Statement(
    "check-in: list refusals",
    """
INSERT INTO attendance_refusal
    (id, code, student_id, class_session_id, scanned_at, recorded_by_id, device_id, created_at, updated_at)
SELECT id, code, student, session, at, $2, $3, $4, $4
FROM json_to_recordset($1::json) AS refused(id uuid, code text, student uuid, session uuid, at timestamptz)
RETURNING id
""",
)


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
    claims = [
        {"id": uuid7(), "nonce": nonce, "token_hash": bytea_text(secret_hash(token))}
        for nonce, token in tokens.items()
    ]
    rows = CLAIM_NONCES.rows(_json_text(claims), scanner.id, now)
    return {
        nonce: NonceClaim(token_hash, None if status == PENDING else ScanResponse(status, body))
        for nonce, token_hash, status, body in rows
    }


def lock_sessions_and_cards(
    *, sessions: Iterable[UUID], cards: Mapping[UUID, datetime], scanner_id: UUID
) -> dict[UUID, tuple[datetime, UUID]]:
    """Lock `sessions` until commit, and note that a device or user used `cards` (card id → instant) now.

    Returns when and by which device or user each card was used before. One statement.
    """
    uses = [{"id": card, "at": used_at} for card, used_at in cards.items()]
    rows = LOCK_SESSIONS_AND_CARDS.rows(uuid_array(sessions), uuid_array(cards), _json_text(uses), scanner_id)
    return {UUID(card): (used_at, UUID(used_by)) for card, used_at, used_by in rows if used_at is not None}


def insert_attendances(
    attendances: Sequence[NewAttendance],
    *,
    user: UUID | None,
    device: UUID | None,
    has_webhooks: bool,
    now: datetime,
) -> dict[AttendanceKey, RecordedAttendance]:
    """Write attendances; return the one that counts for each key, new or not. One statement, and two more with
    `has_webhooks`: a webhook asked for new attendances.

    A key is missing from the result if its session was full. A key may occur once in `attendances`. If `capacity` is
    set, call `lock_sessions_and_cards` for the session first.
    """
    rows = [
        {
            "id": uuid7(),
            "student": new.student,
            "session": new.session,
            "at": new.checked_in_at,
            "method": new.method,
            "late": new.late,
            "uploaded_late": new.uploaded_late,
            "capacity": new.capacity,
            "place": place,
        }
        for place, new in enumerate(attendances)
    ]
    is_limited = any(new.capacity is not None for new in attendances)
    insert = INSERT_WITHIN_CAPACITY if is_limited else INSERT_ATTENDANCES
    ids = {row["id"] for row in rows}
    recorded: dict[AttendanceKey, RecordedAttendance] = {}
    for row in insert.rows(_json_text(rows), user, device, now):
        found = RecordedAttendance.from_row(row)
        found.is_new = found.id in ids
        recorded[found.key] = found
    if has_webhooks:
        publish(RECORDED, [one.event_data for one in recorded.values() if one.is_new], now=now)
    return recorded


def save_outcomes(
    outcomes: Sequence[tuple[ScanDecision, ScanResponse]], *, scanner: Scanner, now: datetime
) -> None:
    """Store the response to each nonce, and list the refusals for the desk. One statement each, none without any.

    Not listed are tokens that are not valid codes, and scans that the role of the caller does not permit. A shared card
    is listed although the scan was recorded.
    """
    responses = {
        decision.scan.nonce: {
            "nonce": decision.scan.nonce,
            "status": response.status,
            "body": bytea_text(response.body),
            "student": _student_id(decision),
        }
        for decision, response in outcomes
        if decision.scan.nonce is not None
    }
    if responses:
        SAVE_RESPONSES.rows(scanner.id, _json_text([*responses.values()]))
    refusals = [
        {
            "id": uuid7(),
            "code": code,
            "student": _student_id(decision),
            "session": decision.session.pk if decision.session else None,
            "at": decision.scan.scanned_at,
        }
        for decision, _ in outcomes
        if (code := _code_to_list(decision)) is not None
    ]
    if refusals:
        LIST_REFUSALS.rows(_json_text(refusals), scanner.user, scanner.device, now)


def _code_to_list(decision: ScanDecision) -> str | None:
    if decision.refusal is None:
        return CARD_SHARED if CARD_SHARED in decision.alerts else None
    return None if isinstance(decision.refusal, PermissionDenied | QrInvalid) else decision.refusal.code


def _student_id(decision: ScanDecision) -> UUID | None:
    return decision.student.student.pk if decision.student else None


def _json_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return a parameter for `json_to_recordset($n::json)`."""
    return json_bytes(rows).decode()
