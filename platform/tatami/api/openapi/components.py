"""What many operations of the OpenAPI document share, as components: references, errors, parameters, examples.

Without them the document would repeat the same objects hundreds of times, and a generated client would have a class
for each copy.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final

from drf_spectacular.plumbing import ResolvedComponent

from tatami.errors import DomainError

_FREE_DETAILS: Final = {"type": "object", "additionalProperties": True}
_FAULTS: Final = {
    "type": "object",
    "description": "Dotted paths, such as `guardians.0.email`, with their messages.",
    "additionalProperties": {"type": "array", "items": {"type": "string"}},
}
ERRORS: Final[dict[str, tuple[str, str, str]]] = {
    "400": ("BadRequest", "InvalidResponse", "`validation_error`, `malformed_json` or a more specific code."),
    "401": ("Unauthorized", "ErrorResponse", "`not_authenticated`, `token_invalid` or `token_expired`."),
    "403": ("Forbidden", "ErrorResponse", "`permission_denied`: your role may not do this."),
    "404": ("NotFound", "ErrorResponse", "`not_found`: there is no such object, or you may not see it."),
    "409": ("Conflict", "ErrorResponse", "`conflict`, or the code of the rule that refuses the request."),
    "default": ("OtherError", "ErrorResponse", "Any other error: 405, 406, 409, 413, 415, 429, 500, 503."),
}
"""Status → name of the response, name of its schema, description."""
_REQUEST_ID: Final = {
    "description": "The id of the request, as in the log.",
    "required": True,
    "schema": {"type": "string", "pattern": r"^[A-Za-z0-9._-]{1,128}$"},
}
_HEADERS_OF_OTHERS: Final = {
    "Allow": {"description": "With 405: the methods of the path.", "schema": {"type": "string"}},
    "Retry-After": {
        "description": "With 429 and 503: after how many seconds to try again.",
        "schema": {"type": "integer", "minimum": 1},
    },
}


def add_schema(registry: Any, name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Add a schema to the components unless it is there, and return the reference to it."""
    return _add(registry, name, ResolvedComponent.SCHEMA, schema)


def add_error(registry: Any, status: str) -> dict[str, Any]:
    """Add the response of an error status to the components, and return the reference to it."""
    name, schema_name, description = ERRORS[status]
    schema = add_schema(
        registry, schema_name, _error_schema(_FAULTS if schema_name == "InvalidResponse" else _FREE_DETAILS)
    )
    headers = {"X-Request-ID": _REQUEST_ID, **(_HEADERS_OF_OTHERS if status == "default" else {})}
    response = {
        "description": description,
        "headers": headers,
        "content": {"application/json": {"schema": schema}},
    }
    return _add(registry, name, ResolvedComponent.RESPONSE, response)


def _add(registry: Any, name: str, kind: str, content: dict[str, Any]) -> dict[str, Any]:
    component = ResolvedComponent(name=name, type=kind, object=name, schema=content)  # type: ignore[no-untyped-call]
    registry.register_on_missing(component)
    reference: dict[str, Any] = component.ref
    return reference


def _error_schema(details: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of the error envelope. A later version may have further codes."""
    code = {"anyOf": [{"type": "string", "enum": error_codes()}, {"type": "string"}]}
    error = {
        "type": "object",
        "required": ["code", "message"],
        "properties": {"code": code, "message": {"type": "string"}, "details": details},
    }
    return {"type": "object", "required": ["error"], "properties": {"error": error}}


def error_codes() -> list[str]:
    """Return the codes of all errors of the product, sorted."""

    def kinds(kind: type[DomainError]) -> Iterator[type[DomainError]]:
        yield kind
        for one in kind.__subclasses__():
            yield from kinds(one)

    return sorted({kind.code for kind in kinds(DomainError)})


# --- the last step of the generator -------------------------------------------------------------------------------


def finish_document(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Return the document in the form of OpenAPI 3.1, with parameters and examples as components.

    Enums stay inline. As components they would need generated names, which change with every new route.
    """
    document: dict[str, Any] = _as_openapi_3_1(result)
    _share_schemas(document)
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    _share_parameters(document, operations)
    _share_examples(document, operations)
    return document


def _as_openapi_3_1(node: Any) -> Any:
    """Return a copy with `null` as a type, and without `readOnly`: a schema is of a request or of a response."""
    if isinstance(node, list):
        return [_as_openapi_3_1(member) for member in node]
    if not isinstance(node, dict):
        return node
    found = {key: _as_openapi_3_1(member) for key, member in node.items() if key != "x-spec-enum-id"}
    for name in ("readOnly", "writeOnly"):
        if found.get(name) is True:
            del found[name]
    if found.get("nullable") is True and isinstance(found.get("type"), str):
        found["type"] = [found["type"], "null"]
        del found["nullable"]
    if None in found.get("enum", ()) and "null" in found.get("type", ()):
        choices = {"type": "string", "enum": [one for one in found["enum"] if one is not None]}
        others = {key: one for key, one in found.items() if key not in {"type", "enum"}}
        return {"oneOf": [choices, {"type": "null"}], **others}
    if found.keys() == {"allOf"} and len(found["allOf"]) == 1:
        return found["allOf"][0]
    return found


def _share_schemas(document: dict[str, Any]) -> None:
    """Move each schema that names itself with `x-component` to the components."""
    schemas = document["components"].setdefault("schemas", {})

    def moved(node: Any) -> Any:
        if isinstance(node, list):
            return [moved(member) for member in node]
        if not isinstance(node, dict):
            return node
        found = {key: moved(member) for key, member in node.items()}
        if name := found.pop("x-component", None):
            schemas[name] = found
            return {"$ref": f"#/components/schemas/{name}"}
        return found

    document["paths"] = moved(document["paths"])
    for name, schema in list(schemas.items()):
        schemas[name] = moved(schema)


def _share_parameters(document: dict[str, Any], operations: list[dict[str, Any]]) -> None:
    """Replace the most frequent form of each parameter, if it occurs twice, by a component with its name."""
    forms: dict[tuple[str, str], list[str]] = defaultdict(list)
    for operation in operations:
        for one in operation.get("parameters", ()):
            forms[one["in"], one["name"]].append(json.dumps(one, sort_keys=True))
    shared: dict[str, str] = {}
    components: dict[str, Any] = document["components"].setdefault("parameters", {})
    for (place, name), texts in sorted(forms.items()):
        usual = max(sorted(set(texts)), key=texts.count)
        if texts.count(usual) > 1:
            words = "".join(word.capitalize() for word in name.replace("-", "_").split("_"))
            shared[usual] = words if place != "path" else f"{words}InPath"
            components[shared[usual]] = json.loads(usual)
    for operation in operations:
        if "parameters" in operation:
            operation["parameters"] = [
                {"$ref": f"#/components/parameters/{shared[text]}"}
                if (text := json.dumps(one, sort_keys=True)) in shared
                else one
                for one in operation["parameters"]
            ]


def _share_examples(document: dict[str, Any], operations: list[dict[str, Any]]) -> None:
    """Move the example of a response or request to the component of its schema: one for all operations that use it."""
    schemas = document["components"]["schemas"]
    for operation in operations:
        for body in (operation.get("requestBody", {}), *operation["responses"].values()):
            for content in body.get("content", {}).values():
                target = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
                if target not in schemas or content.get("example") is None:
                    continue
                example = content.pop("example")
                rows = schemas[target].get("properties", {}).get("results", {}).get("items", {})
                if target.startswith("Paginated") and "$ref" in rows:
                    target, example = rows["$ref"].rpartition("/")[2], example["results"][0]
                schemas[target].setdefault("examples", [example])
