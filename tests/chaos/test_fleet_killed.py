"""Done-point 3 of the issue: a fleet with a few poisoned dojos is migrated although its runner is killed twice.

`FLEET_DOJOS=500 make test-chaos ARGS="-k fleet"` is the issue's size.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any, Final

import orjson
import pytest
from psycopg import sql

from shared_apps.tenants import schemas
from shared_apps.tenants.fleet.crew import crew
from shared_apps.tenants.models import Tenant
from shared_apps.tenants.provisioning import migrate_all
from tatami.embedded.environment import ROOT
from tatami.ids import uuid7
from tatami.tenancy.scope import platform_scope
from tests.support.committed_dojos import superuser_of
from tests.tenants import future

DOJOS: Final = int(os.environ.get("FLEET_DOJOS", "120"))
POISONED: Final = 3
KILLS: Final = 2
PATIENCE_SECONDS: Final = 60.0
"""For one dojo more to be migrated."""


@pytest.fixture
def fleet(
    django_db_setup: None, django_db_blocker: Any, database_name: str, say: Callable[[str], None]
) -> Iterator[list[Tenant]]:
    """Dojos of the present version, in a database of their own."""
    with django_db_blocker.unblock(), future.database_of_its_own(f"{database_name}_fleet"), platform_scope():
        migrate_all()
        began = time.monotonic()
        with crew(4) as team:
            dojos = [future.result() for _, future in team.each(made, range(DOJOS))]
        say(f"{DOJOS} dojos were made in {time.monotonic() - began:.0f} s")
        yield sorted(dojos, key=lambda dojo: dojo.pk)


def made(number: int) -> Tenant:
    tenant_id = uuid7()
    schema = f"t_{tenant_id.hex}"
    version = schemas.build_schema(schema, tenant_id)
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
    with superuser_of(f"{database_name}_fleet") as connection:
        yield connection


class Commands:
    """The command line of the version that comes next."""

    def __init__(self, folder: Path) -> None:
        future.write_future(
            folder,
            {
                "nickname": future.ADD_NICKNAME,
                "visits": future.ADD_VISITS,
                "by_nickname": future.INDEX_NICKNAME,
            },
        )
        self._environment = future.environment(folder)

    def start(self, *args: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "manage.py", *args],
            cwd=ROOT,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def run(self, *args: str) -> tuple[int, Any]:
        """Return exit code and JSON."""
        process = self.start(*args)
        out, _ = process.communicate()
        return process.returncode, orjson.loads(out)


def test_a_runner_that_is_killed_twice_leaves_no_work_to_hands(
    fleet: list[Tenant], superuser: Any, tmp_path: Path, rng: Random, say: Callable[[str], None]
) -> None:
    poisoned = {dojo.slug for dojo in rng.sample(fleet, POISONED)}
    for dojo in fleet:
        if dojo.slug in poisoned:
            table = sql.Identifier(dojo.schema_name, "students_student")
            superuser.execute(sql.SQL("ALTER TABLE {} ADD nickname integer").format(table))
    commands = Commands(tmp_path)
    present = fleet[0].schema_version
    for at in sorted(rng.sample(range(1, DOJOS - POISONED - 1), KILLS)):
        process = commands.start("migrate_fleet", "--wait", "--json")
        wait_for(lambda at=at: migrated(superuser, present) >= at)
        process.kill()
        process.communicate()
        say(f"killed when {migrated(superuser, present)} of {DOJOS} were migrated: {states(superuser)}")
    code, report = commands.run("migrate_fleet", "--wait", "--json")
    say(f"the third run: {report['migrated']} of {report['behind']} in {report['seconds']:.1f} s")
    for one in report["failed"]:
        say(f"{one['slug']}: {one['reason'][:90]}")
    assert (code, report["left"], report["stopped"]) == (1, 0, None)
    assert {one["slug"] for one in report["failed"]} == poisoned
    assert all("nickname" in one["reason"] for one in report["failed"])
    assert migrated(superuser, present) == DOJOS - POISONED
    assert states(superuser) == {"done": DOJOS - POISONED, "failed": POISONED}
    code, checked = commands.run("tenant_check", "--json")
    assert (code, checked["checked"]) == (1, DOJOS)
    assert {one["slug"] for one in checked["dojos"] if one["faults"]} == poisoned


def migrated(superuser: Any, present: str) -> int:
    """How many dojos are not of the present version any more."""
    query = "SELECT count(*) FROM tenants_tenant WHERE schema_version <> %s"
    number: int = superuser.execute(query, [present]).fetchone()[0]
    return number


def states(superuser: Any) -> dict[str, int]:
    return dict(
        superuser.execute("SELECT state, count(*) FROM tenants_tenantmigration GROUP BY 1").fetchall()
    )


def wait_for(reached: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not reached():
        assert time.monotonic() < until
        time.sleep(0.02)
