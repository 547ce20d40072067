"""The OpenAPI document of one kind of host, generated from its routes.

The generator derives what the base view knows: roles, filters, errors, the idempotency key. Views declare the rest in
`operations` (see `tatami.api.openapi.spec`).
"""

import re
from typing import Any, Final

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerFieldExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.utils import OpenApiParameter
from rest_framework.serializers import ModelSerializer

from tatami.api.frame import ApiView
from tatami.api.idempotency import HEADER
from tatami.api.openapi.spec import GUESSED, OperationSpec, operation_spec
from tatami.api.request import WRITES
from tatami.api.routes import routes
from tatami.api.rules import Rule, rule_of
from tatami.api.views import Listing

ERROR_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {
                "code": {"type": "string", "example": "validation_error"},
                "message": {"type": "string"},
                "details": {
                    "type": "object",
                    "additionalProperties": True,
                    "description": "For `validation_error`: dotted paths → lists of messages.",
                },
            },
        }
    },
}
MEANINGS: Final = {
    "400": "The request was not understood: `validation_error`, `malformed_json` or a named one.",
    "401": "`not_authenticated`, `token_invalid` or `token_expired`.",
    "403": "`permission_denied`: your role does not allow this.",
    "404": "`not_found`: there is nothing here, or nothing that you may see.",
    "409": "`conflict`, or the name of the rule that is in the way.",
}
_EMPTY_PAGE: Final = {"count": 1, "next": None, "previous": None}


