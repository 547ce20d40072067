"""A student's breaks from training."""

from typing import Any

from django.db.models import QuerySet
from rest_framework.serializers import BaseSerializer

from tatami.api.views import Resource
from tenant_apps.students import holds
from tenant_apps.students.history_views import OfStudent, visible_student
from tenant_apps.students.locking import lock_student
from tenant_apps.students.models import StudentHold
from tenant_apps.students.serializers import HoldSerializer


class Holds(OfStudent):
    """The holds of a student, the latest first. While one is in force her status is `on_hold`."""

    queryset = StudentHold.objects.all()
    serializer_class = HoldSerializer
    detail_route = "student-hold"

    def perform_create(self, serializer: BaseSerializer[Any]) -> StudentHold:
        return holds.add_hold(student=self.student(), **serializer.validated_data)


class Hold(Resource):
    """One hold. It is ended by its `until`; DELETE removes one that was entered by mistake."""

    queryset = StudentHold.objects.all()
    serializer_class = HoldSerializer

    def get_queryset(self) -> QuerySet[StudentHold]:
        if getattr(self, "swagger_fake_view", False):
            return StudentHold.objects.none()
        student = visible_student(self.request, self.kwargs["student_id"])
        return StudentHold.objects.filter(student=student)

    def lock_first(self) -> None:
        lock_student(self.kwargs["student_id"])  # as an erasure does

    def perform_update(self, serializer: BaseSerializer[Any]) -> StudentHold:
        assert isinstance(serializer.instance, StudentHold)
        return holds.change_hold(hold=serializer.instance, changes=serializer.validated_data)
