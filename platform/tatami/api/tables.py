"""Views whose `results` are also available as a table for spreadsheets: `?format=csv`, `?format=xlsx`, or `Accept`.

    class Exams(TableOfList, Listing):
        table_name = "exams"
        table = {"name": "name", "rank_system": "rank_system__name"}

A table has all rows that the filters select, not a page of them. Errors are JSON.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Final
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from django.utils.translation import gettext
from rest_framework.renderers import BaseRenderer
from rest_framework.response import Response

from tatami.api.filters import read_one_of, read_parameter
from tatami.api.renderers import JSON, JsonRenderer
from tatami.errors import DomainError, Invalid
from tatami.spreadsheets import DELIMITERS, csv_bytes, flatten_row, read_delimiter, xlsx_bytes
from tatami.tenancy.scope import current_tenant

CSV: Final = "text/csv"
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MOST_TABLE_ROWS: Final = 100_000
"""More rows than anybody reads. It limits the cost of one request."""

TABLE_QUERY: Final[Mapping[str, Mapping[str, Any]]] = {
    "format": {
        "type": "string",
        "enum": ["json", "csv", "xlsx"],
        "description": "A table for spreadsheets with all rows, not a page. Goes before `Accept`.",
    },
    "delimiter": {
        "type": "string",
        "enum": ["comma", "semicolon", "tab"],
        "description": "Between the cells of CSV: its name, or the character itself. Default: comma.",
    },
}
"""The query parameters of a view with a table, for the OpenAPI document."""


class TooManyRows(DomainError):
    """There are too many rows for one table. Narrow the filters."""

    code = "too_many_rows"


class TableRenderer(BaseRenderer):
    """Renders the table of a `TableMixin`."""

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Return the file."""
        view: Any = (renderer_context or {})["view"]
        return self.file(view, view.table_columns(data), view.table_rows(data))

    def file(self, view: Any, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
        """Return the content of the file."""
        raise NotImplementedError


class CsvRenderer(TableRenderer):
    """UTF-8 with a byte order mark, with the delimiter of the request."""

    media_type = CSV
    format = "csv"
    charset = "utf-8"

    def file(self, view: Any, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
        return csv_bytes(columns, rows, delimiter=view.delimiter)


class XlsxRenderer(TableRenderer):
    """A workbook with one sheet. Instants are in the time zone of the dojo."""

    media_type = XLSX
    format = "xlsx"
    charset = None

    def file(self, view: Any, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
        return xlsx_bytes(view.table_name, columns, rows, zone=ZoneInfo(current_tenant().timezone))


class TableMixin:
    """A view whose response has `results`, in front of `ApiView`."""

    request: Any
    table_name: ClassVar[str]
    """Of the file and of the sheet."""
    table_methods: ClassVar[frozenset[str]] = frozenset({"GET"})
    delimiter: str = DELIMITERS["comma"]

    @property
    def has_table(self) -> bool:
        """Return whether the method of the request has a table. Others respond with JSON only."""
        return self.request is None or self.request.method in self.table_methods

    @property
    def is_table(self) -> bool:
        """Return whether the request wants the table."""
        return isinstance(getattr(self.request, "accepted_renderer", None), TableRenderer)

    def get_renderers(self) -> list[BaseRenderer]:
        return [JsonRenderer(), CsvRenderer(), XlsxRenderer()] if self.has_table else [JsonRenderer()]

    @property
    def default_response_headers(self) -> dict[str, str]:
        return {"Vary": "Accept"}

    def perform_content_negotiation(self, request: Any, force: bool = False) -> Any:
        """Return the renderer that `format` names, else that of `Accept`. Raises `Invalid`."""
        name = request.query_params.get("format")
        if name is None or not self.has_table:
            return super().perform_content_negotiation(request, force)  # type: ignore[misc]
        renderers = {str(renderer.format): renderer for renderer in self.get_renderers()}
        if force and name not in renderers:
            return JsonRenderer(), JSON
        chosen = renderers[
            read_parameter(request.query_params, "format", read_one_of(renderers), default=name)
        ]
        return chosen, chosen.media_type

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)  # type: ignore[misc]
        if self.has_table and "delimiter" in request.query_params:
            if not isinstance(request.accepted_renderer, CsvRenderer):
                raise Invalid.field("delimiter", gettext("Only CSV has a delimiter."))
            self.delimiter = read_delimiter(request.query_params["delimiter"])

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Give a table its file name."""
        renderer = getattr(request, "accepted_renderer", None)
        if isinstance(renderer, TableRenderer) and response.status_code < 300:  # noqa: PLR2004
            name = f"{self.table_name}.{renderer.format}"
            response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        return super().finalize_response(request, response, *args, **kwargs)  # type: ignore[misc]

    def table_columns(self, data: Any) -> Sequence[str]:
        """Return the columns of the table of a response."""
        raise NotImplementedError

    def table_rows(self, data: Any) -> Iterable[Mapping[str, Any]]:
        """Return the rows of the table of a response."""
        return map(flatten_row, data["results"])


class TableOfList(TableMixin):
    """The table of a `Listing`, in front of it. One statement, whatever the number of rows."""

    table: ClassVar[Mapping[str, str]]
    """Column → lookup from the rows of the list."""

    def get(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not self.is_table:
            response: HttpResponseBase = super().get(request, *args, **kwargs)  # type: ignore[misc]
            return response
        return Response({"results": self.table_results()})

    def table_queryset(self) -> QuerySet[Any]:
        """Return the rows that the filters select, in the order of the list."""
        view: Any = self
        rows: QuerySet[Any] = view.filter_queryset(view.get_queryset())
        column = getattr(view.paginator, "column_of", lambda _: None)(view)
        return rows.order_by(f"-{column}", "-pk") if column else rows

    def table_results(self) -> list[dict[str, Any]]:
        """Return the rows of the table. Raises `TooManyRows`."""
        rows = self.table_queryset().values_list(*self.table.values())
        return [dict(zip(self.table, row, strict=True)) for row in limited(rows)]

    def table_columns(self, data: Any) -> Sequence[str]:
        return list(self.table)


def limited(rows: QuerySet[Any]) -> list[Any]:
    """Return the rows. Raises `TooManyRows` for more than `MOST_TABLE_ROWS`."""
    found = list(rows[: MOST_TABLE_ROWS + 1])
    if len(found) > MOST_TABLE_ROWS:
        raise TooManyRows(
            gettext("There are more than {most} rows. Narrow the filters.").format(most=MOST_TABLE_ROWS)
        )
    return found
