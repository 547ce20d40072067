"""Privacy rights of a person: export everything held about a student, and erase it."""

from typing import Any, cast

from django.db import transaction
from django.utils.translation import gettext
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from shared_apps.accounts.models import User
from shared_apps.accounts.users import lock_admins
from tatami.api.body_middleware import ABSOLUTE_MAX_BODY_BYTES
from tatami.api.filters import read_flag
from tatami.api.request import ApiRequest
from tatami.api.responses import created
from tatami.api.serializers import StrictSerializer
from tatami.api.views import ApiView
from tatami.tenancy.scope import current_tenant
from tenant_apps.students import openapi, privacy
from tenant_apps.students.models import Student
from tenant_apps.students.queries import student_not_found
from tenant_apps.students.transfer import TransferSerializer, take_in
from tenant_apps.students.views.records import visible_student


class ErasureSerializer(StrictSerializer):
    """The id of the student again, as confirmation: an erasure cannot be undone."""

    confirm = serializers.UUIDField()


class PersonalDataExport(ApiView):
    """Everything that the dojo holds about a student, from all apps, as JSON."""

    def get(self, request: ApiRequest, student_id: Any) -> Response:
        student = visible_student(request, student_id)
        dojo = current_tenant()
        held = {
            "exported_at": request.now,
            "dojo": {"id": dojo.tenant_id, "name": dojo.name},
            **privacy.collect(student),
        }
        return Response(held, headers={"Content-Disposition": f'attachment; filename="{student.pk}.json"'})


class Transfers(ApiView):
    """Take in a student from another dojo: the body is the export of the person there, as JSON."""

    operations = openapi.TRANSFERS
    serializer_class = TransferSerializer
    max_body_bytes = ABSOLUTE_MAX_BODY_BYTES

    def post(self, request: ApiRequest) -> Response:
        dry_run = read_flag(request.query_params, "dry_run")
        self.audited = not dry_run  # type: ignore[misc]
        serializer = TransferSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        transfer = take_in(
            serializer.validated_data,
            by=cast("User", request.user),
            dry_run=dry_run,
            allow_duplicates=read_flag(request.query_params, "allow_duplicates"),
        )
        student = transfer.student
        body = {
            "student": None if dry_run else {"id": student.pk, "name": student.name},
            "dry_run": dry_run,
            "imported": transfer.imported,
            "left_out": transfer.left_out,
        }
        return Response(body) if dry_run else created(body, "student", id=student.pk)


class Erasure(ApiView):
    """Erase all data about a student. Anonymous counts (attendance, ranks awarded) stay.

    A repeated or concurrent request gets a 404. If the process dies, nothing has been erased.
    """

    operations = openapi.ERASURE
    serializer_class = ErasureSerializer

    @extend_schema(responses={204: None})
    @transaction.atomic
    def post(self, request: ApiRequest, student_id: Any) -> Response:
        lock_admins()  # before the row of the student, in the same order as changes of users
        student = Student.objects.select_for_update().filter(pk=student_id).first()
        if student is None:
            raise student_not_found(student_id)
        serializer = ErasureSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        if serializer.validated_data["confirm"] != student.pk:
            raise serializers.ValidationError({"confirm": [gettext("This is not the id of the student.")]})
        privacy.erase(student, request.now)
        return Response(status=204)
