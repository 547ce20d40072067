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

_ROWS: Final = {"type": "array", "items": {"type": "object", "additionalProperties": True}}
_EXPORT_SCHEMA: Final = {
    "x-component": "StudentExport",
    "type": "object",
    "description": "All that is held about a person. Rows are as on their routes, with names in place of ids.",
    "properties": {
        **dict.fromkeys(_EXPORT, _ROWS),
        "exported_at": {"type": "string", "format": "date-time"},
        "dojo": {"$ref": "#/components/schemas/Reference"},
        "student": {"$ref": "#/components/schemas/Student"},
    },
    "required": list(_EXPORT),
}
STUDENT_EXPORT: Final = {
    "student-export": {
        "GET": OperationSpec(path=_OF, response=_EXPORT_SCHEMA, response_example=_EXPORT),
    }
}


PLATFORM_OPERATIONS: Final = {**ON_THE_PLATFORM}
TENANT_OPERATIONS: Final = {
    **IN_A_TENANT,
    **STUDENT_EXPORT,
}

# --- names of operations ----------------------------------------------------------------------------------------------

OPERATION_IDS: Final = {
    # Others are named after method and route: `list_students`, `create_student`, `update_student`.
    "login": {"POST": "log_in"},
    "refresh": {"POST": "refresh_tokens"},
    "logout": {"POST": "log_out"},
    "password": {"POST": "change_password"},
    "password-reset": {"POST": "request_password_reset"},
    "password-reset-confirm": {"POST": "confirm_password_reset"},
    "second-step": {"POST": "log_in_with_second_factor"},
    "second-factor-enrolment": {"POST": "enrol_at_login"},
    "second-factors": {"POST": "create_second_factor"},
    "second-factor-confirmation": {"POST": "confirm_second_factor"},
    "own-sessions": {"DELETE": "end_other_sessions"},
    "own-session": {"DELETE": "end_own_session"},
    "audit": {"GET": "list_audit_entries"},
    "webhook-test": {"POST": "send_test_to_webhook"},
    "webhook-redelivery": {"POST": "redeliver_to_webhook"},
    "tenants": {"POST": "create_tenant"},
    "tenant-impersonations": {"POST": "impersonate_user"},
    "tenant-purge": {"POST": "purge_tenant"},
    "tenant-exports": {"POST": "start_tenant_export"},
    "own-exports": {"POST": "start_own_export"},
    "own-export-archive": {"GET": "download_own_export"},
    "tenant-export-archive": {"GET": "download_tenant_export"},
    "tls-domain": {"GET": "check_tls_domain"},
    "tenant-domains": {"POST": "create_tenant_domain"},
    "tenant-domain-verification": {"POST": "verify_tenant_domain"},
    "rank-system-presets": {"GET": "list_rank_system_presets"},
    "students-import": {"POST": "import_students"},
    "students-export": {"GET": "export_students"},
    "student-transfers": {"POST": "transfer_student"},
    "student-export": {"GET": "export_student"},
    "student-erasure": {"POST": "erase_student"},
    "student-merge": {"POST": "merge_student"},
    "student-facts": {"POST": "create_student_fact"},
    "student-rank-events": {"POST": "create_student_rank_event"},
    "class-enrolments": {"POST": "create_class_enrolment"},
    "facts-import": {"POST": "import_facts"},
    "fact-void": {"POST": "void_fact"},
    "rank-events-import": {"POST": "import_rank_events"},
    "rank-event-void": {"POST": "void_rank_event"},
    "rank-event-certificate": {"GET": "get_certificate_pdf"},
    "certificate": {"GET": "verify_certificate"},
    "class-session-cancellation": {"POST": "cancel_class_session", "DELETE": "reinstate_class_session"},
    "qr": {"POST": "create_code"},
    "student-card": {"POST": "reissue_student_card", "DELETE": "revoke_student_card"},
    "scan": {"POST": "scan_code"},
    "sync": {"POST": "sync_scans"},
    "attendance": {"GET": "list_attendance", "POST": "record_attendance"},
    "attendance-import": {"POST": "import_attendance"},
    "attendance-entry": {"GET": "get_attendance"},
    "attendance-void": {"POST": "void_attendance"},
    "device-pairing": {"POST": "pair_device"},
    "report-attendance": {"GET": "get_attendance_report"},
    "report-absentees": {"GET": "get_absentees_report"},
    "report-ranks": {"GET": "get_ranks_report"},
    "report-expected-attendance": {"GET": "get_expected_attendance_report"},
    "promotions": {"POST": "promote_student"},
    "promotion-check": {"POST": "check_promotions"},
    "promotion-batches": {"POST": "create_promotion_batch"},
    "promotion-batch-cancel": {"POST": "cancel_promotion_batch"},
    "promotion-batch-revert": {"POST": "revert_promotion_batch"},
    "exam-candidates": {"POST": "add_exam_candidates"},
    "exam-candidate-sheet": {"GET": "get_exam_sheet_pdf"},
    "exam-candidate-fulfilment": {"POST": "fulfil_exam_condition"},
    "exam-results": {"POST": "record_exam_results"},
    "exam-finish": {"POST": "finish_exam"},
    "exam-reopening": {"POST": "reopen_exam"},
    "exam-list": {"GET": "get_examiners_list_pdf"},
    "exam-federation-report": {"GET": "get_federation_report"},
    "exam-federation-report-pdf": {"GET": "get_federation_report_pdf"},
    "exam-certificates": {"GET": "get_exam_certificates_pdf"},
    "notifications": {"POST": "create_notification"},
    "notification-cancel": {"POST": "cancel_notification"},
    "notification-templates": {"GET": "list_notification_templates"},
    "notification-template-preview": {"POST": "preview_notification_template"},
    "notification-template-test": {"POST": "send_test_of_notification_template"},
    "unsubscribe": {"GET": "get_unsubscribe_page", "POST": "unsubscribe"},
}
"""Route → method → name, for both kinds of host."""
