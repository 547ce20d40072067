"""Responses that need more than a body and status 200."""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

import orjson
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import reverse
from rest_framework.response import Response

from tatami.api.renderers import JSON


def json_response(data: Any) -> HttpResponse:
    """Return what statements have read as JSON: their instants are in UTC, which orjson writes as `format_instant`."""
    return HttpResponse(orjson.dumps(data, option=orjson.OPT_UTC_Z), content_type=JSON)


def location(route: str, **kwargs: Any) -> str:
    """Return the path of a route on this host, for a `Location` header."""
    return reverse(route, kwargs=kwargs)


def created(data: Any, route: str, **kwargs: Any) -> Response:
    """Return a 201 for a created resource, with its `Location`."""
    return Response(data, status=201, headers={"Location": location(route, **kwargs)})


def accepted(data: Any, route: str, **kwargs: Any) -> Response:
    """Return a 202 for a queued job, with the `Location` of its status."""
    return Response(data, status=202, headers={"Location": location(route, **kwargs)})


def streaming_response(
    chunks: Iterator[bytes] | Iterator[str], *, content_type: str, headers: Mapping[str, str]
) -> StreamingHttpResponse:
    """Return a response that sends `chunks` one by one.

    The first chunk is produced here, so an error before it still becomes a JSON error response.
    """
    first = next(chunks)
    return StreamingHttpResponse(chain([first], chunks), content_type=content_type, headers=headers)
