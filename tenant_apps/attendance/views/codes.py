"""Codes to show or print."""

from dataclasses import fields
from typing import Any, Final
from uuid import UUID

from rest_framework.response import Response

from shared_apps.accounts.models import Role
from tatami.api.views import ApiView
from tatami.errors import PermissionDenied
from tatami.postgresql.compiled import CompiledQuery
from tenant_apps.attendance import cards, openapi
from tenant_apps.attendance.cards import IssuedCode
from tenant_apps.attendance.serializers import (
    IMAGE_FORMATS,
    CardFormatSerializer,
    CodeSerializer,
    NewCodeSerializer,
    codes_of_students,
)
from tenant_apps.attendance.views.scans import UUID_TEXT
from tenant_apps.classes.models import DEVICE_ROLE
from tenant_apps.students.models import Student
from tenant_apps.students.queries import student_not_found

STUDENT_IDS: Final = {
    is_own: CompiledQuery(
        f"attendance.{'own ' if is_own else ''}code",
        (lambda student, user: codes_of_students(user).filter(pk=student))
        if is_own
        else (lambda student: codes_of_students(None).filter(pk=student)),
        columns=("check_in_id",),
        student=UUID,
        **({"user": UUID} if is_own else {}),
    )
    for is_own in (False, True)
}
"""Whether the caller may request only the codes of their own students → the `check_in_id` of a student."""


class Qr(ApiView):
    """Issue the code of a student, or of a class session for the wall. The response is a secret."""

    operations = openapi.QR
    audited = False
    idempotent = False
    serializer_class = NewCodeSerializer

    def post(self, request: Any) -> Response:
        code = usual_code(request) or self.code(request)
        return Response({field.name: getattr(code, field.name) for field in fields(code)}, status=201)

    def code(self, request: Any) -> IssuedCode:
        """Return the code that any valid body asks for."""
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
            return cards.session_code(values["class_session"].pk, rotates=not is_card, **options)
        if is_card:
            return cards.card_code(cards.valid_card(student=values["student"]), **options)
        return cards.student_code(bytes(values["student"].check_in_id), **options)


def usual_code(request: Any) -> IssuedCode | None:
    """Return what phones ask for every half minute: the rotating code of a student. One statement.

    Return `None` for any other body, and if the student is not found: then the serializer decides what is wrong.
    """
    body = request.data
    match body:
        case {"student": str(text), **more} if UUID_TEXT.fullmatch(text):
            image_format = more.pop("format", "svg")
            kind = more.pop("kind", "rotating")
        case _:
            return None
    user = request.user
    if more or kind != "rotating" or image_format not in IMAGE_FORMATS or user.role == DEVICE_ROLE:
        return None
    is_own = user.role == Role.STUDENT
    found = STUDENT_IDS[is_own].rows(student=UUID(text), **({"user": user.pk} if is_own else {}))
    return cards.student_code(found[0][0], image_format=image_format, now=request.now) if found else None


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
