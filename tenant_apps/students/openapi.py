"""Examples of the routes of students and their records for the OpenAPI document."""

from typing import Any, Final

from tatami.api.openapi import examples
from tatami.api.openapi.spec import OperationSpec, create_spec, list_spec, no_content_spec, resource_specs
from tenant_apps.students.serializers import (
    FactSerializer,
    MergedSerializer,
    NewRankEventSerializer,
    NewStudentSerializer,
    VoidedRankEventSerializer,
)
from tenant_apps.students.transfer import TransferredSerializer

_GUARDIAN: Final = {"name": "Hana Sato", "email": examples.EMAIL, "phone": "030 1234"}
_ABOUT: Final = {
    "first_name": "Mika",
    "last_name": "Sato",
    "preferred_name": "Mi",
    "name_order": None,
    "email": "mika@example.com",
    "phone": "",
    "birth_date": "2012-03-01",
    "gender": "",
    "status": "active",
    "joined_on": "2025-09-01",
    "external_id": "M-1024",
    "licence_number": "DAB-20417",
    "medical_notes": "Asthma: the spray is in the red bag.",
}
STUDENT_EXAMPLE: Final = examples.row(
    examples.STUDENT,
    **_ABOUT,
    name="Mika Sato",
    guardians=[{"id": examples.GUARDIAN, **_GUARDIAN, "relation": "mother"}],
    ranks=[
        {**examples.FIFTH_KYU, "code": "5-kyu", "rank_system": examples.GRADES, "since": "2026-01-10"},
    ],
    archived=False,
)
_AT: Final = {"id": examples.STUDENT}
_OF: Final = {"student_id": examples.STUDENT}
NOTE_EXAMPLE: Final = examples.row(
    examples.NOTE, text="Spares the left knee until the summer camp.", author=examples.HANA
)
_HOLD_BODY: Final = {"from": "2026-07-01", "until": "2026-08-31", "reason": "A broken arm"}
HOLD_EXAMPLE: Final = examples.row(examples.HOLD, **_HOLD_BODY)
_FACT_BODY: Final = {
    "kind": "points",
    "rank_system": examples.RANK_SYSTEM,
    "value": 12,
    "on": "2026-03-01",
    "expires_on": None,
    "note": "Spring tournament",
}
FACT_EXAMPLE: Final = examples.row(
    examples.FACT,
    **{**_FACT_BODY, "rank_system": examples.GRADES},
    recorded_by=examples.HANA,
    voided=False,
    void_reason="",
)
_EVENT_BODY: Final = {
    "rank": examples.RANK,
    "kind": "import",
    "effective_on": "2026-03-01",
    "note": "From the old index cards",
}
RANK_EVENT_EXAMPLE: Final = examples.row(
    examples.RANK_EVENT,
    **{**_EVENT_BODY, "rank": examples.FIFTH_KYU},
    student=examples.MIKA,
    rank_system=examples.GRADES,
    recorded_by=examples.HANA,
    voided=False,
    void_reason="",
)
_REASON: Final = {"reason": "It was entered twice."}
_VOIDED: Final = {"voided": True, "void_reason": _REASON["reason"]}


_LATER_RANK: Final = {
    "id": examples.AWARD,
    "rank": examples.FOURTH_KYU,
    "kind": "award",
    "effective_on": "2026-06-14",
}


def _void_spec(id_: str, example: dict[str, Any], response: Any) -> OperationSpec:
    return OperationSpec(
        path={"id": id_}, request_example=_REASON, response=response, response_example={**example, **_VOIDED}
    )


