"""The reports."""

from collections.abc import Mapping
from typing import Any, Final

from tatami.api.openapi import examples
from tatami.api.openapi.spec import OperationSpec
from tenant_apps.attendance.report_views import DEFAULT_ABSENCE, LONGEST_ABSENCE
from tenant_apps.attendance.reports import GROUPS

_COUNT: Final = {"type": "integer", "minimum": 0}
_DAY: Final = {"type": "string", "format": "date"}
_NO_DAY: Final = {"type": ["string", "null"], "format": "date"}
_TEXT: Final = {"type": "string"}
_INSTANT: Final = {"type": "string", "format": "date-time"}
_BOUND: Final = {"anyOf": [_DAY, _INSTANT]}


def _things(required: Mapping[str, Any], optional: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the schema of an object."""
    properties = {**(optional or {}), **required}
    return {"type": "object", "required": list(required), "properties": properties}


def _reported(row: Mapping[str, Any], **asked: Any) -> dict[str, Any]:
    """Return the schema of a report: what was asked, and the rows."""
    return _things({**asked, "results": {"type": "array", "items": row}})


_REFERENCE: Final = _things({"id": {"type": "string", "format": "uuid"}, "name": _TEXT})
_MAY_LACK: Final = {**_REFERENCE, "type": ["object", "null"]}
_PERIOD: Final[dict[str, Any]] = {"from": _BOUND, "to": _BOUND}
_IN: Final[dict[str, Any]] = {
    "from": {
        **_BOUND,
        "description": "A day, or an instant; left out, 29 days before `to`.",
        "example": "2026-06-01",
    },
    "to": {
        **_BOUND,
        "description": "A day, which is included, or an instant, which is not; left out, today.",
        "example": "2026-06-15",
    },
}
_PERIOD_SHOWN: Final = {"from": "2026-06-01", "to": "2026-06-15"}
_GROUP_BY: Final = {"type": "string", "enum": list(GROUPS), "default": "day", "example": "class"}
_DAYS: Final = {
    "type": "integer",
    "minimum": 1,
    "maximum": LONGEST_ABSENCE,
    "default": DEFAULT_ABSENCE,
    "example": DEFAULT_ABSENCE,
}

_VISITS: Final = _things(
    dict.fromkeys(("attendances", "late", "students", "trial"), _COUNT),
    {
        "day": _DAY,
        "week": {**_DAY, "description": "Its Monday."},
        "month": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}$"},
        "class": _MAY_LACK,
        "discipline": _MAY_LACK,
        "student": _REFERENCE,
    },
)
_ABSENTEE: Final = _things(
    {
        "student": _REFERENCE,
        "last_visit": _NO_DAY,
        "days": {"type": ["integer", "null"], "minimum": 0},
        "joined_on": _NO_DAY,
        "phone": _TEXT,
        "email": _TEXT,
        "guardians": {
            "type": "array",
            "items": _things({"name": _TEXT, "phone": _TEXT, "email": _TEXT}),
        },
    }
)
_HOLDERS: Final = _things(
    {"rank_system": _REFERENCE, "rank": _REFERENCE, "code": _TEXT, "students": _COUNT, "trial": _COUNT}
)
_EXPECTED: Final = _things(
    {
        "class": _REFERENCE,
        "enrolled": _COUNT,
        "sessions": _COUNT,
        "weeks": {"type": "number", "minimum": 0},
        "basis": {"type": "string", "enum": ["per_week", "rate"]},
        "expected": {"type": "number", "minimum": 0},
        "actual": _COUNT,
        "share": {"type": ["number", "null"], "minimum": 0},
        "trial": _COUNT,
    }
)

REPORTS: Final = {
    "report-attendance": {
        "GET": OperationSpec(
            query={**_IN, "group_by": _GROUP_BY},
            response=_reported(_VISITS, **_PERIOD, group_by={"type": "string", "enum": list(GROUPS)}),
            response_example={
                **_PERIOD_SHOWN,
                "group_by": "class",
                "results": [
                    {"class": examples.EVENING, "attendances": 31, "late": 2, "students": 12, "trial": 1}
                ],
            },
            text_examples={
                "text/csv": "class_id,class,attendances,late,students,trial\r\n"
                f"{examples.CLASS},Evening class,31,2,12,1\r\n"
            },
        )
    },
    "report-absentees": {
        "GET": OperationSpec(
            query={"days": _DAYS},
            response=_reported(_ABSENTEE, days={"type": "integer"}, as_of=_DAY),
            response_example={
                "days": DEFAULT_ABSENCE,
                "as_of": "2026-06-15",
                "results": [
                    {
                        "student": examples.MIKA,
                        "last_visit": "2026-05-28",
                        "days": 18,
                        "joined_on": "2025-09-01",
                        "phone": "",
                        "email": "mika@example.com",
                        "guardians": [{"name": "Hana Sato", "phone": "030 1234", "email": examples.EMAIL}],
                    }
                ],
            },
            text_examples={
                "text/csv": "student_id,student,last_visit,days,joined_on,phone,email,guardians\r\n"
                f"{examples.STUDENT},Mika Sato,2026-05-28,18,2025-09-01,,mika@example.com,[]\r\n"
            },
        )
    },
    "report-ranks": {
        "GET": OperationSpec(
            response=_reported(_HOLDERS, as_of=_DAY),
            response_example={
                "as_of": "2026-06-15",
                "results": [
                    {
                        "rank_system": examples.GRADES,
                        "rank": examples.FIFTH_KYU,
                        "code": "5-kyu",
                        "students": 7,
                        "trial": 0,
                    }
                ],
            },
            text_examples={
                "text/csv": "rank_system_id,rank_system,rank_id,rank,code,students,trial\r\n"
                f"{examples.RANK_SYSTEM},Aikikai Hombu grades,{examples.RANK},5th kyu,5-kyu,7,0\r\n"
            },
        )
    },
    "report-expected-attendance": {
        "GET": OperationSpec(
            query=_IN,
            response=_reported(_EXPECTED, **_PERIOD),
            response_example={
                **_PERIOD_SHOWN,
                "results": [
                    {
                        "class": examples.EVENING,
                        "enrolled": 10,
                        "sessions": 4,
                        "weeks": 2.14,
                        "basis": "per_week",
                        "expected": 42.9,
                        "actual": 31,
                        "share": 0.723,
                        "trial": 1,
                    }
                ],
            },
            text_examples={
                "text/csv": "class_id,class,enrolled,sessions,weeks,basis,expected,actual,share,trial\r\n"
                f"{examples.CLASS},Evening class,10,4,2.14,per_week,42.9,31,0.723,1\r\n"
            },
        )
    },
}
