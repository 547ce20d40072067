"""The OpenAPI document: what the frame knows about a view, so that no view has to say it again."""

import re
from typing import Any, Final

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerFieldExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.utils import OpenApiParameter

from tatami.api.frame import ApiView
from tatami.api.idempotency import HEADER
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
_WRITES: Final = {"POST", "PUT", "PATCH", "DELETE"}


class Document(SchemaGenerator):
    """drf-spectacular's generator, telling each view the name of its route."""

    def create_view(self, callback: Any, method: str, request: Any = None) -> Any:
        view = super().create_view(callback, method, request)  # type: ignore[no-untyped-call]
        names = {route.callback: route.name for route in routes(self.urlconf or settings.ROOT_URLCONF)}
        view.route_name = names.get(callback, "")
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
        if isinstance(self.view, ApiView) and self.method in _WRITES and self._takes_key(self.view):
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
        return view.idempotent and view.atomic and not (rule is not None and rule.public)

    def get_response_serializers(self) -> Any:
        """Return None for a DELETE of which neither the view nor a decorator says what it answers: nothing."""
        silent = self.method == "DELETE" and not hasattr(self.view, "serializer_class")
        return None if silent else super().get_response_serializers()

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
        codes += ["409"] if self.method in _WRITES and not open_to_all else []
        for code in codes:
            bodies.setdefault(code, {"content": content, "description": MEANINGS[code]})
        bodies.setdefault(
            "default", {"content": content, "description": "Any other error, in the same envelope."}
        )
        return bodies

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
        return {
            "type": "object",
            "required": ["id", "name"],
            "properties": {"id": key, "name": {"type": "string"}},
        }
