"""The API of classes, their enrolments, and closures."""

from collections.abc import Sequence
from typing import Any, Final

from django.db.models import Count, QuerySet
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from shared_apps.accounts.models import User
from tatami.api.filters import by_id, by_text, on_or_after, on_or_before, read_date, read_parameter
from tatami.api.responses import created
from tatami.api.views import ApiView, Collection, Detail, Resource, get_or_404
from tatami.postgresql.statements import Row
from tenant_apps.classes import closures, openapi, queries, services
from tenant_apps.classes.models import Closure, Enrolment, TrainingClass
from tenant_apps.classes.serializers import (
    ClosureSerializer,
    EnrolmentSerializer,
    TrainingClassSerializer,
)

CLASSES: Final = TrainingClass.objects.select_related("discipline", "min_rank").prefetch_related(
    "instructors"
)
CLOSURES: Final = Closure.objects.annotate(
    sessions_cancelled=Count("sessions", distinct=True)
).prefetch_related("classes")


# --- classes and enrolments -----------------------------------------------------------------------------------------


class ClassCollection(Collection):
    """The classes of the schedule. POST creates a class with its sessions."""

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
    """One class. Sessions with attendance, and those before `apply_from`, stay unchanged; DELETE archives the class."""

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
    columns = queries.ENROLMENT_COLUMNS

    def read_values(self) -> dict[str, Any]:
        queries.check_class_exists(self.kwargs["class_id"])
        return {"of class": self.kwargs["class_id"]}

    def get_queryset(self) -> QuerySet[Any]:
        queryset = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return queryset
        return queryset.filter(training_class=self.values["of class"])

    def page_data(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        return queries.enrolment_data(rows)

    def post(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        training_class = get_or_404(TrainingClass.objects.not_archived(), pk=self.kwargs["class_id"])
        enrolment, is_new = services.enrol(
            training_class=training_class,
            student=serializer.validated_data["student"],
            starts_on=serializer.validated_data.get("starts_on"),
            now=request.now,
        )
        data = EnrolmentSerializer(enrolment).data
        return created(data, "class-enrolments", **self.kwargs) if is_new else Response(data)


class EnrolmentDetail(ApiView):
    """One enrolment. DELETE ends it: the student is no longer expected from today on, or after `until`."""

    operations = openapi.ENROLMENT

    def delete(self, request: Any, class_id: Any, student_id: Any) -> Response:
        until = read_parameter(request.query_params, "until", read_date, default=None)
        services.end_enrolment(class_id=class_id, student_id=student_id, until=until, now=request.now)
        return Response(status=204)


# --- closures -------------------------------------------------------------------------------------------------------


class ClosureCollection(Collection):
    """The closures, the latest first. POST cancels the sessions of the days, and tells the students once."""

    operations = openapi.CLOSURES
    audits_reason = True  # Reopening deletes the closure with its reason.
    queryset = CLOSURES
    serializer_class = ClosureSerializer
    detail_route = "closure"
    filters = {
        "from": on_or_after("until"),
        "to": on_or_before("starts_on"),
        "class": by_id("class_links__training_class"),
    }
    ordering_fields = {"from": "starts_on"}
    ordering = ("-starts_on",)
    refetch = True

    def perform_create(self, serializer: BaseSerializer[Any]) -> Closure:
        values, request = serializer.validated_data, self.request
        assert isinstance(request.user, User)
        return closures.close(
            starts_on=values["starts_on"],
            until=values["until"],
            reason=values.get("reason", ""),
            classes=values.get("classes", ()),
            by=request.user,
            now=request.now,
        )


class ClosureResource(Detail):
    """One closure. DELETE reopens: its sessions take place again."""

    operations = openapi.CLOSURE
    queryset = CLOSURES
    serializer_class = ClosureSerializer

    def delete(self, request: Any, id: Any) -> Response:
        closures.reopen(closure_id=id, now=request.now)
        return Response(status=204)
