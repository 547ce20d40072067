"""Loading the facts about scans: two or three small SQL statements, whatever the number of scans.

1. The students that the codes belong to, with the settings of the dojo, everything that alerts, ranks and the response
   need, and whether a webhook asked for new attendances. The rows of the students are locked (`FOR KEY SHARE`, in the
   order of their ids) until commit, so that no response and no refusal outlives an erasure. The lock does not block
   attendances or awards of the same students.
2. The sessions, with their minimum rank and the attendances of these students in them: one statement for the sessions
   that are named, one for those that may be open at the instants of the other scans.
3. The last attendances of students who seem to have been absent for a long time.
4. Enrolments, only if the dojo enforces them or if there is a session to choose.

The role of the login limits all tables to this dojo. The settings are read at each check-in: one row in a statement
that runs anyway costs less than a cache, and a change takes effect on the next scan in every process.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from itertools import combinations
from operator import itemgetter
from typing import Any, Final
from uuid import UUID

import orjson
from django.db.models import Model

from shared_apps.webhooks.events import subscribed_sql
from tatami.postgresql.parameters import bytea_array, uuid_array
from tatami.postgresql.statements import Row, Statement, instance
from tatami.tenancy.scope import current_tenant_id
from tenant_apps.attendance.check_in.codes import Code, CodeKind
from tenant_apps.attendance.check_in.types import (
    LONG_ABSENCE,
    RECORDED,
    CheckInFacts,
    CodeOwner,
    LookupKeys,
    RecordedAttendance,
    Scan,
    ScannedStudent,
    Scanner,
)
from tenant_apps.classes.models import ClassSession
from tenant_apps.dojo.models import LONGEST_WINDOW_MINUTES, DojoSettings, Policy
from tenant_apps.students.models import Student

# --- the statements -------------------------------------------------------------------------------------------------


def _fields(model: type[Model], *names: str) -> tuple[str, ...]:
    """Return `names`. Raises `FieldDoesNotExist` when the module is loaded if the model has no such column."""
    return tuple(model._meta.get_field(name).attname for name in names)  # type: ignore[union-attr]


STUDENT_FIELDS: Final = _fields(
    Student, "id", "first_name", "last_name", "preferred_name", "family_first", "birth_date", "status", "archived_at",
    "erased_at",
)  # fmt: skip
SETTINGS_FIELDS: Final = _fields(
    DojoSettings, "leap_day_birthday", "card_policy", "enrolment_policy", "rank_policy", "capacity_policy",
    "opens_minutes_before", "closes_minutes_after", "late_after_minutes",
)  # fmt: skip
SESSION_FIELDS: Final = _fields(
    ClassSession, "id", "training_class_id", "min_rank_id", "name", "starts_at", "ends_at", "local_date", "status",
    "location", "capacity", "opens_minutes_before", "closes_minutes_after", "late_after_minutes",
)  # fmt: skip
# The ways to name students, each with one parameter. Columns: code, student, card, is_revoked.
FINDERS: Final = {
    "rotating": "SELECT encode(check_in_id, 'hex'), id, NULL::uuid, false"
    " FROM students_student WHERE check_in_id = ANY(${0}::bytea[])",
    "card": "SELECT encode(code, 'hex'), student_id, id, revoked_at IS NOT NULL"
    " FROM attendance_card WHERE code = ANY(${0}::bytea[])",
    "named": "SELECT 'named', id, NULL::uuid, false FROM students_student WHERE id = ANY(${0}::uuid[])",
    "linked": "(SELECT 'linked', l.student_id, NULL::uuid, false FROM students_studentuser l"
    " JOIN students_student t ON t.id = l.student_id AND t.archived_at IS NULL"
    " WHERE l.user_id = ${0} ORDER BY l.student_id LIMIT 50)",
}

# The planner expects ten elements of an array, and reads the whole table of a small dojo for them. A single scan says
# that it means one.
_MANY: Final = re.compile(r"= ANY\((\$\d|\$\{0\})::(\w+)\[\]\)")


def _of_one(sql: str) -> str:
    """Return the SQL with one value in the place of each array."""
    return _MANY.sub(r"= \1::\2", sql)


# If an erasure commits while this waits for the row lock, PostgreSQL evaluates the locked row again: an erased student
# drops out.
STUDENTS_SQL: Final = f"""
SELECT found.code, found.card, found.is_revoked, {", ".join(f"s.{name}" for name in STUDENT_FIELDS)},
    s.medical_notes <> '',
    EXISTS (SELECT FROM students_eligibilitysnapshot e WHERE e.student_id = s.id AND e.status = 'eligible'),
    (SELECT c.local_date FROM attendance_attendance a JOIN classes_classsession c ON c.id = a.class_session_id
        WHERE a.student_id = s.id AND a.voided_at IS NULL ORDER BY a.checked_in_at DESC LIMIT 1),
    (SELECT array_agg(ARRAY[h.starts_on, h.until]) FROM students_studenthold h WHERE h.student_id = s.id),
    (SELECT json_agg(event)::text FROM (
        SELECT e.kind, e.effective_on, r.id AS rank_id, r.code, r.name, r.position, r.system_id, y.name AS system_name
        FROM students_rankevent e JOIN ranks_rank r ON r.id = e.rank_id JOIN ranks_ranksystem y ON y.id = r.system_id
        WHERE e.student_id = s.id AND e.voided_at IS NULL) event),
    {subscribed_sql(RECORDED)}, d.id IS NOT NULL, {", ".join(f"d.{name}" for name in SETTINGS_FIELDS)}
