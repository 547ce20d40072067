"""The personal address of a calendar feed, and the feed itself."""

import hashlib
from typing import Any, Final

from django.http import HttpResponse
from django.utils.cache import get_conditional_response
from rest_framework.response import Response

from tatami.api.renderers import JsonRenderer, PassthroughRenderer
from tatami.api.views import ApiView
from tatami.errors import NotFound
from tatami.tenancy.addresses import origin
from tenant_apps.classes import feed

ICS: Final = "text/calendar"


class MyCalendar(ApiView):
    """The caller's feed address: POST makes one, in place of the one before, DELETE ends it. The answer is a secret."""

    idempotent = False

    def post(self, request: Any) -> Response:
        url = f"{origin()}/calendar.ics?token={feed.open_feed(user=request.user)}"
        return Response({"url": url}, status=201, headers={"Location": url})

    def delete(self, request: Any) -> Response:
        feed.close_feed(user=request.user)
        return Response(status=204)


class IcsRenderer(PassthroughRenderer):
    """A calendar."""

    media_type = ICS
    format = "ics"


class Calendar(ApiView):
    """The schedule for a calendar program; whoever holds the token may read it."""

    renderer_classes = [IcsRenderer, JsonRenderer]

    def get(self, request: Any) -> Any:
        user = feed.user_of(request.query_params.get("token", ""))
        if user is None:
            raise NotFound
        body = feed.calendar_of(feed.sessions_for(user, now=request.now))
        answer = HttpResponse(body, content_type=f"{ICS}; charset=utf-8")
        answer["ETag"] = f'"{hashlib.sha256(body).hexdigest()}"'
        answer["Cache-Control"] = "private, no-cache"
        return get_conditional_response(request._request, etag=answer["ETag"], response=answer)
