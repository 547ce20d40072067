"""The API of classes, enrolments, sessions and calendar feeds."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db.models import QuerySet
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from tatami.api.filters import Filter, by_id, by_text, one_of, read_uuid, since, until
from tatami.api.permissions import role_of
from tatami.api.renderers import JsonRenderer, PassthroughRenderer
from tatami.api.responses import created
from tatami.api.views import ApiView, Collection, Detail, Resource, get_or_404
from tatami.clock import tenant_date
from tatami.errors import Invalid, NotFound
from tatami.postgresql.statements import Row
from tatami.tenancy.hosts import origin
from tenant_apps.classes import calendar_feed, openapi, queries, services, sessions
from tenant_apps.classes.models import DEVICE_ROLE, ClassSession, Enrolment, TrainingClass
from tenant_apps.classes.serializers import (
    CancellationSerializer,
    EnrolmentSerializer,
    FeedAddressSerializer,
    NewCancellationSerializer,
    NewSessionSerializer,
    SessionChangesSerializer,
    SessionSerializer,
    TrainingClassSerializer,
)

CLASSES: Final = TrainingClass.objects.select_related("discipline", "min_rank").prefetch_related(
    "instructors"
)
SESSIONS: Final = ClassSession.objects.select_related(
    "training_class", "discipline", "min_rank", "cancelled_by"
)
DEFAULT_DAYS: Final = 14
ICALENDAR: Final = "text/calendar"


# --- classes and enrolments -----------------------------------------------------------------------------------------


class ClassCollection(Collection):
    operations = openapi.CLASSES
    queryset = CLASSES
    serializer_class = TrainingClassSerializer
    detail_route = "class"
    search_column = "search_name"
    filters = {
        "discipline": by_id("discipline"),
        "class_type": by_text("class_type"),
        "name": by_text("name"),
    }
    ordering_fields = {"name": "name", "created_at": "created_at"}
    refetch = True

    def perform_create(self, serializer: BaseSerializer[Any]) -> TrainingClass:
        values = dict(serializer.validated_data)
        values.pop("apply_from", None)
        instructors = values.pop("instructors", [])
        return services.create_class(values=values, instructors=instructors, now=self.request.now)


class ClassResource(Resource):
    operations = openapi.CLASS
    queryset = CLASSES
    serializer_class = TrainingClassSerializer
    refetch = True

    def perform_update(self, serializer: BaseSerializer[Any]) -> TrainingClass:
        changes = dict(serializer.validated_data)
        assert isinstance(serializer.instance, TrainingClass)
        return services.change_class(
            training_class=serializer.instance,
            instructors=changes.pop("instructors", None),
            apply_from=changes.pop("apply_from", None),
            changes=changes,
            now=self.request.now,
        )

    def perform_destroy(self, instance: TrainingClass) -> None:
        services.archive_class(training_class=instance, now=self.request.now)


class Enrolments(Collection):
    """The students who are enrolled in a class."""

    operations = openapi.ENROLMENTS
    queryset = Enrolment.objects.select_related("student", "training_class")
    serializer_class = EnrolmentSerializer
    ordering = ("student__search_name",)

    def get_queryset(self) -> QuerySet[Any]:
        queryset = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return queryset
        return queryset.filter(
            training_class=get_or_404(TrainingClass.objects.all(), pk=self.kwargs["class_id"])
        )

    def post(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        training_class = get_or_404(TrainingClass.objects.not_archived(), pk=self.kwargs["class_id"])
        enrolment, is_new = services.enrol(
            training_class=training_class, student=serializer.validated_data["student"]
        )
        data = EnrolmentSerializer(enrolment).data
        return created(data, "class-enrolments", **self.kwargs) if is_new else Response(data)


class EnrolmentDetail(ApiView):
    """One enrolment. DELETE ends it: the student is no longer expected."""

    operations = openapi.ENROLMENT

    def delete(self, request: Any, class_id: Any, student_id: Any) -> Response:
        found = get_or_404(Enrolment.objects.all(), training_class=class_id, student=student_id)
        found.delete()
        return Response(status=204)


# --- sessions -------------------------------------------------------------------------------------------------------


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
                self.values["now"], first=self.values["today"], last=self.values["last_day"]
            )
        return super().apply_filters(queryset, filters)

    def page_data(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        return queries.session_data(rows)

    def get(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        to = request.query_params.get("to")
        last = _last_day(to) if to is not None else tenant_date(request.now) + timedelta(days=DEFAULT_DAYS)
        services.ensure_sessions_until(last, now=request.now)
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
        changed = sessions.change_session(session_id=id, changes=serializer.validated_data)
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


def _last_day(text: str) -> date:
    """Return the dojo's local date in which the `to` of a query ends. Raises `Invalid`."""
    try:
        instant = datetime.fromisoformat(text)
        return instant.date() if instant.tzinfo is None else tenant_date(instant)
    except (ValueError, OverflowError):
        raise Invalid.field("to", "This must be a date (YYYY-MM-DD) or an instant with its zone.") from None


# --- calendar feeds -------------------------------------------------------------------------------------------------


class MyCalendar(ApiView):
    """The caller's calendar feed. POST creates its URL, which is secret, and ends the previous one; DELETE ends it."""

    operations = openapi.MY_CALENDAR
    idempotent = False

    def post(self, request: Any) -> Response:
        url = f"{origin()}/calendar.ics?token={calendar_feed.create_feed(user=request.user)}"
        return Response(FeedAddressSerializer({"url": url}).data, status=201, headers={"Location": url})

    def delete(self, request: Any) -> Response:
        calendar_feed.delete_feed(user=request.user)
        return Response(status=204)


class ICalendarRenderer(PassthroughRenderer):
    """A calendar."""

    media_type = ICALENDAR
    format = "ics"


class Calendar(ApiView):
    """The schedule for a calendar program. Anyone who has the token may read it."""

    operations = openapi.CALENDAR
    renderer_classes = [ICalendarRenderer, JsonRenderer]

    def get(self, request: Any) -> Any:
        user = calendar_feed.feed_user(request.query_params.get("token", ""))
        if user is None:
            raise NotFound
        body = calendar_feed.calendar_of(calendar_feed.sessions_for(user, now=request.now))
        response = HttpResponse(body, content_type=f"{ICALENDAR}; charset=utf-8")
        response["ETag"] = f'"{hashlib.sha256(body).hexdigest()}"'
        response["Cache-Control"] = "private, no-cache"
        return get_conditional_response(request._request, etag=response["ETag"], response=response)
