"""Pagination by page number with a count, and by cursor where counting or skipping rows would be slow."""

import base64
import binascii
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

import orjson
from django.core.exceptions import ValidationError
from django.core.paginator import InvalidPage, Page
from django.db.models import Model, Q, QuerySet
from django.utils.translation import gettext
from rest_framework.pagination import BasePagination, PageNumberPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import remove_query_param, replace_query_param
from rest_framework.views import APIView

from tatami.api.filters import read_parameter, read_whole_number
from tatami.api.renderers import json_bytes
from tatami.errors import Invalid, NotFound
from tatami.postgresql.compiled import OFFSET
from tatami.postgresql.statements import Row

if TYPE_CHECKING:  # the views import this module
    from tatami.api.views import CompiledList

DEFAULT_PAGE_SIZE: Final = 50
MAX_PAGE_SIZE: Final = 200
_read_number: Final = read_whole_number(1)
# The names of a cursor's values.
_BACKWARDS: Final = "cursor is backwards"
_VALUE: Final = "cursor value"
_ID: Final = "cursor id"


def page_size_of(request: Request) -> int:
    """Return `page_size`, but at most `MAX_PAGE_SIZE`. Raises `Invalid`."""
    size = read_parameter(request.query_params, "page_size", _read_number, default=DEFAULT_PAGE_SIZE)
    return min(size, MAX_PAGE_SIZE)


class Pages(PageNumberPagination):
    """`?page=1&page_size=50` → `{"count", "next", "previous", "results"}`."""

    page_size = DEFAULT_PAGE_SIZE
    page_size_query_param = "page_size"
    max_page_size = MAX_PAGE_SIZE

    def get_page_size(self, request: Request) -> int:
        return page_size_of(request)

    def _page_number(self, request: Request) -> int:
        return read_parameter(request.query_params, self.page_query_param, _read_number, default=1)

    def paginate_queryset(self, queryset: Any, request: Request, view: APIView | None = None) -> list[Any]:
        """Return the rows of the page. Raises `NotFound` after the last page, `Invalid` if `page` is not a number."""
        self.request = request
        paginator = self.django_paginator_class(queryset, self.get_page_size(request))
        try:
            self.page = paginator.page(self._page_number(request))
        except InvalidPage:
            raise NotFound(gettext("There is no such page.")) from None
        return list(self.page)

    def compiled_page(self, request: Request, view: Any, select: "CompiledList") -> list[Row]:
        """Return the rows of the page of a compiled list. Raises like `paginate_queryset`."""
        self.request = request
        size, number = self.get_page_size(request), self._page_number(request)
        rows = select.rows(limit=size, counted=True, page={OFFSET: (number - 1) * size} if number > 1 else {})
        if not rows and number > 1:
            raise NotFound(gettext("There is no such page."))
        paginator = self.django_paginator_class(rows, size)
        paginator.count = rows[0][-1] if rows else 0
        self.page = Page(rows, number, paginator)
        return [row[:-1] for row in rows]


