"""The API of calendar feeds."""

import hashlib
from typing import Any, Final

from django.http import HttpResponse
from django.utils.cache import get_conditional_response
from rest_framework.response import Response

from tatami.api.renderers import JsonRenderer, PassthroughRenderer
from tatami.api.views import ApiView
from tatami.errors import NotFound
from tatami.tenancy.hosts import origin
from tenant_apps.classes import calendar_feed, openapi
from tenant_apps.classes.serializers import FeedAddressSerializer

ICALENDAR: Final = "text/calendar"


class MyCalendar(ApiView):
    """The caller's calendar feed. POST creates its URL, which is secret, and ends the previous one; DELETE ends it."""

    operations = openapi.MY_CALENDAR
    idempotent = False

    def post(self, request: Any) -> Response:
        url = f"{origin()}/calendar.ics?token={calendar_feed.create_feed(user=request.user)}"
        return Response(FeedAddressSerializer({"url": url}).data, status=201, headers={"Location": url})

    def delete(self, request: Any) -> Response:
        calendar_feed.delete_feed(user=request.user)
        return Response(status=204)


class ICalendarRenderer(PassthroughRenderer):
    """A calendar."""

    media_type = ICALENDAR
    format = "ics"


class Calendar(ApiView):
    """The schedule for a calendar program. Anyone who has the token may read it."""

    operations = openapi.CALENDAR
    renderer_classes = [ICalendarRenderer, JsonRenderer]

    def get(self, request: Any) -> Any:
        user = calendar_feed.feed_user(request.query_params.get("token", ""))
        if user is None:
            raise NotFound
        body = calendar_feed.calendar_of(calendar_feed.sessions_for(user, now=request.now))
        response = HttpResponse(body, content_type=f"{ICALENDAR}; charset=utf-8")
        response["ETag"] = f'"{hashlib.sha256(body).hexdigest()}"'
        response["Cache-Control"] = "private, no-cache"
        return get_conditional_response(request._request, etag=response["ETag"], response=response)
