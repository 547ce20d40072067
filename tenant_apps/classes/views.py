"""Classes, their enrolments and their sessions."""

from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from tatami import clock
from tatami.api.filters import by_id, by_text, one_of, since, until
from tatami.api.views import ApiView, Collection, Detail, Resource, created, found_or_404
from tatami.errors import NotFound
from tatami.tenancy.scope import current_tenant
from tenant_apps.classes import services
from tenant_apps.classes.models import ClassSession, Enrolment, TrainingClass
from tenant_apps.classes.serializers import (
    EnrolmentSerializer,
    NewSessionSerializer,
    SessionSerializer,
    TrainingClassSerializer,
)

DEFAULT_DAYS = 14
SESSIONS = ClassSession.objects.select_related("training_class", "discipline", "min_rank")
CLASSES = TrainingClass.objects.select_related("discipline", "min_rank").prefetch_related("instructors")


class ClassCollection(Collection):
    queryset = CLASSES
    serializer_class = TrainingClassSerializer
    detail_route = "class"
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
    """Who is expected at a class."""

    queryset = Enrolment.objects.select_related("student", "training_class")
    serializer_class = EnrolmentSerializer
    ordering = ("student__search_name",)

    def get_queryset(self) -> QuerySet[Any]:
        queryset = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return queryset
        return queryset.filter(training_class=self.training_class())

    def training_class(self) -> TrainingClass:
        return found_or_404(TrainingClass.objects.all(), pk=self.kwargs["class_id"])

    def post(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        enrolment, is_new = services.enrol(
            training_class=self.training_class(), student=serializer.validated_data["student"]
        )
        shown = EnrolmentSerializer(enrolment).data
        if not is_new:
            return Response(shown)
        return created(
            shown, "class-enrolment", class_id=self.kwargs["class_id"], student_id=enrolment.student_id
        )


class EnrolmentDetail(ApiView):
    """One enrolment; without it the student is no longer expected."""

    def delete(self, request: Any, class_id: Any, student_id: Any) -> Response:
        found = found_or_404(Enrolment.objects.all(), training_class=class_id, student=student_id)
        found.delete()
        return Response(status=204)


class SessionCollection(Collection):
    """The sessions from one day to another; without dates the next two weeks, today included."""

    queryset = SESSIONS
    serializer_class = SessionSerializer
    filters = {
        "from": since("starts_at"),
        "to": until("starts_at"),
        "class": by_id("training_class"),
        "discipline": by_id("discipline"),
        "status": one_of("status", ClassSession.Status),
        "location": by_text("location"),
    }
    ordering_fields = {"starts_at": "starts_at"}
    ordering = ("starts_at",)

    def get_queryset(self) -> QuerySet[ClassSession]:
        queryset: QuerySet[ClassSession] = super().get_queryset()
        query = self.request.query_params
        if self.request.method not in {"GET", "HEAD"} or {"from", "to"} & query.keys():
            return queryset
        today = clock.local_date(self.request.now, current_tenant().timezone)
        return queryset.between(today, today + timedelta(days=DEFAULT_DAYS - 1))  # type: ignore[attr-defined,no-any-return]

    def get(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        last = request.query_params.get("to")
        if last is not None:
            services.ensure_sessions_until(services.last_day(last), now=request.now)
        return super().get(request, *args, **kwargs)

    def post(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        serializer = NewSessionSerializer(data=request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        values = dict(serializer.validated_data)
        training_class = values.pop("training_class", None)
        session = services.create_session(values=values, training_class=training_class)
        return created(SessionSerializer(session).data, "class-session", id=session.pk)


class SessionDetail(Detail):
    queryset = SESSIONS
    serializer_class = SessionSerializer


class Cancellation(ApiView):
    """A session that does not take place. Attendance recorded before is kept; DELETE takes the cancellation back."""

    def post(self, request: Any, id: Any) -> Response:
        self._set(id, ClassSession.Status.CANCELLED)
        return created(SessionSerializer(SESSIONS.get(pk=id)).data, "class-session", id=id)

    def delete(self, request: Any, id: Any) -> Response:
        self._set(id, ClassSession.Status.SCHEDULED)
        return Response(status=204)

    def _set(self, id: Any, value: str) -> None:
        if not ClassSession.objects.filter(pk=id).update(status=value, updated_at=self.request.now):
            raise NotFound
