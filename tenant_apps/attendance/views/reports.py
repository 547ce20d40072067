"""The reports, as JSON or as tables.

The schema of a report's rows is beside its view. It makes the OpenAPI document and the columns of the table.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from django.utils.translation import gettext
from rest_framework.response import Response

from tatami.api.filters import (
    DATE_OR_INSTANT,
    read_date_or_instant,
    read_one_of,
    read_parameter,
    read_whole_number,
)
from tatami.api.openapi import examples
from tatami.api.openapi.spec import OperationSpec
from tatami.api.tables import TableMixin
from tatami.api.views import ApiView
from tatami.clock import tenant_date
from tatami.errors import Invalid
from tenant_apps.attendance import reports
from tenant_apps.attendance.reports import DATE_GROUPS, GROUPS, Period

DEFAULT_PERIOD_DAYS: Final = 30
MAX_PERIOD_DAYS: Final = 1100
"""A little more than three years. It limits the cost of one request."""
DEFAULT_ABSENCE_DAYS: Final = 14
MAX_ABSENCE_DAYS: Final = 3650

_COUNT: Final = {"type": "integer", "minimum": 0}
_DATE: Final = {"type": "string", "format": "date"}
_DATE_OR_NULL: Final = {"type": ["string", "null"], "format": "date"}
_TEXT: Final = {"type": "string"}


def _object(required: Mapping[str, Any], optional: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the JSON schema of an object."""
    properties = {**(optional or {}), **required}
    return {"type": "object", "required": list(required), "properties": properties}


_REFERENCE: Final = {"$ref": "#/components/schemas/Reference"}
_REFERENCE_OR_NULL: Final = {"oneOf": [_REFERENCE, {"type": "null"}]}
_PERIOD: Final[dict[str, Any]] = {"from": DATE_OR_INSTANT, "to": DATE_OR_INSTANT}
_PERIOD_QUERY: Final[dict[str, Any]] = {
    "from": {
        **DATE_OR_INSTANT,
        "description": "A day, or an instant. Default: 29 days before `to`.",
        "example": "2026-06-01",
    },
    "to": {
        **DATE_OR_INSTANT,
        "description": "A day, which is included, or an instant, which is not. Default: today.",
        "example": "2026-06-15",
    },
}
_PERIOD_EXAMPLE: Final = {"from": "2026-06-01", "to": "2026-06-15"}


def _columns(row: Mapping[str, Any]) -> list[str]:
    """Return the columns of a row schema: a reference is two columns, its id and its name."""
    headings = []
    for name in row["required"]:
        headings += [f"{name}_id", name] if row["properties"][name] == _REFERENCE else [name]
    return headings


def _report(name: str, row: Mapping[str, Any], query: Mapping[str, Any], **parameters: Any) -> dict[str, Any]:
    """Return the arguments of an `OperationSpec` for a report: its query, and parameters and rows in the response.

    `name` is that of the component of the response.
    """
    rows = {"type": "array", "items": {"x-component": f"{name}Row", **row}}
    schema = {"x-component": name, **_object({**parameters, "results": rows})}
    return {"query": query, "response": schema}


class Report(TableMixin, ApiView):
    """A report: `results`, and the parameters it was made with."""

    row: ClassVar[Mapping[str, Any]]
    """The JSON schema of a row."""

    def table_columns(self, data: Any) -> Sequence[str]:
        return _columns(self.row)


