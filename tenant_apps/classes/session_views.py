"""The sessions: the list by days, single ones, and what happens to them."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db.models import QuerySet
from rest_framework.response import Response

from tatami.api.filters import Filter, by_id, by_text, one_of, read_uuid, since, until
from tatami.api.permissions import role_of
from tatami.api.request import READS
from tatami.api.responses import created
from tatami.api.views import ApiView, Collection, Detail
from tatami.errors import Invalid
from tenant_apps.classes import services, sessions
from tenant_apps.classes.from_class import local
from tenant_apps.classes.models import ClassSession
from tenant_apps.classes.serializers import (
    CancellationSerializer,
    NewSessionSerializer,
    SessionChangesSerializer,
    SessionSerializer,
)

DEFAULT_DAYS: Final = 14
DEVICE: Final = "device"
SESSIONS: Final = ClassSession.objects.select_related(
    "training_class", "discipline", "min_rank", "cancelled_by"
)


class Sessions:
    """Shows sessions with their instructors: one statement more, for one session or a page. A device sees today's."""

    request: Any

    def get_queryset(self) -> QuerySet[ClassSession]:
        queryset: QuerySet[ClassSession] = super().get_queryset()  # type: ignore[misc]
        if getattr(self, "swagger_fake_view", False) or role_of(self.request) != DEVICE:
            return queryset
        return queryset.filter(local_date=local(self.request.now))

    def annotate_page(self, rows: Sequence[ClassSession]) -> None:
        sessions.attach_instructors(rows)


class SessionCollection(Sessions, Collection):
    """The sessions from one day to another; without dates the next two weeks, today included."""

    queryset = SESSIONS
    serializer_class = SessionSerializer
    detail_route = "class-session"
    filters = {
        "from": since("starts_at"),
        "to": until("starts_at"),
        "class": by_id("training_class"),
        "discipline": by_id("discipline"),
        "instructor": Filter(
            "instructor_ids__contains",
            lambda text: [read_uuid(text)],
            {"type": "string", "format": "uuid"},
        ),
        "status": one_of("status", ClassSession.Status),
        "location": by_text("location"),
    }
    ordering_fields = {"starts_at": "starts_at"}
    ordering = ("starts_at",)

    def get_queryset(self) -> QuerySet[ClassSession]:
        queryset: QuerySet[ClassSession] = super().get_queryset()
        query = self.request.query_params
        if self.request.method not in READS or {"from", "to"} & query.keys():
            return queryset
        today = local(self.request.now)
        return queryset.between(today, today + timedelta(days=DEFAULT_DAYS - 1))  # type: ignore[attr-defined,no-any-return]

    def get(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        last = request.query_params.get("to")
        day = last_day(last) if last is not None else local(request.now) + timedelta(days=DEFAULT_DAYS)
        services.ensure_sessions_until(day, now=request.now)
        return super().get(request, *args, **kwargs)

    def post(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        serializer = NewSessionSerializer(data=request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        values = dict(serializer.validated_data)
        session = sessions.create_session(values=values, training_class=values.pop("training_class", None))
        return created(self.represent(session), "class-session", id=session.pk)


class SessionDetail(Sessions, Detail):
    """One session. A PATCH changes it for itself; its class and the other sessions stay as they are."""

    queryset = SESSIONS
    serializer_class = SessionSerializer

    def patch(self, request: Any, id: Any) -> Response:
        serializer = SessionChangesSerializer(
            data=request.data, partial=True, context=self.get_serializer_context()
        )
        serializer.is_valid(raise_exception=True)
        changed = sessions.change_session(session_id=id, changes=serializer.validated_data)
        return Response(self.represent(changed))


class Cancellation(ApiView):
    """A session that does not take place. Attendance recorded before is kept; DELETE takes the cancellation back."""

    audits_reason = True  # taking the cancellation back forgets it
    serializer_class = CancellationSerializer
    answer_class = SessionSerializer

    def post(self, request: Any, id: Any) -> Response:
        serializer = CancellationSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        reason = serializer.validated_data.get("cancel_reason", "")
        session, is_new = sessions.cancel(session_id=id, reason=reason, by=request.user, now=request.now)
        sessions.attach_instructors([session])
        shown = SessionSerializer(session).data
        return created(shown, "class-session", id=id) if is_new else Response(shown)

    def delete(self, request: Any, id: Any) -> Response:
        sessions.uncancel(session_id=id)
        return Response(status=204)


def last_day(text: str) -> date:
    """Return the dojo's day that a query's `to` reaches into. Raises `Invalid`."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.date() if moment.tzinfo is None else local(moment)
    except (ValueError, OverflowError):
        raise Invalid.field("to", "This must be a date (YYYY-MM-DD) or an instant with its zone.") from None
