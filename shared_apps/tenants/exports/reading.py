"""From a file to an archive that is known to be whole. Nothing in it is believed before it was checked.

The names of members are compared with those that there must be and never used as paths. What an archive may cost is
bounded before anything of it is unpacked.
"""

import hashlib
import struct
import zipfile
import zlib
from collections.abc import Iterator
from functools import cached_property
from typing import IO, Final

from shared_apps.tenants.exports.contents import BLOCK_BYTES, Counted, Tick
from shared_apps.tenants.exports.errors import ArchiveRefused
from shared_apps.tenants.exports.manifest import MANIFEST, Entry, Kept, Manifest, decoded
from shared_apps.tenants.exports.manifest_schema import MOST_MANIFEST_BYTES
from shared_apps.tenants.exports.states import SchemaState, state_at

MOST_DIRECTORY_BYTES: Final = 64 * 1024
"""How long the list of members may be: a hundred bytes each, two hundred of them at most."""

MOST_TIMES: Final = 200
"""How many times as long as the file its contents may be. A dojo's are four times as long; deflate can do 1,032."""

FREE_BYTES: Final = 16 * 1024 * 1024
"""What a small archive may unpack to in any case."""

_FAULTS: Final = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, OverflowError, NotImplementedError
)  # fmt: skip
"""How zipfile says, in its several ways, that a file is not what it should be."""


class Archive:
    """An open archive. `manifest` and `state` are believed as soon as this was made, the rows after `verify`."""

    manifest: Manifest
    state: SchemaState

    def __init__(self, file: IO[bytes]) -> None:
        """Read the table of contents. Raises `ArchiveRefused` unless it is one of ours, and of a version we know."""
        size = file.seek(0, 2)
        _refuse_long_directory(file, size)
        try:
            self._zip = zipfile.ZipFile(file)
        except (*_FAULTS, OSError):
            raise ArchiveRefused("It is not a whole zip file.") from None
        self.manifest = decoded(self._manifest_bytes())
        self.state = state_at(self.manifest.version)
        self._refuse_other_tables()
        self._refuse_other_members(size)

    def verify(self, tick: Tick) -> None:
        """Read everything once. Raises `ArchiveRefused` unless every table and file is what the manifest says."""
        for entry in self.manifest.entries:
            counted = Counted()
            for _ in counted.passed(self.blocks(entry), tick):
                pass
            if counted.content != entry.content:
                raise ArchiveRefused(f"It is damaged: {entry.member} is not what its checksum says.")
        for kept in self.manifest.files:
            if hashlib.sha256(self.file(kept)).hexdigest() != kept.sha256:
                raise ArchiveRefused(f"It is damaged: {kept.member} is not what its checksum says.")

    def file(self, kept: Kept) -> bytes:
        """Return a file of the dojo. Raises `ArchiveRefused` where it cannot be read."""
        return b"".join(self.blocks(kept))

    def blocks(self, part: Entry | Kept) -> Iterator[bytes]:
        """Yield a table's rows, or a file, in blocks. Raises `ArchiveRefused` where they cannot be read."""
        try:
            with self._zip.open(part.member) as member:
                while block := member.read(BLOCK_BYTES):
                    yield block
        except _FAULTS:
            raise ArchiveRefused(f"It is damaged: {part.member} cannot be read.") from None

    @cached_property
    def _members(self) -> dict[str, zipfile.ZipInfo]:
        listed = self._zip.infolist()
        members = {info.filename: info for info in listed}
        if len(members) != len(listed):
            raise ArchiveRefused("It has a member twice.")
        for info in listed:
            if info.flag_bits & 1 or info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
                raise ArchiveRefused("It is encrypted, or packed in a way that archives are not.")
        return members

    def _manifest_bytes(self) -> bytes:
        info = self._members.get(MANIFEST)
        if info is None:
            raise ArchiveRefused("This is not an archive of a dojo: it has no manifest.")
        if info.file_size > MOST_MANIFEST_BYTES:
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
        wanted = {entry.member: entry.content.length for entry in self.manifest.entries}
        wanted |= {kept.member: kept.length for kept in self.manifest.files}
        if self._members.keys() != {*wanted, MANIFEST}:
            raise ArchiveRefused("Its members are not those that its manifest names.")
        if any(self._members[name].file_size != length for name, length in wanted.items()):
            raise ArchiveRefused("A member is not as long as its manifest says.")
        if sum(wanted.values()) > FREE_BYTES + MOST_TIMES * size:
            raise ArchiveRefused("It would unpack to far more than an archive of its size holds.")


_END: Final = struct.Struct("<4s4H2LH")
_END_64: Final = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64: Final = struct.Struct("<4sLQL")


def _refuse_long_directory(file: IO[bytes], size: int) -> None:
    """Look at the end of the file, where the length of the list of members stands: zipfile would read it all."""
    tail = _END_64.size + _LOCATOR_64.size + _END.size
    file.seek(max(0, size - tail))
    read = file.read(tail).rjust(tail, b"\0")
    end = _END.unpack_from(read, tail - _END.size)
    if end[0] != b"PK\5\6" or end[7]:
        raise ArchiveRefused("It is not a whole zip file.")
    is_64 = _LOCATOR_64.unpack_from(read, _END_64.size)[0] == b"PK\6\7"
    if (_END_64.unpack_from(read)[8] if is_64 else end[5]) > MOST_DIRECTORY_BYTES:
        raise ArchiveRefused("It has more members than an archive has.")
