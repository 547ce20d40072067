"""CSV in, with a preview: `?dry_run=true` says what would become of each line, and writes nothing."""

from typing import Any

from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.response import Response

from tatami.api.fields import ReferenceField
from tatami.api.filters import read_bool
from tatami.api.input_middleware import ABSOLUTE_MAX_BODY_BYTES
from tatami.api.request import ApiRequest
from tatami.api.serializers import StrictSerializer
from tatami.api.views import ApiView
from tatami.errors import Invalid
from tenant_apps.students.dates import dojo_today
from tenant_apps.students.imports.importing import import_facts, import_rank_events, import_students
from tenant_apps.students.imports.report import Outcome


class FileSerializer(StrictSerializer):
    """A CSV file in the part `file`: UTF-8 with a header; separated by comma, semicolon or tab."""

    file = serializers.FileField(allow_empty_file=True)


class ImportedRowSerializer(StrictSerializer):
    """What became of a line. `errors` maps columns to messages."""

    line = serializers.IntegerField()
    outcome = serializers.ChoiceField(choices=[outcome.value for outcome in Outcome])
    student = ReferenceField(read_only=True)
    duplicate_of = ReferenceField(read_only=True)
    duplicate_of_line = serializers.IntegerField(required=False)

    def get_fields(self) -> dict[str, Any]:
        # `errors` is also what DRF calls its own.
        return {**super().get_fields(), "errors": serializers.JSONField()}


class ImportedSerializer(StrictSerializer):
    """The sums, and every line."""

    dry_run = serializers.BooleanField()
    created = serializers.IntegerField()
    updated = serializers.IntegerField()
    failed = serializers.IntegerField()
    duplicates = serializers.IntegerField()
    rows = ImportedRowSerializer(many=True)


class Import(ApiView):
    """A multipart body with one CSV file."""

    parser_classes = [MultiPartParser]
    serializer_class = FileSerializer
    max_body_bytes = ABSOLUTE_MAX_BODY_BYTES

    def respond_once(self) -> HttpResponseBase:
        """Answer. A preview changes nothing, so there is nothing to write down about it."""
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
        asked = FileSerializer(data=self.request.data)
        asked.is_valid(raise_exception=True)
        content: bytes = asked.validated_data["file"].read()
        return content


def _flag(name: str, meaning: str) -> OpenApiParameter:
    return OpenApiParameter(name, bool, OpenApiParameter.QUERY, description=meaning)


_DRY_RUN = _flag("dry_run", "Say what would become of each line, and write nothing.")


class StudentImport(Import):
    """Students with guardians, ranks and opening balances. A known `external_id` updates; an empty cell says nothing.

    Columns: `external_id, first_name, last_name, email, phone, birth_date, gender, status, joined_on, medical_notes`,
    `guardian_1_name`, `_email`, `_phone`, `_relation` (to 10), `rank_system, rank, rank_on` (more: `rank_2` …),
    `opening_attendance`.
    """

    @extend_schema(
        parameters=[
            _DRY_RUN,
            _flag("allow_duplicates", "Write lines whose name and birth date are here already, too."),
        ],
        responses={200: ImportedSerializer},
    )
    def post(self, request: ApiRequest) -> Response:
        return Response(
            import_students(
                self.content(),
                by=request.user,  # type: ignore[arg-type]
                today=dojo_today(request.now),
                now=request.now,
                dry_run=self.flag("dry_run"),
                allow_duplicates=self.flag("allow_duplicates"),
            )
        )


class RankEventImport(Import):
    """Rank histories, one event a line; the student by `external_id`, or by name and birth date.

    Columns: `external_id` or `first_name, last_name, birth_date`; `rank_system, rank, kind, effective_on, note`.
    """

    @extend_schema(parameters=[_DRY_RUN], responses={200: ImportedSerializer})
    def post(self, request: ApiRequest) -> Response:
        return Response(
            import_rank_events(self.content(), by=request.user, dry_run=self.flag("dry_run"))  # type: ignore[arg-type]
        )


class FactImport(Import):
    """Facts, one a line; the student by `external_id`, or by name and birth date.

    Columns: `external_id` or `first_name, last_name, birth_date`; `kind, rank_system, value, category, on, expires_on,
    note`. Only points may have a `category`; a fact without `rank_system` counts in all of them.
    """

    @extend_schema(parameters=[_DRY_RUN], responses={200: ImportedSerializer})
    def post(self, request: ApiRequest) -> Response:
        return Response(
            import_facts(self.content(), by=request.user, dry_run=self.flag("dry_run"))  # type: ignore[arg-type]
        )
