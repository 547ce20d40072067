"""The OpenAPI operations of codes, scans, attendances, rosters and devices, with their examples.

Those of the reports are beside their views, because each has a schema of its own.
"""

from typing import Any, Final

from tatami.api.openapi import examples
from tatami.api.openapi.spec import OperationSpec, create_spec, list_spec, no_content_spec
from tenant_apps.attendance.check_in.responses import ALERTS
from tenant_apps.attendance.serializers import (
    AttendanceSerializer,
    CheckInSerializer,
    CodeSerializer,
    ManualAttendanceSerializer,
    NewDeviceSerializer,
    PairedSerializer,
    SessionWithRosterSerializer,
    SyncResultsSerializer,
    UnpairedDeviceSerializer,
)
from tenant_apps.classes.openapi import SESSION_EXAMPLE
from tenant_apps.classes.serializers import SessionChangesSerializer

ATTENDANCE_EXAMPLE: Final = examples.row(
    examples.ATTENDANCE,
    student=examples.MIKA,
    class_session=examples.THIS_EVENING,
    checked_in_at=examples.NOW,
    method="qr_rotating",
    late=False,
    uploaded_late=False,
    voided=False,
    void_reason="",
)
_CHECK_IN: Final[dict[str, Any]] = {
    "status": "recorded",
    "attendance": ATTENDANCE_EXAMPLE,
    "student": {
        **examples.MIKA,
        "ranks": [
            {**examples.FIFTH_KYU, "code": "5-kyu", "rank_system": examples.GRADES, "since": "2026-01-10"}
        ],
    },
    "alerts": [{"code": "birthday", "message": ALERTS["birthday"]}],
}
_CHECK_IN_AGAIN: Final = {**_CHECK_IN, "status": "already_recorded"}
_CODE: Final = {
    "token": examples.CODE,
    "url": f"http://seishin.localhost:8000/check-in/{examples.CODE}",
    "kind": "rotating",
    "expires_at": "2026-06-15T16:40:30Z",
    "image": "data:image/svg+xml;base64,PHN2Zy8+",
}
REFUSAL_EXAMPLE: Final = examples.row(
    examples.REFUSAL,
    code="session_full",
    student=examples.MIKA,
    class_session=examples.THIS_EVENING,
    scanned_at=examples.NOW,
    recorded_by=examples.HANA,
    device=None,
)
_OFFLINE: Final = {
    "sent_at": examples.NOW,
    "scans": [
        {
            "token": examples.CODE,
            "class_session": examples.SESSION,
            "nonce": "desk-1-000043",
            "scanned_at": examples.NOW,
            "seq": 43,
        },
        {"token": "no code of ours", "nonce": "desk-1-000044", "scanned_at": examples.NOW, "seq": 44},
    ],
}
_SYNCED: Final = {
    "results": [
        {"nonce": "desk-1-000043", "status": "recorded", "attendance": ATTENDANCE_EXAMPLE},
        {"nonce": "desk-1-000044", "status": "refused", "code": "qr_invalid"},
    ]
}
_REASON: Final = {"reason": "It was entered twice."}
_VOIDED: Final = {**ATTENDANCE_EXAMPLE, "voided": True, "void_reason": _REASON["reason"]}

_DEVICE_BODY: Final = {"name": "Front door", "location": "Mat 1"}
_DEVICE: Final = examples.row(
    examples.DEVICE,
    **_DEVICE_BODY,
    last_seen=examples.NOW,
    last_seq=42,
    paired=True,
    paired_at="2026-06-01T15:00:00Z",
    revoked=False,
    revoked_at=None,
)
_SESSION_WITH_ROSTER: Final = {
    **SESSION_EXAMPLE,
    "roster": [
        {
            "student": examples.MIKA,
            "state": "present",
            "enrolled": True,
            "trial": False,
            "attendance": examples.ATTENDANCE,
            "checked_in_at": examples.NOW,
            "method": "manual",
        }
    ],
}

# --- codes and scans ------------------------------------------------------------------------------------------------

