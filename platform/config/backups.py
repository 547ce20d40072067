"""Backups of a whole installation, and restoring them: the database and the file storage, in one folder.

A backup is a folder named for its time (UTC) with `database.dump` (pg_dump's custom format), `files.tar` (every file of
the storage, a folder or a bucket) and `manifest.json` with sizes and checksums. It is written under another name and
renamed when it is complete, so a backup that was interrupted is never taken for one. All of it is for its owner only.

Secrets are not part of it. The programs pg_dump and pg_restore are those of the embedded PostgreSQL, or in `PATH`.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final

import orjson
import psycopg
import structlog
from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.core.files.base import File
from django.core.files.storage import Storage, default_storage
from django.db.migrations.loader import MigrationLoader
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tatami.embedded.errors import EmbeddedError
from tatami.embedded.postgres import postgres_binaries

logger: Final = structlog.get_logger(__name__)

FORMAT: Final = 1
NAME: Final = "%Y-%m-%dT%H%M%SZ"
UNFINISHED: Final = ".unfinished"
DATABASE: Final = "database.dump"
FILES: Final = "files.tar"
MANIFEST: Final = "manifest.json"
LOCK_SECONDS: Final = 60
"""How long pg_dump waits for a table that a migration or a purge has locked, and a restore for one that is in use."""
SYSTEM_SCHEMAS: Final = ("information_schema", "public")


class BackupFailed(Exception):
    """A backup cannot be made, or cannot be restored. The message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A complete backup: its folder, and when it was begun."""

    folder: Path
    created_at: datetime


def complete_backups(folder: Path) -> list[Backup]:
    """Return the complete backups in `folder`, oldest first. Other files and folders in it are ignored."""
    found = []
    for path in folder.iterdir() if folder.is_dir() else ():
        try:
            created_at = datetime.strptime(path.name, NAME).replace(tzinfo=UTC)
        except ValueError:
            continue
        if (path / MANIFEST).is_file():
            found.append(Backup(path, created_at))
    return sorted(found, key=lambda one: one.created_at)


def next_backup_at(folder: Path, daily_at: time, *, now: datetime) -> datetime:
    """Return when the next backup is due: `daily_at` (UTC) each day, and now if the last one was missed."""
    today = datetime.combine(now.date(), daily_at, tzinfo=UTC)
    last_due = today if today <= now else today - timedelta(days=1)
    done = complete_backups(folder)
    if not done or done[-1].created_at < last_due:
        return now
    return last_due + timedelta(days=1)


class LastBackupCollector(Collector):
    """When the newest complete backup in `folder` was begun. Each scrape looks into the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Return the metric without a value."""
        return [
            GaugeMetricFamily(
                "tatami_last_backup_timestamp_seconds", "When the last complete backup was begun (Unix time)."
            )
        ]

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return the time; nothing if there is no complete backup, or the folder cannot be read."""
        (last,) = self.describe()
        try:
            done = complete_backups(self._folder)
        except OSError as error:
            logger.warning("backups_unknown", reason=str(error))
            return []
        if not done:
            return []
        last.add_metric([], done[-1].created_at.timestamp())
        return [last]


def serve_backup_metrics(folder: Path) -> None:
    """Serve the age of the last backup from a thread of this process on `TATAMI_METRICS_PORT`, if it is not 0.

    If the port is not available, log a warning: backups are more important.
    """
    if not settings.TATAMI_METRICS_PORT:
        return
    registry = CollectorRegistry()
    registry.register(LastBackupCollector(folder))
    try:
        start_http_server(settings.TATAMI_METRICS_PORT, settings.TATAMI_METRICS_HOST, registry)
    except OSError as error:
        logger.warning("metrics_not_served", port=settings.TATAMI_METRICS_PORT, reason=str(error))


# --- making one ----------------------------------------------------------------------------------------------------


