"""The OpenAPI document of one kind of host, generated from its routes.

The generator derives what the base view knows: roles, filters, errors, the idempotency key. Views declare the rest in
`operations` (see `tatami.api.openapi.spec`).
"""

from typing import Any, Final

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerFieldExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter
from rest_framework.serializers import ModelSerializer

from tatami.api.base_view import ApiView
from tatami.api.idempotency import HEADER
from tatami.api.openapi.components import add_error
from tatami.api.openapi.spec import INFERRED, OperationSpec, operation_id, operation_spec
from tatami.api.permissions import Rule, rule_of
from tatami.api.request import WRITES
from tatami.api.routes import routes
from tatami.api.serializers import ReferenceSerializer
from tatami.api.tables import CSV, TABLE_QUERY, XLSX, TableMixin
from tatami.api.views import Listing

_BINARY: Final = {"format": "binary"}
_BINARY_TYPES: Final = frozenset({"application/pdf", "application/zip", XLSX})
_EMPTY_PAGE: Final = {"count": 1, "next": None, "previous": None}


class Document(SchemaGenerator):
    """drf-spectacular's generator. It gives each view the name of its route and its `OperationSpec`."""

    def create_view(self, callback: Any, method: str, request: Any = None) -> Any:
        view = super().create_view(callback, method, request)  # type: ignore[no-untyped-call]
        urlconf = self.urlconf or settings.ROOT_URLCONF
        names = {route.callback: route.name for route in routes(urlconf)}
        view.route_name = names.get(callback, "")
        view.operation_spec = operation_spec(urlconf, view.route_name, type(view), method.upper())
        view.operation_id = operation_id(urlconf, view.route_name, type(view), method.upper())
        return view


class Operation(AutoSchema):
    """One route and method: its id (from the route's name), errors, roles, idempotency key and filters."""

    def get_operation_id(self) -> str:
        return getattr(self.view, "operation_id", "") or super().get_operation_id()

    def get_description(self) -> str:  # type: ignore[override]
        text = super().get_description() or ""
        rule = self._rule()
        if rule is None or rule.public or rule.any_role:
            return text
        roles = ", ".join(
            role if visibility.value == "all" else f"{role} ({visibility.value})"
            for role, visibility in rule.by_role.items()
        )
        return f"{text}\n\nRoles: {roles}.".strip()

    def get_auth(self) -> list[dict[str, Any]]:
        rule = self._rule()
        return [] if rule is not None and rule.public else super().get_auth()

    def get_override_parameters(self) -> list[Any]:
        parameters: list[Any] = []
        if isinstance(self.view, Listing) and self.method == "GET":
            parameters += _list_parameters(self.view)
        if isinstance(self.view, TableMixin) and self.view.has_table:
            parameters += [
                OpenApiParameter(name, dict(schema), OpenApiParameter.QUERY)
                for name, schema in TABLE_QUERY.items()
            ]
        if self.spec:
            query = self.spec.query.items()
            parameters += [
                OpenApiParameter(name, dict(schema), OpenApiParameter.QUERY) for name, schema in query
            ]
        if isinstance(self.view, ApiView) and self.method in WRITES and self._takes_key(self.view):
            parameters.append(
                OpenApiParameter(
                    HEADER,
                    {"type": "string", "minLength": 1, "maxLength": 255},
                    OpenApiParameter.HEADER,
                    description="The same key with the same body returns the first 2xx response again, for 24 hours.",
                )
            )
        return parameters

    def _takes_key(self, view: ApiView) -> bool:
        rule = self._rule()
        return view.idempotent and not (rule is not None and rule.public)

    def get_request_serializer(self) -> Any:
        if self.spec and not self.spec.takes_body:
            return None
        declared = self.spec.request if self.spec else INFERRED
        if isinstance(declared, dict):
            return dict.fromkeys(self.map_parsers(), declared)
        return super().get_request_serializer() if declared is INFERRED else declared

    def get_response_serializers(self) -> Any:
        """Return the declared response, else the inferred one: a DELETE without a serializer has no body."""
        if self.spec:
            response = self.spec.response
            response = super().get_response_serializers() if response is INFERRED else response
            return {self._code(status): response for status in (self.spec.status, *self.spec.other_statuses)}
        no_body = self.method == "DELETE" and not hasattr(self.view, "serializer_class")
        return None if no_body else super().get_response_serializers()

    def _code(self, status: int) -> Any:
        """Return a status as drf-spectacular expects it: with its media types, if they are declared."""
        types = self.spec.media_types if self.spec else ()
        return (str(status), *types) if types else str(status)

    @property
    def spec(self) -> OperationSpec | None:
        """Return what the view declares about this method, if anything."""
        return getattr(self.view, "operation_spec", None)

    def _is_list_view(self, serializer: Any = None) -> bool:
        return bool(super()._is_list_view(serializer)) or (
            isinstance(self.view, Listing) and self.method == "GET"
        )

    def _is_create_operation(self) -> bool:
        return self.method == "POST"

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        bodies: dict[str, Any]
        if self.method == "DELETE" and self.get_response_serializers() is None:
            bodies = {"204": {"description": "Done. The response has no body."}}
        else:
            bodies = super()._get_response_bodies(direction)
        self._add_response_examples(bodies)
        if not isinstance(self.view, ApiView):
            return bodies
        rule = self._rule()
        is_public = rule is not None and rule.public
        codes = ["400", *([] if is_public else ["401", "403"])]
        codes += ["404"] if "{" in self.path or self._is_list_view() else []
        codes += ["409"] if self.method in WRITES and not is_public else []
        for code in (*codes, "default"):
            bodies.setdefault(code, add_error(self.registry, code))
        return bodies

    def _add_response_examples(self, bodies: dict[str, Any]) -> None:
        """Add the declared examples to the response bodies."""
        if not self.spec:
            return
        for status, example in {
            self.spec.status: self.spec.response_example,
            **self.spec.other_statuses,
        }.items():
            for media_type, content in bodies[str(status)].get("content", {}).items():
                if media_type in self.spec.text_examples:
                    content["schema"] = {"type": "string"} | (_BINARY if media_type in _BINARY_TYPES else {})
                    content["example"] = self.spec.text_examples[media_type]
                elif isinstance(self.view, TableMixin) and media_type in {CSV, XLSX}:
                    content["schema"] = {"type": "string"} | (_BINARY if media_type == XLSX else {})
                    is_csv = media_type == CSV
                    content["example"] = ",".join(self.view.table_columns(None)) if is_csv else "PK…"
                else:
                    content["example"] = self._as_page(example)

    def _as_page(self, example: Any) -> Any:
        paginator = self._get_paginator() if self._is_list_view() else None  # type: ignore[no-untyped-call]
        if paginator is None:
            return example
        names = paginator.get_paginated_response_schema({})["properties"]
        return {name: [example] if name == "results" else _EMPTY_PAGE[name] for name in names}

    def _get_request_body(self, direction: Any = "request") -> Any:
        body = super()._get_request_body(direction)  # type: ignore[no-untyped-call]
        if body and self.spec:
            if isinstance(self.spec.request, dict):
                body["required"] = True
            for content in body["content"].values():
                content["example"] = self.spec.request_example
        return body

    def _resolve_path_parameters(self, variables: Any) -> Any:
        parameters = super()._resolve_path_parameters(variables)  # type: ignore[no-untyped-call]
        examples = self.spec.path if self.spec else {}
        return [
            {**one, "example": examples[one["name"]]} if one["name"] in examples else one
            for one in parameters
        ]

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> Any:
        """Mark all fields of a response as required, also those that a request may leave out.

        `Meta.shown_to_some` names the fields that only some callers see. These stay optional.
        """
        schema = super()._map_basic_serializer(serializer, direction)  # type: ignore[no-untyped-call]
        if direction == "response" and isinstance(serializer, ModelSerializer):
            optional = getattr(serializer.Meta, "shown_to_some", ())
            schema["required"] = sorted(schema["properties"].keys() - set(optional))
        return schema

    def _rule(self) -> Rule | None:
        return rule_of(getattr(self.view, "route_name", None), self.method)