FROM ({{finders}}) AS found(code, student, card, is_revoked)
    JOIN students_student s ON s.id = found.student LEFT JOIN dojo_dojosettings d ON true
WHERE s.erased_at IS NULL ORDER BY s.id FOR KEY SHARE OF s
"""  # noqa: S608


def _find_students(kinds: Sequence[str]) -> Statement:
    finders = " UNION ALL ".join(FINDERS[kind].format(place) for place, kind in enumerate(kinds, 1))
    return Statement(f"check-in: students by {' and '.join(kinds)}", STUDENTS_SQL.format(finders=finders))


FIND_STUDENTS: Final = {
    kinds: _find_students(kinds)
    for number in range(1, len(FINDERS) + 1)
    for kinds in combinations(FINDERS, number)
}
"""Ways to name students → the statement that finds, locks and describes them."""
FIND_STUDENT: Final = {
    kind: Statement(
        f"check-in: student by {kind}", STUDENTS_SQL.format(finders=_of_one(FINDERS[kind].format(1)))
    )
    for kind in ("rotating", "card", "named")
}
"""The same for one value of one kind."""

SESSIONS_SQL: Final = f"""
SELECT {", ".join(f"c.{name}" for name in SESSION_FIELDS)}, r.system_id, r.position, {RecordedAttendance.columns("a")}
FROM classes_classsession c LEFT JOIN ranks_rank r ON r.id = c.min_rank_id
    LEFT JOIN attendance_attendance a
        ON a.class_session_id = c.id AND a.student_id = ANY($1::uuid[]) AND a.voided_at IS NULL
WHERE {{condition}}
"""  # noqa: S608
_NAMED: Final = SESSIONS_SQL.format(condition="c.id = ANY($2::uuid[])")
_AROUND: Final = SESSIONS_SQL.format(condition="c.starts_at BETWEEN $2 AND $3")
NAMED_SESSIONS: Final = Statement("check-in: named sessions", _NAMED)
SESSIONS_AROUND: Final = Statement("check-in: sessions around", _AROUND)
NAMED_SESSION_OF_ONE: Final = Statement("check-in: named session of a student", _of_one(_NAMED))
SESSIONS_AROUND_ONE: Final = Statement("check-in: sessions around a student", _of_one(_AROUND))
LAST_DATES: Final = Statement(
    "check-in: last dates",
    "SELECT a.student_id, max(c.local_date) FROM attendance_attendance a"
    " JOIN classes_classsession c ON c.id = a.class_session_id"
    " WHERE a.student_id = ANY($1::uuid[]) AND a.voided_at IS NULL GROUP BY a.student_id",
)
ENROLMENTS: Final = Statement(
    "check-in: enrolments",
    "SELECT student_id, training_class_id, starts_on FROM classes_enrolment"
    " WHERE student_id = ANY($1::uuid[]) AND training_class_id = ANY($2::uuid[])",
)


_STUDENT_ID: Final = STUDENT_FIELDS.index("id")
_SESSION_ID: Final = SESSION_FIELDS.index("id")


# --- the facts ------------------------------------------------------------------------------------------------------


def facts_for_scans(
    scans: Sequence[Scan], codes: Mapping[str, Code | None], scanner: Scanner
) -> CheckInFacts:
    """Return the facts that the rules need to decide on `scans`; `codes` maps each token to its code.

    At most five statements, none if no code is valid. Locks the students against erasure until commit.
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
    """Return the facts about `keys`. At most five statements. Locks the students against erasure until commit.

    If there are no students, nothing else is looked up.
    """
    facts = CheckInFacts()
    _add_students(facts, keys)
    if not facts.students:
        return facts
    students = uuid_array(facts.students)
    one = next(iter(facts.students)) if len(facts.students) == 1 else None
    if keys.sessions:
        if one and len(keys.sessions) == 1:
            rows = NAMED_SESSION_OF_ONE.rows(one, keys.sessions[0])
        else:
            rows = NAMED_SESSIONS.rows(students, uuid_array(keys.sessions))
        _add_sessions(facts, rows)
    if keys.instants:
        widest_window = timedelta(minutes=LONGEST_WINDOW_MINUTES)
        first, last = min(keys.instants) - widest_window, max(keys.instants) + widest_window
        around = (
            SESSIONS_AROUND_ONE.rows(one, first, last) if one else SESSIONS_AROUND.rows(students, first, last)
        )
        _add_sessions(facts, around)
    _correct_last_dates(facts)
    classes = {one.training_class_id for one in facts.sessions.values() if one.training_class_id}
    is_choice = bool(keys.instants) and len(facts.sessions) > 1
    if classes and (is_choice or facts.settings.enrolment_policy == Policy.ENFORCE):
        facts.enrolled = {
            (UUID(student), UUID(training_class)): starts_on or date.min
            for student, training_class, starts_on in ENROLMENTS.rows(students, uuid_array(classes))
        }
    return facts