def create_backup(folder: Path, *, now: datetime) -> Backup:
    """Write a backup into `folder` and return it. The application keeps serving; migrations and purges may wait.

    Files are copied before and after the database is dumped, so every file that the dumped rows name is there unless it
    was deleted meanwhile. What an interrupted backup left is removed. Raises `BackupFailed`, also if another one runs.
    """
    with _exclusive(folder):
        for left in folder.glob(f"*{UNFINISHED}"):
            shutil.rmtree(left)
        made = Backup(folder / now.astimezone(UTC).strftime(NAME), now)
        if made.folder.exists():
            raise BackupFailed(f"{made.folder} exists already.")
        unfinished = made.folder.with_name(made.folder.name + UNFINISHED)
        unfinished.mkdir(mode=0o700)
        with tarfile.open(unfinished / FILES, "w") as archive:
            stored: set[str] = set()
            _add_files(archive, stored)
            _dump_database(unfinished / DATABASE)
            _add_files(archive, stored)
        manifest = {
            "format": FORMAT,
            "created_at": now,
            "migrations": sorted(f"{app}.{name}" for app, name in _loader().graph.leaf_nodes()),
            "files": {name: _described(unfinished / name) for name in (DATABASE, FILES)},
        }
        (unfinished / MANIFEST).write_bytes(orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
        for path in (*unfinished.iterdir(), unfinished):
            _flush(path)
        unfinished.rename(made.folder)
        _flush(folder)
        return made


def delete_old_backups(folder: Path, *, keep_days: int, now: datetime) -> list[Backup]:
    """Delete the backups that are older than `keep_days`, except the newest, and return them."""
    old = [one for one in complete_backups(folder)[:-1] if one.created_at < now - timedelta(days=keep_days)]
    for one in old:
        # A folder that is deleted only in part must not look like a complete backup.
        unfinished = one.folder.with_name(one.folder.name + UNFINISHED)
        one.folder.rename(unfinished)
        shutil.rmtree(unfinished)
    return old


@contextmanager
def _exclusive(folder: Path) -> Iterator[None]:
    """Create the folder, and hold its lock, which the kernel releases if the process is killed."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise BackupFailed(f"{folder}: {error.strerror}.") from None
    umask = os.umask(0o077)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise BackupFailed(f"Another backup is being written to {folder}.") from None
    finally:
        os.umask(umask)
        os.close(lock)


def _dump_database(path: Path) -> None:
    _run(
        "pg_dump",
        *("--format=custom", "--no-password", f"--file={path}", f"--lock-wait-timeout={LOCK_SECONDS}s"),
    )


def _add_files(archive: tarfile.TarFile, stored: set[str]) -> None:
    """Add the files of the storage whose names are not in `stored` yet."""
    for name in stored_files(default_storage):
        if name in stored:
            continue
        try:
            with default_storage.open(name) as file:
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = file.size, 0o600
                archive.addfile(entry, file)
                _forget_members(archive)
        except FileNotFoundError:  # deleted since it was listed
            continue
        stored.add(name)


def _forget_members(archive: tarfile.TarFile) -> None:
    """Free the memory of the entries so far: an archive keeps an object for each of them."""
    archive.members = []  # type: ignore[attr-defined]


def stored_files(storage: Storage, folder: str = "") -> Iterator[str]:
    """Yield the names of all files in the storage."""
    try:
        folders, names = storage.listdir(folder)
    except FileNotFoundError:
        return
    prefix = f"{folder}/" if folder else ""
    yield from (prefix + name for name in names)
    for inner in folders:
        yield from stored_files(storage, prefix + inner)


def _described(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _flush(path: Path) -> None:
    """Wait until the disk has the file, or the names in the folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# --- restoring one -------------------------------------------------------------------------------------------------


def restore_backup(folder: Path, *, replace: bool) -> None:
    """Restore the backup in `folder` into the database of OWNER_DATABASE_URL and the file storage.

    The two logins must exist. A database that has tables is refused, unless `replace`: then all schemas are dropped
    first. Run it while no web process and no worker runs, and `migrate_fleet` afterwards. A restore that was
    interrupted is repeated with `replace`. Raises `BackupFailed`; a damaged backup, or one of a later version, is
    refused before anything is changed.
    """
    check_backup(folder)
    with psycopg.connect(_conninfo(password=True), autocommit=True) as connection:
        if _has_tables(connection):
            if not replace:
                raise BackupFailed(
                    "The database has tables already. To drop them all, restore with --replace."
                )
            _drop_schemas(connection)
    _run("pg_restore", "--no-owner", "--no-password", "--exit-on-error", str(folder / DATABASE))
    with tarfile.open(folder / FILES) as archive:
        while (entry := archive.next()) is not None:
            content = archive.extractfile(entry)
            if content is not None:
                _restore_file(default_storage, entry.name, File(content))
            _forget_members(archive)


def check_backup(folder: Path) -> None:
    """Raise `BackupFailed` if the backup is incomplete, damaged, or of a later version than this code."""
    try:
        manifest = orjson.loads((folder / MANIFEST).read_bytes())
        found_format, described, migrations = manifest["format"], manifest["files"], manifest["migrations"]
    except (OSError, KeyError, TypeError, orjson.JSONDecodeError):
        raise BackupFailed(f"{folder} is not a backup: it has no readable {MANIFEST}.") from None
    if found_format != FORMAT:
        raise BackupFailed(f"This version reads backups of format {FORMAT}, not {found_format!r}.")
    known = {f"{app}.{name}" for app, name in _loader().disk_migrations}
    if unknown := sorted(set(migrations) - known):
        raise BackupFailed(f"The backup is of a later version: this one has no {', '.join(unknown)}.")
    for name in (DATABASE, FILES):
        if not (folder / name).is_file() or _described(folder / name) != described.get(name):
            raise BackupFailed(f"{folder / name} is damaged: its checksum is not the one in {MANIFEST}.")


def _loader() -> MigrationLoader:
    return MigrationLoader(None)


def _has_tables(connection: psycopg.Connection[Any]) -> bool:
    found = connection.execute(
        "SELECT 1 FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema') LIMIT 1"
    )
    return found.fetchone() is not None


def _drop_schemas(connection: psycopg.Connection[Any]) -> None:
    """Drop all schemas, each in a transaction of its own, so that the locks of one are enough. `public` is first."""
    connection.execute(sql.SQL("SET lock_timeout = {}").format(f"{LOCK_SECONDS}s"))
    names = [
        row[0]
        for row in connection.execute(
            "SELECT nspname FROM pg_namespace WHERE NOT starts_with(nspname, 'pg_') AND nspname <> ALL(%s) "
            "ORDER BY nspname",
            [list(SYSTEM_SCHEMAS)],
        ).fetchall()
    ]
    for name in ("public", *names):
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(name)))
    connection.execute("CREATE SCHEMA public")


