"""A person's rights: to be told what is held about her, and to be forgotten."""

from typing import Any

from django.db import transaction
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from shared_apps.accounts.users import lock_admins
from tatami.api.request import ApiRequest
from tatami.api.serializers import StrictSerializer
from tatami.api.views import ApiView, get_or_404
from tenant_apps.students import personal_data
from tenant_apps.students.models import Student


class ErasureSerializer(StrictSerializer):
    """The id of the student once more: an erasure cannot be undone."""

    confirm = serializers.UUIDField()


class StudentDossier(ApiView):
    """All that is held about a person, of all parts of the dojo, as JSON."""

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: ApiRequest, student_id: Any) -> Response:
        student = get_or_404(Student.objects.all(), pk=student_id)
        held = {"exported_at": request.now, **personal_data.collect(student)}
        return Response(held, headers={"Content-Disposition": f'attachment; filename="{student.pk}.json"'})


class Erasure(ApiView):
    """Forget a person. Anonymous counts (visits, ranks awarded) stay; the rest is gone, here and everywhere.

    Twice is 404. Of two at once one erases, the other is 404. Killed in the middle, nothing has happened.
    """

    serializer_class = ErasureSerializer

    @extend_schema(responses={204: None})
    @transaction.atomic
    def post(self, request: ApiRequest, student_id: Any) -> Response:
        lock_admins()  # before the student's own row, as whoever changes a user does
        student = get_or_404(Student.objects.select_for_update(), pk=student_id)
        asked = ErasureSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        if asked.validated_data["confirm"] != student.pk:
            raise serializers.ValidationError({"confirm": ["This is not the id of the student."]})
        personal_data.erase(student, request.now)
        return Response(status=204)
