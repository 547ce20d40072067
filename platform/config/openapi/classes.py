"""Classes, who is enrolled, and their sessions."""

from typing import Any, Final

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from shared_apps.accounts.serializers import ReferenceSerializer
from tatami.api.openapi import examples
from tatami.api.openapi.spec import OperationSpec, create_spec, list_spec, no_content_spec, resource_specs
from tenant_apps.attendance.models import Attendance
from tenant_apps.attendance.roster import ABSENT, EXPECTED, LATE, PRESENT
from tenant_apps.attendance.roster_views import RosterSerializer
from tenant_apps.classes.serializers import (
    CancellationSerializer,
    EnrolmentSerializer,
    NewSessionSerializer,
    SessionChangesSerializer,
    SessionSerializer,
)


class CancellationAnswerSerializer(serializers.Serializer[Any]):
    """Why a session does not take place, said by whom and when."""

    reason = serializers.CharField(allow_blank=True)
    by = ReferenceSerializer(allow_null=True)
    at = serializers.DateTimeField()


@extend_schema_serializer(component_name="Session")
class SessionAnswerSerializer(SessionSerializer):
    """A class session."""

    cancellation = CancellationAnswerSerializer(allow_null=True)  # type: ignore[assignment]


class RosterLineAnswerSerializer(serializers.Serializer[Any]):
    """A student on the roster; `attendance` is the id of the one that stands, if any."""

    student = ReferenceSerializer()
    state = serializers.ChoiceField(choices=[EXPECTED, PRESENT, LATE, ABSENT])
    enrolled = serializers.BooleanField()
    trial = serializers.BooleanField()
    attendance = serializers.UUIDField(allow_null=True)
    checked_in_at = serializers.DateTimeField(allow_null=True)
    method = serializers.ChoiceField(choices=Attendance.Method.choices, allow_null=True)


@extend_schema_serializer(component_name="SessionWithRoster")
class SessionWithRosterAnswerSerializer(SessionAnswerSerializer):
    """A class session; staff see its roster too."""

    roster = RosterLineAnswerSerializer(many=True)

    class Meta(SessionSerializer.Meta):
        fields = (*SessionSerializer.Meta.fields, "roster")  # type: ignore[assignment]
        shown_to_some = ("roster",)


