"""Codes and their images."""

from datetime import datetime
from typing import Any
from uuid import UUID

from rest_framework.response import Response

from shared_apps.accounts.models import Role
from tatami.api.views import ApiView, get_or_404
from tatami.errors import PermissionDenied
from tatami.tenancy.addresses import origin
from tatami.tenancy.scope import current_tenant
from tenant_apps.attendance import services
from tenant_apps.attendance.codes import URL_PATH, Kind, make_token, step_ends, step_of
from tenant_apps.attendance.devices import DEVICE
from tenant_apps.attendance.images import data_uri
from tenant_apps.attendance.serializers import CardSerializer, QrSerializer
from tenant_apps.classes.models import ClassSession
from tenant_apps.students.models import Student


class Qr(ApiView):
    """Make the code of a student, or of a class session for the wall. The answer is a secret."""

    audited = False
    idempotent = False
    serializer_class = QrSerializer

    def post(self, request: Any) -> Response:
        if request.user.role == DEVICE and "student" in request.data:
            raise PermissionDenied
        serializer = QrSerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        wanted = serializer.validated_data
        image_format, is_card = wanted["format"], wanted["kind"] == "card"
        if "class_session" in wanted:
            if request.user.role == Role.STUDENT:
                raise PermissionDenied
            answer = session_code(wanted["class_session"], is_card, image_format, request.now)
        elif is_card:
            answer = card_code(services.valid_card(student=wanted["student"]).code, image_format, request.now)
        else:
            answer = code(Kind.STUDENT, bytes(wanted["student"].check_in_id), image_format, request.now)
        return Response(answer, status=201)


class StudentCard(ApiView):
    """The printed card of a student: POST replaces it, DELETE revokes the lost one."""

    idempotent = False
    serializer_class = CardSerializer

    def post(self, request: Any, id: Any) -> Response:
        serializer = CardSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        card = services.reissue_card(student=_student(id), now=request.now)
        return Response(card_code(card.code, serializer.validated_data["format"], request.now), status=201)

    def delete(self, request: Any, id: Any) -> Response:
        services.revoke_card(student=_student(id), now=request.now)
        return Response(status=204)


def _student(student_id: UUID) -> Student:
    student: Student = get_or_404(Student.objects.live(), pk=student_id)
    return student


def session_code(session: ClassSession, is_card: bool, image_format: str, now: datetime) -> dict[str, Any]:
    """Return a session's code; its image holds the URL, so that any phone's camera leads to the dojo."""
    kind = Kind.SESSION if is_card else Kind.SESSION_ROTATING
    return code(kind, session.pk.bytes, image_format, now, image_holds="url")


def card_code(card: Any, image_format: str, now: datetime) -> dict[str, Any]:
    """Return the code of a card, which lives until it is revoked."""
    return code(Kind.CARD, bytes(card), image_format, now)


def code(
    kind: Kind, subject: bytes, image_format: str, now: datetime, *, image_holds: str = "token"
) -> dict[str, Any]:
    """Return a code as the contract shows it. `expires_at` is null for what does not rotate."""
    token = make_token(kind, subject, tenant_id=current_tenant().tenant_id, now=now)
    answer = {"token": token, "url": f"{origin()}{URL_PATH}{token}"}
    return {
        **answer,
        "kind": "rotating" if kind.rotates else "card",
        "expires_at": step_ends(step_of(now)) if kind.rotates else None,
        "image": data_uri(answer[image_holds], image_format),
    }
