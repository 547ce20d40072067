"""Write a tenant to an archive, and read an archive that may be damaged or forged.

An archive is a zip file with one member for each table and each file, and the manifest as its last member. The reader
trusts nothing before it is checked: names of members are compared with the expected names and never used as paths, and
the size of everything is limited before anything is unpacked.
"""

import hashlib
import struct
import zipfile
import zlib
from collections.abc import Iterator
from datetime import datetime
from functools import cached_property
from typing import IO, Any, Final

from django.core.files.storage import default_storage

from shared_apps.tenants.errors import ArchiveRefused
from shared_apps.tenants.exports.manifest import (
    MANIFEST,
    MAX_MANIFEST_BYTES,
    FileEntry,
    Manifest,
    Source,
    TableEntry,
    parse_manifest,
)
from shared_apps.tenants.exports.schema_state import SchemaState, Table, state_at
from shared_apps.tenants.exports.snapshot import (
    BLOCK_BYTES,
    ContentCounter,
    RowCallback,
    copy_blocks,
    open_snapshot,
)
from shared_apps.tenants.models import Tenant
from tatami.tenancy.seal import quoted

COMPRESSION_LEVEL: Final = 4
"""Of deflate. Most data are ids and hashes; a higher level is slower and makes them hardly smaller."""

MAX_DIRECTORY_BYTES: Final = 64 * 1024
"""Limit for the list of members: about a hundred bytes for each of at most two hundred members."""

MAX_COMPRESSION_RATIO: Final = 200
"""Limit for unpacked bytes per byte of the file. A tenant's ratio is about 4; deflate can reach 1,032."""

UNCHECKED_RATIO_BYTES: Final = 16 * 1024 * 1024
"""An archive may always unpack to this many bytes, whatever its ratio."""

_FAULTS: Final = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, OverflowError, NotImplementedError
)  # fmt: skip
"""The errors that zipfile raises for files that are not valid."""


class ArchiveWriter:
    """Writes one tenant to a seekable file. The memory that it needs does not depend on the number of rows."""

    def __init__(self, tenant: Tenant, *, now: datetime) -> None:
        self._tenant = tenant
        self._now = now

    def write(self, file: IO[bytes], *, on_total: RowCallback, on_rows: RowCallback) -> Manifest:
        """Write everything that is exported; return the manifest.

        Calls `on_total` with the number of rows before the first is read, and `on_rows` after each block. Raises
        `SchemaChanged` if the schema was just migrated, and `ArchiveRefused` if this code does not know its version.
        """
        with open_snapshot(self._tenant) as (raw, state), zipfile.ZipFile(file, "w") as archive:
            on_total(_number_of_rows(raw, state))
            entries = tuple(self._table(archive, raw, table, on_rows) for table in state.tables.values())
            tenant = self._tenant
            source = Source(tenant.pk, tenant.slug, tenant.name, tenant.timezone)
            files = tuple(self._file(archive, name) for name in _stored_files(raw, state))
            manifest = Manifest(self._now, source, state.version, entries, files)
            self._member(archive, MANIFEST, iter([manifest.to_bytes()]))
        return manifest

    def _table(self, archive: zipfile.ZipFile, raw: Any, table: Table, on_rows: RowCallback) -> TableEntry:
        counter = ContentCounter()
        blocks = counter.count(copy_blocks(raw, table.copy_out(table.columns)), on_rows)
        self._member(archive, TableEntry(table.name, table.columns, counter.content).member, blocks)
        return TableEntry(table.name, table.columns, counter.content)

    def _file(self, archive: zipfile.ZipFile, name: str) -> FileEntry:
        with default_storage.open(name) as file:
            content = file.read()
        entry = FileEntry(name.rpartition("/")[2], len(content), hashlib.sha256(content).hexdigest())
        self._member(archive, entry.member, iter([content]))
        return entry

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


def _stored_files(raw: Any, state: SchemaState) -> list[str]:
    """Return the names of the tenant's files that exist. A file that was just replaced is gone and left out."""
    columns = ((quoted(table), quoted(column)) for table, column in state.file_columns)
    names = [
        name
        for table, column in columns
        for (name,) in raw.execute(f"SELECT {column} FROM {table} WHERE {column} <> ''")  # noqa: S608
    ]
    return [name for name in sorted(set(names)) if default_storage.exists(name)]


