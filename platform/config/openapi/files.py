"""What goes in and out as a file: imports, the roll, and all that is held about a person."""

from typing import Any, Final

from config.openapi.promotions import DECISION_EXAMPLE, KEPT_ITEM_EXAMPLE, SNAPSHOT_EXAMPLE
from config.openapi.students import (
    EVENT_EXAMPLE,
    FACT_EXAMPLE,
    HOLD_EXAMPLE,
    MIKA_EXAMPLE,
    NOTE_EXAMPLE,
)
from tatami.api.openapi import examples
from tatami.api.openapi.spec import OperationSpec, no_content_spec
from tenant_apps.attendance.openapi import ATTENDANCE_EXAMPLE, REFUSAL_EXAMPLE
from tenant_apps.classes.openapi import ENROLMENT_EXAMPLE
from tenant_apps.notifications.openapi import EXPORTED_MAIL_EXAMPLE

_OF: Final = {"student_id": examples.STUDENT}

_STUDENTS_CSV: Final = """external_id,first_name,last_name,birth_date,joined_on,guardian_1_name,rank_system,rank,rank_on
M-2048,Ren,Ito,2014-05-02,2026-06-01,Jun Ito,Aikikai Hombu grades,5-kyu,2026-03-01
,Mika,Sato,,,,,,
M-2049,Aoi,Mori,2nd of May,,,,,
"""
_STUDENTS_IMPORTED: Final[dict[str, Any]] = {
    "dry_run": False,
    "created": 1,
    "updated": 0,
    "failed": 1,
    "duplicates": 1,
    "rows": [
        {
            "line": 2,
            "outcome": "created",
            "student": examples.reference(examples.NEW_STUDENT, "Ren Ito"),
            "errors": {},
        },
        {"line": 3, "outcome": "duplicate", "duplicate_of": examples.MIKA, "errors": {}},
        {
            "line": 4,
            "outcome": "failed",
            "errors": {
                "birth_date": ["Date has wrong format. Use one of these formats instead: YYYY-MM-DD."]
            },
        },
    ],
}
_RANK_EVENTS_CSV: Final = f"""external_id,rank_system,rank,effective_on,note
{examples.EXTERNAL_ID},Aikikai Hombu grades,4-kyu,2026-03-01,From the old index cards
{examples.EXTERNAL_ID},Aikikai Hombu grades,11-kyu,2026-03-01,
"""
_RANK_EVENTS_IMPORTED: Final[dict[str, Any]] = {
    "dry_run": False,
    "created": 1,
    "updated": 0,
    "failed": 1,
    "duplicates": 0,
    "rows": [
        {"line": 2, "outcome": "created", "student": examples.MIKA, "errors": {}},
        {
            "line": 3,
            "outcome": "failed",
            "student": examples.MIKA,
            "errors": {"rank": ["There is no such rank."]},
        },
    ],
}
_FACTS_CSV: Final = f"""external_id,kind,rank_system,value,category,on,expires_on,note
{examples.EXTERNAL_ID},points,Aikikai Hombu grades,3,kata,2026-03-01,,Spring tournament
{examples.EXTERNAL_ID},credential,,First aid,,2026-02-01,2025-02-01,
"""
_FACTS_IMPORTED: Final[dict[str, Any]] = {
    "dry_run": False,
    "created": 1,
    "updated": 0,
    "failed": 1,
    "duplicates": 0,
    "rows": [
        {"line": 2, "outcome": "created", "student": examples.MIKA, "errors": {}},
        {
            "line": 3,
            "outcome": "failed",
            "student": examples.MIKA,
            "errors": {"expires_on": ["This is before the fact's own date."]},
        },
    ],
}
_ROLL: Final = (
    "external_id,first_name,last_name,email,phone,birth_date,gender,status,joined_on,medical_notes,"
    "guardian_1_name,guardian_1_email,guardian_1_phone,guardian_1_relation,"
    "guardian_2_name,guardian_2_email,guardian_2_phone,guardian_2_relation,rank_system,rank,rank_on\r\n"
    f'"{examples.EXTERNAL_ID}","Mika","Sato","mika@example.com","","2012-03-01","","active","2025-09-01","",'
    f'"Hana Sato","{examples.EMAIL}","030 1234","mother","","","","",'
    '"Aikikai Hombu grades","5-kyu","2026-01-10"\r\n'
)
_DOSSIER: Final = {
    "exported_at": examples.NOW,
    "student": MIKA_EXAMPLE,
    "users": [{**examples.HANA, "email": examples.EMAIL, "role": "student"}],
    "notes": [NOTE_EXAMPLE],
    "facts": [FACT_EXAMPLE],
    "holds": [HOLD_EXAMPLE],
    "rank_events": [EVENT_EXAMPLE],
    "enrolments": [ENROLMENT_EXAMPLE],
    "attendance": [ATTENDANCE_EXAMPLE],
    "refusals": [REFUSAL_EXAMPLE],
    "cards": [{"id": examples.CARD, "created_at": examples.NOW, "revoked_at": None, "used_at": examples.NOW}],
    "decisions": [DECISION_EXAMPLE],
    "batches": [KEPT_ITEM_EXAMPLE],
    "exams": [
        {
            "id": examples.CANDIDATE,
            "exam_name": "Summer grading",
            "held_on": "2026-06-27",
            "target_rank": "4th kyu",
            "outcome": "passed",
            "override_reason": "",
            "event_id": examples.AWARD,
            "certificate": examples.CERTIFICATE,
        }
    ],
    "eligibility": [SNAPSHOT_EXAMPLE],
    "notifications": [EXPORTED_MAIL_EXAMPLE],
}

FILES: Final = {
    "students-import": {
        "POST": OperationSpec(request_example={"file": _STUDENTS_CSV}, response_example=_STUDENTS_IMPORTED)
    },
    "rank-events-import": {
        "POST": OperationSpec(
            request_example={"file": _RANK_EVENTS_CSV}, response_example=_RANK_EVENTS_IMPORTED
        )
    },
    "facts-import": {
        "POST": OperationSpec(request_example={"file": _FACTS_CSV}, response_example=_FACTS_IMPORTED)
    },
    "students-export": {"GET": OperationSpec(text_examples={"text/csv": _ROLL})},
    "student-export": {"GET": OperationSpec(path=_OF, response_example=_DOSSIER)},
    "student-erasure": {"POST": no_content_spec(path=_OF, request_example={"confirm": examples.STUDENT})},
}
