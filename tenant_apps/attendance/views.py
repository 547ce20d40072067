"""Check-in and attendance."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from rest_framework.response import Response

from tatami.api.filters import by_id, by_text, one_of, since, until
from tatami.api.pagination import CursorPages
from tatami.api.permissions import Visibility
from tatami.api.renderers import JSON
from tatami.api.responses import location
from tatami.api.views import ApiView, Detail, Listing, get_or_404
from tenant_apps.attendance import services, sync
from tenant_apps.attendance.answers import Answer, shown_attendance
from tenant_apps.attendance.checkin import check_in, scan_of, scanner_of
from tenant_apps.attendance.models import Attendance, Refusal
from tenant_apps.attendance.serializers import (
    AttendanceSerializer,
    ManualAttendanceSerializer,
    RefusalSerializer,
    ScanSerializer,
    SyncSerializer,
)
from tenant_apps.students.history_views import read_reason, visible_student
from tenant_apps.students.serializers import ReasonSerializer

ATTENDANCE = Attendance.objects.select_related("student", "class_session")


def answered(answer: Answer) -> HttpResponse:
    """Return an answer as it was, or will be, kept; of a new attendance with its `Location`."""
    response = HttpResponse(answer.body, status=answer.status, content_type=JSON)
    made = answer.made_id()
    if made is not None:
        response["Location"] = location("attendance-entry", id=made)
    return response


class ScanCode(ApiView):
    """Check a student in by a code. A refusal is an answer too: it commits, and is replayed by its nonce."""

    audited = False
    idempotent = False
    serializer_class = ScanSerializer

    def post(self, request: Any) -> HttpResponse:
        serializer = ScanSerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        scan = scan_of(serializer.validated_data, now=request.now)
        return answered(check_in([scan], scanner=scanner_of(request.user), now=request.now)[0])


class SyncScans(ApiView):
    """Scans that were taken offline: at most 500, each answered finally unless it says `retry`."""

    audited = False
    idempotent = False
    serializer_class = SyncSerializer

    def post(self, request: Any) -> Response:
        serializer = SyncSerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        values = serializer.validated_data
        results = sync.upload(
            sent_at=values["sent_at"],
            items=[sync.Item(**item) for item in values["scans"]],
            caller=request.user,
            now=request.now,
        )
        return Response({"results": results})


class AttendanceCollection(Listing):
    """The attendance, newest first, voided rows too; and recording by hand."""

    queryset = ATTENDANCE
    serializer_class = AttendanceSerializer
    pagination_class = CursorPages
    cursor_column = "checked_in_at"
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
        answer = services.record_by_hand(
            student=values["student"],
            session=values["class_session"],
            checked_in_at=values.get("checked_in_at"),
            late=values.get("late"),
            by=request.user,
            now=request.now,
        )
        return answered(answer)


class AttendanceEntry(Detail):
    """One attendance, voided or not."""

    queryset = ATTENDANCE
    serializer_class = AttendanceSerializer


class StudentAttendance(Listing):
    """The attendance of one student."""

    queryset = ATTENDANCE
    serializer_class = AttendanceSerializer
    pagination_class = CursorPages
    cursor_column = "checked_in_at"
    filters = {"from": since("class_session__starts_at"), "to": until("class_session__starts_at")}

    def get_queryset(self) -> QuerySet[Attendance]:
        if getattr(self, "swagger_fake_view", False):
            return ATTENDANCE.none()
        return ATTENDANCE.filter(student=visible_student(self.request, self.kwargs["student_id"]))


class VoidAttendance(ApiView):
    """Strike an attendance out, with a reason."""

    serializer_class = ReasonSerializer

    def post(self, request: Any, id: Any) -> Response:
        row = get_or_404(ATTENDANCE, pk=id)
        services.void(
            attendance=row,
            reason=read_reason(request),
            by=request.user,
            only_own=request.visibility is Visibility.RECORDED,
            now=request.now,
        )
        return Response(shown_attendance(row))


class Refusals(Listing):
    """The scans that were refused, by when they reached us, newest first; and, as `card_shared`, those that look odd.

    `scanned_at` is what the device's clock says, which may be wrong.
    """

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
