"""Classes and their enrolments."""

from typing import Any

from django.db.models import QuerySet
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from tatami.api.filters import by_id, by_text
from tatami.api.responses import created
from tatami.api.views import ApiView, Collection, Resource, get_or_404
from tenant_apps.classes import services
from tenant_apps.classes.models import Enrolment, TrainingClass
from tenant_apps.classes.serializers import EnrolmentSerializer, TrainingClassSerializer

CLASSES = TrainingClass.objects.select_related("discipline", "min_rank").prefetch_related("instructors")


class ClassCollection(Collection):
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
        return queryset.filter(
            training_class=get_or_404(TrainingClass.objects.all(), pk=self.kwargs["class_id"])
        )

    def post(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        training_class = get_or_404(TrainingClass.objects.live(), pk=self.kwargs["class_id"])
        enrolment, is_new = services.enrol(
            training_class=training_class, student=serializer.validated_data["student"]
        )
        shown = EnrolmentSerializer(enrolment).data
        return created(shown, "class-enrolments", **self.kwargs) if is_new else Response(shown)


class EnrolmentDetail(ApiView):
    """One enrolment; without it the student is no longer expected."""

    def delete(self, request: Any, class_id: Any, student_id: Any) -> Response:
        found = get_or_404(Enrolment.objects.all(), training_class=class_id, student=student_id)
        found.delete()
        return Response(status=204)
