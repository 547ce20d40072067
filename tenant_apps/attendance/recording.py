"""Writing attendance down. Exactly one standing row per student and session is the constraint `attendance_once`.

At once, or twice, from anywhere: one row stands, and everybody is told of that one. Rows are written in the order of
their keys, so that two batches wait for each other rather than for ever.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias
from uuid import UUID

from django.db import connection

from tatami.ids import uuid7

Pair: TypeAlias = tuple[UUID, UUID]
"""A student's id and a class session's."""

# Capacity counts who stands and who came before in this statement; its snapshot is younger than `take_turns`.
# A twin that committed meanwhile is a conflict: the no-op update waits for it, and returns its row.
_RECORD: Final = """
INSERT INTO attendance_attendance AS a (id, student_id, class_session_id, checked_in_at, method, late, uploaded_late,
    recorded_by_id, device_id, void_reason, created_at, updated_at)
SELECT id, student, session, at, method, late, uploaded_late, %(user)s, %(device)s, '', %(now)s, %(now)s
FROM (
    SELECT seat.*, count(*) FILTER (WHERE NOT stands) OVER (PARTITION BY session ORDER BY place) AS joining
    FROM (
        SELECT visit.*,
            capacity IS NOT NULL AND EXISTS (SELECT FROM attendance_attendance t WHERE t.class_session_id = session
                AND t.student_id = student AND t.voided_at IS NULL) AS stands,
            CASE WHEN capacity IS NOT NULL THEN (SELECT count(*) FROM attendance_attendance t
                WHERE t.class_session_id = session AND t.voided_at IS NULL) END AS taken
        FROM unnest(%(ids)s::uuid[], %(students)s::uuid[], %(sessions)s::uuid[], %(at)s::timestamptz[],
            %(methods)s::text[], %(late)s::boolean[], %(uploaded_late)s::boolean[], %(capacities)s::int[])
            WITH ORDINALITY AS visit(id, student, session, at, method, late, uploaded_late, capacity, place)
    ) seat
) seated
WHERE capacity IS NULL OR stands OR taken + joining <= capacity
ORDER BY student, session
ON CONFLICT (student_id, class_session_id) WHERE voided_at IS NULL DO UPDATE SET updated_at = a.updated_at
RETURNING id, student_id, class_session_id, checked_in_at, method, late, uploaded_late, created_at, updated_at,
    id = ANY(%(ids)s::uuid[])
"""

# One turn at a time per session whose seats are counted, and per card whose uses are compared.
_TAKE_TURNS: Final = """
WITH turn AS MATERIALIZED (
    SELECT pg_advisory_xact_lock(hashtextextended(id::text, 0))
    FROM (SELECT id FROM unnest(%(sessions)s::uuid[]) id ORDER BY id) seats
), before AS MATERIALIZED (
    SELECT id, used_at, used_by FROM attendance_card WHERE id = ANY(%(cards)s::uuid[]) ORDER BY id FOR NO KEY UPDATE
), used AS (
    UPDATE attendance_card c SET used_at = use.at, used_by = %(user_of_cards)s
    FROM unnest(%(cards)s::uuid[], %(used_at)s::timestamptz[]) AS use(id, at)
    JOIN before USING (id) WHERE c.id = use.id
)
SELECT before.* FROM (SELECT count(*) FROM turn) turns LEFT JOIN before ON true
"""


@dataclass(frozen=True, slots=True)
class Visit:
    """An attendance to be written: `capacity` only where it is enforced."""

    student: UUID
    session: UUID
    at: datetime
    method: str
    late: bool
    uploaded_late: bool = False
    capacity: int | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """An attendance that stands."""

    id: UUID
    student_id: UUID
    class_session_id: UUID
    checked_in_at: datetime
    method: str
    late: bool
    uploaded_late: bool
    created_at: datetime
    updated_at: datetime
    is_new: bool = False

    @property
    def pair(self) -> Pair:
        return self.student_id, self.class_session_id

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "Recorded":
        """Return what a JSON row says."""
        ids = {name: UUID(row[name]) for name in ("id", "student_id", "class_session_id")}
        moments = {
            name: datetime.fromisoformat(row[name]) for name in ("checked_in_at", "created_at", "updated_at")
        }
        return cls(**{**row, **ids, **moments})


def record(
    visits: Sequence[Visit], *, user: UUID | None, device: UUID | None, now: datetime
) -> dict[Pair, Recorded]:
    """Write visits down; return what stands for each pair, none where a session was full. One statement.

    A pair may occur once. Where capacity is given, `take_turns` has been called for the session.
    """
    params: dict[str, Any] = {
        "ids": [uuid7() for _ in visits],
        "students": [visit.student for visit in visits],
        "sessions": [visit.session for visit in visits],
        "at": [visit.at for visit in visits],
        "methods": [visit.method for visit in visits],
        "late": [visit.late for visit in visits],
        "uploaded_late": [visit.uploaded_late for visit in visits],
        "capacities": [visit.capacity for visit in visits],
        "user": user,
        "device": device,
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(_RECORD, params)
        rows = [Recorded(*row) for row in cursor.fetchall()]
    return {row.pair: row for row in rows}


def take_turns(
    *, sessions: Iterable[UUID], cards: Mapping[UUID, datetime], by: UUID
) -> dict[UUID, tuple[datetime, UUID]]:
    """Wait for one's turn at each of `sessions`, until commit; note the use of `cards` by a device or user.

    Return when and by whom each card was used before. One statement.
    """
    params: dict[str, Any] = {
        "sessions": list(sessions),
        "cards": list(cards),
        "used_at": list(cards.values()),
        "user_of_cards": by,
    }
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_TURNS, params)
        return {card: (at, who) for card, at, who in cursor.fetchall() if at is not None}
