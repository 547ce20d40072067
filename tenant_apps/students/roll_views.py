"""CSV out."""

from typing import Any

from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema

from tatami.api.filters import by_text, one_of
from tatami.api.renderers import PassthroughRenderer
from tatami.api.request import ApiRequest
from tatami.api.responses import streaming_response
from tatami.api.views import Listing
from tatami.tenancy.scope import current_tenant
from tenant_apps.students.dates import dojo_today
from tenant_apps.students.models import Status, Student
from tenant_apps.students.roll import Roll
from tenant_apps.students.serializers import StudentSerializer


class RollRenderer(PassthroughRenderer):
    """A table."""

    media_type = "text/csv"
    format = "csv"


class StudentRoll(Listing):
    """The students as CSV: all who are not archived, or whom the list's filters name. An import reads it."""

    queryset = Student.objects.all()
    serializer_class = StudentSerializer
    renderer_classes = [RollRenderer]
    pagination_class = None
    search_column = "search_name"
    filters = {"status": one_of("shown_status", Status), "external_id": by_text("external_id")}
    ordering_fields = {"name": "search_name", "created_at": "created_at"}

    def get_queryset(self) -> Any:
        rows: Any = super().get_queryset()
        return (
            rows
            if getattr(self, "swagger_fake_view", False)
            else rows.with_status(dojo_today(self.request.now))
        )

    @extend_schema(responses={(200, "text/csv"): OpenApiTypes.BYTE})
    def get(self, request: ApiRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:  # type: ignore[override]
        ids = list(self.filter_queryset(self.get_queryset()).values_list("pk", flat=True))
        roll = Roll(ids, tenant=current_tenant(), as_of=dojo_today(request.now))
        return streaming_response(
            roll.chunks(),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": 'attachment; filename="students.csv"'},
        )