QR: Final = {
    "POST": create_spec(
        {"student": examples.STUDENT, "kind": "rotating", "format": "svg"}, _CODE, response=CodeSerializer
    )
}
STUDENT_CARD: Final = {
    "POST": create_spec(
        {"format": "png"},
        {**_CODE, "kind": "card", "expires_at": None, "image": "data:image/png;base64,iVBORw0KGgo="},
        path={"id": examples.STUDENT},
        response=CodeSerializer,
    ),
    "DELETE": no_content_spec(path={"id": examples.STUDENT}),
}
SCAN: Final = {
    "POST": create_spec(
        {"token": examples.CODE, "class_session": examples.SESSION, "nonce": "desk-1-000042"},
        _CHECK_IN,
        response=CheckInSerializer,
        other_statuses={200: _CHECK_IN_AGAIN},
    )
}
SYNC: Final = {
    "POST": OperationSpec(request_example=_OFFLINE, response=SyncResultsSerializer, response_example=_SYNCED)
}

# --- attendances ----------------------------------------------------------------------------------------------------

ATTENDANCES: Final = {
    "GET": list_spec(ATTENDANCE_EXAMPLE),
    "POST": create_spec(
        {"student": examples.NEW_STUDENT, "class_session": examples.SESSION, "late": False},
        _CHECK_IN,
        request=ManualAttendanceSerializer,
        response=CheckInSerializer,
        other_statuses={200: _CHECK_IN_AGAIN},
    ),
}
ATTENDANCE: Final = {
    "GET": OperationSpec(path={"id": examples.ATTENDANCE}, response_example=ATTENDANCE_EXAMPLE)
}
STUDENT_ATTENDANCE: Final = {"GET": list_spec(ATTENDANCE_EXAMPLE, path={"student_id": examples.STUDENT})}
VOID: Final = {
    "POST": OperationSpec(
        path={"id": examples.ATTENDANCE},
        request_example=_REASON,
        response=AttendanceSerializer,
        response_example=_VOIDED,
    )
}
_ATTENDANCE_CSV: Final = f"""external_id,date,class,late
{examples.EXTERNAL_ID},2026-06-15,Evening class,true
{examples.EXTERNAL_ID},2026-06-15,Sword class,
"""
ATTENDANCE_IMPORT: Final = {
    "POST": OperationSpec(
        request_example={"file": _ATTENDANCE_CSV},
        response_example={
            "dry_run": False,
            "created": 1,
            "updated": 0,
            "restored": 0,
            "failed": 1,
            "duplicates": 0,
            "encoding": "utf-8",
            "date_formats": {},
            "ignored_columns": [],
            "warnings": [],
            "letter": "\n".join(
                [
                    "1 of 2 lines were imported (1 new).",
                    "",
                    "These lines were not imported:",
                    "- Line 3: class: There is no such session on this date.",
                ]
            ),
            "rows": [
                {"line": 2, "outcome": "created", "student": examples.MIKA, "errors": {}},
                {
                    "line": 3,
                    "outcome": "failed",
                    "student": examples.MIKA,
                    "errors": {"class": ["There is no such session on this date."]},
                },
            ],
        },
    )
}
REFUSALS: Final = {"GET": list_spec(REFUSAL_EXAMPLE)}

# --- rosters --------------------------------------------------------------------------------------------------------

SESSION: Final = {
    "GET": OperationSpec(path={"id": examples.SESSION}, response_example=_SESSION_WITH_ROSTER),
    "PATCH": OperationSpec(
        path={"id": examples.SESSION},
        request=SessionChangesSerializer,
        request_example={"location": "Mat 2"},
        response=SessionWithRosterSerializer,
        response_example={**_SESSION_WITH_ROSTER, "location": "Mat 2"},
    ),
}
ROSTER: Final = {
    "PUT": OperationSpec(
        path={"id": examples.SESSION},
        request_example={"entries": [{"student": examples.STUDENT, "state": "present"}]},
        response=SessionWithRosterSerializer,
        response_example=_SESSION_WITH_ROSTER,
    )
}

# --- devices --------------------------------------------------------------------------------------------------------

DEVICES: Final = {
    "GET": list_spec(_DEVICE),
    "POST": create_spec(
        _DEVICE_BODY,
        {"id": examples.DEVICE, "pairing_code": examples.PAIRING_CODE, "expires_at": "2026-06-15T16:50:00Z"},
        request=NewDeviceSerializer,
        response=UnpairedDeviceSerializer,
    ),
}
DEVICE: Final = {
    "GET": OperationSpec(path={"id": examples.DEVICE}, response_example=_DEVICE),
    "DELETE": no_content_spec(path={"id": examples.DEVICE}),
}
PAIRING: Final = {
    "POST": create_spec(
        {"code": examples.PAIRING_CODE},
        {"device": {"id": examples.DEVICE, **_DEVICE_BODY}, "access": examples.DEVICE_TOKEN},
        response=PairedSerializer,
    )
}
