"""The example of the export of all data about a student, to which several apps contribute."""

from typing import Final

from tatami.api.openapi import examples
from tatami.api.openapi.spec import OperationSpec
from tenant_apps.attendance.openapi import ATTENDANCE_EXAMPLE, REFUSAL_EXAMPLE
from tenant_apps.classes.openapi import ENROLMENT_EXAMPLE
from tenant_apps.notifications.openapi import EXPORTED_MAIL_EXAMPLE
from tenant_apps.promotions.openapi import DECISION_EXAMPLE, SNAPSHOT_EXAMPLE, STORED_ITEM_EXAMPLE
from tenant_apps.students.openapi import (
    FACT_EXAMPLE,
    HOLD_EXAMPLE,
    NOTE_EXAMPLE,
    RANK_EVENT_EXAMPLE,
    STUDENT_EXAMPLE,
)

_OF: Final = {"student_id": examples.STUDENT}

_EXPORT: Final = {
    "exported_at": examples.NOW,
    "student": STUDENT_EXAMPLE,
    "users": [{**examples.HANA, "email": examples.EMAIL, "role": "student"}],
    "notes": [NOTE_EXAMPLE],
    "facts": [FACT_EXAMPLE],
    "holds": [HOLD_EXAMPLE],
    "rank_events": [RANK_EVENT_EXAMPLE],
    "enrolments": [ENROLMENT_EXAMPLE],
    "attendance": [ATTENDANCE_EXAMPLE],
    "refusals": [REFUSAL_EXAMPLE],
    "cards": [{"id": examples.CARD, "created_at": examples.NOW, "revoked_at": None, "used_at": examples.NOW}],
    "decisions": [DECISION_EXAMPLE],
    "batches": [STORED_ITEM_EXAMPLE],
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

STUDENT_EXPORT: Final = {"student-export": {"GET": OperationSpec(path=_OF, response_example=_EXPORT)}}
