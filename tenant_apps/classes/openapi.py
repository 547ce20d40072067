"""The OpenAPI operations of classes, enrolments, sessions and calendar feeds, with their examples."""

from typing import Any, Final

from tatami.api.openapi import examples
from tatami.api.openapi.spec import OperationSpec, create_spec, list_spec, no_content_spec, resource_specs
from tenant_apps.classes.serializers import (
    EnrolmentSerializer,
    FeedAddressSerializer,
    NewCancellationSerializer,
    NewSessionSerializer,
    SessionSerializer,
)

_WINDOW: Final[dict[str, Any]] = {
    "opens_minutes_before": 30,
    "closes_minutes_after": None,
    "late_after_minutes": 10,
}
_CLASS_BODY: Final[dict[str, Any]] = {
    "name": "Evening class",
    "class_type": "regular",
    "discipline": examples.DISCIPLINE,
    "location": "Mat 1",
    "instructors": [examples.USER],
    "recurrence": {
        "weekdays": ["mo", "th"],
        "start_time": "18:30",
        "duration_minutes": 90,
        "from": "2026-06-01",
        "until": "2026-12-20",
        "every_weeks": 1,
        "more_times": [{"weekdays": ["sa"], "start_time": "10:00", "duration_minutes": 120}],
    },
    "capacity": 24,
    "min_rank": examples.RANK,
    "counts_toward_promotion": True,
    "expected_attendance": {"per_week": 2, "rate": 0.7},
    "check_in_window": _WINDOW,
}
_REFERENCES: Final[dict[str, Any]] = {"discipline": examples.AIKIDO, "min_rank": examples.FIFTH_KYU}
_CLASS: Final = examples.row(
    examples.CLASS,
    **{**_CLASS_BODY, **_REFERENCES, "instructors": [examples.HANA]},
    archived=False,
)
SESSION_EXAMPLE: Final = examples.row(
    examples.SESSION,
    **{"class": examples.EVENING},
    name="Evening class",
    starts_at="2026-06-15T16:30:00Z",
    ends_at="2026-06-15T18:00:00Z",
    duration_minutes=90,
    local_date="2026-06-15",
    status="scheduled",
    cancellation=None,
    closure=None,
    class_type="regular",
    instructors=[examples.HANA],
    location="Mat 1",
    note="",
    capacity=24,
    counts_toward_promotion=True,
    check_in_window=_WINDOW,
    **_REFERENCES,
)
_SESSION_BODY: Final[dict[str, Any]] = {
    "class": examples.CLASS,
    "starts_at": "2026-06-20T08:00:00Z",
    "duration_minutes": 120,
    "location": "Mat 2",
    "note": "Bring a jo.",
}
_EXTRA_SESSION: Final = {
    **SESSION_EXAMPLE,
    "starts_at": "2026-06-20T08:00:00Z",
    "ends_at": "2026-06-20T10:00:00Z",
    "duration_minutes": 120,
    "local_date": "2026-06-20",
    "location": "Mat 2",
    "note": "Bring a jo.",
}
_REASON: Final = "The hall is flooded."
_CANCELLED: Final = {
    **SESSION_EXAMPLE,
    "status": "cancelled",
    "cancellation": {"reason": _REASON, "by": examples.HANA, "at": examples.NOW},
}
ENROLMENT_EXAMPLE: Final = examples.row(
    examples.ENROLMENT, **{"class": examples.EVENING, "from": "2026-06-15"}, student=examples.MIKA
)
PAST_ENROLMENT_EXAMPLE: Final = examples.row(
    examples.PAST_ENROLMENT, **{"class": examples.EVENING, "from": "2025-09-01"}, until="2026-03-31"
)
_ICALENDAR: Final = """BEGIN:VCALENDAR
PRODID:-//Tatami//Schedule//EN
VERSION:2.0
METHOD:PUBLISH
X-WR-CALNAME:Seishin Dojo
X-WR-TIMEZONE:Europe/Berlin
REFRESH-INTERVAL;VALUE=DURATION:PT1H
X-PUBLISHED-TTL:PT1H
BEGIN:VEVENT
UID:{session}@{tenant}.tatami
DTSTAMP:20260615T164000Z
LAST-MODIFIED:20260615T164000Z
DTSTART:20260615T163000Z
DTEND:20260615T180000Z
SUMMARY:Evening class
STATUS:CONFIRMED
LOCATION:Mat 1
DESCRIPTION:Hana Sato
END:VEVENT
END:VCALENDAR
"""
_CALENDAR: Final = _ICALENDAR.format(session=examples.SESSION, tenant=examples.TENANT).replace("\n", "\r\n")
_OF_CLASS: Final = {"class_id": examples.CLASS}

CLASSES: Final = {"GET": list_spec(_CLASS), "POST": create_spec(_CLASS_BODY, _CLASS)}
CLASS: Final = resource_specs({"id": examples.CLASS}, _CLASS, {"capacity": 30})
ENROLMENTS: Final = {
    "GET": list_spec(ENROLMENT_EXAMPLE, path=_OF_CLASS),
    "POST": create_spec(
        {"student": examples.NEW_STUDENT},
        {**ENROLMENT_EXAMPLE, "student": examples.reference(examples.NEW_STUDENT, "Ren Ito")},
        path=_OF_CLASS,
        response=EnrolmentSerializer,
        other_statuses={200: ENROLMENT_EXAMPLE},
    ),
}
ENROLMENT: Final = {
    "DELETE": no_content_spec(
        path={**_OF_CLASS, "student_id": examples.STUDENT},
        query={
            "until": {
                "type": "string",
                "format": "date",
                "description": "The last day of the enrolment. Default: yesterday.",
                "example": "2026-06-14",
            }
        },
    )
}
SESSIONS: Final = {
    "GET": list_spec(SESSION_EXAMPLE),
    "POST": create_spec(
        _SESSION_BODY, _EXTRA_SESSION, request=NewSessionSerializer, response=SessionSerializer
    ),
}
CANCELLATION: Final = {
    "POST": create_spec(
        {"reason": _REASON},
        _CANCELLED,
        path={"id": examples.SESSION},
        request=NewCancellationSerializer,
        response=SessionSerializer,
        other_statuses={200: _CANCELLED},
    ),
    "DELETE": no_content_spec(path={"id": examples.SESSION}),
}
_CLOSURE_BODY: Final[dict[str, Any]] = {
    "from": "2026-07-20",
    "until": "2026-08-02",
    "reason": "Summer break",
    "classes": [examples.CLASS],
}
_CLOSURE: Final = examples.row(
    examples.CLOSURE, **{**_CLOSURE_BODY, "classes": [examples.EVENING]}, sessions=4
)
CLOSURES: Final = {"GET": list_spec(_CLOSURE), "POST": create_spec(_CLOSURE_BODY, _CLOSURE)}
CLOSURE: Final = {
    "GET": OperationSpec(path={"id": examples.CLOSURE}, response_example=_CLOSURE),
    "DELETE": no_content_spec(path={"id": examples.CLOSURE}),
}
MY_CALENDAR: Final = {
    "POST": create_spec(
        None,
        {"url": f"http://seishin.localhost:8000/calendar.ics?token={examples.FEED}"},
        request=None,
        response=FeedAddressSerializer,
    ),
    "DELETE": no_content_spec(),
}
CALENDAR: Final = {
    "GET": OperationSpec(
        query={"token": {"type": "string", "example": examples.FEED}},
        response={"type": "string"},
        media_types=("text/calendar",),
        text_examples={"text/calendar": _CALENDAR},
    )
}
