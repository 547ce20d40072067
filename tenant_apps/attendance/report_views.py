"""The reports, as JSON or as a table for a spreadsheet."""

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from rest_framework.response import Response

from tatami.api.renderers import CsvRenderer, JsonRenderer
from tatami.api.views import ApiView
from tatami.errors import Invalid
from tenant_apps.attendance import reports
from tenant_apps.attendance.expectations import expected_attendance
from tenant_apps.attendance.period import asked_period, shown
from tenant_apps.attendance.reports import DATED, GROUPS
from tenant_apps.classes.from_class import local

LONGEST_ABSENCE: Final = 3650
DEFAULT_ABSENCE: Final = 14


class Report(ApiView):
    """A report: `results`, beside what was asked."""

    renderer_classes = [JsonRenderer, CsvRenderer]
    columns: ClassVar[Sequence[str]]

    def csv_columns(self, data: Any) -> Sequence[str]:
        """Return the headings of the table."""
        return self.columns

    def answer(self, name: str, results: list[reports.Row], **asked: Any) -> Response:
        """Return the answer, with a file's name for whom saves it."""
        headers = {"Content-Disposition": f'inline; filename="{name}.csv"'} if self.is_table() else {}
        return Response({**asked, "results": results}, headers=headers)

    def is_table(self) -> bool:
        return isinstance(self.request.accepted_renderer, CsvRenderer)


class AttendanceReport(Report):
    """The visits of a period, counted by day, week, month, class, discipline or student."""

    def get(self, request: Any) -> Response:
        period = asked_period(request)
        group_by = request.query_params.get("group_by", "day")
        if group_by not in GROUPS:
            raise Invalid.field("group_by", f"This must be one of: {', '.join(GROUPS)}.")
        rows = reports.attendance(period, group_by=group_by)
        return self.answer("attendance", rows, **shown(period), group_by=group_by)

    def csv_columns(self, data: Any) -> Sequence[str]:
        key = data["group_by"]
        keys = [key] if key in DATED else [f"{key}_id", key]
        return [*keys, "attendances", "late", "students", "trial"]


class Absentees(Report):
    """Active students who have not come for some days, with how to reach them."""

    columns = ("student_id", "student", "last_visit", "days", "joined_on", "phone", "email", "guardians")

    def get(self, request: Any) -> Response:
        text = request.query_params.get("days", str(DEFAULT_ABSENCE))
        is_number = text.isascii() and text.isdigit() and len(text) <= len(str(LONGEST_ABSENCE))
        if not is_number or not 1 <= int(text) <= LONGEST_ABSENCE:
            raise Invalid.field("days", f"This must be a whole number from 1 to {LONGEST_ABSENCE}.")
        today = local(request.now)
        rows = reports.absentees(days=int(text), today=today)
        return self.answer("absentees", rows, days=int(text), as_of=today)


class RanksReport(Report):
    """How many students hold which rank today."""

    columns = ("rank_system_id", "rank_system", "rank_id", "rank", "code", "students", "trial")

    def get(self, request: Any) -> Response:
        today = local(request.now)
        return self.answer("ranks", reports.ranks(today=today), as_of=today)


class ExpectedAttendance(Report):
    """What each class expected in a period, and what came."""

    columns = (
        "class_id", "class", "enrolled", "sessions", "weeks", "basis", "expected", "actual", "share", "trial",
    )  # fmt: skip

    def get(self, request: Any) -> Response:
        period = asked_period(request)
        rows = expected_attendance(period, today=local(request.now), now=request.now)
        return self.answer("expected-attendance", rows, **shown(period))
