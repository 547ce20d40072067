"""A fleet with a few dojos that cannot be migrated is migrated although the command is killed twice.

`FLEET_DOJOS=500 make test-chaos ARGS="-k fleet"` runs the full size.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final

import orjson
import pytest
from psycopg import sql

from shared_apps.tenants.fleet.thread_pool import thread_pool
from shared_apps.tenants.models import Tenant
from shared_apps.tenants.provisioning import migrate_all
from shared_apps.tenants.schema import ddl
from tatami.embedded.data_folder import ROOT
from tatami.ids import uuid7
from tatami.tenancy.scope import platform_scope
from tests.support.committed import superuser_connection
from tests.tenants import future_migrations

DOJOS: Final = int(os.environ.get("FLEET_DOJOS", "120"))
BROKEN: Final = 3
KILLS: Final = 2
TIMEOUT_SECONDS: Final = 60.0
"""To wait for the migration of one more dojo."""


@pytest.fixture
def fleet(
    django_db_setup: None, django_db_blocker: Any, database_name: str, report: Callable[[str], None]
) -> Iterator[list[Tenant]]:
    """Dojos of the current schema version, in a database of their own."""
    with (
        django_db_blocker.unblock(),
        future_migrations.database_of_its_own(f"{database_name}_fleet"),
        platform_scope(),
    ):
        assert migrate_all() == []
        began = time.monotonic()
        with thread_pool(4) as team:
            dojos = [future.result() for _, future in team.each(create_active_tenant, range(DOJOS))]
        report(f"{DOJOS} dojos were created in {time.monotonic() - began:.0f} s")
        yield sorted(dojos, key=lambda dojo: dojo.pk)


def create_active_tenant(number: int) -> Tenant:
    tenant_id = uuid7()
    schema = f"t_{tenant_id.hex}"
    version = ddl.build_schema(schema, tenant_id)
    with platform_scope():
        return Tenant.objects.create(
            id=tenant_id,
            schema_name=schema,
            slug=f"dojo-{number}",
            name=f"Dojo {number}",
            timezone="UTC",
            status=Tenant.Status.ACTIVE,
            schema_version=version,
        )


@pytest.fixture
def superuser(fleet: list[Tenant], database_name: str) -> Iterator[Any]:
    with superuser_connection(f"{database_name}_fleet") as connection:
        yield connection


class Commands:
    """The commands of the next version of the code."""

    def __init__(self, folder: Path) -> None:
        future_migrations.write_future(
            folder,
            {
                "nickname": future_migrations.ADD_NICKNAME,
                "visits": future_migrations.ADD_VISITS,
                "by_nickname": future_migrations.INDEX_NICKNAME,
            },
        )
        self._environment = future_migrations.environment(folder)

    def start(self, *args: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "manage.py", *args],
            cwd=ROOT,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def run(self, *args: str) -> tuple[int, Any]:
        """Run a command; return its exit code and its JSON."""
        process = self.start(*args)
        out, _ = process.communicate()
        return process.returncode, orjson.loads(out)


def test_a_migration_that_is_killed_twice_needs_no_repair_by_hand(
    fleet: list[Tenant], superuser: Any, tmp_path: Path, rng: Random, report: Callable[[str], None]
) -> None:
    broken = {dojo.slug for dojo in rng.sample(fleet, BROKEN)}
    for dojo in fleet:
        if dojo.slug in broken:
            table = sql.Identifier(dojo.schema_name, "students_student")
            superuser.execute(sql.SQL("ALTER TABLE {} ADD nickname integer").format(table))
    commands = Commands(tmp_path)
    present = fleet[0].schema_version
    for at in sorted(rng.sample(range(1, DOJOS - BROKEN - 1), KILLS)):
        process = commands.start("migrate_fleet", "--wait", "--json")
        wait_for(partial(has_migrated, superuser, present, at))
        process.kill()
        process.communicate()
        report(f"killed when {migrated(superuser, present)} of {DOJOS} were migrated: {states(superuser)}")
    code, result = commands.run("migrate_fleet", "--wait", "--json")
    report(f"the third run: {result['migrated']} of {result['behind']} in {result['seconds']:.1f} s")
    for one in result["failed"]:
        report(f"{one['slug']}: {one['reason'][:90]}")
    assert (code, result["left"], result["stopped"]) == (1, 0, None)
    assert {one["slug"] for one in result["failed"]} == broken
    assert all("nickname" in one["reason"] for one in result["failed"])
    assert migrated(superuser, present) == DOJOS - BROKEN
    assert states(superuser) == {"done": DOJOS - BROKEN, "failed": BROKEN}
    code, checked = commands.run("tenant_check", "--json")
    assert (code, checked["checked"]) == (1, DOJOS)
    assert {one["slug"] for one in checked["dojos"] if one["faults"]} == broken


def migrated(superuser: Any, present: str) -> int:
    """Return how many dojos have left the current schema version."""
    query = "SELECT count(*) FROM tenants_tenant WHERE schema_version <> %s"
    number: int = superuser.execute(query, [present]).fetchone()[0]
    return number


def has_migrated(superuser: Any, present: str, number: int) -> bool:
    """Return whether so many dojos have left the current schema version."""
    return migrated(superuser, present) >= number


def states(superuser: Any) -> dict[str, int]:
    return dict(
        superuser.execute("SELECT state, count(*) FROM tenants_tenantmigration GROUP BY 1").fetchall()
    )


def wait_for(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.02)
