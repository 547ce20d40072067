"""One session with its roster, and the roster as one document to save."""

from typing import Any

from rest_framework.response import Response

from tatami.api.permissions import Visibility
from tatami.api.views import ApiView, get_or_404
from tenant_apps.attendance import openapi
from tenant_apps.attendance.corrections import save_roster
from tenant_apps.attendance.serializers import RosterSerializer, SessionWithRosterSerializer
from tenant_apps.classes.sessions import attach_instructors
from tenant_apps.classes.views import SESSIONS, SessionDetail


class SessionResource(SessionDetail):
    """One session, for staff with its roster. A PATCH changes this session only, not its class."""

    operations = openapi.SESSION
    serializer_class = SessionWithRosterSerializer


class Roster(ApiView):
    """Save the roster of a session: `present` and `late` record an attendance, `absent` voids it."""

    operations = openapi.ROSTER
    serializer_class = RosterSerializer

    def put(self, request: Any, id: Any) -> Response:
        session = get_or_404(SESSIONS.all(), pk=id)
        serializer = RosterSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        values = serializer.validated_data
        save_roster(
            session=session,
            states={entry["student"]: entry["state"] for entry in values["entries"]},
            reason=values.get("reason", ""),
            by=request.user,
            only_recorded_today=request.visibility is Visibility.RECORDED,
            now=request.now,
        )
        attach_instructors([session])
        return Response(SessionWithRosterSerializer(session, context={"request": request}).data)
