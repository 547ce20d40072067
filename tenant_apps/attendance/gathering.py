"""Fetching the facts about scans: one statement, whatever their number.

It locks the students against erasure until commit, so that no answer and no refusal outlives one. Attendance is
recorded and ranks are awarded meanwhile.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson
from django.db import connection

from tenant_apps.attendance.facts import Facts, Person, Subject, Wanted
from tenant_apps.attendance.recording import Recorded
from tenant_apps.classes.models import ClassSession
from tenant_apps.dojo.models import LONGEST_WINDOW_MINUTES, DojoSettings
from tenant_apps.students.models import Student

MOST_SPOKEN_FOR: Final = 50

# Each column is one kind of fact, as a JSON array; the rows are of this dojo only, as everywhere. Who was erased while
# `person` waited for her row is nobody's subject: a row is looked at anew once it is locked.
_GATHER: Final = """
WITH asked AS (
    SELECT encode(check_in_id, 'hex') AS code, id AS student, NULL::uuid AS card, false AS is_revoked
    FROM students_student WHERE check_in_id = ANY(%(check_in_ids)s)
    UNION ALL
    SELECT encode(code, 'hex'), student_id, id, revoked_at IS NOT NULL
    FROM attendance_card WHERE code = ANY(%(card_codes)s)
    UNION ALL
    SELECT 'named', id, NULL, false FROM students_student WHERE id = ANY(%(named)s)
    UNION ALL
    (SELECT 'speaks for', l.student_id, NULL, false FROM students_studentuser l
     JOIN students_student s ON s.id = l.student_id AND s.archived_at IS NULL
     WHERE l.user_id = %(speaker)s ORDER BY l.student_id LIMIT %(most)s)
), person AS (
    SELECT s.id, s.first_name, s.last_name, s.birth_date, s.status, s.archived_at, s.medical_notes <> '' AS medical,
           (SELECT max(v.checked_in_at) FROM attendance_attendance v
            WHERE v.student_id = s.id AND v.voided_at IS NULL) AS last_visit,
           EXISTS (SELECT FROM students_eligibilitysnapshot e
                   WHERE e.student_id = s.id AND e.status = 'eligible') AS promotion_due
    FROM students_student s WHERE s.id IN (SELECT student FROM asked) AND s.erased_at IS NULL
    ORDER BY s.id FOR KEY SHARE OF s
), subject AS (
    SELECT asked.* FROM asked JOIN person ON person.id = asked.student
), session AS (
    SELECT id, training_class_id, name, starts_at, ends_at, local_date, status, location, capacity, min_rank_id,
           opens_minutes_before, closes_minutes_after, late_after_minutes
    FROM classes_classsession
    WHERE id = ANY(%(sessions)s) OR starts_at BETWEEN %(first)s AND %(last)s
), setting AS (
    SELECT leap_day_birthday, card_policy, enrolment_policy, rank_policy, capacity_policy,
           opens_minutes_before, closes_minutes_after, late_after_minutes
    FROM dojo_dojosettings LIMIT 1
), standing AS (
    SELECT id, student_id, class_session_id, checked_in_at, method, late, uploaded_late, created_at, updated_at
    FROM attendance_attendance
    WHERE voided_at IS NULL AND student_id IN (SELECT student FROM subject)
      AND class_session_id IN (SELECT id FROM session)
), hold AS (
    SELECT student_id, starts_on, until FROM students_studenthold
    WHERE student_id IN (SELECT student FROM subject)
), enrolment AS (
    SELECT student_id, training_class_id FROM classes_enrolment
    WHERE student_id IN (SELECT student FROM subject)
      AND training_class_id IN (SELECT training_class_id FROM session)
), rank_event AS (
    SELECT e.student_id, e.kind, e.effective_on, r.id AS rank_id, r.code, r.name, r.position, r.system_id,
           y.name AS system_name
    FROM students_rankevent e JOIN ranks_rank r ON r.id = e.rank_id JOIN ranks_ranksystem y ON y.id = r.system_id
    WHERE e.voided_at IS NULL AND e.student_id IN (SELECT student FROM subject)
), min_rank AS (
    SELECT id, system_id, position FROM ranks_rank WHERE id IN (SELECT min_rank_id FROM session)
)
SELECT json_build_object(
    'subjects', (SELECT json_agg(x) FROM subject x), 'sessions', (SELECT json_agg(x) FROM session x),
    'settings', (SELECT json_agg(x) FROM setting x), 'people', (SELECT json_agg(x) FROM person x),
    'standing', (SELECT json_agg(x) FROM standing x), 'enrolments', (SELECT json_agg(x) FROM enrolment x),
    'holds', (SELECT json_agg(x) FROM hold x), 'rank_events', (SELECT json_agg(x) FROM rank_event x),
    'min_ranks', (SELECT json_agg(x) FROM min_rank x)
)::text
"""


def gather(wanted: Wanted) -> Facts:
    """Return the facts about what is `wanted`, with the students held against erasure until commit.

    One statement, whatever the number.
    """
    reach = timedelta(minutes=LONGEST_WINDOW_MINUTES)
    params: dict[str, Any] = {
        "check_in_ids": list(wanted.check_in_ids),
        "card_codes": list(wanted.card_codes),
        "named": list(wanted.students),
        "speaker": wanted.speaker,
        "most": MOST_SPOKEN_FOR,
        "sessions": list(wanted.sessions),
        "first": min(wanted.moments) - reach if wanted.moments else None,
        "last": max(wanted.moments) + reach if wanted.moments else None,
    }
    with connection.cursor() as cursor:
        cursor.execute(_GATHER, params)
        (text,) = cursor.fetchone()
    found = {kind: rows or [] for kind, rows in orjson.loads(text).items()}
    facts = Facts(
        settings=DojoSettings(**found["settings"][0]) if found["settings"] else DojoSettings(),
        sessions={session.pk: session for session in map(_session, found["sessions"])},
        people={person.student.pk: person for person in map(_person, found["people"])},
        enrolled={(UUID(row["student_id"]), UUID(row["training_class_id"])) for row in found["enrolments"]},
        min_ranks={UUID(row["id"]): (UUID(row["system_id"]), row["position"]) for row in found["min_ranks"]},
    )
    for row in found["subjects"]:
        student = UUID(row["student"])
        if row["code"] == "speaks for":
            facts.spoken_for.append(student)
        elif row["code"] != "named":
            card = UUID(row["card"]) if row["card"] else None
            facts.subjects[row["code"]] = Subject(student, card, row["is_revoked"])
    for row in found["standing"]:
        recorded = Recorded.of(row)
        facts.standing[recorded.pair] = recorded
    for row in found["holds"]:
        until = date.fromisoformat(row["until"]) if row["until"] else date.max
        facts.people[UUID(row["student_id"])].holds.append((date.fromisoformat(row["starts_on"]), until))
    _add_rank_events(facts, found["rank_events"])
    return facts


def _session(row: dict[str, Any]) -> ClassSession:
    row["starts_at"], row["ends_at"] = map(datetime.fromisoformat, (row["starts_at"], row["ends_at"]))
    row["local_date"] = date.fromisoformat(row["local_date"])
    for name in ("id", "training_class_id", "min_rank_id"):
        row[name] = UUID(row[name]) if row[name] else None
    return ClassSession(**row)


def _person(row: dict[str, Any]) -> Person:
    return Person(
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
        last_visit=datetime.fromisoformat(row["last_visit"]) if row["last_visit"] else None,
    )


def _add_rank_events(facts: Facts, rows: Iterable[Mapping[str, Any]]) -> None:
    by_student: dict[UUID, dict[UUID, list[Mapping[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        by_student[UUID(row["student_id"])][UUID(row["system_id"])].append(row)
    for student, events in by_student.items():
        facts.people[student].rank_events = events
