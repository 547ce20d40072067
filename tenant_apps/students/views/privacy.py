"""Privacy rights of a person: export everything held about a student, and erase it."""

from typing import Any

from django.db import transaction
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from shared_apps.accounts.users import lock_admins
from tatami.api.request import ApiRequest
from tatami.api.serializers import StrictSerializer
from tatami.api.views import ApiView
from tenant_apps.students import openapi, privacy
from tenant_apps.students.models import Student
from tenant_apps.students.queries import student_not_found
from tenant_apps.students.views.records import visible_student


class ErasureSerializer(StrictSerializer):
    """The id of the student again, as confirmation: an erasure cannot be undone."""

    confirm = serializers.UUIDField()


class PersonalDataExport(ApiView):
    """Everything that the dojo holds about a student, from all apps, as JSON."""

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: ApiRequest, student_id: Any) -> Response:
        student = visible_student(request, student_id)
        held = {"exported_at": request.now, **privacy.collect(student)}
        return Response(held, headers={"Content-Disposition": f'attachment; filename="{student.pk}.json"'})


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
            raise serializers.ValidationError({"confirm": ["This is not the id of the student."]})
        privacy.erase(student, request.now)
        return Response(status=204)
