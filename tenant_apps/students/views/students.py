"""Students, and the list of all guardians."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any, Final, cast
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from shared_apps.accounts.models import STAFF_ROLES
from tatami.api.filters import Filter, by_id, by_text, one_of, read_uuid
from tatami.api.views import ApiView, Collection, Listing, Resource
from tatami.clock import tenant_date
from tatami.postgresql.statements import Row
from tenant_apps.dojo.services import lock_name_order
from tenant_apps.students import openapi, queries, services
from tenant_apps.students.merging import merge_students
from tenant_apps.students.models import Guardian, Status, Student, StudentQuerySet
from tenant_apps.students.queries import student_not_found
from tenant_apps.students.serializers import (
    GuardianRowSerializer,
    MergeSerializer,
    NamesakeSerializer,
    StudentSerializer,
)

MOST_NAMESAKES: Final = 20
"""How many possible duplicates a response names."""
STUDENT_FILTERS: Final[Mapping[str, Filter]] = {
    "status": one_of("shown_status", Status),
    "external_id": by_text("external_id"),
    "class": by_id("enrolments__training_class"),
    "rank": Filter(
        "held_ranks__contains", lambda text: [read_uuid(text)], {"type": "string", "format": "uuid"}
    ),
}
"""The filters of the list and of its export. A student is enrolled in the class now, and holds the rank today."""


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
    filters = STUDENT_FILTERS
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

    def get_queryset(self) -> QuerySet[Student]:
        return services.with_held_ranks(cast("StudentQuerySet", super().get_queryset()), as_of=self.today)

    def page_data(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        return queries.student_data(rows, as_of=self.today)

    def perform_create(self, serializer: BaseSerializer[Any]) -> Student:
        return services.create_student(values=serializer.validated_data)

    def represent(self, instance: Student) -> Any:
        """Return the new student; if there are students who may be the same person, with them. One statement more."""
        shown = super().represent(instance)
        namesakes = Student.objects.exclude(pk=instance.pk).namesakes(
            instance.first_name, instance.last_name, born_on=instance.birth_date
        )
        if namesakes:
            shown["possible_duplicates"] = NamesakeSerializer(namesakes[:MOST_NAMESAKES], many=True).data
        return shown


class StudentResource(StudentDetailsMixin, Resource):
    operations = openapi.STUDENT
    queryset = Student.objects.all()
    serializer_class = StudentSerializer
    refetch = True

    def lock_first(self) -> None:
        if isinstance(self.request.data, Mapping) and "name_order" in self.request.data:
            lock_name_order()

    def get_object(self) -> Student:
        try:
            student: Student = super().get_object()
        except Http404:
            to_staff = self.request.user.role in STAFF_ROLES
            raise student_not_found(self.kwargs["id"], to_staff=to_staff) from None
        return student

    def perform_update(self, serializer: BaseSerializer[Any]) -> Student:
        assert isinstance(serializer.instance, Student)
        return services.change_student(student=serializer.instance, changes=serializer.validated_data)


class Merge(ApiView):
    """Merge another record of the same person into this student. The other id is then a 404 with `merged_into`."""

    operations = openapi.MERGE
    serializer_class = MergeSerializer

    def post(self, request: Any, student_id: UUID) -> Response:
        serializer = MergeSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        values = serializer.validated_data
        self.audited = not values["dry_run"]  # type: ignore[misc]
        merge = merge_students(
            kept=student_id,
            duplicate=values["duplicate"],
            by=request.user,
            now=request.now,
            dry_run=values["dry_run"],
        )
        return Response(
            {
                "student": {"id": student_id, "name": merge.kept.name},
                "duplicate": {"id": values["duplicate"], "name": merge.duplicate_name},
                "dry_run": values["dry_run"],
                "moved": {what: number for what, number in sorted(merge.moved.items()) if number},
                "conflicts": [asdict(conflict) for conflict in merge.conflicts],
            }
        )


class Guardians(Listing):
    """The guardians of the dojo, to find the guardian of a sibling."""

    operations = openapi.GUARDIANS
    queryset = Guardian.objects.all()
    serializer_class = GuardianRowSerializer
    search_column = "search_name"
    ordering_fields = {"name": "search_name"}
