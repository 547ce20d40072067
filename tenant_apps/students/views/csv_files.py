"""Files: imports with a preview, and the export of the student list.

`?dry_run=true` reports what would happen to each line, and writes nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.renderers import BaseRenderer
from rest_framework.response import Response

from tatami.api.body_middleware import ABSOLUTE_MAX_BODY_BYTES
from tatami.api.fields import ReferenceField
from tatami.api.filters import by_text, one_of, read_bool
from tatami.api.request import ApiRequest
from tatami.api.responses import streaming_response
from tatami.api.serializers import StrictSerializer
from tatami.api.tables import CSV, XLSX, CsvRenderer, TableMixin, XlsxRenderer
from tatami.api.views import ApiView, Listing
from tatami.clock import tenant_date
from tatami.errors import Invalid
from tatami.tenancy.scope import current_tenant
from tenant_apps.students import openapi
from tenant_apps.students.csv.export import StudentExport
from tenant_apps.students.csv.imports import import_facts, import_rank_events, import_students
from tenant_apps.students.csv.pipeline import LineOutcome
from tenant_apps.students.csv.student_lines import FIELDS
from tenant_apps.students.models import Status, Student
from tenant_apps.students.serializers import StudentSerializer

# --- imports ------------------------------------------------------------------------------------------------------


class FileSerializer(StrictSerializer):
    """A CSV file in the part `file`: UTF-8 with a header; separated by comma, semicolon or tab."""

    file = serializers.FileField(allow_empty_file=True)


class ImportedRowSerializer(StrictSerializer):
    """The result of one line. `errors` maps columns to messages."""

    line = serializers.IntegerField()
    outcome = serializers.ChoiceField(choices=[outcome.value for outcome in LineOutcome])
    student = ReferenceField(read_only=True)
    duplicate_of = ReferenceField(read_only=True)
    duplicate_of_line = serializers.IntegerField(required=False)

    def get_fields(self) -> dict[str, Any]:
        # DRF serializers have an attribute named `errors`.
        return {**super().get_fields(), "errors": serializers.JSONField()}


class ImportedSerializer(StrictSerializer):
    """The totals, and the result of every line."""

    # `tenant_apps.students.csv.pipeline.report` builds this response: a serializer for each line is too slow.
    dry_run = serializers.BooleanField()
    created = serializers.IntegerField()
    updated = serializers.IntegerField()
    failed = serializers.IntegerField()
    duplicates = serializers.IntegerField()
    rows = ImportedRowSerializer(many=True)


class ImportView(ApiView):
    """A multipart body with one CSV file."""

    parser_classes = [MultiPartParser]
    serializer_class = FileSerializer
    max_body_bytes = ABSOLUTE_MAX_BODY_BYTES

    def respond_once(self) -> HttpResponseBase:
        """Respond. A preview changes nothing, so it is not recorded in the audit log."""
        self.audited = not self.flag("dry_run")  # type: ignore[misc]
        return super().respond_once()

    def flag(self, name: str) -> bool:
        """Return a query parameter that is true or false. Raises `Invalid`."""
        try:
            return read_bool(self.request.query_params.get(name, "false"))
        except ValueError as error:
            raise Invalid.field(name, str(error)) from None

    def content(self) -> bytes:
        """Return the bytes of the file. Raises DRF's `ValidationError`."""
        serializer = FileSerializer(data=self.request.data)
        serializer.is_valid(raise_exception=True)
        content: bytes = serializer.validated_data["file"].read()
        return content


def _flag_parameter(name: str, description: str) -> OpenApiParameter:
    return OpenApiParameter(name, bool, OpenApiParameter.QUERY, description=description)


DRY_RUN = _flag_parameter("dry_run", "Report what would happen to each line, and write nothing.")


