"""An archive that is not what it should be is refused by its fault, and nothing is written."""

import hashlib
import io
import json
import random
import struct
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from shared_apps.tenants.exports.errors import ArchiveRefused
from shared_apps.tenants.exports.reading import Archive
from tatami.tenancy.scope import TenantScope
from tests.tenants.archives import (
    LOGO,
    archive_of,
    contents,
    files,
    full,
    live,
    nothing,
    nothing_changes,
    repacked,
    restored,
)

__all__ = ["files", "full", "live"]

USERS = "tables/accounts_user.tsv"
Damage = Callable[[bytes], bytes]


def members(change: Callable[[dict[str, bytes]], Any]) -> Damage:
    return lambda archive: repacked(archive, change=change)


def said(change: Callable[[dict[str, Any]], Any]) -> Damage:
    return lambda archive: repacked(archive, said=change)


def table(manifest: dict[str, Any], name: str = "accounts_user") -> dict[str, Any]:
    return next(one for one in manifest["tables"] if one["name"] == name)


def consistent(archive: bytes, name: str, change: Callable[[bytes], bytes]) -> bytes:
    """Return the archive of somebody who forges it with care: lengths and checksums are right."""
    member, made = f"tables/{name}.tsv", {}

    def rows(packed: dict[str, bytes]) -> None:
        packed[member] = made["new"]

    def manifest(words: dict[str, Any]) -> None:
        with zipfile.ZipFile(io.BytesIO(archive)) as packed:
            new = made["new"] = change(packed.read(member))
        table(words, name).update(
            rows=new.count(b"\n"), bytes=len(new), sha256=hashlib.sha256(new).hexdigest()
        )

    return repacked(archive, change=rows, said=manifest)


def twice(archive: bytes) -> bytes:
    file = io.BytesIO(archive)
    with zipfile.ZipFile(file, "a") as packed, pytest.warns(UserWarning, match="Duplicate"):
        packed.writestr(USERS, b"")
    return file.getvalue()


def encrypted(archive: bytes) -> bytes:
    """Set the bit that says so, in the list of members."""
    at = archive.index(b"PK\x01\x02")
    flags = struct.unpack_from("<H", archive, at + 8)[0] | 1
    return archive[: at + 8] + struct.pack("<H", flags) + archive[at + 10 :]


def bomb(archive: bytes) -> bytes:
    """Return an archive that says truly that it is far too long."""
    return consistent(archive, "students_studentnote", lambda rows: b"\n" * 40_000_000)


def crowded(archive: bytes) -> bytes:
    def crowd(packed: dict[str, bytes]) -> None:
        packed.update({f"tables/{number:050}": b"" for number in range(2_000)})

    return repacked(archive, change=crowd)