def _restore_file(storage: Storage, name: str, content: "File[bytes]") -> None:
    try:
        if storage.exists(name):
            storage.delete(name)
        saved = storage.save(name, content)
    except SuspiciousOperation:
        raise BackupFailed(f"The name of the file {name!r} leads out of the storage.") from None
    if saved != name:
        raise BackupFailed(f"The storage has saved the file {name!r} as {saved!r}.")


# --- PostgreSQL's programs -----------------------------------------------------------------------------------------


def _run(program: str, *arguments: str) -> None:
    """Run a program of PostgreSQL on the database of the owner login. Raises `BackupFailed` with what it says."""
    name = "--dbname=" + _conninfo(password=False)
    environment = {**_plain_environment(), "PGPASSWORD": _owner()["PASSWORD"]}
    done = subprocess.run(  # noqa: S603
        [_program(program), name, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BackupFailed(f"{program} failed: {done.stderr.strip()[-2000:]}")


def _plain_environment() -> dict[str, str]:
    """Return this environment without our secrets and without settings of libpq, which would change the connection."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}


def _program(name: str) -> str:
    try:
        return str(postgres_binaries() / name)
    except EmbeddedError:
        found = shutil.which(name)
    if found is None:
        raise BackupFailed(f"There is no program {name}. Install the client programs of PostgreSQL 18.")
    return found


def _owner() -> Mapping[str, Any]:
    try:
        return settings.DATABASES["owner"]
    except KeyError:
        raise BackupFailed(
            "OWNER_DATABASE_URL is not set. It must be the URL of the login that migrates."
        ) from None


def _conninfo(*, password: bool) -> str:
    """Return how to connect as the owner login; without the password, which `ps` would show."""
    owner = _owner()
    fields = {"host": owner["HOST"], "port": owner["PORT"], "user": owner["USER"], "dbname": owner["NAME"]}
    if password:
        fields["password"] = owner["PASSWORD"]
    given = {name: value for name, value in fields.items() if value}
    return make_conninfo(**given, **owner.get("OPTIONS", {}))
