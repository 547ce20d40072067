"""How views answer where there is more to say than 200."""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from django.http import StreamingHttpResponse
from django.urls import reverse
from rest_framework.response import Response

from tatami.errors import NotFound

M = TypeVar("M", bound=Model)


def location(route: str, **kwargs: Any) -> str:
    """Return the path of a route on this host, for a `Location` header."""
    return reverse(route, kwargs=kwargs)


def created(data: Any, route: str, **kwargs: Any) -> Response:
    """Return the 201 for a resource that was made, with its `Location`."""
    return Response(data, status=201, headers={"Location": location(route, **kwargs)})


def accepted(data: Any, route: str, **kwargs: Any) -> Response:
    """Return the 202 for work that was queued, with the `Location` of its progress."""
    return Response(data, status=202, headers={"Location": location(route, **kwargs)})


def streamed(
    chunks: Iterator[bytes] | Iterator[str], *, content_type: str, headers: Mapping[str, str]
) -> StreamingHttpResponse:
    """Return the answer that sends `chunks` one by one; what goes wrong before the first is still answered in JSON."""
    first = next(chunks)
    return StreamingHttpResponse(chain([first], chunks), content_type=content_type, headers=headers)


def found_or_404(queryset: QuerySet[M], **lookup: Any) -> M:
    """Return the one row that the caller may see. Raises `NotFound`."""
    row = queryset.filter(**lookup).first()
    if row is None:
        raise NotFound
    return row