_NAMESAKE: Final = {
    **examples.reference(examples.NEW_STUDENT, "Mika Satō"),
    "birth_date": None,
    "external_id": None,
    "archived": True,
}
STUDENTS: Final = {
    "GET": list_spec(STUDENT_EXAMPLE),
    "POST": create_spec(
        {**_ABOUT, "guardians": [{**_GUARDIAN, "relation": "mother"}]},
        {**STUDENT_EXAMPLE, "ranks": [], "possible_duplicates": [_NAMESAKE]},
        response=NewStudentSerializer,
    ),
}
STUDENT: Final = resource_specs(_AT, STUDENT_EXAMPLE, {"phone": "030 5678"})
GUARDIANS: Final = {"GET": list_spec(examples.row(examples.GUARDIAN, **_GUARDIAN))}
NOTES: Final = {
    "GET": list_spec(NOTE_EXAMPLE, path=_OF),
    "POST": create_spec({"text": NOTE_EXAMPLE["text"]}, NOTE_EXAMPLE, path=_OF),
}
NOTE: Final = resource_specs(
    {**_OF, "id": examples.NOTE}, NOTE_EXAMPLE, {"text": "Both knees are well again."}
)
HOLDS: Final = {
    "GET": list_spec(HOLD_EXAMPLE, path=_OF),
    "POST": create_spec(_HOLD_BODY, HOLD_EXAMPLE, path=_OF),
}
HOLD: Final = resource_specs({**_OF, "id": examples.HOLD}, HOLD_EXAMPLE, {"until": "2026-07-31"})
FACTS: Final = {
    "GET": list_spec(FACT_EXAMPLE, path=_OF),
    "POST": create_spec(_FACT_BODY, FACT_EXAMPLE, path=_OF),
}
FACT_VOID: Final = {"POST": _void_spec(examples.FACT, FACT_EXAMPLE, FactSerializer)}
STUDENT_RANK_EVENTS: Final = {
    "GET": list_spec(RANK_EVENT_EXAMPLE, path=_OF),
    "POST": create_spec(_EVENT_BODY, RANK_EVENT_EXAMPLE, path=_OF, request=NewRankEventSerializer),
}
RANK_EVENTS: Final = {"GET": list_spec(RANK_EVENT_EXAMPLE)}
RANK_EVENT_VOID: Final = {
    "POST": _void_spec(
        examples.RANK_EVENT, {**RANK_EVENT_EXAMPLE, "later_ranks": [_LATER_RANK]}, VoidedRankEventSerializer
    )
}
MERGE: Final = {
    "POST": OperationSpec(
        path=_OF,
        request_example={"duplicate": examples.NEW_STUDENT, "dry_run": True},
        response=MergedSerializer,
        response_example={
            "student": examples.MIKA,
            "duplicate": examples.reference(examples.NEW_STUDENT, "Mika Satō"),
            "dry_run": True,
            "moved": {
                "attendance": 12,
                "batch_items": 1,
                "cards": 1,
                "enrolments": 1,
                "exams": 1,
                "facts": 2,
                "guardians": 1,
                "holds": 1,
                "mails": 4,
                "merged_records": 1,
                "notes": 1,
                "rank_events": 2,
                "refusals": 1,
                "users": 1,
            },
            "conflicts": [
                {
                    "what": "email",
                    "rule": "kept_record_wins",
                    "kept": "mika@example.com",
                    "dropped": "mika.sato@example.com",
                }
            ],
        },
    )
}
_TRANSFERRED: Final[dict[str, Any]] = {
    "student": examples.reference(examples.NEW_STUDENT, "Jigoro Kano"),
    "dry_run": False,
    "imported": {
        "attendance": 0,
        "facts": 0,
        "guardians": 0,
        "holds": 0,
        "notes": 0,
        "rank_events": 1,
    },
    "left_out": [],
}
TRANSFERS: Final = {
    "POST": OperationSpec(
        query={
            "dry_run": {"type": "boolean", "description": "Report, and write nothing."},
            "allow_duplicates": {
                "type": "boolean",
                "description": "Also if there is a student of this name.",
            },
        },
        request_example={
            "dojo": {"name": "Kita Dojo"},
            "student": {"first_name": "Jigoro", "last_name": "Kano", "birth_date": "1960-12-10"},
            "rank_events": [
                {
                    "rank": {"name": "5th kyu"},
                    "rank_code": "5-kyu",
                    "rank_system": {"name": "Aikikai Hombu grades"},
                    "kind": "award",
                    "effective_on": "2026-01-10",
                }
            ],
        },
        status=201,
        response=TransferredSerializer,
        response_example=_TRANSFERRED,
        other_statuses={200: {**_TRANSFERRED, "student": None, "dry_run": True}},
    )
}
ERASURE: Final = {"POST": no_content_spec(path=_OF, request_example={"confirm": examples.STUDENT})}