class ArchiveReader:
    """An open archive. `manifest` and `state` are checked when it is opened, tables and files by `verify`."""

    manifest: Manifest
    state: SchemaState

    def __init__(self, file: IO[bytes]) -> None:
        """Read the table of contents. Raises `ArchiveRefused` unless it is an archive of a version this code knows."""
        size = file.seek(0, 2)
        _refuse_long_directory(file, size)
        try:
            self._zip = zipfile.ZipFile(file)
        except (*_FAULTS, OSError):
            raise ArchiveRefused("It is not a complete zip file.") from None
        self.manifest = parse_manifest(self._manifest_bytes())
        self.state = state_at(self.manifest.version)
        self._refuse_other_tables()
        self._refuse_other_members(size)

    def verify(self, on_rows: RowCallback) -> None:
        """Read everything once. Raises `ArchiveRefused` unless each table and file is as the manifest says."""
        for entry in self.manifest.entries:
            counter = ContentCounter()
            for _ in counter.count(self.blocks(entry), on_rows):
                pass
            if counter.content != entry.content:
                raise ArchiveRefused(f"It is damaged: the checksum of {entry.member} is wrong.")
        for file_entry in self.manifest.files:
            if hashlib.sha256(self.file(file_entry)).hexdigest() != file_entry.sha256:
                raise ArchiveRefused(f"It is damaged: the checksum of {file_entry.member} is wrong.")

    def file(self, entry: FileEntry) -> bytes:
        """Return the content of a file. Raises `ArchiveRefused` if it cannot be read."""
        return b"".join(self.blocks(entry))

    def blocks(self, entry: TableEntry | FileEntry) -> Iterator[bytes]:
        """Yield the rows of a table, or a file, in blocks. Raises `ArchiveRefused` if they cannot be read."""
        try:
            with self._zip.open(entry.member) as member:
                while block := member.read(BLOCK_BYTES):
                    yield block
        except _FAULTS:
            raise ArchiveRefused(f"It is damaged: {entry.member} cannot be read.") from None

    @cached_property
    def _members(self) -> dict[str, zipfile.ZipInfo]:
        infos = self._zip.infolist()
        members = {info.filename: info for info in infos}
        if len(members) != len(infos):
            raise ArchiveRefused("It contains two members of the same name.")
        for info in infos:
            if info.flag_bits & 1 or info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
                raise ArchiveRefused("It is encrypted, or compressed in a way that archives do not use.")
        return members

    def _manifest_bytes(self) -> bytes:
        info = self._members.get(MANIFEST)
        if info is None:
            raise ArchiveRefused("This is not an archive of a dojo: it has no manifest.")
        if info.file_size > MAX_MANIFEST_BYTES:
            raise ArchiveRefused("Its manifest is too long.")
        try:
            return self._zip.read(MANIFEST)
        except _FAULTS:
            raise ArchiveRefused("It is damaged: its manifest cannot be read.") from None

    def _refuse_other_tables(self) -> None:
        entries, tables = self.manifest.entries, self.state.tables
        if sorted(entry.name for entry in entries) != sorted(tables):
            raise ArchiveRefused("Its tables are not those of its schema version.")
        for entry in entries:
            if sorted(entry.columns) != sorted(tables[entry.name].columns):
                raise ArchiveRefused(f"The columns of {entry.name} are not those of its schema version.")

    def _refuse_other_members(self, size: int) -> None:
        lengths = {entry.member: entry.content.length for entry in self.manifest.entries}
        lengths |= {entry.member: entry.length for entry in self.manifest.files}
        if self._members.keys() != {*lengths, MANIFEST}:
            raise ArchiveRefused("Its members are not those that its manifest names.")
        if any(self._members[name].file_size != length for name, length in lengths.items()):
            raise ArchiveRefused("The length of a member is not as its manifest says.")
        if sum(lengths.values()) > UNCHECKED_RATIO_BYTES + MAX_COMPRESSION_RATIO * size:
            raise ArchiveRefused("It would unpack to far more than an archive of its size contains.")


_END: Final = struct.Struct("<4s4H2LH")
_END_64: Final = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64: Final = struct.Struct("<4sLQL")


def _refuse_long_directory(file: IO[bytes], size: int) -> None:
    """Read the length of the list of members from the end of the file, because zipfile would read the whole list."""
    tail = _END_64.size + _LOCATOR_64.size + _END.size
    file.seek(max(0, size - tail))
    read = file.read(tail).rjust(tail, b"\0")
    end = _END.unpack_from(read, tail - _END.size)
    if end[0] != b"PK\5\6" or end[7]:
        raise ArchiveRefused("It is not a complete zip file.")
    is_64 = _LOCATOR_64.unpack_from(read, _END_64.size)[0] == b"PK\6\7"
    if (_END_64.unpack_from(read)[8] if is_64 else end[5]) > MAX_DIRECTORY_BYTES:
        raise ArchiveRefused("It has more members than an archive can have.")
