"""Plain CRUD: a queryset, a serializer, and what the list may be searched, ordered and narrowed by.

class Students(Collection):
    queryset = Student.objects.all()
    serializer_class = StudentSerializer
    detail_route = "student"
    search_column = "search_name"
    ordering_fields = {"last_name": "last_name", "joined_on": "joined_on"}
    filters = {"status": one_of("status", Student.Status)}

class StudentDetail(Resource): …
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.db import connection
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from rest_framework.generics import GenericAPIView
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from tatami.api.answers import accepted, created, found_or_404, location
from tatami.api.filters import Filter
from tatami.api.frame import ApiView
from tatami.api.narrowing import archived, ordered, searched
from tatami.api.request import READS, ApiRequest, role_of
from tatami.api.rules import Reach, rule_of
from tatami.errors import Invalid, PermissionDenied

__all__ = [
    "ApiView",
    "Collection",
    "Detail",
    "Listing",
    "Resource",
    "accepted",
    "created",
    "found_or_404",
    "location",
]


class Rows(ApiView, GenericAPIView[Any]):
    """What lists and single resources share: which rows the caller may see."""

    refetch: ClassVar[bool] = False
    """True where the answer shows what only the queryset adds (annotations, prefetched rows)."""

    def get_queryset(self) -> QuerySet[Any]:
        """Return the rows within the caller's reach. The model's queryset says what that is."""
        queryset: QuerySet[Any] = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return queryset.none()
        match self.request.reach:
            case Reach.OWN:
                queryset = queryset.belonging_to(self.request.user)  # type: ignore[attr-defined]
            case Reach.RECORDED:
                queryset = queryset.recorded_by(self.request.user, self.request.now)  # type: ignore[attr-defined]
        return queryset

    def attach(self, rows: Sequence[Any]) -> None:
        """Give rows what the answer shows beside their columns, before they are shown: one statement for all."""

    def get_serializer(self, *args: Any, **kwargs: Any) -> BaseSerializer[Any]:
        """Return the serializer, of one row or (`many`) of a page, with what `attach` gives them."""
        shown = args[0] if args else None
        if shown is not None:
            self.attach(shown if kwargs.get("many") else [shown])
        return super().get_serializer(*args, **kwargs)

    def represent(self, instance: Any) -> Any:
        """Return what the API shows of one row, as the caller would read it."""
        if self.refetch:
            instance = self.get_queryset().get(pk=instance.pk)
        return self.get_serializer(instance).data


class Listing(Rows):
    """`GET`: a page of rows."""

    search_column: ClassVar[str | None] = None
    """A column that holds `normalise(text)`; `?search=` finds rows with every word in it."""
    ordering_fields: ClassVar[Mapping[str, str]] = {}
    """What `?ordering=` may name → the column; `-` reverses, commas join."""
    ordering: ClassVar[tuple[str, ...]] = ()
    """The order without `?ordering=`; the key is added, so that pages never overlap."""
    filters: ClassVar[Mapping[str, Filter]] = {}
    cursor_column: ClassVar[str] = "created_at"
    """With `pagination_class = CursorPages`: the column that pages follow, newest first."""

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows that the query asks for. Raises `Invalid`, naming the parameter."""
        query = self.request.query_params
        queryset = archived(queryset, query.get("archived"))
        for name, one in self.filters.items():
            value = query.get(name)
            if value is not None:
                queryset = one.narrow(queryset, name, value)
        if self.search_column:
            queryset = searched(queryset, self.search_column, query.get("search", ""))
        elif "search" in query:
            raise Invalid.field("search", "This list cannot be searched.")
        return ordered(queryset, query.get("ordering"), self.ordering_fields, self.ordering)

    def get(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)


class Collection(Listing):
    """`GET` and `POST`. The resource that is made is named by the route `detail_route`."""

    detail_route: ClassVar[str]

    def post(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        instance = self.perform_create(serializer)
        return created(self.represent(instance), self.detail_route, **self.detail_keys(instance))

    def perform_create(self, serializer: BaseSerializer[Any]) -> Any:
        """Make the resource and return it. Override to call a service, or to add what the URL says."""
        return serializer.save()

    def detail_keys(self, instance: Any) -> dict[str, Any]:
        """Return what the detail route is reversed with: the URL's own keys and the new `id`."""
        return {**self.kwargs, "id": instance.pk}


class Detail(Rows):
    """`GET`: one row, by the `id` in the path."""

    lookup_field = "id"

    def get_object(self) -> Any:
        """Return the row. A write locks it, so that two PATCHes of different fields both last."""
        is_write = self.request.method not in READS
        if is_write:
            self.lock_first()
        queryset = self.get_queryset()
        if is_write and connection.in_atomic_block:
            queryset = queryset.select_for_update(of=("self",))
        key = self.lookup_url_kwarg or self.lookup_field
        return get_object_or_404(queryset, **{self.lookup_field: self.kwargs[key]})

    def lock_first(self) -> None:
        """Lock what everybody who locks both locks before the row. Called before a write."""

    def get(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        return Response(self.get_serializer(self.get_object()).data)


class Resource(Detail):
    """`GET`, `PATCH`, `DELETE`. An archivable model is archived, and restored by `archived: false`."""

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
        """Archive, or delete what is not archivable."""
        if getattr(instance, "ARCHIVABLE", False):
            instance.archive(now=self.request.now)
        else:
            instance.delete()

    def require_delete(self) -> None:
        """Raise `PermissionDenied` for a role that may not archive: restoring undoes just that."""
        match = self.request.resolver_match
        found = rule_of(match.view_name, "DELETE") if match else None
        if found is None or found.reach_of(role_of(self.request)) is None:
            raise PermissionDenied
