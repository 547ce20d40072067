"""From a dojo to an archive: a zip file with a member for each table, and the manifest as the last."""

import hashlib
import zipfile
from collections.abc import Iterator
from datetime import datetime
from typing import IO, Any, Final

from django.core.files.storage import default_storage

from shared_apps.tenants.exports.contents import Counted, Tick, copied_out
from shared_apps.tenants.exports.manifest import MANIFEST, Entry, Kept, Manifest, Source
from shared_apps.tenants.exports.snapshot import snapshot_of
from shared_apps.tenants.exports.states import SchemaState, Table
from shared_apps.tenants.models import Tenant
from tatami.tenancy.seal import quoted

COMPRESSION_LEVEL: Final = 4
"""Of deflate. Ids and hashes, which most of a dojo consists of, become hardly smaller above it, but slower."""


class ArchiveWriter:
    """Writes one dojo into a file that can be sought. Memory stays flat whatever the number of rows."""

    def __init__(self, tenant: Tenant, *, now: datetime) -> None:
        self._tenant = tenant
        self._now = now

    def write(self, file: IO[bytes], *, expect: Tick, tick: Tick) -> Manifest:
        """Write all that travels; return the manifest. `expect` is told the number of rows, before the first is read.

        Raises `SchemaMoved` if the schema was migrated just now, and `ArchiveRefused` if this code does not know the
        version that it is at.
        """
        with snapshot_of(self._tenant) as (raw, state), zipfile.ZipFile(file, "w") as archive:
            expect(_number_of_rows(raw, state))
            entries = tuple(self._table(archive, raw, table, tick) for table in state.tables.values())
            tenant = self._tenant
            source = Source(tenant.pk, tenant.slug, tenant.name, tenant.timezone)
            files = tuple(self._file(archive, name) for name in _kept_files(raw, state))
            manifest = Manifest(self._now, source, state.version, entries, files)
            self._member(archive, MANIFEST, iter([manifest.encoded()]))
        return manifest

    def _table(self, archive: zipfile.ZipFile, raw: Any, table: Table, tick: Tick) -> Entry:
        counted = Counted()
        blocks = counted.passed(copied_out(raw, table.copy_out(table.columns)), tick)
        self._member(archive, Entry(table.name, table.columns, counted.content).member, blocks)
        return Entry(table.name, table.columns, counted.content)

    def _file(self, archive: zipfile.ZipFile, name: str) -> Kept:
        with default_storage.open(name) as file:
            content = file.read()
        kept = Kept(name.rpartition("/")[2], len(content), hashlib.sha256(content).hexdigest())
        self._member(archive, kept.member, iter([content]))
        return kept

    def _member(self, archive: zipfile.ZipFile, name: str, blocks: Iterator[bytes]) -> None:
        info = zipfile.ZipInfo(name, date_time=self._now.timetuple()[:6])
        info.compress_type = zipfile.ZIP_DEFLATED
        info._compresslevel = COMPRESSION_LEVEL  # type: ignore[attr-defined]
        info.external_attr = 0o600 << 16
        with archive.open(info, "w", force_zip64=True) as member:
            for block in blocks:
                member.write(block)


def _number_of_rows(raw: Any, state: SchemaState) -> int:
    counts = " + ".join(f"(SELECT count(*) FROM {quoted(name)})" for name in state.tables)  # noqa: S608
    (number,) = raw.execute(f"SELECT {counts}").fetchone()
    return int(number)


def _kept_files(raw: Any, state: SchemaState) -> list[str]:
    """Return the names of the dojo's files that are there. One that was replaced just now is gone: then without it."""
    columns = ((quoted(table), quoted(column)) for table, column in state.file_columns)
    named = [
        name
        for table, column in columns
        for (name,) in raw.execute(f"SELECT {column} FROM {table} WHERE {column} <> ''")  # noqa: S608
    ]
    return [name for name in sorted(set(named)) if default_storage.exists(name)]
