"""The page behind the address of a code, for whoever points a phone's camera at it."""

from typing import Any, Final
from uuid import UUID

from django.http import HttpResponse
from django.template.loader import render_to_string

from tatami.api.renderers import HtmlRenderer
from tatami.api.views import ApiView, get_or_404
from tatami.errors import NotFound
from tatami.tenancy.scope import current_tenant
from tenant_apps.attendance.wanted import code_of
from tenant_apps.classes.models import ClassSession

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)


class CheckInPage(ApiView):
    """Say what a code is for. A session's code can be used here by signing in; a person's tells nothing about her.

    A code that is none of ours is 404, whatever is wrong with it.
    """

    schema = None
    renderer_classes = [HtmlRenderer]

    def get(self, request: Any, token: str) -> HttpResponse:
        code = code_of(token)
        if code is None:
            raise NotFound
        dojo = current_tenant()
        shown: dict[str, Any] = {"dojo": dojo.name, "token": token}
        if code.names_session:
            session = get_or_404(ClassSession.objects.all(), pk=UUID(bytes=code.id))
            shown["session"] = session
            shown["zone"] = dojo.timezone
            shown["is_cancelled"] = session.status == ClassSession.Status.CANCELLED
        response = HttpResponse(render_to_string("attendance/check_in.html", shown))
        response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        return response
