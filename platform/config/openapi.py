"""OpenAPI operations that are not declared by a view, by route, for each kind of host.

A view declares its operations itself (`operations`). Here are those whose examples differ by kind of host (`/me`,
`/users`) or need several apps (the export of all data about a student). A route without an example fails
tests/http/test_openapi_document.py, which also sends the examples.
"""

from typing import Final

from shared_apps.accounts.openapi import USER_EXAMPLE, me_operations, user_operations
from tatami.api.openapi import examples
from tatami.api.openapi.spec import OperationSpec
from tenant_apps.attendance.openapi import ATTENDANCE_EXAMPLE, REFUSAL_EXAMPLE
from tenant_apps.classes.openapi import ENROLMENT_EXAMPLE, PAST_ENROLMENT_EXAMPLE
from tenant_apps.notifications.openapi import EXPORTED_MAIL_EXAMPLE
from tenant_apps.promotions.openapi import (
    DECISION_EXAMPLE,
    JUDGED_EXAMPLE,
    SNAPSHOT_EXAMPLE,
    STORED_ITEM_EXAMPLE,
)
from tenant_apps.students.openapi import (
    FACT_EXAMPLE,
    HOLD_EXAMPLE,
    NOTE_EXAMPLE,
    RANK_EVENT_EXAMPLE,
    STUDENT_EXAMPLE,
)

ON_THE_PLATFORM: Final = {
    "me": me_operations({**USER_EXAMPLE, "tenant": None, "students": []}),
    **user_operations(
        {
            **USER_EXAMPLE,
            "tenant_id": examples.PLATFORM,
            "is_active": True,
            "archived": False,
            **examples.STAMPS,
        },
        {"email": "ren@example.com", "name": "Ren Ito", "role": "admin"},
    ),
}

_TENANT: Final = {
    "id": examples.TENANT,
    "slug": "seishin",
    "name": "Seishin Dojo",
    "timezone": "Europe/Berlin",
}
IN_A_TENANT: Final = {
    "me": me_operations({**USER_EXAMPLE, "tenant": _TENANT, "students": [examples.MIKA]}),
    **user_operations(
        examples.row(
            examples.USER,
            email=examples.EMAIL,
            name="Hana Sato",
            role="admin",
            is_active=True,
            archived=False,
            students=[examples.MIKA],
        ),
        {
            "email": "ren@example.com",
            "name": "Ren Ito",
            "role": "student",
            "students": [examples.STUDENT],
        },
    ),
}


_OF: Final = {"student_id": examples.STUDENT}

_SESSION: Final = {"local_date": "2026-06-15", "discipline": "Aikido", "counts_toward_promotion": True}
_EXPORT: Final = {
    "exported_at": examples.NOW,
    "dojo": examples.reference(examples.SETTINGS, "Seishin Dojo"),
    "student": STUDENT_EXAMPLE,
    "users": [{**examples.HANA, "email": examples.EMAIL, "role": "student"}],
    "notes": [NOTE_EXAMPLE],
    "facts": [{**FACT_EXAMPLE, "preset": "aikikai"}],
    "holds": [HOLD_EXAMPLE],
    "rank_events": [{**RANK_EVENT_EXAMPLE, "rank_code": "5-kyu", "preset": "aikikai"}],
    "enrolments": [ENROLMENT_EXAMPLE],
    "past_enrolments": [PAST_ENROLMENT_EXAMPLE],
    "attendance": [{**ATTENDANCE_EXAMPLE, **_SESSION}],
    "refusals": [REFUSAL_EXAMPLE],
    "cards": [{"id": examples.CARD, "created_at": examples.NOW, "revoked_at": None, "used_at": examples.NOW}],
    "decisions": [DECISION_EXAMPLE],
    "batches": [STORED_ITEM_EXAMPLE],
    "exams": [
        {
            "id": examples.CANDIDATE,
            "exam_name": "Summer grading",
            "marks": {"Kihon": 7, "Kata": 6.5},
            "condition": "",
            "condition_until": None,
            "condition_met_on": None,
            "invited": JUDGED_EXAMPLE,
            "decided": JUDGED_EXAMPLE,
            "held_on": "2026-06-27",
            "target_rank": "4th kyu",
            "outcome": "passed",
            "override_reason": "",
            "event_id": examples.AWARD,
            "certificate": examples.CERTIFICATE,
            "certificate_number": "KITA-2026-0042",
        }
    ],
    "eligibility": [SNAPSHOT_EXAMPLE],
    "notifications": [EXPORTED_MAIL_EXAMPLE],
}

STUDENT_EXPORT: Final = {"student-export": {"GET": OperationSpec(path=_OF, response_example=_EXPORT)}}


PLATFORM_OPERATIONS: Final = {**ON_THE_PLATFORM}
TENANT_OPERATIONS: Final = {
    **IN_A_TENANT,
    **STUDENT_EXPORT,
}
