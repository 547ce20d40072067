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

A list that is requested often names its `columns`. Then its QuerySet is compiled once for each shape of request, and
its rows become JSON without a serializer (see `tatami.postgresql.compiled`):

    class Disciplines(Listing):
        …
        columns = ("id", "tenant_id", "name", "created_at", "updated_at")

What such a list reads from the request must be in `read_values` or in `filters`: its `get_queryset` and `apply_filters`
also run with parameters in the place of the values, and without a request. A test compares its rows with those of its
serializer.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Final, TypeVar
from uuid import UUID

from django.db import connection
from django.db.models import Model, QuerySet
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext
from rest_framework.generics import GenericAPIView
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from tatami.api.base_view import ApiView
from tatami.api.filters import Filter, order, read_flag, read_ordering, read_parameter, read_words, search
from tatami.api.permissions import Visibility, role_of, rule_of, visible_to
from tatami.api.request import READS, ApiRequest
from tatami.api.responses import created, json_response
from tatami.errors import Invalid, NotFound, PermissionDenied
from tatami.postgresql.compiled import (
    OFFSET,
    CompiledSql,
    compiled_shape,
    page_query,
    parameters_of,
    shape_of,
)
from tatami.postgresql.statements import Row

__all__ = ["ApiView", "Collection", "Detail", "Listing", "Resource", "get_or_404"]

M = TypeVar("M", bound=Model)
_WORD: Final = "search."
_CALLER: Final = "the caller's id"


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

    @cached_property
    def values(self) -> Mapping[str, Any]:
        """The values of `read_values`; while a list is compiled, parameters in their place."""
        return self.read_values()

    def read_values(self) -> dict[str, Any]:
        """Return what `get_queryset` needs of the request (the local date, …). No name is a query parameter's."""
        return {}

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

    columns: ClassVar[tuple[str, ...]] = ()
    """The columns of a compiled list, which renders JSON only. Empty: the list uses the ORM and a serializer."""

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows that match the query parameters. Raises `Invalid` with the name of the parameter."""
        return self.apply_filters(queryset, self.read_filters())

    def read_filters(self) -> dict[str, Any]:
        """Return the values of the filters, the words of the search and the order. Raises `Invalid`."""
        query = self.request.query_params
        found: dict[str, Any] = {}
        view: Any = self
        if getattr(view.queryset.model, "ARCHIVABLE", False):
            found["archived"] = read_flag(query, "archived")
        for name, one in self.filters.items():
            if name in query:
                found[name] = read_parameter(query, name, one.read, default=None)
        if self.search_column:
            for place, word in enumerate(read_words(query.get("search", ""))):
                found[f"{_WORD}{place}"] = word
        elif "search" in query:
            raise Invalid.field("search", gettext("This list cannot be searched."))
        found["ordering"] = read_ordering(query.get("ordering"), self.ordering_fields)
        return found

    def apply_filters(self, queryset: QuerySet[Any], filters: Mapping[str, Any]) -> QuerySet[Any]:
        """Return the rows that match `filters`, what `read_filters` returned, in their order."""
        if "archived" in filters:
            queryset = queryset.filter(archived_at__isnull=not filters["archived"])
        for name, one in self.filters.items():
            if name in filters:
                queryset = queryset.filter(**{one.lookup: filters[name]})
        if self.search_column:
            words = [word for name, word in filters.items() if name.startswith(_WORD)]
            queryset = search(queryset, self.search_column, words)
        return order(queryset, filters["ordering"], self.ordering)

    def get(self, request: ApiRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if self.columns:
            rows = self.paginator.compiled_page(request, self, CompiledList(self))  # type: ignore[union-attr]
            return json_response(self.get_paginated_response(self.page_data(rows)).data)
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def page_data(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """Return rows of `columns` as the serializer would. Use one `CompiledQuery` for what belongs to all rows."""
        return [dict(zip(self.columns, row, strict=True)) for row in rows]


@dataclass(frozen=True, slots=True)
class CompiledRequest:
    """What a list can read of the request while it is compiled: only what is part of the shape."""

    visibility: Visibility
    user: Any
    """The id of the caller, as a parameter. Only for `Visibility.OWN`."""


class CompiledList:
    """The rows of one request to a list with `columns`. Raises `Invalid` for a filter, a search or an order."""

    def __init__(self, view: Listing) -> None:
        self.view = view
        self.filters = view.read_filters()
        self.values: dict[str, Any] = {**self.filters, **view.values}
        self.visibility = view.request.visibility
        if self.visibility is Visibility.OWN:
            self.values[_CALLER] = UUID(str(view.request.user.pk))

    def rows(
        self,
        *,
        limit: int,
        counted: bool = False,
        arrange: Callable[[QuerySet[Any], Mapping[str, Any]], QuerySet[Any]] | None = None,
        page: Mapping[str, Any],
    ) -> list[Row]:
        """Return at most `limit` rows; with `counted`, each ends with the number of rows on all pages.

        `page` contains the values of the page: `OFFSET`, or what `arrange` needs to order and to bound the rows.
        """
        values = {**self.values, **page}

        def compile_page() -> CompiledSql:
            parameters = parameters_of(values)
            queryset = self._queryset(parameters)
            if arrange is not None:
                queryset = arrange(queryset, parameters)
            name = type(self.view).__name__
            return page_query(
                name, queryset, self.view.columns, limit=limit, counted=counted, skips=OFFSET in page
            )

        shape = (type(self.view), self.visibility, limit, counted, *shape_of(values))
        return compiled_shape(shape, compile_page).rows(values)

    def _queryset(self, parameters: Mapping[str, Any]) -> QuerySet[Any]:
        """Return the list's QuerySet, with parameters in the place of the values of this request."""
        if self.filters.keys() & self.view.values.keys():
            raise TypeError("a value of the view has the name of a query parameter")
        view: Any = copy.copy(self.view)
        view.request = CompiledRequest(self.visibility, parameters.get(_CALLER))
        view.values = {name: parameters[name] for name in self.view.values}
        rows: QuerySet[Any] = view.apply_filters(
            view.get_queryset(), {name: parameters[name] for name in self.filters}
        )
        return rows


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

    def get(self, request: ApiRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
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
