"""Backups of an installation: a real dump, restored into a fresh PostgreSQL, is the same installation."""

import os
import re
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import orjson
import psycopg
import pytest
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from psycopg import sql
from psycopg.conninfo import make_conninfo
from structlog.testing import capture_logs

from config import backups
from config.backups import (
    DATABASE,
    FILES,
    MANIFEST,
    Backup,
    BackupFailed,
    LastBackupCollector,
    check_backup,
    complete_backups,
    create_backup,
    delete_old_backups,
    next_backup_at,
    serve_backup_metrics,
)
from tatami.embedded.data_folder import ROOT, locked_data_folder
from tatami.embedded.logins import database_url
from tatami.embedded.servers import application_variables, merge_environment, running_servers
from tatami.tenancy.scope import TenantScope
from tests.support.clients import Dojo
from tests.support.live_server import free_port
from tests.support.now import NOW

pytestmark = pytest.mark.slow

LOGO = "0197-dojo/logo-1"
READY_WITHIN_SECONDS = 60


@pytest.fixture(autouse=True)
def _own_files(settings: Any, tmp_path: Path) -> None:
    storage = {"BACKEND": "django.core.files.storage.FileSystemStorage"}
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {**storage, "OPTIONS": {"location": tmp_path / "own"}},
    }


@pytest.fixture
def filled(north: TenantScope) -> TenantScope:
    """A committed dojo with a student and a file, beside those of the session."""
    Dojo(north).create("/students", {"first_name": "Åsa", "last_name": 'O\'Neil \\ "x"'})
    default_storage.save(LOGO, ContentFile(b"\x89PNG\0\r\n"))
    return north


@pytest.fixture
def backup(filled: TenantScope, tmp_path: Path) -> Backup:
    return create_backup(tmp_path / "backups", now=NOW)


def digests(conninfo: str) -> dict[str, tuple[int, str]]:
    """Return number and digest of the rows of each table."""
    with closing(psycopg.connect(conninfo, autocommit=True)) as connection:
        tables = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        statement = sql.SQL(
            "SELECT count(*), md5(coalesce(string_agg(t::text, ',' ORDER BY t::text), '')) FROM {} t"
        )
        return {
            ".".join(name): connection.execute(statement.format(sql.Identifier(*name))).fetchone()  # type: ignore[misc]
            for name in tables
        }


class Installation:
    """Another PostgreSQL with the two logins, and commands that use it."""

    def __init__(self, environment: dict[str, str], admin: str, folder: Path) -> None:
        self.files = folder / "restored"
        self.admin = make_conninfo(admin, dbname="tatami")
        self.environment = {**environment, "TATAMI_STORAGE_URL": self.files.as_uri(), "LOG_FORMAT": "console"}

    def manage(self, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "manage.py", *map(str, arguments)]
        return subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False
        )


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Installation]:
    with (
        locked_data_folder(tmp_path / "fresh") as data_folder,
        running_servers(data_folder, durable=False, environment={}) as servers,
    ):
        variables = merge_environment(application_variables(data_folder, servers))
        # Tests share the secret of their server, and so do an installation and its backup.
        variables["JWT_SECRET"] = os.environ["JWT_SECRET"]
        assert servers.admin_url
        yield Installation(variables, servers.admin_url, tmp_path)


def test_a_backup_restored_into_a_fresh_cluster_is_the_same_installation(
    backup: Backup, fresh: Installation, database_name: str
) -> None:
    source = digests(make_conninfo(os.environ["ADMIN_DATABASE_URL"], dbname=database_name))
    assert len(source) > 100
    assert any(count for count, _ in source.values())

    done = fresh.manage("restore", backup.folder)
    assert done.returncode == 0, done.stderr
    assert digests(fresh.admin) == source
    assert (fresh.files / LOGO).read_bytes() == b"\x89PNG\0\r\n"

    assert fresh.manage("migrate_fleet").returncode == 0
    checked = fresh.manage("tenant_check", "--json")
    document = orjson.loads(checked.stdout)
    assert (checked.returncode, document["broken"]) == (0, 0), checked.stdout
    assert {"aiki", "kendo", "north"} <= {one["slug"] for one in document["dojos"]}

    # A second restore is refused, or replaces everything, also what the backup does not have.
    refused = fresh.manage("restore", backup.folder)
    assert refused.returncode == 1
    assert "--replace" in refused.stderr
    with closing(psycopg.connect(fresh.admin, autocommit=True)) as connection:
        connection.execute("CREATE SCHEMA t_later CREATE TABLE visit (id int)")
        connection.execute("ALTER SCHEMA t_later OWNER TO tatami_owner")
        connection.execute("ALTER TABLE t_later.visit OWNER TO tatami_owner")
        connection.execute("DELETE FROM public.tenants_domain")
    again = fresh.manage("restore", backup.folder, "--replace")
    assert again.returncode == 0, again.stderr
    assert digests(fresh.admin).keys() == source.keys()
    assert fresh.manage("tenant_check").returncode == 0


