"""Files: imports of text and workbooks with a preview, and the export of the student list.

`?dry_run=true` reports what would happen to each line, and writes nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.renderers import BaseRenderer
from rest_framework.response import Response

from tatami.api.body_middleware import ABSOLUTE_MAX_BODY_BYTES
from tatami.api.fields import ReferenceField
from tatami.api.filters import read_flag, read_one_of, read_parameter
from tatami.api.request import ApiRequest
from tatami.api.responses import streaming_response
from tatami.api.serializers import StrictSerializer
from tatami.api.tables import CSV, XLSX, CsvRenderer, TableMixin, XlsxRenderer
from tatami.api.views import ApiView, Listing
from tatami.clock import tenant_date
from tatami.tenancy.scope import current_tenant
from tenant_apps.students import openapi
from tenant_apps.students.csv.dates import DateFormat
from tenant_apps.students.csv.decoding import AUTO, CODECS
from tenant_apps.students.csv.export import StudentExport
from tenant_apps.students.csv.imports import import_facts, import_rank_events, import_students
from tenant_apps.students.csv.pipeline import LineOutcome
from tenant_apps.students.csv.student_lines import FIELDS
from tenant_apps.students.csv.table import ReadOptions
from tenant_apps.students.models import Student
from tenant_apps.students.serializers import StudentSerializer
from tenant_apps.students.services import with_held_ranks
from tenant_apps.students.views.students import STUDENT_FILTERS

DATE_FORMATS: Final = [one.value for one in DateFormat]
ENCODINGS: Final = [AUTO, *CODECS]
UNKNOWN_COLUMNS: Final = ["refuse", "ignore"]

# --- imports ------------------------------------------------------------------------------------------------------


class FileSerializer(StrictSerializer):
    """A file in the part `file`: text with a header line and separated by comma, semicolon, tab or |; or `.xlsx`."""

    file = serializers.FileField(allow_empty_file=True)


class TwinSerializer(StrictSerializer):
    """The student that a line seems to repeat; `archived` is present, and true, if they are archived."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    archived = serializers.BooleanField(required=False)


class ChangeSerializer(StrictSerializer):
    """A value that the line overwrites; of long texts the beginning. `to` is empty for a guardian no longer listed."""

    column = serializers.CharField()
    to = serializers.CharField(allow_blank=True)

    def get_fields(self) -> dict[str, Any]:
        # `from` is a Python keyword.
        return {**super().get_fields(), "from": serializers.CharField()}


class LinkedGuardianSerializer(StrictSerializer):
    """A guardian; without `id` in a preview if they are new."""

    id = serializers.UUIDField(required=False)
    name = serializers.CharField()


class LinkSerializer(StrictSerializer):
    """A guardian that the student of the line shares: with students of the dojo, or with that of an earlier `line`."""

    column = serializers.CharField()
    guardian = LinkedGuardianSerializer()
    line = serializers.IntegerField(required=False)


class ImportedRowSerializer(StrictSerializer):
    """The result of one line. `errors` and `warnings` map columns to messages; a line with errors is not written.

    `warnings`, `changes` and `links` are left out if they are empty.
    """

    line = serializers.IntegerField()
    outcome = serializers.ChoiceField(choices=[outcome.value for outcome in LineOutcome])
    student = ReferenceField(read_only=True)
    duplicate_of = TwinSerializer(required=False)
    duplicate_of_line = serializers.IntegerField(required=False)
    warnings = serializers.DictField(
        child=serializers.ListField(child=serializers.CharField()), required=False
    )
    changes = ChangeSerializer(many=True, required=False)
    links = LinkSerializer(many=True, required=False)

    def get_fields(self) -> dict[str, Any]:
        # DRF serializers have an attribute named `errors`.
        messages = serializers.ListField(child=serializers.CharField())
        return {**super().get_fields(), "errors": serializers.DictField(child=messages)}


class ImportedSerializer(StrictSerializer):
    """The totals, how the file was read, and the result of every line. `letter` says the same as text for people."""

    # `tenant_apps.students.csv.report` builds this response: a serializer for each line is too slow.
    dry_run = serializers.BooleanField()
    created = serializers.IntegerField()
    updated = serializers.IntegerField()
    restored = serializers.IntegerField()
    failed = serializers.IntegerField()
    duplicates = serializers.IntegerField()
    encoding = serializers.CharField()
    date_formats = serializers.DictField(child=serializers.ChoiceField(choices=["dmy", "mdy"]))
    ignored_columns = serializers.ListField(child=serializers.CharField())
    warnings = serializers.ListField(child=serializers.CharField())
    letter = serializers.CharField()
    rows = ImportedRowSerializer(many=True)