DAMAGES: dict[str, tuple[Damage, str]] = {
    "empty": (lambda archive: b"", "not a whole zip"),
    "not a zip": (lambda archive: b"x" * 5_000, "not a whole zip"),
    "truncated": (lambda archive: archive[: len(archive) // 2], "not a whole zip"),
    "the last byte is missing": (lambda archive: archive[:-1], "not a whole zip"),
    "something behind it": (lambda archive: archive + b"x", "not a whole zip"),
    "encrypted": (encrypted, "encrypted"),
    "no manifest": (members(lambda packed: packed.pop("manifest.json")), "no manifest"),
    "a manifest that is no JSON": (members(lambda packed: packed.update({"manifest.json": b"{"})), "not JSON"),
    "a manifest that is a list": (members(lambda packed: packed.update({"manifest.json": b"[]"})), "not an archive"),
    "a manifest that is too long": (
        members(lambda packed: packed.update({"manifest.json": b" " * 2_000_000})), "too long"
    ),
    "another format": (said(lambda words: words.update(format="zoo")), "not an archive"),
    "a newer format": (said(lambda words: words.update(format_version=2)), "format 2"),
    "an unknown word": (said(lambda words: words.update(more=1)), "not as it should be"),
    "a word too few": (said(lambda words: words.pop("files")), "not as it should be"),
    "no such time zone": (said(lambda words: words["tenant"].update(timezone="Europe/Kita")), "time zone"),
    "an unknown schema version": (
        said(lambda words: words["schema_version"].append("students.9999_from_tomorrow")), "not one that this"
    ),
    "a schema version of another program": (
        said(lambda words: words.update(schema_version=["auth.0001_initial"])), "not one that this"
    ),
    "an app's version twice": (
        said(lambda words: words["schema_version"].append("accounts.0001_initial")), "not one that this"
    ),
    "a table too few": (said(lambda words: words["tables"].pop()), "tables are not those"),
    "a table twice": (said(lambda words: words["tables"].append(table(words))), "tables are not those"),
    "a table that stays behind": (
        said(lambda words: words["tables"].append({**table(words), "name": "accounts_session"})),
        "tables are not those",
    ),
    "the record of migrations": (
        said(lambda words: words["tables"].append({**table(words), "name": "django_migrations"})),
        "tables are not those",
    ),
    "a name that is no table's": (
        said(lambda words: table(words).update(name='x"; DROP SCHEMA public')), "not as it should be"
    ),
    "another dojo's id smuggled in": (
        said(lambda words: table(words)["columns"].append("tenant_id")), "columns of accounts_user"
    ),
    "a column too few": (said(lambda words: table(words)["columns"].remove("email")), "columns of accounts_user"),
    "a missing member": (members(lambda packed: packed.pop(USERS)), "members are not those"),
    "an extra member": (members(lambda packed: packed.update({"more.txt": b""})), "members are not those"),
    "a way out of the folder": (
        members(lambda packed: packed.update({"../../etc/passwd": b""})), "members are not those"
    ),
    "a file's name is a way out": (
        said(lambda words: words["files"][0].update(name="../../../x")), "not as it should be"
    ),
    "a member twice": (twice, "twice"),
    "more members than there are": (crowded, "more members"),
    "a member that is longer": (
        members(lambda packed: packed.update({USERS: packed[USERS] + b"x"})), "not as long"
    ),
    "a wrong checksum": (said(lambda words: table(words).update(sha256="0" * 64)), "not what its checksum"),
    "a wrong number of rows": (said(lambda words: table(words).update(rows=1)), "not what its checksum"),
    "another row": (
        members(lambda packed: packed.update({USERS: packed[USERS][:-3] + b"xx\n"})), "not what its checksum"
    ),
    "another logo": (members(lambda packed: packed.update({"files/logo-1": b"x" * len(LOGO)})), "logo"),
    "a bomb": (bomb, "far more"),
    "a file in the place of exports": (
        said(lambda words: words["files"][0].update(name="exports")), "not as it should be"
    ),
    "a row that names another dojo's file": (
        lambda archive: consistent(
            archive, "dojo_dojosettings", lambda rows: rows.replace(b"logo-1", b"../other/exports/1.zip")
        ),
        "name a file that is not in it",
    ),
    # checksums that are right, of rows that no dojo has: the database finds out, and all of it is undone
    "a row twice": (
        lambda archive: consistent(archive, "students_studentnote", lambda rows: rows + rows), "not those of a dojo"
    ),
    "a row that refers to nobody": (
        lambda archive: consistent(archive, "accounts_user", lambda rows: b""), "not those of a dojo"
    ),
    "a row with too many columns": (
        lambda archive: consistent(archive, "ranks_discipline", lambda rows: rows[:-1] + b"\tx\n"),
        "not those of a dojo",
    ),
    "no text": (
        lambda archive: consistent(archive, "students_studentnote", lambda rows: rows.replace(b"knee", b"\xff")),
        "not those of a dojo",
    ),
    "an end before the end": (
        lambda archive: consistent(archive, "students_studentnote", lambda rows: b"\\.\n" + rows),
        "not (those of a dojo|what went in)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_archive_is_refused_and_nothing_is_written(
    live: TenantScope, superuser: Any, kind: str
) -> None:
    damage, reason = DAMAGES[kind]
    damaged = damage(archive_of(live)[0])
    with nothing_changes(superuser), pytest.raises(ArchiveRefused, match=reason):
        restored(damaged)


def test_an_archive_that_was_only_packed_anew_is_as_good(live: TenantScope) -> None:
    """So the refusals above are about what was changed."""
    archive, manifest = archive_of(live)
    assert contents(archive_of(restored(repacked(archive)))[1]) == contents(manifest)


def test_bits_that_flip_are_found_or_do_not_matter(live: TenantScope) -> None:
    archive, manifest = archive_of(live)
    rng = random.Random(11)
    refused = 0
    for _ in range(300):
        damaged = bytearray(archive)
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        try:
            read = Archive(io.BytesIO(bytes(damaged)))
            read.verify(nothing)
        except ArchiveRefused:
            refused += 1
        else:
            assert read.manifest == manifest
    assert refused > 250


def test_an_archive_can_be_cut_anywhere(live: TenantScope) -> None:
    archive, _ = archive_of(live)
    rng = random.Random(5)
    for length in {0, 1, 21, 22, 23, 97, 98, 99, *(rng.randrange(len(archive)) for _ in range(100))}:
        with pytest.raises(ArchiveRefused):
            Archive(io.BytesIO(archive[:length]))


def test_a_manifest_is_read_as_it_was_written(live: TenantScope) -> None:
    archive, manifest = archive_of(live)
    assert Archive(io.BytesIO(archive)).manifest == manifest
    assert json.loads(manifest.encoded())["format_version"] == 1
