"""The table of contents of an archive: which dojo, which schema version, which tables, and what each must be."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from jsonschema import Draft202012Validator
from rest_framework.serializers import ValidationError

from shared_apps.tenants.exports.contents import Content
from shared_apps.tenants.exports.errors import ArchiveRefused
from shared_apps.tenants.exports.manifest_schema import FORMAT, FORMAT_VERSION, SCHEMA
from tatami.api.renderers import json_bytes
from tatami.timezones import known_timezone

MANIFEST: Final = "manifest.json"


@dataclass(frozen=True, slots=True)
class Source:
    """The dojo that an archive was made of, as it was then."""

    id: UUID
    slug: str
    name: str
    timezone: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A table in an archive."""

    name: str
    columns: tuple[str, ...]
    content: Content

    @property
    def member(self) -> str:
        """Return the name of the file that holds its rows."""
        return f"tables/{self.name}.tsv"


@dataclass(frozen=True, slots=True)
class Kept:
    """A file of the dojo in the storage; its name there is this one, below the dojo's id."""

    name: str
    length: int
    sha256: str

    @property
    def member(self) -> str:
        """Return the name of the file that it is in the archive."""
        return f"files/{self.name}"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an archive says about itself."""

    made_at: datetime
    source: Source
    version: str
    """As `Tenant.schema_version` has it."""
    entries: tuple[Entry, ...]
    files: tuple[Kept, ...]

    @property
    def rows(self) -> int:
        """Return how many rows there are in all."""
        return sum(entry.content.rows for entry in self.entries)

    def encoded(self) -> bytes:
        """Return the file's bytes."""
        source = self.source
        said = {
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
        return json_bytes(said)


def decoded(raw: bytes) -> Manifest:
    """Return what the file's bytes say. Raises `ArchiveRefused`."""
    try:
        said = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise ArchiveRefused("Its manifest is not JSON.") from None
    _refuse_other_format(said)
    fault = next(Draft202012Validator(SCHEMA).iter_errors(said), None)
    if fault is not None:
        raise ArchiveRefused(f"Its manifest is not as it should be at {fault.json_path}.")
    tenant = said["tenant"]
    try:
        made_at = datetime.fromisoformat(said["made_at"])
        known_timezone(tenant["timezone"])
    except (ValueError, ValidationError):
        raise ArchiveRefused("Its manifest names a time or a time zone that does not exist.") from None
    return Manifest(
        made_at=made_at,
        source=Source(UUID(tenant["id"]), tenant["slug"], tenant["name"], tenant["timezone"]),
        version=",".join(said["schema_version"]),
        entries=tuple(_entry(one) for one in said["tables"]),
        files=tuple(Kept(one["name"], one["bytes"], one["sha256"]) for one in said["files"]),
    )


def _entry(said: dict[str, Any]) -> Entry:
    content = Content(rows=said["rows"], length=said["bytes"], sha256=said["sha256"])
    return Entry(name=said["name"], columns=tuple(said["columns"]), content=content)


def _refuse_other_format(said: Any) -> None:
    if not isinstance(said, dict) or said.get("format") != FORMAT:
        raise ArchiveRefused("This is not an archive of a dojo.")
    number = said.get("format_version")
    if isinstance(number, int) and number > FORMAT_VERSION:
        raise ArchiveRefused(f"It is of format {number}, of which this version of Tatami knows nothing yet.")
