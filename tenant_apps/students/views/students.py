"""Students, and the list of all guardians."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, cast

from django.db.models import QuerySet
from rest_framework.serializers import BaseSerializer

from tatami.api.filters import by_text, one_of
from tatami.api.views import Collection, Listing, Resource
from tatami.clock import tenant_date
from tatami.postgresql.statements import Row
from tenant_apps.dojo.services import lock_name_order
from tenant_apps.students import openapi, queries, services
from tenant_apps.students.models import Guardian, Status, Student
from tenant_apps.students.serializers import GuardianRowSerializer, StudentSerializer


class StudentDetailsMixin:
    """Students with their status as of today, and the ranks that they hold (one more statement)."""

    request: Any
    values: Any

    def read_values(self) -> dict[str, Any]:
        return {"today": tenant_date(self.request.now)}

    @property
    def today(self) -> date:
        """The local date in the dojo at the time of the request."""
        today: date = self.values["today"]
        return today

    def get_queryset(self) -> QuerySet[Student]:
        rows = super().get_queryset()  # type: ignore[misc]
        if getattr(self, "swagger_fake_view", False):
            return cast("QuerySet[Student]", rows)
        return services.with_details(rows, as_of=self.today)

    def annotate_page(self, rows: Sequence[Student]) -> None:
        services.attach_current_ranks(rows, as_of=self.today)


class StudentCollection(StudentDetailsMixin, Collection):
    operations = openapi.STUDENTS
    queryset = Student.objects.searchable()
    serializer_class = StudentSerializer
    detail_route = "student"
    search_column = "searched"
    filters = {"status": one_of("shown_status", Status), "external_id": by_text("external_id")}
    ordering_fields = {
        "name": "search_name",
        "first_name": "first_name",
        "last_name": "last_name",
        "joined_on": "joined_on",
        "birth_date": "birth_date",
        "created_at": "created_at",
    }
    refetch = True
    columns = queries.STUDENT_COLUMNS

    def page_data(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        return queries.student_data(rows, as_of=self.today)

    def perform_create(self, serializer: BaseSerializer[Any]) -> Student:
        return services.create_student(values=serializer.validated_data)


class StudentResource(StudentDetailsMixin, Resource):
    operations = openapi.STUDENT
    queryset = Student.objects.all()
    serializer_class = StudentSerializer
    refetch = True

    def lock_first(self) -> None:
        if isinstance(self.request.data, Mapping) and "name_order" in self.request.data:
            lock_name_order()

    def perform_update(self, serializer: BaseSerializer[Any]) -> Student:
        assert isinstance(serializer.instance, Student)
        return services.change_student(student=serializer.instance, changes=serializer.validated_data)


class Guardians(Listing):
    """The guardians of the dojo, to find the guardian of a sibling."""

    operations = openapi.GUARDIANS
    queryset = Guardian.objects.all()
    serializer_class = GuardianRowSerializer
    search_column = "search_name"
    ordering_fields = {"name": "search_name"}
