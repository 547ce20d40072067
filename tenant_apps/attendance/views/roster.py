"""One session with its roster, and the roster as one document to save."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from rest_framework.response import Response

from shared_apps.accounts.models import STAFF_ROLES
from tatami.api.permissions import Visibility
from tatami.api.responses import json_response
from tatami.api.views import ApiView
from tenant_apps.attendance import openapi
from tenant_apps.attendance.roster import roster_of, save_roster
from tenant_apps.attendance.serializers import RosterSerializer, SessionWithRosterSerializer
from tenant_apps.classes.models import ClassSession
from tenant_apps.classes.queries import one_session
from tenant_apps.classes.views import SessionDetail


class SessionResource(SessionDetail):
    """One session, for staff with its roster. A PATCH changes this session only, not its class."""

    operations = openapi.SESSION
    serializer_class = SessionWithRosterSerializer

    def get(self, request: Any, id: UUID) -> HttpResponse:
        return json_response(with_roster(request, read_session(request, id)))

    def represent(self, instance: ClassSession) -> dict[str, Any]:
        return with_roster(self.request, read_session(self.request, instance.pk))


class Roster(ApiView):
    """Save the roster of a session: `present` and `late` record an attendance, `absent` voids it."""

    operations = openapi.ROSTER
    serializer_class = RosterSerializer

    def put(self, request: Any, id: UUID) -> Response:
        session = read_session(request, id)
        serializer = RosterSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        values = serializer.validated_data
        save_roster(
            session_id=id,
            states={entry["student"]: entry["state"] for entry in values["entries"]},
            reason=values.get("reason", ""),
            by=request.user,
            only_recorded_today=request.visibility is Visibility.RECORDED,
            now=request.now,
        )
        return Response(with_roster(request, session))


def read_session(request: Any, session_id: UUID) -> dict[str, Any]:
    """Return a session that the caller may see, in the shape of `SessionSerializer`. Raises `NotFound`."""
    return one_session(session_id, role=request.user.role, now=request.now)


def with_roster(request: Any, session: dict[str, Any]) -> dict[str, Any]:
    """Return a session in the shape of `SessionWithRosterSerializer`: for staff with its roster. Two statements."""
    if request.user.role not in STAFF_ROLES:
        return session
    return {**session, "roster": roster_of(session, now=request.now)}