class CursorPages(BasePagination):
    """`?cursor=…&page_size=50` → `{"next", "previous", "results"}`, newest first.

    The order is the view's `cursor_column`, then `id`. A cursor contains the values of the row where a page ends, so
    rows that are added between two requests neither repeat nor hide other rows.
    """

    def paginate_queryset(self, queryset: Any, request: Request, view: APIView | None = None) -> list[Any]:
        """Return the rows of the page. Raises `Invalid` for a cursor that this class did not create."""
        size, cursor = self._read(request, view, queryset.model)
        return self._cut(list(self._arrange(queryset, cursor)[: size + 1]), size, cursor, self._cursor_of)

    def compiled_page(self, request: Request, view: Any, select: "CompiledList") -> list[Row]:
        """Return the rows of the page of a compiled list. Raises like `paginate_queryset`."""
        size, cursor = self._read(request, view, view.queryset.model)
        rows = select.rows(limit=size + 1, page=cursor, arrange=self._arrange)
        return self._cut(rows, size, cursor, itemgetter(*map(view.columns.index, (self.column, "id"))))

    @staticmethod
    def column_of(view: Any) -> str:
        """Return the column that orders the rows of a view, newest first."""
        return getattr(view, "cursor_column", "created_at")

    def _read(self, request: Request, view: Any, model: type[Model]) -> tuple[int, dict[str, Any]]:
        """Return the size of the page, and the cursor: its direction and, except on the first page, its position."""
        self.request = request
        self.column = self.column_of(view)
        size = page_size_of(request)
        cursor = request.query_params.get("cursor")
        return size, {_BACKWARDS: False} if cursor is None else self._position(model, cursor)

    def _arrange(self, queryset: QuerySet[Any], cursor: Mapping[str, Any]) -> QuerySet[Any]:
        """Return the rows beyond the cursor, nearest first."""
        backwards = cursor[_BACKWARDS]
        if _VALUE in cursor:
            queryset = self._beyond(queryset, (cursor[_VALUE], cursor[_ID]), later=backwards)
        return queryset.order_by(*((self.column, "id") if backwards else (f"-{self.column}", "-id")))

    def _cut(
        self,
        rows: list[Any],
        size: int,
        cursor: Mapping[str, Any],
        cursor_of: Callable[[Any], tuple[Any, Any]],
    ) -> list[Any]:
        """Return the page of `size` + 1 rows, newest first, and set its links."""
        more = len(rows) > size
        rows = rows[:size]
        if cursor[_BACKWARDS]:
            rows.reverse()
        has_next, has_previous = (True, more) if cursor[_BACKWARDS] else (more, _VALUE in cursor)
        self.next = self._link(cursor_of(rows[-1]), backwards=False) if rows and has_next else None
        self.previous = self._link(cursor_of(rows[0]), backwards=True) if rows and has_previous else None
        return rows

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"next": self.next, "previous": self.previous, "results": data})

    def _beyond(self, queryset: QuerySet[Any], position: tuple[Any, Any], *, later: bool) -> QuerySet[Any]:
        value, row_id = position
        # The first condition bounds the index scan. The second excludes ties that were already shown.
        if later:
            return queryset.filter(**{f"{self.column}__gte": value}).exclude(
                Q(**{self.column: value}) & Q(id__lte=row_id)
            )
        return queryset.filter(**{f"{self.column}__lte": value}).exclude(
            Q(**{self.column: value}) & Q(id__gte=row_id)
        )

    def _position(self, model: type[Model], cursor: str) -> dict[str, Any]:
        field: Any = model._meta.get_field(self.column)
        key: Any = model._meta.pk
        try:
            direction, value, row_id = orjson.loads(base64.urlsafe_b64decode(cursor.encode("ascii")))
            position = _in_utc(field.to_python(value)), key.to_python(row_id)
            valid = direction in {"n", "p"} and None not in position
        except (UnicodeEncodeError, binascii.Error, ValueError, TypeError, ValidationError, OverflowError):
            valid = False
        if not valid:
            raise Invalid.field(
                "cursor", "This is not a valid cursor. Use the links `next` and `previous` of a page."
            )
        return {_BACKWARDS: direction == "p", _VALUE: position[0], _ID: position[1]}

    def _cursor_of(self, row: Any) -> tuple[Any, Any]:
        if isinstance(row, Mapping):
            return row[self.column], row["id"]
        return getattr(row, self.column), row.pk

    def _link(self, position: tuple[Any, Any], *, backwards: bool) -> str:
        value, row_id = position
        cursor = base64.urlsafe_b64encode(json_bytes(["p" if backwards else "n", value, row_id])).decode()
        url = remove_query_param(self.request.build_absolute_uri(), "cursor")
        return replace_query_param(url, "cursor", cursor)

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": "string", "format": "uri", "nullable": True}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        return [
            {"name": "cursor", "in": "query", "schema": {"type": "string"}},
            {
                "name": "page_size",
                "in": "query",
                "schema": {
                    "type": "integer",
                    "minimum": 1,
                    "default": DEFAULT_PAGE_SIZE,
                },
            },
        ]


def _in_utc(value: Any) -> Any:
    """Return an instant in UTC, other values unchanged.

    Raises `ValueError` if the instant has no time zone, `OverflowError` if it is outside the years 1 to 9999 in UTC.
    """
    if not isinstance(value, datetime):
        return value
    if value.tzinfo is None:
        raise ValueError("the instant has no time zone")
    return value.astimezone(UTC)