class ImportView(ApiView):
    """A multipart body with one file."""

    parser_classes = [MultiPartParser]
    serializer_class = FileSerializer
    max_body_bytes = ABSOLUTE_MAX_BODY_BYTES

    def respond_once(self) -> HttpResponseBase:
        """Respond. A preview changes nothing, so it is not recorded in the audit log."""
        self.audited = not self.flag("dry_run")  # type: ignore[misc]
        return super().respond_once()

    def flag(self, name: str) -> bool:
        """Return a query parameter that is true or false. Raises `Invalid`."""
        return read_flag(self.request.query_params, name)

    def choice(self, name: str, accepted: Sequence[str]) -> str:
        """Return a query parameter that is one of `accepted`; by default the first. Raises `Invalid`."""
        return read_parameter(self.request.query_params, name, read_one_of(accepted), default=accepted[0])

    def read_options(self) -> ReadOptions:
        """Return how to read the file. Raises `Invalid`."""
        return ReadOptions(
            date_format=DateFormat(self.choice("date_format", DATE_FORMATS)),
            encoding=self.choice("encoding", ENCODINGS),
            ignores_unknown_columns=self.choice("unknown_columns", UNKNOWN_COLUMNS) == "ignore",
        )

    def content(self) -> bytes:
        """Return the bytes of the file. Raises DRF's `ValidationError`."""
        serializer = FileSerializer(data=self.request.data)
        serializer.is_valid(raise_exception=True)
        content: bytes = serializer.validated_data["file"].read()
        return content


def _choice_parameter(name: str, accepted: Sequence[str], description: str) -> OpenApiParameter:
    return OpenApiParameter(
        name, str, OpenApiParameter.QUERY, enum=accepted, default=accepted[0], description=description
    )


def _flag_parameter(name: str, description: str) -> OpenApiParameter:
    return OpenApiParameter(name, bool, OpenApiParameter.QUERY, description=description)


HOW_TO_READ: Final = [
    _flag_parameter("dry_run", "Report what would happen to each line, and write nothing."),
    _choice_parameter(
        "date_format",
        DATE_FORMATS,
        "The order of dates that do not begin with the year. `auto` decides for each column, and refuses one that can "
        "be read in two ways.",
    ),
    _choice_parameter(
        "unknown_columns", UNKNOWN_COLUMNS, "What to do with columns that the import does not know."
    ),
    _choice_parameter(
        "encoding",
        ENCODINGS,
        "`auto` reads UTF-8, UTF-16, and else Windows-1252 or Mac Roman; the report names what it took.",
    ),
]
"""The query parameters of every import, as `read_options` and `dry_run` read them."""


class StudentImportView(ImportView):
    """Import students with guardians, ranks and opening balances.

    A known `external_id` updates; empty cells are ignored. So does an id that differs only in leading zeros, and a new
    id for a student who has none; the line then has a warning.

    Columns: `first_name` (required) and `last_name`, or the whole `name`; `external_id, preferred_name, name_order,
    email, phone, birth_date, gender, status, joined_on, licence_number, medical_notes`,
    `guardian_1_name`, `_email`, `_phone`, `_relation` (to 10), `rank_system, rank, rank_on` (more: `rank_2` …),
    `opening_attendance`.
    """

    operations = openapi.STUDENT_IMPORT

    @extend_schema(
        parameters=[
            *HOW_TO_READ,
            _flag_parameter(
                "allow_duplicates", "Also write lines whose name and birth date match an existing student."
            ),
            _flag_parameter("restore", "Restore archived students that a line updates."),
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
                options=self.read_options(),
                allow_duplicates=self.flag("allow_duplicates"),
                restore=self.flag("restore"),
            )
        )


class RankEventImportView(ImportView):
    """Import rank histories, one event per line. Name the student by `external_id`, or by name and birth date.

    Columns: `external_id` or `first_name, last_name, birth_date`; `rank_system, rank, kind, effective_on, note`.
    """

    operations = openapi.RANK_EVENT_IMPORT

    @extend_schema(parameters=HOW_TO_READ, responses={200: ImportedSerializer})
    def post(self, request: ApiRequest) -> Response:
        return Response(
            import_rank_events(
                self.content(),
                by=request.user,  # type: ignore[arg-type]
                dry_run=self.flag("dry_run"),
                options=self.read_options(),
            )
        )


class FactImportView(ImportView):
    """Import facts, one per line. Name the student by `external_id`, or by name and birth date.

    Columns: `external_id` or `first_name, last_name, birth_date`; `kind, rank_system, value, category, on, expires_on,
    note`. Only points may have a `category`; a fact without `rank_system` counts in all systems.
    """

    operations = openapi.FACT_IMPORT

    @extend_schema(parameters=HOW_TO_READ, responses={200: ImportedSerializer})
    def post(self, request: ApiRequest) -> Response:
        return Response(
            import_facts(
                self.content(),
                by=request.user,  # type: ignore[arg-type]
                dry_run=self.flag("dry_run"),
                options=self.read_options(),
            )
        )


# --- export -------------------------------------------------------------------------------------------------------


class StudentCsv(TableMixin, Listing):
    """The students as a file that can be imported: all that are not archived, or those that the filters select.

    CSV, or `.xlsx` with `?format=xlsx`.
    """

    table_name = "students"
    renderer_classes = [CsvRenderer, XlsxRenderer]
    operations = openapi.STUDENT_EXPORT
    queryset = Student.objects.searchable()
    serializer_class = StudentSerializer
    pagination_class = None
    search_column = "searched"
    filters = STUDENT_FILTERS
    ordering_fields = {"name": "search_name", "created_at": "created_at"}

    def get_queryset(self) -> Any:
        rows: Any = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return rows
        today = tenant_date(self.request.now)
        return with_held_ranks(rows.with_status(today), as_of=today)

    def get_renderers(self) -> list[BaseRenderer]:
        return [renderer() for renderer in self.renderer_classes]

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