def plain(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Return the document as OpenAPI 3.1 has it: a last step of drf-spectacular's.

    Values to choose from stay where they are used: names made up for them would change with every new route.
    """
    schema: dict[str, Any] = _plain(result)
    return schema


def _plain(node: Any) -> Any:
    if isinstance(node, list):
        return [_plain(member) for member in node]
    if not isinstance(node, dict):
        return node
    found = {key: _plain(member) for key, member in node.items() if key != "x-spec-enum-id"}
    if found.get("nullable") is True and isinstance(found.get("type"), str):
        found["type"] = [found["type"], "null"]
        del found["nullable"]
    return found


class Document(SchemaGenerator):
    """drf-spectacular's generator, telling each view the name of its route and what is said about it."""

    def create_view(self, callback: Any, method: str, request: Any = None) -> Any:
        view = super().create_view(callback, method, request)  # type: ignore[no-untyped-call]
        urlconf = self.urlconf or settings.ROOT_URLCONF
        names = {route.callback: route.name for route in routes(urlconf)}
        view.route_name = names.get(callback, "")
        view.described = operation_spec(urlconf, view.route_name, type(view), method.upper())
        return view


class Operation(AutoSchema):
    """One route and method: its id from the route's name, its errors, its roles, its key, its filters."""

    def get_operation_id(self) -> str:
        name = getattr(self.view, "route_name", "")
        return re.sub(r"\W+", "_", f"{self.method.lower()}_{name}") if name else super().get_operation_id()

    def get_description(self) -> str:  # type: ignore[override]
        said = super().get_description() or ""
        rule = self._rule()
        if rule is None or rule.public or rule.any_role:
            return said
        roles = ", ".join(
            role if reach.value == "all" else f"{role} ({reach.value})"
            for role, reach in rule.by_role.items()
        )
        return f"{said}\n\nRoles: {roles}.".strip()

    def get_auth(self) -> list[dict[str, Any]]:
        rule = self._rule()
        return [] if rule is not None and rule.public else super().get_auth()

    def get_override_parameters(self) -> list[Any]:
        parameters: list[Any] = []
        if isinstance(self.view, Listing) and self.method == "GET":
            parameters += _list_parameters(self.view)
        if self.described:
            query = self.described.query.items()
            parameters += [
                OpenApiParameter(name, dict(schema), OpenApiParameter.QUERY) for name, schema in query
            ]
        if isinstance(self.view, ApiView) and self.method in WRITES and self._takes_key(self.view):
            parameters.append(
                OpenApiParameter(
                    HEADER,
                    {"type": "string", "minLength": 1, "maxLength": 255},
                    OpenApiParameter.HEADER,
                    description="The same key with the same body replays the first 2xx answer, for 24 hours.",
                )
            )
        return parameters

    def _takes_key(self, view: ApiView) -> bool:
        rule = self._rule()
        return view.idempotent and not (rule is not None and rule.public)

    def get_request_serializer(self) -> Any:
        takes = self.described.request if self.described else GUESSED
        if isinstance(takes, dict):
            return dict.fromkeys(self.map_parsers(), takes)
        return super().get_request_serializer() if takes is GUESSED else takes

    def get_response_serializers(self) -> Any:
        """Return what is described, else what can be guessed: that a DELETE answers nothing, for instance."""
        if self.described:
            answer = self.described.response
            answer = super().get_response_serializers() if answer is GUESSED else answer
            return {
                self._code(status): answer
                for status in (self.described.status, *self.described.other_statuses)
            }
        silent = self.method == "DELETE" and not hasattr(self.view, "serializer_class")
        return None if silent else super().get_response_serializers()

    def _code(self, status: int) -> Any:
        """Return a status as drf-spectacular takes it: with its media types, if they are described."""
        types = self.described.media_types if self.described else ()
        return (str(status), *types) if types else str(status)

    @property
    def described(self) -> OperationSpec | None:
        """Return what the table says about this route and method."""
        return getattr(self.view, "described", None)

    def _is_list_view(self, serializer: Any = None) -> bool:
        return bool(super()._is_list_view(serializer)) or (
            isinstance(self.view, Listing) and self.method == "GET"
        )

    def _is_create_operation(self) -> bool:
        return self.method == "POST"

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        bodies: dict[str, Any]
        if self.method == "DELETE" and self.get_response_serializers() is None:
            bodies = {"204": {"description": "Done; there is nothing to say."}}
        else:
            bodies = super()._get_response_bodies(direction)
        self._show(bodies)
        if not isinstance(self.view, ApiView):
            return bodies
        component = ResolvedComponent(  # type: ignore[no-untyped-call]
            name="Error", type=ResolvedComponent.SCHEMA, object="Error", schema=ERROR_SCHEMA
        )
        self.registry.register_on_missing(component)
        content = {"application/json": {"schema": component.ref}}
        rule = self._rule()
        open_to_all = rule is not None and rule.public
        codes = ["400", *([] if open_to_all else ["401", "403"]), *(["404"] if "{" in self.path else [])]
        codes += ["409"] if self.method in WRITES and not open_to_all else []
        for code in codes:
            bodies.setdefault(code, {"content": content, "description": MEANINGS[code]})
        bodies.setdefault(
            "default", {"content": content, "description": "Any other error, in the same envelope."}
        )
        return bodies

    def _show(self, bodies: dict[str, Any]) -> None:
        """Add the examples of the answers."""
        if not self.described:
            return
        for status, shown in {
            self.described.status: self.described.response_example,
            **self.described.other_statuses,
        }.items():
            for media_type, content in bodies[str(status)].get("content", {}).items():
                if media_type in self.described.text_examples:
                    content["schema"] = {"type": "string"}
                    content["example"] = self.described.text_examples[media_type]
                else:
                    content["example"] = self._listed(shown)

    def _listed(self, shown: Any) -> Any:
        paginator = self._get_paginator() if self._is_list_view() else None  # type: ignore[no-untyped-call]
        if paginator is None:
            return shown
        names = paginator.get_paginated_response_schema({})["properties"]
        return {name: [shown] if name == "results" else _EMPTY_PAGE[name] for name in names}

    def _get_request_body(self, direction: Any = "request") -> Any:
        body = super()._get_request_body(direction)  # type: ignore[no-untyped-call]
        if body and self.described:
            for content in body["content"].values():
                content["example"] = self.described.request_example
        return body

    def _resolve_path_parameters(self, variables: Any) -> Any:
        parameters = super()._resolve_path_parameters(variables)  # type: ignore[no-untyped-call]
        named = self.described.path if self.described else {}
        return [{**one, "example": named[one["name"]]} if one["name"] in named else one for one in parameters]

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> Any:
        """Add that an answer has all fields of a resource, those too that a request may leave out.

        Those that only some callers are shown are named by `Meta.shown_to_some`.
        """
        schema = super()._map_basic_serializer(serializer, direction)  # type: ignore[no-untyped-call]
        if direction == "response" and isinstance(serializer, ModelSerializer):
            to_some = getattr(serializer.Meta, "shown_to_some", ())
            schema["required"] = sorted(schema["properties"].keys() - set(to_some))
        return schema

    def _rule(self) -> Rule | None:
        return rule_of(getattr(self.view, "route_name", None), self.method)


def _list_parameters(view: Listing) -> list[OpenApiParameter]:
    found = [OpenApiParameter(name, one.schema, OpenApiParameter.QUERY) for name, one in view.filters.items()]
    if view.search_column:
        meaning = "Rows with all of these words, without regard to accents and case."
        found.append(OpenApiParameter("search", str, OpenApiParameter.QUERY, description=meaning))
    if view.ordering_fields:
        names = ", ".join(f"`{name}`" for name in view.ordering_fields)
        meaning = f"Any of {names}, joined by commas; `-` before a name reverses."
        found.append(OpenApiParameter("ordering", str, OpenApiParameter.QUERY, description=meaning))
    if getattr(getattr(type(view).queryset, "model", None), "ARCHIVABLE", False):
        found.append(
            OpenApiParameter("archived", bool, OpenApiParameter.QUERY, description="List what is archived.")
        )
    return found


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How to send an access token."""

    target_class = "tatami.api.authentication.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


class ReferenceShape(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """An id in a body, `{id, name}` in an answer."""

    target_class = "tatami.api.references.Reference"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> dict[str, Any]:
        key = {"type": "string", "format": "uuid"}
        if direction == "request":
            return key
        may_be_missing = not self.target.allow_null and self._column_is_null()
        return {
            "type": ["object", "null"] if may_be_missing else "object",
            "required": ["id", "name"],
            "properties": {"id": key, "name": {"type": "string"}},
        }

    def _column_is_null(self) -> bool:
        """Return whether a row may lack what a read-only reference shows."""
        model = getattr(getattr(self.target.parent, "Meta", None), "model", None)
        columns = {column.name: column for column in model._meta.fields} if model else {}
        return self.target.source in columns and columns[self.target.source].null
