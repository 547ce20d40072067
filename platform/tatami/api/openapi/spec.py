"""What a view declares about its operations for the OpenAPI document: shapes, statuses and examples.

A view declares them by method, beside its serializers:

    class Scan(ApiView):
        operations = {"POST": create_spec(REQUEST, RESPONSE, response=CheckInSerializer)}

A test sends every example and compares the response with the documented schema.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Final, TypeAlias

INFERRED: Final[Any] = object()
"""The value of a field that the schema generator derives from the view's serializer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationSpec:
    """One method of a view: what the schema generator cannot derive, and an example of request and response."""

    path: Mapping[str, str] = field(default_factory=dict)
    """Example values of the path parameters: `{"id": "0197…"}`."""
    query: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Query parameters that are not filters, with their schemas. The example request sends each `example`."""
    request: Any = INFERRED
    """A serializer or a schema; `None`: no body."""
    request_example: Any = None
    status: int = 200
    response: Any = INFERRED
    """A serializer or a schema; `None`: no body."""
    response_example: Any = None
    """For a list: an example of one item."""
    other_statuses: Mapping[int, Any] = field(default_factory=dict)
    """Other 2xx statuses, each with an example of the same schema."""
    text_examples: Mapping[str, str] = field(default_factory=dict)
    """Media types other than JSON, each with an example."""
    media_types: Sequence[str] = ()
    """Empty: those of the view's renderers."""

    @property
    def takes_body(self) -> bool:
        """Return whether the operation has a request body. If not, the base view refuses all fields of a body."""
        return self.request_example is not None


OperationSpecs: TypeAlias = Mapping[str, OperationSpec]
"""Method → specification."""


def operation_spec(urlconf: str, route: str, view: type[Any] | None, method: str) -> OperationSpec | None:
    """Return the specification of a method of a route, or `None` if there is none.

    A urlconf module may have `operations` (route name → method → specification), for views whose example differs by
    kind of host. They go before those of the view.
    """
    by_route: Mapping[str, OperationSpecs] = getattr(import_module(urlconf), "operations", {})
    declared: OperationSpecs = getattr(view, "operations", {})
    return by_route.get(route, {}).get(method) or declared.get(method)


_VERBS: Final = {"GET": "get", "POST": "create", "PUT": "replace", "PATCH": "update", "DELETE": "delete"}


def operation_id(urlconf: str, route: str, view: type[Any] | None, method: str) -> str:
    """Return the name of an operation, which is the name of a function in a generated client: `create_student`.

    A urlconf module may have `operation_ids` (route name → method → name), for operations that the names of route and
    method do not describe.
    """
    named: Mapping[str, Mapping[str, str]] = getattr(import_module(urlconf), "operation_ids", {})
    if method in named.get(route, {}):
        return named[route][method]
    detail = getattr(view, "detail_route", None) if method == "POST" else None
    verb = "list" if method == "GET" and hasattr(view, "cursor_column") else _VERBS[method]
    return re.sub(r"\W+", "_", f"{verb}_{detail or route}")


def list_spec(item: Any, **more: Any) -> OperationSpec:
    """Return the specification of a list, from an example of one item."""
    return OperationSpec(response_example=item, **more)


def create_spec(request_example: Any, response_example: Any, **more: Any) -> OperationSpec:
    """Return the specification of a POST that creates a resource (201)."""
    return OperationSpec(
        request_example=request_example, status=201, response_example=response_example, **more
    )


def no_content_spec(**more: Any) -> OperationSpec:
    """Return the specification of an operation that responds 204 without a body."""
    return OperationSpec(status=204, response=None, **more)


def resource_specs(
    path: Mapping[str, str], response_example: Any, patch_example: Mapping[str, Any]
) -> dict[str, OperationSpec]:
    """Return the specifications of GET, PATCH and DELETE of one resource."""
    return {
        "GET": OperationSpec(path=path, response_example=response_example),
        "PATCH": OperationSpec(
            path=path,
            request_example=patch_example,
            response_example={**response_example, **patch_example},
        ),
        "DELETE": no_content_spec(path=path),
    }