def test_a_backup_is_for_its_owner_only(backup: Backup) -> None:
    for path in (backup.folder.parent, backup.folder, *backup.folder.iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) in {0o700, 0o600}, path
    assert {path.name for path in backup.folder.iterdir()} == {DATABASE, FILES, MANIFEST}


@pytest.mark.parametrize("name", [DATABASE, FILES, MANIFEST])
def test_a_damaged_backup_is_refused(backup: Backup, name: str) -> None:
    check_backup(backup.folder)
    path = backup.folder / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    if name == MANIFEST:
        path.write_bytes(b"{")
    with pytest.raises(BackupFailed):
        check_backup(backup.folder)
    path.unlink()
    with pytest.raises(BackupFailed):
        check_backup(backup.folder)


def test_a_backup_of_a_later_version_is_refused(backup: Backup) -> None:
    manifest = orjson.loads((backup.folder / MANIFEST).read_bytes())
    manifest["migrations"].append("students.9999_later")
    (backup.folder / MANIFEST).write_bytes(orjson.dumps(manifest))
    with pytest.raises(BackupFailed, match=r"later version.*students\.9999_later"):
        check_backup(backup.folder)
    manifest["format"] = 2
    (backup.folder / MANIFEST).write_bytes(orjson.dumps(manifest))
    with pytest.raises(BackupFailed, match="format 1"):
        check_backup(backup.folder)