class FeedAddressSerializer(serializers.Serializer[Any]):
    """The address for a calendar program: whoever has it may read the schedule, so it is a secret."""

    url = serializers.URLField()


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
        "more_times": [{"weekdays": ["sa"], "start_time": "10:00", "duration_minutes": 120}],
    },
    "capacity": 24,
    "min_rank": examples.RANK,
    "counts_toward_promotion": True,
    "expected_attendance": {"per_week": 2, "rate": 0.7},
    "check_in_window": _WINDOW,
}
_SHOWN: Final[dict[str, Any]] = {"discipline": examples.AIKIDO, "min_rank": examples.FIFTH_KYU}
_CLASS: Final = examples.row(
    examples.CLASS,
    **{**_CLASS_BODY, **_SHOWN, "instructors": [examples.HANA]},
    archived=False,
)
_SESSION: Final = examples.row(
    examples.SESSION,
    **{"class": examples.EVENING},
    name="Evening class",
    starts_at="2026-06-15T16:30:00Z",
    ends_at="2026-06-15T18:00:00Z",
    duration_minutes=90,
    local_date="2026-06-15",
    status="scheduled",
    cancellation=None,
    class_type="regular",
    instructors=[examples.HANA],
    location="Mat 1",
    note="",
    capacity=24,
    counts_toward_promotion=True,
    check_in_window=_WINDOW,
    **_SHOWN,
)
_SESSION_BODY: Final[dict[str, Any]] = {
    "class": examples.CLASS,
    "starts_at": "2026-06-20T08:00:00Z",
    "duration_minutes": 120,
    "location": "Mat 2",
    "note": "Bring a jo.",
}
_EXTRA: Final = {
    **_SESSION,
    "starts_at": "2026-06-20T08:00:00Z",
    "ends_at": "2026-06-20T10:00:00Z",
    "duration_minutes": 120,
    "local_date": "2026-06-20",
    "location": "Mat 2",
    "note": "Bring a jo.",
}
_LINE: Final = {
    "student": examples.MIKA,
    "state": "present",
    "enrolled": True,
    "trial": False,
    "attendance": examples.ATTENDANCE,
    "checked_in_at": examples.NOW,
    "method": "manual",
}
_WITH_ROSTER: Final = {**_SESSION, "roster": [_LINE]}
_REASON: Final = "The hall is flooded."
_CANCELLED: Final = {
    **_SESSION,
    "status": "cancelled",
    "cancellation": {"reason": _REASON, "by": examples.HANA, "at": examples.NOW},
}
ENROLMENT_EXAMPLE: Final = examples.row(
    examples.ENROLMENT, **{"class": examples.EVENING}, student=examples.MIKA
)
_ICS: Final = """BEGIN:VCALENDAR
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
_CALENDAR: Final = _ICS.format(session=examples.SESSION, tenant=examples.TENANT).replace("\n", "\r\n")
_OF: Final = {"class_id": examples.CLASS}
_AT: Final = {"id": examples.SESSION}

CLASSES: Final = {
    "classes": {"GET": list_spec(_CLASS), "POST": create_spec(_CLASS_BODY, _CLASS)},
    "class": resource_specs({"id": examples.CLASS}, _CLASS, {"capacity": 30}),
    "class-enrolments": {
        "GET": list_spec(ENROLMENT_EXAMPLE, path=_OF),
        "POST": create_spec(
            {"student": examples.NEW_STUDENT},
            {**ENROLMENT_EXAMPLE, "student": examples.reference(examples.NEW_STUDENT, "Ren Ito")},
            path=_OF,
            response=EnrolmentSerializer,
            other_statuses={200: ENROLMENT_EXAMPLE},
        ),
    },
    "class-enrolment": {"DELETE": no_content_spec(path={**_OF, "student_id": examples.STUDENT})},
    "class-sessions": {
        "GET": list_spec(_SESSION, response=SessionAnswerSerializer),
        "POST": create_spec(
            _SESSION_BODY, _EXTRA, request=NewSessionSerializer, response=SessionAnswerSerializer
        ),
    },
    "class-session": {
        "GET": OperationSpec(
            path=_AT, response=SessionWithRosterAnswerSerializer, response_example=_WITH_ROSTER
        ),
        "PATCH": OperationSpec(
            path=_AT,
            request=SessionChangesSerializer,
            request_example={"location": "Mat 2"},
            response=SessionWithRosterAnswerSerializer,
            response_example={**_WITH_ROSTER, "location": "Mat 2"},
        ),
    },
    "class-session-roster": {
        "PUT": OperationSpec(
            path=_AT,
            request=RosterSerializer,
            request_example={"entries": [{"student": examples.STUDENT, "state": "present"}]},
            response=SessionWithRosterAnswerSerializer,
            response_example=_WITH_ROSTER,
        )
    },
    "class-session-cancellation": {
        "POST": create_spec(
            {"reason": _REASON},
            _CANCELLED,
            path=_AT,
            request=CancellationSerializer,
            response=SessionAnswerSerializer,
            other_statuses={200: _CANCELLED},
        ),
        "DELETE": no_content_spec(path=_AT),
    },
    "my-calendar": {
        "POST": create_spec(
            None,
            {"url": f"http://seishin.localhost:8000/calendar.ics?token={examples.FEED}"},
            request=None,
            response=FeedAddressSerializer,
        ),
        "DELETE": no_content_spec(),
    },
    "calendar": {
        "GET": OperationSpec(
            query={"token": {"type": "string", "example": examples.FEED}},
            response={"type": "string"},
            media_types=("text/calendar",),
            text_examples={"text/calendar": _CALENDAR},
        )
    },
}