class AttendanceReport(Report):
    """The attendances of a period, counted by day, week, month, class, discipline or student."""

    table_name = "attendance"
    row = _object(
        dict.fromkeys(("attendances", "late", "students", "trial"), _COUNT),
        {
            "day": _DATE,
            "week": {**_DATE, "description": "Its Monday."},
            "month": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}$"},
            "class": _REFERENCE_OR_NULL,
            "discipline": _REFERENCE_OR_NULL,
            "student": _REFERENCE,
        },
    )
    operations = {
        "GET": OperationSpec(
            **_report(
                "AttendanceReport",
                row,
                {
                    **_PERIOD_QUERY,
                    "group_by": {
                        "type": "string",
                        "enum": list(GROUPS),
                        "default": "day",
                        "example": "class",
                    },
                },
                **_PERIOD,
                group_by={"type": "string", "enum": list(GROUPS)},
            ),
            response_example={
                **_PERIOD_EXAMPLE,
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
    }

    def get(self, request: Any) -> Response:
        period = read_period(request)
        group_by = read_parameter(request.query_params, "group_by", read_one_of(GROUPS), default="day")
        rows = reports.attendance(period, group_by=group_by)
        return Response({**_period_data(period), "group_by": group_by, "results": rows})

    def table_columns(self, data: Any) -> Sequence[str]:
        key = data["group_by"]
        return [*([key] if key in DATE_GROUPS else [f"{key}_id", key]), *_columns(self.row)]


class Absentees(Report):
    """Active students without an attendance for some days, with their contacts."""

    table_name = "absentees"
    row = _object(
        {
            "student": _REFERENCE,
            "last_visit": _DATE_OR_NULL,
            "days": {"type": ["integer", "null"], "minimum": 0},
            "joined_on": _DATE_OR_NULL,
            "phone": _TEXT,
            "email": _TEXT,
            "guardians": {
                "type": "array",
                "items": _object({"name": _TEXT, "phone": _TEXT, "email": _TEXT}),
            },
        }
    )
    operations = {
        "GET": OperationSpec(
            **_report(
                "AbsenteesReport",
                row,
                {
                    "days": {
                        "type": "integer",
                        "minimum": 1,
                        "maximum": MAX_ABSENCE_DAYS,
                        "default": DEFAULT_ABSENCE_DAYS,
                        "example": DEFAULT_ABSENCE_DAYS,
                    }
                },
                days={"type": "integer"},
                as_of=_DATE,
            ),
            response_example={
                "days": DEFAULT_ABSENCE_DAYS,
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
    }

    def get(self, request: Any) -> Response:
        read_days = read_whole_number(1, MAX_ABSENCE_DAYS)
        days = read_parameter(request.query_params, "days", read_days, default=DEFAULT_ABSENCE_DAYS)
        today = tenant_date(request.now)
        return Response({"days": days, "as_of": today, "results": reports.absentees(days=days, today=today)})


class RanksReport(Report):
    """How many students hold which rank today."""

    table_name = "ranks"
    row = _object(
        {"rank_system": _REFERENCE, "rank": _REFERENCE, "code": _TEXT, "students": _COUNT, "trial": _COUNT}
    )
    operations = {
        "GET": OperationSpec(
            **_report("RanksReport", row, {}, as_of=_DATE),
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
    }

    def get(self, request: Any) -> Response:
        today = tenant_date(request.now)
        return Response({"as_of": today, "results": reports.ranks(today=today)})


class ExpectedAttendance(Report):
    """The attendance that each class expected in a period, and the actual one."""

    table_name = "expected-attendance"
    row = _object(
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
    operations = {
        "GET": OperationSpec(
            **_report("ExpectedAttendanceReport", row, _PERIOD_QUERY, **_PERIOD),
            response_example={
                **_PERIOD_EXAMPLE,
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
    }

    def get(self, request: Any) -> Response:
        period = read_period(request)
        rows = reports.expected_attendance(period, today=tenant_date(request.now), now=request.now)
        return Response({**_period_data(period), "results": rows})


def read_period(request: Any) -> Period:
    """Return the period from `from` to `to`: by default the 30 days that end today, or with `to`.

    Raises `Invalid` if a bound is neither a date nor an instant, if `to` is before `from`, or if the period has more
    than `MAX_PERIOD_DAYS` days.
    """
    until = read_parameter(request.query_params, "to", read_date_or_instant, default=tenant_date(request.now))
    try:
        last_day = Period(until, until).last_day
        since = read_parameter(request.query_params, "from", read_date_or_instant, default=None)
        since = since or last_day - timedelta(days=DEFAULT_PERIOD_DAYS - 1)
        days = (last_day - Period(since, until).first_day).days + 1
    except OverflowError:
        raise Invalid.field("to", gettext("This date is out of range.")) from None
    if days < 1 or (isinstance(since, datetime) and isinstance(until, datetime) and until <= since):
        raise Invalid.field("to", gettext("This is before `from`."))
    if days > MAX_PERIOD_DAYS:
        raise Invalid.field(
            "from",
            gettext("A report covers at most {max_period_days} days.").format(
                max_period_days=MAX_PERIOD_DAYS
            ),
        )
    return Period(since, until)


def _period_data(period: Period) -> dict[str, Any]:
    """Return the bounds of a period as they were given."""
    return {"from": period.since, "to": period.until}
