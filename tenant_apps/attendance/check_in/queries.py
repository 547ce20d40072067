"""Loading the facts about scans: one SQL statement, whatever their number.

The statement locks the students (`FOR KEY SHARE`) until commit, so that no response and no refusal outlives an erasure.
The lock does not block attendances or awards of the same students.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson
from django.db import connection

from tenant_apps.attendance.check_in.codes import Code, CodeKind
from tenant_apps.attendance.check_in.types import (
    CheckInFacts,
    CodeOwner,
    LookupKeys,
    RecordedAttendance,
    Scan,
    ScannedStudent,
    Scanner,
)
from tenant_apps.classes.models import ClassSession
from tenant_apps.dojo.models import LONGEST_WINDOW_MINUTES, DojoSettings
from tenant_apps.students.models import Student

MAX_LINKED_STUDENTS: Final = 50

# Each column of the result is one kind of fact, as a JSON array. The role of the login limits all tables to this dojo.
# If an erasure commits while `student` waits for the row lock, PostgreSQL evaluates the locked row again: an erased
# student drops out of `student`, and so out of `code_owner`.
LOAD_FACTS_SQL: Final = """
WITH candidate AS (
    SELECT encode(check_in_id, 'hex') AS code, id AS student, NULL::uuid AS card, false AS is_revoked
    FROM students_student WHERE check_in_id = ANY(%(check_in_ids)s)
    UNION ALL
    SELECT encode(code, 'hex'), student_id, id, revoked_at IS NOT NULL
    FROM attendance_card WHERE code = ANY(%(card_codes)s)
    UNION ALL
    SELECT 'named', id, NULL, false FROM students_student WHERE id = ANY(%(named)s)
    UNION ALL
    (SELECT 'linked', l.student_id, NULL, false FROM students_studentuser l
     JOIN students_student s ON s.id = l.student_id AND s.archived_at IS NULL
     WHERE l.user_id = %(linked_user)s ORDER BY l.student_id LIMIT %(max_linked)s)
), student AS (
    SELECT s.id, s.first_name, s.last_name, s.birth_date, s.status, s.archived_at, s.medical_notes <> '' AS medical,
           (SELECT max(a.checked_in_at) FROM attendance_attendance a
            WHERE a.student_id = s.id AND a.voided_at IS NULL) AS last_attended_at,
           EXISTS (SELECT FROM students_eligibilitysnapshot e
                   WHERE e.student_id = s.id AND e.status = 'eligible') AS promotion_due
    FROM students_student s WHERE s.id IN (SELECT student FROM candidate) AND s.erased_at IS NULL
    ORDER BY s.id FOR KEY SHARE OF s
), code_owner AS (
    SELECT candidate.* FROM candidate JOIN student ON student.id = candidate.student
), session AS (
    SELECT id, training_class_id, name, starts_at, ends_at, local_date, status, location, capacity, min_rank_id,
           opens_minutes_before, closes_minutes_after, late_after_minutes
    FROM classes_classsession
    WHERE id = ANY(%(sessions)s) OR starts_at BETWEEN %(first)s AND %(last)s
), setting AS (
    SELECT leap_day_birthday, card_policy, enrolment_policy, rank_policy, capacity_policy,
           opens_minutes_before, closes_minutes_after, late_after_minutes
    FROM dojo_dojosettings LIMIT 1
), recorded AS (
    SELECT id, student_id, class_session_id, checked_in_at, method, late, uploaded_late, created_at, updated_at
    FROM attendance_attendance
    WHERE voided_at IS NULL AND student_id IN (SELECT student FROM code_owner)
      AND class_session_id IN (SELECT id FROM session)
), hold AS (
    SELECT student_id, starts_on, until FROM students_studenthold
    WHERE student_id IN (SELECT student FROM code_owner)
), enrolment AS (
    SELECT student_id, training_class_id FROM classes_enrolment
    WHERE student_id IN (SELECT student FROM code_owner)
      AND training_class_id IN (SELECT training_class_id FROM session)
), rank_event AS (
    SELECT e.student_id, e.kind, e.effective_on, r.id AS rank_id, r.code, r.name, r.position, r.system_id,
           y.name AS system_name
    FROM students_rankevent e JOIN ranks_rank r ON r.id = e.rank_id JOIN ranks_ranksystem y ON y.id = r.system_id
    WHERE e.voided_at IS NULL AND e.student_id IN (SELECT student FROM code_owner)
), min_rank AS (
    SELECT id, system_id, position FROM ranks_rank WHERE id IN (SELECT min_rank_id FROM session)
)
SELECT json_build_object(
    'code_owners', (SELECT json_agg(x) FROM code_owner x), 'sessions', (SELECT json_agg(x) FROM session x),
    'settings', (SELECT json_agg(x) FROM setting x), 'students', (SELECT json_agg(x) FROM student x),
    'recorded', (SELECT json_agg(x) FROM recorded x), 'enrolments', (SELECT json_agg(x) FROM enrolment x),
    'holds', (SELECT json_agg(x) FROM hold x), 'rank_events', (SELECT json_agg(x) FROM rank_event x),
    'min_ranks', (SELECT json_agg(x) FROM min_rank x)
)::text
"""


def facts_for_scans(
    scans: Sequence[Scan], codes: Mapping[str, Code | None], scanner: Scanner
) -> CheckInFacts:
    """Return the facts that the rules need to decide on `scans`; `codes` maps each token to its code.

    One statement, none if no code is valid. Locks the students against erasure until commit.
    """
    valid = [(scan, code) for scan in scans if (code := codes[scan.token]) is not None]
    if not valid:
        return CheckInFacts()
    of_session = [scan for scan, code in valid if code.is_of_session]
    return load_facts(
        LookupKeys(
            check_in_ids=[code.id for _, code in valid if code.kind is CodeKind.STUDENT],
            card_codes=[code.id for _, code in valid if code.kind is CodeKind.CARD],
            students=[scan.student for scan in of_session if scan.student],
            linked_user=scanner.user if of_session else None,
            sessions=[session for scan, code in valid if (session := _named_session(scan, code))],
            instants=[
                scan.scanned_at
                for scan, code in valid
                if not code.is_of_session and not scan.class_session and scan.scanned_at_error is None
            ],
        )
    )


def load_facts(keys: LookupKeys) -> CheckInFacts:
    """Return the facts about `keys`. One statement. Locks the students against erasure until commit."""
    widest_window = timedelta(minutes=LONGEST_WINDOW_MINUTES)
    params: dict[str, Any] = {
        "check_in_ids": list(keys.check_in_ids),
        "card_codes": list(keys.card_codes),
        "named": list(keys.students),
        "linked_user": keys.linked_user,
        "max_linked": MAX_LINKED_STUDENTS,
        "sessions": list(keys.sessions),
        "first": min(keys.instants) - widest_window if keys.instants else None,
        "last": max(keys.instants) + widest_window if keys.instants else None,
    }
    with connection.cursor() as cursor:
        cursor.execute(LOAD_FACTS_SQL, params)
        (text,) = cursor.fetchone()
    rows = {kind: found or [] for kind, found in orjson.loads(text).items()}
    facts = CheckInFacts(
        settings=DojoSettings(**rows["settings"][0]) if rows["settings"] else DojoSettings(),
        sessions={session.pk: session for session in map(_session, rows["sessions"])},
        students={found.student.pk: found for found in map(_student_facts, rows["students"])},
        enrolled={(UUID(row["student_id"]), UUID(row["training_class_id"])) for row in rows["enrolments"]},
        min_ranks={UUID(row["id"]): (UUID(row["system_id"]), row["position"]) for row in rows["min_ranks"]},
    )
    for row in rows["code_owners"]:
        student = UUID(row["student"])
        if row["code"] == "linked":
            facts.linked_students.append(student)
        elif row["code"] != "named":
            card = UUID(row["card"]) if row["card"] else None
            facts.code_owners[row["code"]] = CodeOwner(student, card, row["is_revoked"])
    for row in rows["recorded"]:
        attendance = RecordedAttendance.from_json(row)
        facts.recorded[attendance.key] = attendance
    for row in rows["holds"]:
        until = date.fromisoformat(row["until"]) if row["until"] else date.max
        facts.students[UUID(row["student_id"])].holds.append((date.fromisoformat(row["starts_on"]), until))
    _add_rank_events(facts, rows["rank_events"])
    return facts


def _named_session(scan: Scan, code: Code) -> UUID | None:
    return UUID(bytes=code.id) if code.is_of_session else scan.class_session


def _session(row: dict[str, Any]) -> ClassSession:
    row["starts_at"], row["ends_at"] = map(datetime.fromisoformat, (row["starts_at"], row["ends_at"]))
    row["local_date"] = date.fromisoformat(row["local_date"])
    for name in ("id", "training_class_id", "min_rank_id"):
        row[name] = UUID(row[name]) if row[name] else None
    return ClassSession(**row)


def _student_facts(row: dict[str, Any]) -> ScannedStudent:
    return ScannedStudent(
        student=Student(
            id=UUID(row["id"]),
            first_name=row["first_name"],
            last_name=row["last_name"],
            birth_date=date.fromisoformat(row["birth_date"]) if row["birth_date"] else None,
            status=row["status"],
            archived_at=datetime.fromisoformat(row["archived_at"]) if row["archived_at"] else None,
        ),
        has_medical_notes=row["medical"],
        is_promotion_due=row["promotion_due"],
        last_attended_at=datetime.fromisoformat(row["last_attended_at"]) if row["last_attended_at"] else None,
    )


def _add_rank_events(facts: CheckInFacts, rows: Iterable[Mapping[str, Any]]) -> None:
    by_student: dict[UUID, dict[UUID, list[Mapping[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        by_student[UUID(row["student_id"])][UUID(row["system_id"])].append(row)
    for student, by_system in by_student.items():
        facts.students[student].rank_events = by_system
