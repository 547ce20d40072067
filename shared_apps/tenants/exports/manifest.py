"""The table of contents of an archive: the tenant, the schema version, tables and files with checksums."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from jsonschema import Draft202012Validator
from rest_framework.serializers import ValidationError

from shared_apps.tenants.errors import ArchiveRefused
from shared_apps.tenants.exports.snapshot import Content
from tatami.api.fields import validate_timezone
from tatami.api.renderers import json_bytes

MANIFEST: Final = "manifest.json"
FORMAT: Final = "tatami dojo"
FORMAT_VERSION: Final = 1
MAX_MANIFEST_BYTES: Final = 1024 * 1024
MAX_FILE_BYTES: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Source:
    """The tenant that was exported, as it was then."""

    id: UUID
    slug: str
    name: str
    timezone: str


@dataclass(frozen=True, slots=True)
class TableEntry:
    """A table in an archive."""

    name: str
    columns: tuple[str, ...]
    content: Content

    @property
    def member(self) -> str:
        """Return the name of the zip member with its rows."""
        return f"tables/{self.name}.tsv"


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file of the tenant in the storage. `name` is its name there, below the tenant's id."""

    name: str
    length: int
    sha256: str

    @property
    def member(self) -> str:
        """Return the name of the zip member with the file."""
        return f"files/{self.name}"


@dataclass(frozen=True, slots=True)
class Manifest:
    """The contents of an archive."""

    made_at: datetime
    source: Source
    version: str
    """As in `Tenant.schema_version`."""
    entries: tuple[TableEntry, ...]
    files: tuple[FileEntry, ...]

    @property
    def rows(self) -> int:
        """Return the number of rows of all tables."""
        return sum(entry.content.rows for entry in self.entries)

    def to_bytes(self) -> bytes:
        """Return `manifest.json`."""
        source = self.source
        document = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "made_at": self.made_at,
            "tenant": {
                "id": source.id,
                "slug": source.slug,
                "name": source.name,
                "timezone": source.timezone,
            },
            "schema_version": self.version.split(","),
            "tables": [
                {
                    "name": entry.name,
                    "columns": entry.columns,
                    "rows": entry.content.rows,
                    "bytes": entry.content.length,
                    "sha256": entry.content.sha256,
                }
                for entry in self.entries
            ],
            "files": [{"name": one.name, "bytes": one.length, "sha256": one.sha256} for one in self.files],
        }
        return json_bytes(document)


def parse_manifest(raw: bytes) -> Manifest:
    """Return the manifest in `manifest.json`. Raises `ArchiveRefused` if it is not valid."""
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise ArchiveRefused("Its manifest is not JSON.") from None
    _refuse_other_format(document)
    fault = next(Draft202012Validator(MANIFEST_SCHEMA).iter_errors(document), None)
    if fault is not None:
        raise ArchiveRefused(f"Its manifest is not valid at {fault.json_path}.")
    tenant = document["tenant"]
    try:
        made_at = datetime.fromisoformat(document["made_at"])
        validate_timezone(tenant["timezone"])
    except (ValueError, ValidationError):
        raise ArchiveRefused("Its manifest has a time or a time zone that does not exist.") from None
    return Manifest(
        made_at=made_at,
        source=Source(UUID(tenant["id"]), tenant["slug"], tenant["name"], tenant["timezone"]),
        version=",".join(document["schema_version"]),
        entries=tuple(_table_entry(one) for one in document["tables"]),
        files=tuple(FileEntry(one["name"], one["bytes"], one["sha256"]) for one in document["files"]),
    )


def _table_entry(document: dict[str, Any]) -> TableEntry:
    content = Content(rows=document["rows"], length=document["bytes"], sha256=document["sha256"])
    return TableEntry(name=document["name"], columns=tuple(document["columns"]), content=content)


def _refuse_other_format(document: Any) -> None:
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ArchiveRefused("This is not an archive of a dojo.")
    number = document.get("format_version")
    if isinstance(number, int) and number > FORMAT_VERSION:
        raise ArchiveRefused(f"Its format is {number}, which this version of Tatami does not know yet.")


_TEXT: Final = {"type": "string", "minLength": 1, "maxLength": 200, "pattern": r"^[^\u0000-\u001f]*\Z"}
_COUNT: Final = {"type": "integer", "minimum": 0, "maximum": 2**53}
_SHA256: Final = {"type": "string", "pattern": r"^[0-9a-f]{64}\Z"}
_NAME: Final = {"type": "string", "pattern": r"^[a-z_][a-z0-9_]{0,62}\Z"}


def _closed(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


MANIFEST_SCHEMA: Final = _closed(
    format={"const": FORMAT},
    format_version={"const": FORMAT_VERSION},
    made_at={"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z\Z"},
    tenant=_closed(
        id={"type": "string", "pattern": r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z"},
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
            # The tenant's folder also contains the folder `exports`.
            name={"type": "string", "pattern": r"^(?!exports\Z)[A-Za-z0-9][A-Za-z0-9._-]{0,149}\Z"},
            bytes={"type": "integer", "minimum": 0, "maximum": MAX_FILE_BYTES},
            sha256=_SHA256,
        ),
    },
)
"""The JSON Schema of `manifest.json`."""