def _named_session(scan: Scan, code: Code) -> UUID | None:
    return UUID(bytes=code.id) if code.is_of_session else scan.class_session


_PARAMETERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "rotating": bytea_array,
    "card": bytea_array,
    "named": uuid_array,
    "linked": itemgetter(0),
}
"""For each way to name students, what makes its parameter of many values."""


def _add_students(facts: CheckInFacts, keys: LookupKeys) -> None:
    """Add the students, the owners of the codes, and the settings."""
    asked: dict[str, Sequence[Any]] = {
        "rotating": keys.check_in_ids,
        "card": keys.card_codes,
        "named": keys.students,
        "linked": [keys.linked_user] if keys.linked_user else [],
    }
    kinds = tuple(kind for kind, values in asked.items() if values)
    if not kinds:
        return
    if len(kinds) == 1 and kinds[0] in FIND_STUDENT and len(asked[kinds[0]]) == 1:
        rows = FIND_STUDENT[kinds[0]].rows(asked[kinds[0]][0])
    else:
        rows = FIND_STUDENTS[kinds].rows(*(_PARAMETERS[kind](asked[kind]) for kind in kinds))
    for code, card, is_revoked, *row in rows:
        student = UUID(row[_STUDENT_ID])
        if student not in facts.students:
            facts.students[student] = _student_facts(student, row)
        if code == "linked":
            facts.linked_students.append(student)
        elif code != "named":
            facts.code_owners[code] = CodeOwner(student, UUID(card) if card else None, is_revoked)
    if rows:
        facts.has_webhooks, has_settings, *values = rows[0][-2 - len(SETTINGS_FIELDS) :]
        if has_settings:
            facts.settings = instance(DojoSettings, SETTINGS_FIELDS, values)


def _correct_last_dates(facts: CheckInFacts) -> None:
    """Look at all attendances of the students who seem to have been absent for a long time.

    The session that they last checked in to is nearly always their last one. But its attendance may have been entered
    later than that of a session after it.
    """
    latest = max((session.local_date for session in facts.sessions.values()), default=date.min)
    absent = [
        key
        for key, one in facts.students.items()
        if one.last_attended_on and latest - one.last_attended_on > LONG_ABSENCE
    ]
    if absent:
        for student, last in LAST_DATES.rows(uuid_array(absent)):
            facts.students[UUID(student)].last_attended_on = last


def _student_facts(student: UUID, row: Sequence[Any]) -> ScannedStudent:
    own = len(STUDENT_FIELDS)
    has_medical_notes, is_promotion_due, last_attended_on, holds, rank_events = row[own : own + 5]
    values = [student if name == "id" else value for name, value in zip(STUDENT_FIELDS, row, strict=False)]
    return ScannedStudent(
        student=instance(Student, STUDENT_FIELDS, values),
        has_medical_notes=has_medical_notes,
        is_promotion_due=is_promotion_due,
        last_attended_on=last_attended_on,
        holds=[(first, last or date.max) for first, last in holds or ()],
        rank_events=_by_system(orjson.loads(rank_events)) if rank_events else {},
    )


def _by_system(events: Iterable[Mapping[str, Any]]) -> Mapping[UUID, Sequence[Mapping[str, Any]]]:
    by_system: dict[UUID, list[Mapping[str, Any]]] = defaultdict(list)
    for event in events:
        by_system[UUID(event["system_id"])].append(event)
    return by_system


def _add_sessions(facts: CheckInFacts, rows: Iterable[Row]) -> None:
    """Add sessions, their minimum ranks and their attendances. A row per attendance, at least one per session."""
    own = len(SESSION_FIELDS)
    for row in rows:
        session_id = UUID(row[_SESSION_ID])
        if session_id not in facts.sessions:
            session = facts.sessions[session_id] = instance(ClassSession, SESSION_FIELDS, row[:own])
            session.id, session.tenant_id = session_id, current_tenant_id()
            session.training_class_id = _id_or_none(session.training_class_id)
            session.min_rank_id = _id_or_none(session.min_rank_id)
            system, position = row[own : own + 2]
            if session.min_rank_id and system:
                facts.min_ranks[session.min_rank_id] = UUID(system), position
        if row[own + 2]:
            attendance = RecordedAttendance.from_row(row[own + 2 :])
            facts.recorded[attendance.key] = attendance


def _id_or_none(text: Any) -> UUID | None:
    return UUID(text) if text else None