def _list_parameters(view: Listing) -> list[OpenApiParameter]:
    found = [OpenApiParameter(name, one.schema, OpenApiParameter.QUERY) for name, one in view.filters.items()]
    if view.search_column:
        meaning = "Rows that contain all of these words. Accents and case are ignored."
        found.append(OpenApiParameter("search", str, OpenApiParameter.QUERY, description=meaning))
    if view.ordering_fields:
        names = ", ".join(f"`{name}`" for name in view.ordering_fields)
        meaning = f"Any of {names}, joined by commas; `-` before a name reverses the order."
        found.append(OpenApiParameter("ordering", str, OpenApiParameter.QUERY, description=meaning))
    if getattr(getattr(type(view).queryset, "model", None), "ARCHIVABLE", False):
        found.append(
            OpenApiParameter("archived", bool, OpenApiParameter.QUERY, description="List archived rows.")
        )
    return found


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Describes how to send an access token."""

    target_class = "tatami.api.authentication.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


class ReferenceFieldExtension(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """A reference: an id in a request body, `{id, name}` in a response."""

    target_class = "tatami.api.fields.ReferenceField"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> dict[str, Any]:
        if direction == "request":
            return {"type": "string", "format": "uuid"}
        reference: dict[str, Any] = auto_schema.resolve_serializer(ReferenceSerializer, direction).ref
        nullable = not self.target.allow_null and self._column_is_null()
        return {"oneOf": [reference, {"type": "null"}]} if nullable else reference

    def _column_is_null(self) -> bool:
        """Return whether the model's foreign key of a read-only reference may be null."""
        model = getattr(getattr(self.target.parent, "Meta", None), "model", None)
        columns = {column.name: column for column in model._meta.fields} if model else {}
        return self.target.source in columns and columns[self.target.source].null