def test_a_file_that_is_saved_during_the_dump_is_in_the_backup(
    filled: TenantScope, fresh: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its row may be in the dump, which reads the rows after the files were copied."""
    dump = backups._dump_database

    def save_and_dump(path: Path) -> None:
        default_storage.save("0197-dojo/logo-2", ContentFile(b"new"))
        default_storage.delete(LOGO)
        dump(path)

    monkeypatch.setattr(backups, "_dump_database", save_and_dump)
    made = create_backup(tmp_path / "backups", now=NOW)
    assert fresh.manage("restore", made.folder).returncode == 0
    stored = {path.name for path in (fresh.files / "0197-dojo").iterdir()}
    assert stored == {"logo-1", "logo-2"}


def test_what_an_interrupted_backup_left_is_no_backup_and_is_removed(
    filled: TenantScope, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "backups"

    def interrupted(_path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(backups, "_dump_database", interrupted)
        with pytest.raises(KeyboardInterrupt):
            create_backup(folder, now=NOW)
    assert complete_backups(folder) == []
    assert [path.suffix for path in folder.iterdir() if path.is_dir()] == [".unfinished"]
    made = create_backup(folder, now=NOW + timedelta(hours=1))
    assert complete_backups(folder) == [made]
    assert [path for path in folder.iterdir() if path.is_dir()] == [made.folder]


def test_a_dump_that_fails_leaves_the_earlier_backups(
    backup: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(settings.DATABASES["owner"], "NAME", "no_such_database")
    with pytest.raises(BackupFailed, match="no_such_database"):
        create_backup(backup.folder.parent, now=NOW + timedelta(days=1))
    assert complete_backups(backup.folder.parent) == [backup]


def test_two_backups_do_not_run_at_once(tmp_path: Path) -> None:
    with (
        backups._exclusive(tmp_path),
        pytest.raises(BackupFailed, match="Another backup"),
    ):
        create_backup(tmp_path, now=NOW)


def empty_backup(folder: Path, created_at: datetime) -> Backup:
    path = folder / created_at.strftime(backups.NAME)
    path.mkdir()
    (path / MANIFEST).write_text("{}")
    return Backup(path, created_at)


def test_backups_are_kept_for_some_days_and_the_newest_always(tmp_path: Path) -> None:
    made = [empty_backup(tmp_path, datetime(2026, 3, day, 2, 30, tzinfo=UTC)) for day in (1, 2, 3)]
    (tmp_path / "lost+found").mkdir()
    now = datetime(2026, 3, 16, 2, 30, tzinfo=UTC)
    assert delete_old_backups(tmp_path, keep_days=14, now=now) == made[:1]
    assert complete_backups(tmp_path) == made[1:]
    assert delete_old_backups(tmp_path, keep_days=1, now=now + timedelta(days=90)) == made[1:2]
    assert complete_backups(tmp_path) == made[2:]


@pytest.mark.parametrize(
    ("last", "now", "due"),
    [
        (None, "2026-03-05T12:00", "2026-03-05T12:00"),
        ("2026-03-05T02:30", "2026-03-05T12:00", "2026-03-06T02:30"),
        ("2026-03-05T02:30", "2026-03-06T02:29", "2026-03-06T02:30"),
        ("2026-03-05T02:30", "2026-03-06T02:30", "2026-03-06T02:30"),
        ("2026-03-05T02:30", "2026-03-08T12:00", "2026-03-08T12:00"),  # it was down for days
        ("2026-03-05T01:00", "2026-03-05T02:00", "2026-03-05T02:30"),
        ("2026-03-04T23:00", "2026-03-05T02:00", "2026-03-05T02:30"),
    ],
)
def test_a_backup_is_due_daily_and_at_once_if_one_was_missed(
    tmp_path: Path, last: str | None, now: str, due: str
) -> None:
    if last:
        empty_backup(tmp_path, datetime.fromisoformat(f"{last}+00:00"))
    found = next_backup_at(tmp_path, time_of_day(2, 30), now=datetime.fromisoformat(f"{now}+00:00"))
    assert found == datetime.fromisoformat(f"{due}+00:00")


def test_the_service_makes_the_backup_that_was_missed(filled: TenantScope, tmp_path: Path) -> None:
    """As the service `backup` of docker-compose.yml: it runs until it is stopped."""
    owner = settings.DATABASES["owner"]
    admin = make_conninfo(os.environ["ADMIN_DATABASE_URL"])
    url = database_url(admin, user=owner["USER"], password=owner["PASSWORD"], database=owner["NAME"])
    command = [sys.executable, "manage.py", "backup", tmp_path / "daily", "--daily-at", "02:30"]
    port = free_port()
    environment = {**os.environ, "OWNER_DATABASE_URL": url, "TATAMI_METRICS_PORT": str(port)}
    running = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        while not complete_backups(tmp_path / "daily"):
            assert running.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        metrics = urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
    finally:
        running.terminate()
        running.wait(15)
    (made,) = complete_backups(tmp_path / "daily")
    check_backup(made.folder)
    (shown,) = re.findall(r"^tatami_last_backup_timestamp_seconds (\S+)$", metrics, re.MULTILINE)
    assert float(shown) == made.created_at.timestamp()


def test_metrics_have_the_time_of_the_newest_complete_backup(tmp_path: Path) -> None:
    collector = LastBackupCollector(tmp_path)
    assert list(collector.collect()) == []
    first = datetime(2026, 3, 1, 2, 30, tzinfo=UTC)
    for number in (1, 0):
        empty_backup(tmp_path, first + timedelta(days=number))
    (tmp_path / ("2026-03-03T023000Z" + backups.UNFINISHED)).mkdir()
    (tmp_path / "2026-03-04T023000Z").mkdir()
    (family,) = collector.collect()
    assert [sample.value for sample in family.samples] == [(first + timedelta(days=1)).timestamp()]


def test_backups_are_made_although_the_port_for_metrics_is_taken(tmp_path: Path, settings: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings.TATAMI_METRICS_PORT = taken.getsockname()[1]
        with capture_logs() as lines:
            serve_backup_metrics(tmp_path)
    assert [line["event"] for line in lines] == ["metrics_not_served"]
