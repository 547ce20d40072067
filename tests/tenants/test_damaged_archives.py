"""A damaged or forged archive is refused with the reason, and nothing is written."""

import hashlib
import io
import json
import random
import struct
import zipfile
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from django.db import InternalError

from shared_apps.tenants.errors import ArchiveRefused
from shared_apps.tenants.exports.archive import ArchiveReader
from shared_apps.tenants.exports.manifest import MANIFEST, Manifest
from tatami.tenancy.scope import TenantScope
from tests.support.sizes import small_or_full
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


def with_members(change: Callable[[dict[str, bytes]], Any]) -> Damage:
    return lambda archive: repacked(archive, change_members=change)


def with_manifest(change: Callable[[dict[str, Any]], Any]) -> Damage:
    return lambda archive: repacked(archive, change_manifest=change)


def table(manifest: dict[str, Any], name: str = "accounts_user") -> dict[str, Any]:
    return next(one for one in manifest["tables"] if one["name"] == name)


def forged(archive: bytes, name: str, change: Callable[[bytes], bytes]) -> bytes:
    """Return an archive that was forged with care: lengths and checksums are right."""
    member, made = f"tables/{name}.tsv", {}

    def replace_rows(packed: dict[str, bytes]) -> None:
        packed[member] = made["new"]

    def manifest(document: dict[str, Any]) -> None:
        with zipfile.ZipFile(io.BytesIO(archive)) as packed:
            new = made["new"] = change(packed.read(member))
        table(document, name).update(
            rows=new.count(b"\n"), bytes=len(new), sha256=hashlib.sha256(new).hexdigest()
        )

    return repacked(archive, change_members=replace_rows, change_manifest=manifest)


def with_duplicate(archive: bytes) -> bytes:
    file = io.BytesIO(archive)
    with zipfile.ZipFile(file, "a") as packed, pytest.warns(UserWarning, match="Duplicate"):
        packed.writestr(USERS, b"")
    return file.getvalue()


def encrypted(archive: bytes) -> bytes:
    """Set the bit for encryption in the list of members."""
    at = archive.index(b"PK\x01\x02")
    flags = struct.unpack_from("<H", archive, at + 8)[0] | 1
    return archive[: at + 8] + struct.pack("<H", flags) + archive[at + 10 :]


def zip_bomb(archive: bytes) -> bytes:
    """Return an archive with far too much data, whose manifest is right."""
    return forged(archive, "students_studentnote", lambda rows: b"\n" * 40_000_000)


def with_many_members(archive: bytes) -> bytes:
    def add_members(packed: dict[str, bytes]) -> None:
        packed.update({f"tables/{number:050}": b"" for number in range(2_000)})

    return repacked(archive, change_members=add_members)


