"""Behind PgBouncer the app login works, and the owner login is refused. With a real one, where it is installed."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connections
from psycopg.conninfo import conninfo_to_dict

from shared_apps.tenants.models import Tenant
from tatami.postgresql.login_check import PooledOwner, check_owner_is_direct
from tatami.postgresql.owner.base import DatabaseWrapper
from tatami.tenancy.scope import platform_scope
from tests.support.live_server import free_port

PGBOUNCER = shutil.which("pgbouncer")
READY_WITHIN_SECONDS = 30.0


@pytest.fixture
def pooler(tmp_path: Path, database_name: str, django_db_setup: None) -> Iterator[dict[str, str]]:
    """A PgBouncer in transaction mode; yields the host and the port of Django's settings."""
    if PGBOUNCER is None:
        pytest.skip("PgBouncer is not installed")
    server = conninfo_to_dict(os.environ["ADMIN_DATABASE_URL"])
    port = free_port()
    logins = [settings.DATABASES[alias] for alias in ("default", "owner")]
    users = tmp_path / "users.txt"
    users.write_text("".join(f'"{login["USER"]}" "{login["PASSWORD"]}"\n' for login in logins))
    configuration = tmp_path / "pgbouncer.ini"
    configuration.write_text(
        f"[databases]\n{database_name} = host={server['host']} port={server.get('port', 5432)}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = plain\nauth_file = {users}\npool_mode = transaction\n"
    )
    command = [PGBOUNCER, "--quiet", str(configuration)]
    if os.geteuid() == 0:  # it refuses to run as root
        tmp_path.chmod(0o755)
        for folder in tmp_path.parents[:2]:
            folder.chmod(folder.stat().st_mode | 0o011)
        command[1:1] = ["--user", "nobody"]
    running = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        while not listens(port):
            assert running.poll() is None, "PgBouncer exited"
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield {"HOST": "127.0.0.1", "PORT": str(port)}
    finally:
        running.terminate()
        running.wait(15)


def listens(port: int) -> bool:
    with socket.socket() as link:
        return link.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def pooled(pooler: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Aliases of both logins through the pooler."""
    names = {"pooled": "default", "pooled owner": "owner"}
    for name, alias in names.items():
        monkeypatch.setitem(connections.settings, name, {**connections.settings[alias], **pooler})
    monkeypatch.setattr(DatabaseWrapper, "_is_direct", False)
    yield
    for name in names:
        connections[name].close()
        del connections[name]


def test_the_app_login_works_behind_a_pooler(without_transaction: None, pooled: None) -> None:
    with platform_scope():
        assert Tenant.objects.using("pooled").count() > 0


def test_the_owner_login_is_refused_behind_a_pooler(without_transaction: None, pooled: None) -> None:
    for _ in range(2):  # once refused is not let in the next time
        with pytest.raises(PooledOwner, match="leads to a pooler"):
            connections["pooled owner"].ensure_connection()


def test_the_owner_login_is_accepted_directly(as_owner: psycopg.Connection[Any]) -> None:
    check_owner_is_direct(as_owner)
