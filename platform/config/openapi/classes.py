"""Classes, who is enrolled, and their sessions."""

from typing import Any, Final

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from config.openapi import values
from config.openapi.accounts import ReferenceSerializer
from config.openapi.frequent import listed, made, resource, silent
from tatami.api.openapi import Described
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
    "discipline": values.DISCIPLINE,
    "location": "Mat 1",
    "instructors": [values.USER],
    "recurrence": {
        "weekdays": ["mo", "th"],
        "start_time": "18:30",
        "duration_minutes": 90,
        "from": "2026-06-01",
        "until": "2026-12-20",
        "more_times": [{"weekdays": ["sa"], "start_time": "10:00", "duration_minutes": 120}],
    },
    "capacity": 24,
    "min_rank": values.RANK,
    "counts_toward_promotion": True,
    "expected_attendance": {"per_week": 2, "rate": 0.7},
    "check_in_window": _WINDOW,
}
_SHOWN: Final[dict[str, Any]] = {"discipline": values.AIKIDO, "min_rank": values.FIFTH_KYU}
_CLASS: Final = values.row(
    values.CLASS,
    **{**_CLASS_BODY, **_SHOWN, "instructors": [values.HANA]},
    archived=False,
)
_SESSION: Final = values.row(
    values.SESSION,
    **{"class": values.EVENING},
    name="Evening class",
    starts_at="2026-06-15T16:30:00Z",
    ends_at="2026-06-15T18:00:00Z",
    duration_minutes=90,
    local_date="2026-06-15",
    status="scheduled",
    cancellation=None,
    class_type="regular",
    instructors=[values.HANA],
    location="Mat 1",
    note="",
    capacity=24,
    counts_toward_promotion=True,
    check_in_window=_WINDOW,
    **_SHOWN,
)
_SESSION_BODY: Final[dict[str, Any]] = {
    "class": values.CLASS,
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
    "student": values.MIKA,
    "state": "present",
    "enrolled": True,
    "trial": False,
    "attendance": values.ATTENDANCE,
    "checked_in_at": values.NOW,
    "method": "manual",
}
_WITH_ROSTER: Final = {**_SESSION, "roster": [_LINE]}
_REASON: Final = "The hall is flooded."
_CANCELLED: Final = {
    **_SESSION,
    "status": "cancelled",
    "cancellation": {"reason": _REASON, "by": values.HANA, "at": values.NOW},
}
ENROLMENT_EXAMPLE: Final = values.row(values.ENROLMENT, **{"class": values.EVENING}, student=values.MIKA)
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
_CALENDAR: Final = _ICS.format(session=values.SESSION, tenant=values.TENANT).replace("\n", "\r\n")
_OF: Final = {"class_id": values.CLASS}
_AT: Final = {"id": values.SESSION}

CLASSES: Final = {
    "classes": {"GET": listed(_CLASS), "POST": made(_CLASS_BODY, _CLASS)},
    "class": resource({"id": values.CLASS}, _CLASS, {"capacity": 30}),
    "class-enrolments": {
        "GET": listed(ENROLMENT_EXAMPLE, at=_OF),
        "POST": made(
            {"student": values.NEW_STUDENT},
            {**ENROLMENT_EXAMPLE, "student": values.named(values.NEW_STUDENT, "Ren Ito")},
            at=_OF,
            answer=EnrolmentSerializer,
            also={200: ENROLMENT_EXAMPLE},
        ),
    },
    "class-enrolment": {"DELETE": silent(at={**_OF, "student_id": values.STUDENT})},
    "class-sessions": {
        "GET": listed(_SESSION, answer=SessionAnswerSerializer),
        "POST": made(_SESSION_BODY, _EXTRA, takes=NewSessionSerializer, answer=SessionAnswerSerializer),
    },
    "class-session": {
        "GET": Described(at=_AT, answer=SessionWithRosterAnswerSerializer, shown=_WITH_ROSTER),
        "PATCH": Described(
            at=_AT,
            takes=SessionChangesSerializer,
            body={"location": "Mat 2"},
            answer=SessionWithRosterAnswerSerializer,
            shown={**_WITH_ROSTER, "location": "Mat 2"},
        ),
    },
    "class-session-roster": {
        "PUT": Described(
            at=_AT,
            takes=RosterSerializer,
            body={"entries": [{"student": values.STUDENT, "state": "present"}]},
            answer=SessionWithRosterAnswerSerializer,
            shown=_WITH_ROSTER,
        )
    },
    "class-session-cancellation": {
        "POST": made(
            {"reason": _REASON},
            _CANCELLED,
            at=_AT,
            takes=CancellationSerializer,
            answer=SessionAnswerSerializer,
            also={200: _CANCELLED},
        ),
        "DELETE": silent(at=_AT),
    },
    "my-calendar": {
        "POST": made(
            None,
            {"url": f"http://seishin.localhost:8000/calendar.ics?token={values.FEED}"},
            takes=None,
            answer=FeedAddressSerializer,
        ),
        "DELETE": silent(),
    },
    "calendar": {
        "GET": Described(
            query={"token": {"type": "string", "example": values.FEED}},
            answer={"type": "string"},
            media_types=("text/calendar",),
            written={"text/calendar": _CALENDAR},
        )
    },
}