# --- CSV files ----------------------------------------------------------------------------------------------------

_STUDENTS_CSV: Final = """external_id,first_name,last_name,birth_date,joined_on,guardian_1_name,rank_system,rank,rank_on
M-2048,Ren,Ito,2014-05-02,2026-06-01,Jun Ito,Aikikai Hombu grades,5-kyu,2026-03-01
,Mika,Sato,,,,,,
M-2049,Aoi,Mori,2nd of May,,,,,
"""
_READ: Final[dict[str, Any]] = {
    "encoding": "utf-8",
    "date_formats": {},
    "ignored_columns": [],
    "warnings": [],
}
_STUDENTS_IMPORTED: Final[dict[str, Any]] = {
    "dry_run": False,
    "created": 1,
    "updated": 0,
    "restored": 0,
    "failed": 1,
    "duplicates": 1,
    **_READ,
    "letter": "\n".join(
        [
            "1 of 3 lines were imported (1 new).",
            "",
            "These lines were not imported:",
            "- Line 3, Mika Sato: The dojo has this already.",
            "- Line 4, Aoi Mori: birth_date: This is not a date: write it as 2010-05-13.",
        ]
    ),
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
            "errors": {"birth_date": ["This is not a date: write it as 2010-05-13."]},
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
    "restored": 0,
    "failed": 1,
    "duplicates": 0,
    **_READ,
    "letter": "\n".join(
        [
            "1 of 2 lines were imported (1 new).",
            "",
            "These lines were not imported:",
            "- Line 3: rank: There is no such rank. The ranks are: 5th kyu, 4th kyu, 3rd kyu.",
        ]
    ),
    "rows": [
        {"line": 2, "outcome": "created", "student": examples.MIKA, "errors": {}},
        {
            "line": 3,
            "outcome": "failed",
            "student": examples.MIKA,
            "errors": {"rank": ["There is no such rank. The ranks are: 5th kyu, 4th kyu, 3rd kyu."]},
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
    "restored": 0,
    "failed": 1,
    "duplicates": 0,
    **_READ,
    "letter": "\n".join(
        [
            "1 of 2 lines were imported (1 new).",
            "",
            "These lines were not imported:",
            "- Line 3: expires_on: This is before the fact's own date.",
        ]
    ),
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
_EXPORT: Final = (
    "external_id,first_name,last_name,preferred_name,name_order,email,phone,birth_date,gender,status,joined_on,"
    "licence_number,medical_notes,"
    "guardian_1_name,guardian_1_email,guardian_1_phone,guardian_1_relation,"
    "guardian_2_name,guardian_2_email,guardian_2_phone,guardian_2_relation,rank_system,rank,rank_on\r\n"
    f'"{examples.EXTERNAL_ID}","Mika","Sato","Mi","","mika@example.com","","2012-03-01","","active","2025-09-01",'
    '"DAB-20417","",'
    f'"Hana Sato","{examples.EMAIL}","030 1234","mother","","","","",'
    '"Aikikai Hombu grades","5-kyu","2026-01-10"\r\n'
)

STUDENT_IMPORT: Final = {
    "POST": OperationSpec(request_example={"file": _STUDENTS_CSV}, response_example=_STUDENTS_IMPORTED)
}
RANK_EVENT_IMPORT: Final = {
    "POST": OperationSpec(request_example={"file": _RANK_EVENTS_CSV}, response_example=_RANK_EVENTS_IMPORTED)
}
FACT_IMPORT: Final = {
    "POST": OperationSpec(request_example={"file": _FACTS_CSV}, response_example=_FACTS_IMPORTED)
}
STUDENT_EXPORT: Final = {"GET": OperationSpec(text_examples={"text/csv": _EXPORT})}
