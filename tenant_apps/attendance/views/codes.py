"""Codes to show or print."""

from typing import Any
from uuid import UUID

from rest_framework.response import Response

from shared_apps.accounts.models import Role
from tatami.api.views import ApiView
from tatami.errors import PermissionDenied
from tenant_apps.attendance import cards, openapi
from tenant_apps.attendance.serializers import CardFormatSerializer, CodeSerializer, NewCodeSerializer
from tenant_apps.classes.models import DEVICE_ROLE
from tenant_apps.students.models import Student
from tenant_apps.students.queries import student_not_found


class Qr(ApiView):
    """Issue the code of a student, or of a class session for the wall. The response is a secret."""

    operations = openapi.QR
    audited = False
    idempotent = False
    serializer_class = NewCodeSerializer

    def post(self, request: Any) -> Response:
        if request.user.role == DEVICE_ROLE and "student" in request.data:
            raise PermissionDenied
        serializer = NewCodeSerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        values = serializer.validated_data
        is_card = values["kind"] == "card"
        options = {"image_format": values["format"], "now": request.now}
        if "class_session" in values:
            if request.user.role == Role.STUDENT:
                raise PermissionDenied
            code = cards.session_code(values["class_session"], rotates=not is_card, **options)
        elif is_card:
            code = cards.card_code(cards.valid_card(student=values["student"]), **options)
        else:
            code = cards.student_code(values["student"], **options)
        return Response(CodeSerializer(code).data, status=201)


class StudentCard(ApiView):
    """The printed card of a student. POST replaces it; DELETE revokes a lost one."""

    operations = openapi.STUDENT_CARD
    idempotent = False
    serializer_class = CardFormatSerializer

    def post(self, request: Any, id: Any) -> Response:
        serializer = CardFormatSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        card = cards.reissue_card(student=_student(id), now=request.now)
        code = cards.card_code(card, image_format=serializer.validated_data["format"], now=request.now)
        return Response(CodeSerializer(code).data, status=201)

    def delete(self, request: Any, id: Any) -> Response:
        cards.revoke_card(student=_student(id), now=request.now)
        return Response(status=204)


def _student(student_id: UUID) -> Student:
    student: Student | None = Student.objects.not_archived().filter(pk=student_id).first()
    if student is None:
        raise student_not_found(student_id)
    return student
