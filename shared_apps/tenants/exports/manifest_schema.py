"""What `manifest.json` looks like, and how long it may be."""

from typing import Any, Final

FORMAT: Final = "tatami dojo"
FORMAT_VERSION: Final = 1
MOST_MANIFEST_BYTES: Final = 1024 * 1024
MOST_FILE_BYTES: Final = 16 * 1024 * 1024

_TEXT: Final = {"type": "string", "minLength": 1, "maxLength": 200, "pattern": r"^[^\u0000-\u001f]*$"}
_COUNT: Final = {"type": "integer", "minimum": 0, "maximum": 2**53}
_SHA256: Final = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_NAME: Final = {"type": "string", "pattern": "^[a-z_][a-z0-9_]{0,62}$"}


def _closed(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


SCHEMA: Final = _closed(
    format={"const": FORMAT},
    format_version={"const": FORMAT_VERSION},
    made_at={"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$"},
    tenant=_closed(
        id={"type": "string", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"},
        slug=_TEXT,
        name=_TEXT,
        timezone=_TEXT,
    ),
    schema_version={
        "type": "array",
        "items": {"type": "string", "maxLength": 150},
        "minItems": 1,
        "maxItems": 50,
    },
    tables={
        "type": "array",
        "maxItems": 200,
        "items": _closed(
            name=_NAME,
            columns={"type": "array", "items": _NAME, "minItems": 1, "maxItems": 200, "uniqueItems": True},
            rows=_COUNT,
            bytes=_COUNT,
            sha256=_SHA256,
        ),
    },
    files={
        "type": "array",
        "maxItems": 200,
        "items": _closed(
            # The folder of the dojo's own exports is beside them.
            name={"type": "string", "pattern": "^(?!exports$)[A-Za-z0-9][A-Za-z0-9._-]{0,149}$"},
            bytes={"type": "integer", "minimum": 0, "maximum": MOST_FILE_BYTES},
            sha256=_SHA256,
        ),
    },
)
"""What `manifest.json` looks like, as JSON Schema."""
