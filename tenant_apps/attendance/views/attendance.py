"""Attendances: listed, recorded by hand, imported, voided; and the scans that were refused."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from tatami.api.filters import by_id, by_text, one_of, since, until
from tatami.api.pagination import CursorPages
from tatami.api.permissions import Visibility
from tatami.api.tables import TableOfList
from tatami.api.views import ApiView, Detail, Listing
from tatami.postgresql.statements import Row
from tenant_apps.attendance import openapi
from tenant_apps.attendance.attendance_import import import_attendance
from tenant_apps.attendance.corrections import record_by_hand, void_attendance
from tenant_apps.attendance.models import Attendance, Refusal
from tenant_apps.attendance.serializers import (
    AttendanceSerializer,
    ManualAttendanceSerializer,
    RefusalSerializer,
)
from tenant_apps.attendance.views.scans import http_response
from tenant_apps.students.models import full_name
from tenant_apps.students.serializers import ReasonSerializer
from tenant_apps.students.views.csv_files import HOW_TO_READ, ImportedSerializer, ImportView
from tenant_apps.students.views.records import read_reason, visible_student

ATTENDANCE_COLUMNS: Final = (
    "id",
    "tenant_id",
    "student_id",
    "student__first_name",
    "student__last_name",
    "student__family_first",
    "student__erased_at",
    "class_session_id",
    "class_session__name",
    "checked_in_at",
    "method",
    "late",
    "uploaded_late",
    "voided_at",
    "void_reason",
    "created_at",
    "updated_at",
)
ATTENDANCE_TABLE: Final = {
    "id": "pk",
    "student_id": "student",
    "external_id": "student__external_id",
    "first_name": "student__first_name",
    "last_name": "student__last_name",
    "birth_date": "student__birth_date",
    "date": "class_session__local_date",
    "class": "class_session__training_class__name",
    "class_session_id": "class_session",
    "class_session": "class_session__name",
    "starts_at": "class_session__starts_at",
    "checked_in_at": "checked_in_at",
    "method": "method",
    "late": "late",
    "voided_at": "voided_at",
    "void_reason": "void_reason",
}
"""The columns of exported attendances; the import of attendances reads those that it needs."""
ATTENDANCES: Final = Attendance.objects.select_related("student", "class_session")


class _AttendanceList(TableOfList, Listing):
    """What both lists of attendances have in common: a compiled list, newest first, also as a table."""

    table_name = "attendance"
    table = ATTENDANCE_TABLE
    queryset = ATTENDANCES
    serializer_class = AttendanceSerializer
    pagination_class = CursorPages
    cursor_column = "checked_in_at"
    columns = ATTENDANCE_COLUMNS

    def page_data(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """Return rows of `ATTENDANCE_COLUMNS` as `AttendanceSerializer` shows them."""
        return [_attendance(*row) for row in rows]


class AttendanceCollection(_AttendanceList):
    """The attendances, newest first, also those that are voided. POST records one by hand."""

    operations = openapi.ATTENDANCES
    filters = {
        "student": by_id("student"),
        "class_session": by_id("class_session"),
        "class": by_id("class_session__training_class"),
        "method": one_of("method", Attendance.Method),
        "from": since("class_session__starts_at"),
        "to": until("class_session__starts_at"),
    }

    def post(self, request: Any) -> HttpResponse:
        serializer = ManualAttendanceSerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        values = serializer.validated_data
        response = record_by_hand(
            student=values["student"],
            session=values["class_session"],
            checked_in_at=values.get("checked_in_at"),
            late=values.get("late"),
            by=request.user,
            now=request.now,
        )
        return http_response(response)


def _attendance(
    key: str,
    tenant: str,
    student: str,
    first_name: str,
    last_name: str,
    family_first: bool,
    erased_at: datetime | None,
    session: str,
    session_name: str,
    checked_in_at: datetime,
    method: str,
    late: bool,
    uploaded_late: bool,
    voided_at: datetime | None,
    void_reason: str,
    created_at: datetime,
    updated_at: datetime,
) -> dict[str, Any]:
    name = full_name(first_name, last_name, family_first, is_erased=erased_at is not None)
    return {
        "id": key,
        "tenant_id": tenant,
        "student": {"id": student, "name": name},
        "class_session": {"id": session, "name": session_name},
        "checked_in_at": checked_in_at,
        "method": method,
        "late": late,
        "uploaded_late": uploaded_late,
        "voided": voided_at is not None,
        "void_reason": void_reason,
        "created_at": created_at,
        "updated_at": updated_at,
    }


class AttendanceImportView(ImportView):
    """Import attendances, one per line. Name the student by `external_id`, or by name and birth date.

    Name the session by `class_session_id`, or by `date` and the name of the `class` or of the `class_session`. If there
    are several on that day, add the local `time`, or `starts_at`.

    Columns: `external_id` or `first_name, last_name, birth_date`; `date, class, class_session, time, starts_at,
    class_session_id`; `checked_in_at` (default: the start), `late`. Exported attendances can be imported.
    """

    operations = openapi.ATTENDANCE_IMPORT

    @extend_schema(parameters=HOW_TO_READ, responses={200: ImportedSerializer})
    def post(self, request: Any) -> Response:
        return Response(
            import_attendance(
                self.content(),
                by=request.user,
                now=request.now,
                dry_run=self.flag("dry_run"),
                options=self.read_options(),
            )
        )


class AttendanceEntry(Detail):
    """One attendance, voided or not."""

    operations = openapi.ATTENDANCE
    queryset = ATTENDANCES
    serializer_class = AttendanceSerializer


class StudentAttendance(_AttendanceList):
    """The attendances of one student."""

    operations = openapi.STUDENT_ATTENDANCE
    filters = {"from": since("class_session__starts_at"), "to": until("class_session__starts_at")}

    def read_values(self) -> dict[str, Any]:
        return {"of student": visible_student(self.request, self.kwargs["student_id"]).pk}

    def get_queryset(self) -> QuerySet[Attendance]:
        if getattr(self, "swagger_fake_view", False):
            return ATTENDANCES.none()
        return ATTENDANCES.filter(student=self.values["of student"])


class VoidAttendance(ApiView):
    """Void an attendance, with a reason. It stays in the list and no longer counts."""

    operations = openapi.VOID
    serializer_class = ReasonSerializer

    def post(self, request: Any, id: Any) -> Response:
        row = void_attendance(
            attendance_id=id,
            reason=read_reason(request),
            by=request.user,
            only_recorded_today=request.visibility is Visibility.RECORDED,
            now=request.now,
        )
        return Response(AttendanceSerializer(row).data)


class Refusals(TableOfList, Listing):
    """The scans that were refused, by when they arrived, newest first; and, as `card_shared`, the use of shared cards.

    `scanned_at` is the time of the device's clock, which may be wrong.
    """

    table_name = "refusals"
    table = {
        "id": "pk",
        "code": "code",
        "student_id": "student",
        "first_name": "student__first_name",
        "last_name": "student__last_name",
        "class_session_id": "class_session",
        "class_session": "class_session__name",
        "scanned_at": "scanned_at",
        "created_at": "created_at",
        "device": "device__name",
    }
    operations = openapi.REFUSALS
    queryset = Refusal.objects.select_related("student", "class_session", "device", "recorded_by")
    serializer_class = RefusalSerializer
    pagination_class = CursorPages
    filters = {
        "student": by_id("student"),
        "class_session": by_id("class_session"),
        "code": by_text("code"),
        "from": since("created_at"),
        "to": until("created_at"),
    }