DAMAGES: dict[str, tuple[Damage, str]] = {
    "empty": (lambda archive: b"", "not a complete zip"),
    "not a zip": (lambda archive: b"x" * 5_000, "not a complete zip"),
    "truncated": (lambda archive: archive[: len(archive) // 2], "not a complete zip"),
    "the last byte is missing": (lambda archive: archive[:-1], "not a complete zip"),
    "a byte after the end": (lambda archive: archive + b"x", "not a complete zip"),
    "encrypted": (encrypted, "encrypted"),
    "no manifest": (with_members(lambda packed: packed.pop("manifest.json")), "no manifest"),
    "a manifest that is not JSON": (with_members(lambda packed: packed.update({"manifest.json": b"{"})), "not JSON"),
    "a manifest that is a list": (
        with_members(lambda packed: packed.update({"manifest.json": b"[]"})), "not an archive"
    ),
    "a manifest that is too long": (
        with_members(lambda packed: packed.update({"manifest.json": b" " * 2_000_000})), "too long"
    ),
    "another format": (with_manifest(lambda d: d.update(format="zoo")), "not an archive"),
    "a newer format": (with_manifest(lambda d: d.update(format_version=2)), "format is 2"),
    "an unknown key": (with_manifest(lambda d: d.update(more=1)), "is not valid at"),
    "a missing key": (with_manifest(lambda d: d.pop("files")), "is not valid at"),
    "an unknown time zone": (with_manifest(lambda d: d["tenant"].update(timezone="Europe/Kita")), "time zone"),
    "an unknown schema version": (
        with_manifest(lambda d: d["schema_version"].append("students.9999_from_tomorrow")),
        "does not know the schema version",
    ),
    "a schema version of another program": (
        with_manifest(lambda d: d.update(schema_version=["auth.0001_initial"])), "does not know the schema version"
    ),
    "two versions of one app": (
        with_manifest(lambda d: d["schema_version"].append("accounts.0001_initial")), "does not know the schema version"
    ),
    "a missing table": (with_manifest(lambda d: d["tables"].pop()), "tables are not those"),
    "a duplicate table": (with_manifest(lambda d: d["tables"].append(table(d))), "tables are not those"),
    "an excluded table": (
        with_manifest(lambda d: d["tables"].append({**table(d), "name": "accounts_session"})),
        "tables are not those",
    ),
    "the table of migrations": (
        with_manifest(lambda d: d["tables"].append({**table(d), "name": "django_migrations"})),
        "tables are not those",
    ),
    "an invalid table name": (
        with_manifest(lambda d: table(d).update(name='x"; DROP SCHEMA public')), "is not valid at"
    ),
    "the column of the tenant id": (
        with_manifest(lambda d: table(d)["columns"].append("tenant_id")), "columns of accounts_user"
    ),
    "a missing column": (with_manifest(lambda d: table(d)["columns"].remove("email")), "columns of accounts_user"),
    "a missing member": (with_members(lambda packed: packed.pop(USERS)), "members are not those"),
    "an extra member": (with_members(lambda packed: packed.update({"more.txt": b""})), "members are not those"),
    "a member outside the folder": (
        with_members(lambda packed: packed.update({"../../etc/passwd": b""})), "members are not those"
    ),
    "a line break after the name of a file": (
        with_manifest(lambda d: d["files"][0].update(name=d["files"][0]["name"] + "\n")), "is not valid at"
    ),
    "a line break after the name of the dojo": (
        with_manifest(lambda d: d["tenant"].update(name=d["tenant"]["name"] + "\n")), "is not valid at"
    ),
    "a line break after the id of the dojo": (
        with_manifest(lambda d: d["tenant"].update(id=d["tenant"]["id"] + "\n")), "is not valid at"
    ),
    "a line break after the time": (with_manifest(lambda d: d.update(made_at=d["made_at"] + "\n")), "is not valid at"),
    "a line break after the name of a table": (
        with_manifest(lambda d: table(d).update(name="accounts_user\n")), "is not valid at"
    ),
    "a line break after a checksum": (
        with_manifest(lambda d: table(d).update(sha256=table(d)["sha256"] + "\n")), "is not valid at"
    ),
    "a file outside the folder": (
        with_manifest(lambda d: d["files"][0].update(name="../../../x")), "is not valid at"
    ),
    "a duplicate member": (with_duplicate, "same name"),
    "too many members": (with_many_members, "more members"),
    "a longer member": (
        with_members(lambda packed: packed.update({USERS: packed[USERS] + b"x"})), "length of a member"
    ),
    "a wrong checksum": (with_manifest(lambda d: table(d).update(sha256="0" * 64)), "checksum of .* is wrong"),
    "a wrong number of rows": (with_manifest(lambda d: table(d).update(rows=1)), "checksum of .* is wrong"),
    "a changed row": (
        with_members(lambda packed: packed.update({USERS: packed[USERS][:-3] + b"xx\n"})), "checksum of .* is wrong"
    ),
    "a changed logo": (with_members(lambda packed: packed.update({"files/logo-1": b"x" * len(LOGO)})), "logo"),
    "a zip bomb": (zip_bomb, "far more"),
    "a file with the name of the folder of exports": (
        with_manifest(lambda d: d["files"][0].update(name="exports")), "is not valid at"
    ),
    "a row with the file of another dojo": (
        lambda archive: forged(
            archive, "dojo_dojosettings", lambda rows: rows.replace(b"logo-1", b"../other/exports/1.zip")
        ),
        "name a file that is not in it",
    ),
    # Right checksums of invalid rows: the database refuses them, and everything is undone.
    "a duplicate row": (
        lambda archive: forged(archive, "students_studentnote", lambda rows: rows + rows), "not valid in a dojo"
    ),
    "rows that refer to missing rows": (
        lambda archive: forged(archive, "accounts_user", lambda rows: b""), "not valid in a dojo"
    ),
    "a row with too many columns": (
        lambda archive: forged(archive, "ranks_discipline", lambda rows: rows[:-1] + b"\tx\n"),
        "not valid in a dojo",
    ),
    "invalid UTF-8": (
        lambda archive: forged(archive, "students_studentnote", lambda rows: rows.replace(b"knee", b"\xff")),
        "not valid in a dojo",
    ),
    "an end mark before the end": (
        lambda archive: forged(archive, "students_studentnote", lambda rows: b"\\.\n" + rows),
        "(not valid in a dojo|changed when they were loaded)",
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


AS_CITUS: Final = """
CREATE FUNCTION public.refuse_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE 'duplicate key value violates unique constraint "students_studentnote_pkey_102012"' USING ERRCODE = '{code}';
END $$;
CREATE FUNCTION public.refuse_rows_of_new_table() RETURNS event_trigger LANGUAGE plpgsql AS $$
DECLARE made text;
BEGIN
    FOR made IN SELECT object_identity FROM pg_event_trigger_ddl_commands()
        WHERE object_type = 'table' AND object_identity LIKE '%.students_studentnote'
    LOOP
        EXECUTE format('CREATE TRIGGER refuse BEFORE INSERT ON %s FOR EACH ROW EXECUTE FUNCTION public.refuse_row()',
            made);
    END LOOP;
END $$;
CREATE EVENT TRIGGER refuse_rows ON ddl_command_end WHEN TAG IN ('CREATE TABLE')
    EXECUTE FUNCTION public.refuse_rows_of_new_table();
"""
"""Fail COPY as Citus does when a worker refuses a row: with the worker's message and the code of an internal error."""


@pytest.fixture
def rows_refused(superuser: Any, request: pytest.FixtureRequest) -> Iterator[None]:
    """Refuse the rows of new tables of notes with the SQLSTATE that is the parameter."""
    superuser.execute(AS_CITUS.replace("{code}", request.param))
    yield
    superuser.execute("DROP EVENT TRIGGER refuse_rows")
    superuser.execute("DROP FUNCTION public.refuse_rows_of_new_table(), public.refuse_row()")


@pytest.mark.parametrize("rows_refused", ["XX000"], indirect=True)
def test_a_row_that_a_worker_of_citus_refuses_is_refused_alike(
    live: TenantScope, superuser: Any, rows_refused: None
) -> None:
    archive, _ = archive_of(live)
    with (
        nothing_changes(superuser),
        pytest.raises(ArchiveRefused, match="not valid in a dojo: duplicate key"),
    ):
        restored(archive)


@pytest.mark.parametrize("rows_refused", ["XX001"], indirect=True)
def test_damaged_data_of_the_server_are_not_taken_for_a_damaged_archive(
    live: TenantScope, superuser: Any, rows_refused: None
) -> None:
    archive, _ = archive_of(live)
    with nothing_changes(superuser), pytest.raises(InternalError):
        restored(archive)


def test_a_repacked_archive_can_be_restored(live: TenantScope) -> None:
    """So the refusals above are caused by the changes."""
    archive, manifest = archive_of(live)
    assert contents(archive_of(restored(repacked(archive)))[1]) == contents(manifest)


@small_or_full("flips", small=100, full=5_000)
def test_a_flipped_bit_is_refused_or_changes_no_data(live: TenantScope, flips: int) -> None:
    """Some bits of a zip file have no meaning, such as times and attributes of members.

    How many of the flips hit one of them depends on the ids in the archive. So each flip is checked on its own: either
    it is refused with `ArchiveRefused`, or the manifest is equal and `verify` has found all data equal to it.
    """
    archive, manifest = archive_of(live)
    rng = random.Random(11)
    for _ in range(flips):
        position, bit = rng.randrange(len(archive)), rng.randrange(8)
        assert_refused_or_equal(flipped(archive, position, bit), manifest)


def test_a_flipped_bit_in_a_checksum_or_length_is_refused(live: TenantScope) -> None:
    """These fields of the list of members always have a meaning. (The length of the manifest is not used.)"""
    archive, manifest = archive_of(live)
    rng = random.Random(12)
    member, names = archive.index(b"PK\x01\x02"), []
    while archive[member : member + 4] == b"PK\x01\x02":
        name, extra, comment = struct.unpack_from("<3H", archive, member + 28)
        names.append(archive[member + 46 : member + 46 + name].decode())
        fields = {"checksum": 16, "length": 24} if names[-1] != MANIFEST else {"checksum": 16}
        for field, offset in fields.items():
            damaged = flipped(archive, member + offset + rng.randrange(4), rng.randrange(8))
            assert not assert_refused_or_equal(damaged, manifest), f"{field} of {names[-1]}"
        member += 46 + name + extra + comment
    assert names == [*(entry.member for entry in (*manifest.entries, *manifest.files)), MANIFEST]


def flipped(archive: bytes, position: int, bit: int) -> bytes:
    damaged = bytearray(archive)
    damaged[position] ^= 1 << bit
    return bytes(damaged)


def assert_refused_or_equal(archive: bytes, manifest: Manifest) -> bool:
    """Return whether an archive is accepted; assert that its data are then equal to those of the manifest."""
    try:
        read = ArchiveReader(io.BytesIO(archive))
        read.verify(nothing)
    except ArchiveRefused:
        return False
    assert read.manifest == manifest
    return True


def test_a_truncated_archive_is_refused_wherever_it_is_cut(live: TenantScope) -> None:
    archive, _ = archive_of(live)
    rng = random.Random(5)
    for length in {0, 1, 21, 22, 23, 97, 98, 99, *(rng.randrange(len(archive)) for _ in range(100))}:
        with pytest.raises(ArchiveRefused):
            ArchiveReader(io.BytesIO(archive[:length]))


def test_the_manifest_that_is_read_equals_the_one_that_was_written(live: TenantScope) -> None:
    archive, manifest = archive_of(live)
    assert ArchiveReader(io.BytesIO(archive)).manifest == manifest
    assert json.loads(manifest.to_bytes())["format_version"] == 1
