"""Codes to show or print, and the page that a phone's camera opens."""

from typing import Any, Final
from uuid import UUID

from django.http import HttpResponse
from django.template.loader import render_to_string
from rest_framework.response import Response

from shared_apps.accounts.models import Role
from tatami.api.renderers import HtmlRenderer
from tatami.api.views import ApiView, get_or_404
from tatami.errors import NotFound, PermissionDenied
from tatami.tenancy.scope import current_tenant
from tenant_apps.attendance import cards, openapi
from tenant_apps.attendance.check_in.codes import read_code
from tenant_apps.attendance.serializers import CardFormatSerializer, CodeSerializer, NewCodeSerializer
from tenant_apps.classes.models import DEVICE_ROLE, ClassSession
from tenant_apps.students.models import Student
from tenant_apps.students.queries import student_not_found

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)


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


class CheckInPage(ApiView):
    """The page at the URL of a code. For a session's code it offers to sign in and check in.

    For the code of a student or a card it shows nothing about the person. Any other token is 404.
    """

    schema = None
    renderer_classes = [HtmlRenderer]

    def get(self, request: Any, token: str) -> HttpResponse:
        code = read_code(token)
        if code is None:
            raise NotFound
        dojo = current_tenant()
        context: dict[str, Any] = {"dojo": dojo.name, "token": token}
        if code.is_of_session:
            session = get_or_404(ClassSession.objects.all(), pk=UUID(bytes=code.id))
            context |= {"session": session, "zone": dojo.timezone, "is_cancelled": session.is_cancelled}
        response = HttpResponse(render_to_string("attendance/check_in.html", context))
        response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        return response


def _student(student_id: UUID) -> Student:
    student: Student | None = Student.objects.not_archived().filter(pk=student_id).first()
    if student is None:
        raise student_not_found(student_id)
    return student