class StudentImportView(ImportView):
    """Import students with guardians, ranks and opening balances.

    A known `external_id` updates; empty cells are ignored.

    Columns: `first_name` (required), `external_id, last_name, preferred_name, name_order, email, phone, birth_date,
    gender, status, joined_on, medical_notes`,
    `guardian_1_name`, `_email`, `_phone`, `_relation` (to 10), `rank_system, rank, rank_on` (more: `rank_2` …),
    `opening_attendance`.
    """

    operations = openapi.STUDENT_IMPORT

    @extend_schema(
        parameters=[
            DRY_RUN,
            _flag_parameter(
                "allow_duplicates", "Also write lines whose name and birth date match an existing student."
            ),
        ],
        responses={200: ImportedSerializer},
    )
    def post(self, request: ApiRequest) -> Response:
        return Response(
            import_students(
                self.content(),
                by=request.user,  # type: ignore[arg-type]
                today=tenant_date(request.now),
                now=request.now,
                dry_run=self.flag("dry_run"),
                allow_duplicates=self.flag("allow_duplicates"),
            )
        )


class RankEventImportView(ImportView):
    """Import rank histories, one event per line. Name the student by `external_id`, or by name and birth date.

    Columns: `external_id` or `first_name, last_name, birth_date`; `rank_system, rank, kind, effective_on, note`.
    """

    operations = openapi.RANK_EVENT_IMPORT

    @extend_schema(parameters=[DRY_RUN], responses={200: ImportedSerializer})
    def post(self, request: ApiRequest) -> Response:
        return Response(
            import_rank_events(self.content(), by=request.user, dry_run=self.flag("dry_run"))  # type: ignore[arg-type]
        )


class FactImportView(ImportView):
    """Import facts, one per line. Name the student by `external_id`, or by name and birth date.

    Columns: `external_id` or `first_name, last_name, birth_date`; `kind, rank_system, value, category, on, expires_on,
    note`. Only points may have a `category`; a fact without `rank_system` counts in all systems.
    """

    operations = openapi.FACT_IMPORT

    @extend_schema(parameters=[DRY_RUN], responses={200: ImportedSerializer})
    def post(self, request: ApiRequest) -> Response:
        return Response(
            import_facts(self.content(), by=request.user, dry_run=self.flag("dry_run"))  # type: ignore[arg-type]
        )


# --- export -------------------------------------------------------------------------------------------------------


class StudentCsv(TableMixin, Listing):
    """The students as a file that can be imported: all that are not archived, or those that the filters select.

    CSV, or `.xlsx` with `?format=xlsx`.
    """

    table_name = "students"
    operations = openapi.STUDENT_EXPORT
    queryset = Student.objects.searchable()
    serializer_class = StudentSerializer
    pagination_class = None
    search_column = "searched"
    filters = {"status": one_of("shown_status", Status), "external_id": by_text("external_id")}
    ordering_fields = {"name": "search_name", "created_at": "created_at"}

    def get_queryset(self) -> Any:
        rows: Any = super().get_queryset()
        return (
            rows
            if getattr(self, "swagger_fake_view", False)
            else rows.with_status(tenant_date(self.request.now))
        )

    def get_renderers(self) -> list[BaseRenderer]:
        return [CsvRenderer(), XlsxRenderer()]

    def table_columns(self, data: StudentExport | None) -> Sequence[str]:
        return data.columns if data else FIELDS

    def table_rows(self, data: StudentExport) -> Iterable[Mapping[str, Any]]:
        return data.rows()

    @extend_schema(responses={(200, CSV): OpenApiTypes.BYTE, (200, XLSX): OpenApiTypes.BYTE})
    def get(self, request: ApiRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        ids = list(self.filter_queryset(self.get_queryset()).values_list("pk", flat=True))
        export = StudentExport(ids, tenant=current_tenant(), as_of=tenant_date(request.now))
        if isinstance(request.accepted_renderer, XlsxRenderer):
            return Response(export)
        return streaming_response(
            export.csv_chunks(delimiter=self.delimiter), content_type="text/csv; charset=utf-8", headers={}
        )
