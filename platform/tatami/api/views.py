"""Generic views for lists and single resources: a queryset, a serializer, and the query parameters of the list.

    class Students(Collection):
        queryset = Student.objects.all()
        serializer_class = StudentSerializer
        detail_route = "student"
        search_column = "search_name"
        ordering_fields = {"last_name": "last_name", "joined_on": "joined_on"}
        filters = {"status": one_of("status", Student.Status)}

    class StudentDetail(Resource): …

`Listing` is GET of a list, `Collection` adds POST; `Detail` is GET of one row, `Resource` adds PATCH and DELETE.
Other actions are subclasses of `ApiView`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from django.db import connection
from django.db.models import Model, QuerySet
from django.shortcuts import get_object_or_404
from rest_framework.generics import GenericAPIView
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from tatami.api.base_view import ApiView
from tatami.api.filters import Filter, filter_archived, order, search
from tatami.api.permissions import role_of, rule_of, visible_to
from tatami.api.request import READS, ApiRequest
from tatami.api.responses import created
from tatami.errors import Invalid, NotFound, PermissionDenied

__all__ = ["ApiView", "Collection", "Detail", "Listing", "Resource", "get_or_404"]

M = TypeVar("M", bound=Model)


def get_or_404(queryset: QuerySet[M], **lookup: Any) -> M:
    """Return the first row of `queryset` that matches. Raises `NotFound` if there is none."""
    row = queryset.filter(**lookup).first()
    if row is None:
        raise NotFound
    return row


class QuerysetView(ApiView, GenericAPIView[Any]):
    """The base of lists and single resources: selects the rows that the caller may see."""

    refetch: ClassVar[bool] = False
    """True if the response contains what only the queryset adds (annotations, prefetched rows)."""

    def get_queryset(self) -> QuerySet[Any]:
        """Return the rows that the caller may see (`visible_to`)."""
        queryset: QuerySet[Any] = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return queryset.none()
        return visible_to(self.request, queryset)

    def annotate_page(self, rows: Sequence[Any]) -> None:
        """Add to the rows of a page what the response shows besides their columns. Use one query for all rows."""

    def get_serializer(self, *args: Any, **kwargs: Any) -> BaseSerializer[Any]:
        """Return the serializer of one row, or with `many` of a page, after `annotate_page`."""
        rows = args[0] if args else None
        if rows is not None:
            self.annotate_page(rows if kwargs.get("many") else [rows])
        return super().get_serializer(*args, **kwargs)

    def represent(self, instance: Any) -> Any:
        """Return the response body for one row, as a GET of the caller would."""
        if self.refetch:
            instance = self.get_queryset().get(pk=instance.pk)
        return self.get_serializer(instance).data


class Listing(QuerysetView):
    """`GET`: a page of rows."""

    search_column: ClassVar[str | None] = None
    """A column that contains `normalise(text)`. `?search=` finds rows that contain every word."""
    ordering_fields: ClassVar[Mapping[str, str]] = {}
    """Names that `?ordering=` accepts → columns. `-` before a name reverses; commas separate names."""
    ordering: ClassVar[tuple[str, ...]] = ()
    """The order without `?ordering=`. The primary key is added, so pages never overlap."""
    filters: ClassVar[Mapping[str, Filter]] = {}
    cursor_column: ClassVar[str] = "created_at"
    """With `pagination_class = CursorPages`: the column that orders the rows, newest first."""

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows that match the query parameters. Raises `Invalid` with the name of the parameter."""
        query = self.request.query_params
        queryset = filter_archived(queryset, query.get("archived"))
        for name, one in self.filters.items():
            value = query.get(name)
            if value is not None:
                queryset = one.apply(queryset, name, value)
        if self.search_column:
            queryset = search(queryset, self.search_column, query.get("search", ""))
        elif "search" in query:
            raise Invalid.field("search", "This list cannot be searched.")
        return order(queryset, query.get("ordering"), self.ordering_fields, self.ordering)

    def get(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)


class Collection(Listing):
    """`GET` and `POST`. The `Location` of a new resource is its URL on the route `detail_route`."""

    detail_route: ClassVar[str]

    def post(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        instance = self.perform_create(serializer)
        return created(self.represent(instance), self.detail_route, **self.detail_keys(instance))

    def perform_create(self, serializer: BaseSerializer[Any]) -> Any:
        """Create the resource and return it. Override to call a service, or to add values from the URL."""
        return serializer.save()

    def detail_keys(self, instance: Any) -> dict[str, Any]:
        """Return the arguments to reverse the detail route: those of this URL, and the new `id`."""
        return {**self.kwargs, "id": instance.pk}


class Detail(QuerysetView):
    """`GET`: one row, found by the `id` in the path."""

    lookup_field = "id"

    def get_object(self) -> Any:
        """Return the row. A write locks it, so that two concurrent PATCHes of different fields are both kept."""
        is_write = self.request.method not in READS
        if is_write:
            self.lock_first()
        queryset = self.get_queryset()
        if is_write and connection.in_atomic_block:
            queryset = queryset.select_for_update(of=("self",))
        key = self.lookup_url_kwarg or self.lookup_field
        return get_object_or_404(queryset, **{self.lookup_field: self.kwargs[key]})

    def lock_first(self) -> None:
        """Lock other rows that must be locked before this one (students come first). Called before a write."""

    def get(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        return Response(self.get_serializer(self.get_object()).data)


class Resource(Detail):
    """`GET`, `PATCH`, `DELETE`. If the model can be archived, DELETE archives and `archived: false` restores."""

    def patch(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        instance = self.get_object()
        serializer = self.get_serializer(instance, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        if serializer.validated_data.pop("archived", None) is False:
            self.require_delete()
            instance.restore()
        return Response(self.represent(self.perform_update(serializer)))

    def delete(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        self.perform_destroy(self.get_object())
        return Response(status=204)

    def perform_update(self, serializer: BaseSerializer[Any]) -> Any:
        """Change the resource and return it. Override to call a service."""
        return serializer.save()

    def perform_destroy(self, instance: Any) -> None:
        """Archive the row, or delete it if its model cannot be archived."""
        if getattr(instance, "ARCHIVABLE", False):
            instance.archive(now=self.request.now)
        else:
            instance.delete()

    def require_delete(self) -> None:
        """Raises `PermissionDenied` for a role that may not archive: only a role that may DELETE may restore."""
        match = self.request.resolver_match
        found = rule_of(match.view_name, "DELETE") if match else None
        if found is None or found.visibility_for(role_of(self.request)) is None:
            raise PermissionDenied
