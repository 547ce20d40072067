"""Check-in and attendance."""

from typing import Any, cast

from django.db.models import QuerySet
from rest_framework.response import Response

from shared_apps.accounts.models import User
from tatami import clock
from tatami.api.filters import by_id, one_of, since, until
from tatami.api.pagination import CursorPages
from tatami.api.rules import Reach
from tatami.api.views import ApiView, Listing, found_or_404
from tatami.tenancy.scope import current_tenant
from tenant_apps.attendance import services
from tenant_apps.attendance.answers import (
    Answer,
    answer_of,
    keep_answer,
    keep_refusal,
    kept_answer,
    shown_attendance,
)
from tenant_apps.attendance.checkin import Scan, check_in
from tenant_apps.attendance.models import Attendance, Refusal
from tenant_apps.attendance.serializers import (
    AttendanceSerializer,
    ManualAttendanceSerializer,
    RefusalSerializer,
    ScanSerializer,
)
from tenant_apps.students.history_views import read_reason, visible_student
from tenant_apps.students.serializers import ReasonSerializer

ATTENDANCE = Attendance.objects.select_related("student", "class_session")


class ScanCode(ApiView):
    """Check a student in by a code. A refusal is an answer too: it is kept, and replayed by its nonce."""

    audited = False
    idempotent = False
    serializer_class = ScanSerializer

    def post(self, request: Any) -> Response:
        serializer = ScanSerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        values = dict(serializer.validated_data)
        nonce = values.pop("nonce", None)
        kept = kept_answer(caller_id=request.user.pk, nonce=nonce, token=values["token"]) if nonce else None
        answer = kept or self._scan(values, nonce)
        return Response(answer.body, status=answer.status)

    def _scan(self, values: dict[str, Any], nonce: str | None) -> Answer:
        caller, now = cast("User", self.request.user), self.request.now
        scan = Scan(
            token=values["token"],
            class_session=values.get("class_session"),
            student=values.get("student"),
            scanned_at=values.get("scanned_at", now),
        )
        outcome = check_in(scan, caller=caller, now=now)
        keep_refusal(outcome, scanned_at=scan.scanned_at, caller=caller)
        answer = answer_of(outcome, caller=caller, today=clock.local_date(now, current_tenant().timezone))
        return keep_answer(answer, caller_id=caller.pk, nonce=nonce, token=scan.token) if nonce else answer


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

    def post(self, request: Any) -> Response:
        serializer = ManualAttendanceSerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        values = serializer.validated_data
        outcome = services.record_by_hand(
            student=values["student"],
            session=values["class_session"],
            checked_in_at=values.get("checked_in_at"),
            late=values.get("late"),
            by=request.user,
            now=request.now,
        )
        today = clock.local_date(request.now, current_tenant().timezone)
        answer = answer_of(outcome, caller=request.user, today=today)
        return Response(answer.body, status=answer.status)


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
        row = found_or_404(ATTENDANCE, pk=id)
        services.void(
            attendance=row,
            reason=read_reason(request),
            by=request.user,
            only_own=request.reach is Reach.RECORDED,
            now=request.now,
        )
        return Response(shown_attendance(row))


class Refusals(Listing):
    """The scans that were refused, newest first."""

    queryset = Refusal.objects.select_related("student", "class_session")
    serializer_class = RefusalSerializer
    pagination_class = CursorPages
    cursor_column = "scanned_at"
    filters = {"student": by_id("student"), "from": since("scanned_at"), "to": until("scanned_at")}
