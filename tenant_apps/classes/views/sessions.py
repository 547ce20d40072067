"""The API of class sessions."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from rest_framework.response import Response

from tatami.api.filters import (
    Filter,
    by_id,
    by_text,
    one_of,
    read_date_or_instant,
    read_parameter,
    read_uuid,
    since,
    until,
)
from tatami.api.permissions import role_of
from tatami.api.responses import created
from tatami.api.views import ApiView, Collection, Detail
from tatami.clock import tenant_date
from tatami.postgresql.statements import Row
from tenant_apps.classes import openapi, queries, services, sessions
from tenant_apps.classes.models import DEVICE_ROLE, ClassSession
from tenant_apps.classes.serializers import (
    CancellationSerializer,
    NewCancellationSerializer,
    NewSessionSerializer,
    SessionChangesSerializer,
    SessionSerializer,
)

SESSIONS: Final = ClassSession.objects.select_related(
    "training_class", "discipline", "min_rank", "cancelled_by"
)
DEFAULT_DAYS: Final = 14


class SessionView:
    """Lists or shows sessions with their instructors: one statement more. A device sees the current sessions only."""

    request: Any
    values: Any

    def read_values(self) -> dict[str, Any]:
        now = self.request.now
        return {"now": now, "today": tenant_date(now), "to_device": role_of(self.request) == DEVICE_ROLE}

    def get_queryset(self) -> QuerySet[ClassSession]:
        queryset: Any = super().get_queryset()  # type: ignore[misc]
        if getattr(self, "swagger_fake_view", False):
            return queryset  # type: ignore[no-any-return]
        return queryset.visible_at(  # type: ignore[no-any-return]
            self.values["now"], today=self.values["today"], to_device=self.values["to_device"]
        )

    def annotate_page(self, rows: Sequence[ClassSession]) -> None:
        sessions.attach_instructors(rows)


class SessionCollection(SessionView, Collection):
    """The sessions from one day to another. Without dates: those that are running or open, and two weeks from today."""

    operations = openapi.SESSIONS
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

    columns = queries.SESSION_COLUMNS

    def read_values(self) -> dict[str, Any]:
        values = super().read_values()
        return {**values, "last_day": values["today"] + timedelta(days=DEFAULT_DAYS - 1)}

    def apply_filters(self, queryset: QuerySet[Any], filters: Mapping[str, Any]) -> QuerySet[Any]:
        if not {"from", "to"} & filters.keys():
            queryset = queryset.current(  # type: ignore[attr-defined]
                self.values["now"], today=self.values["today"], last=self.values["last_day"]
            )
        return super().apply_filters(queryset, filters)

    def page_data(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        return queries.session_data(rows)

    def get(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        services.ensure_sessions_until(_last_day(request), now=request.now)
        return super().get(request, *args, **kwargs)

    def post(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        serializer = NewSessionSerializer(data=request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        values = dict(serializer.validated_data)
        session = sessions.create_session(values=values, training_class=values.pop("training_class", None))
        return created(self.represent(session), "class-session", id=session.pk)


class SessionDetail(SessionView, Detail):
    """One session. A PATCH changes this session only; its class and the other sessions stay unchanged."""

    queryset = SESSIONS
    serializer_class = SessionSerializer

    def patch(self, request: Any, id: Any) -> Response:
        serializer = SessionChangesSerializer(
            data=request.data, partial=True, context=self.get_serializer_context()
        )
        serializer.is_valid(raise_exception=True)
        changes = dict(serializer.validated_data)
        changed = sessions.change_session(
            session_id=id, notify=changes.pop("notify", False), changes=changes, now=request.now
        )
        return Response(self.represent(changed))


class Cancellation(ApiView):
    """The cancellation of a session. Recorded attendance is kept. DELETE undoes the cancellation."""

    operations = openapi.CANCELLATION
    audits_reason = True  # DELETE clears the reason on the session
    serializer_class = CancellationSerializer

    def post(self, request: Any, id: Any) -> Response:
        serializer = NewCancellationSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        reason = serializer.validated_data.get("reason", "")
        session, is_new = sessions.cancel_session(
            session_id=id, reason=reason, by=request.user, now=request.now
        )
        sessions.attach_instructors([session])
        data = SessionSerializer(session).data
        return created(data, "class-session", id=id) if is_new else Response(data)

    def delete(self, request: Any, id: Any) -> Response:
        sessions.reinstate_session(session_id=id)
        return Response(status=204)


def _last_day(request: Any) -> date:
    """Return the last local date that the list shows: that of `to`, or two weeks from today. Raises `Invalid`."""
    last = read_parameter(request.query_params, "to", _local_date, default=None)
    return last or tenant_date(request.now) + timedelta(days=DEFAULT_DAYS)


def _local_date(text: str) -> date:
    bound = read_date_or_instant(text)
    return tenant_date(bound) if isinstance(bound, datetime) else bound
