"""Migrate all dojos to versions that do not exist yet. This module uses a database of its own."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import orjson
import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connections
from django.test.utils import CaptureQueriesContext
from psycopg import sql

from shared_apps.tenants.fleet import migration_status, thread_pool
from shared_apps.tenants.fleet.apply import MigrationLimits
from shared_apps.tenants.fleet.runner import (
    MigrationAlreadyRunning,
    Options,
    Report,
    migrate_fleet,
    runner_lock,
)
from shared_apps.tenants.jobs import job_queue
from shared_apps.tenants.models import Domain, PendingJob, RoutingEpoch, Tenant, TenantMigration
from shared_apps.tenants.provisioning import migrate_all
from shared_apps.tenants.schema import ddl
from shared_apps.tenants.schema.blueprint import blueprint_at
from shared_apps.tenants.schema.versions import history
from tatami.ids import uuid7
from tatami.tenancy.middleware import host_resolver
from tatami.tenancy.scope import TenantScope, platform_scope
from tests.support.catalogue import schema_facts
from tests.support.clients import Caller
from tests.support.committed import create_dojo, superuser_connection
from tests.support.now import NOW
from tests.tenants import future_migrations
from tests.tenants.future_migrations import database_of_its_own

pytestmark = pytest.mark.slow

QUICK = Options(workers=2, canaries=1, limits=MigrationLimits(lock_timeout=0.5, attempts=3))


@pytest.fixture(scope="module")
def fleet_database(django_db_setup: None, django_db_blocker: Any, database_name: str) -> Iterator[str]:
    """A database without dojos, which this module uses instead of that of the session."""
    with django_db_blocker.unblock(), database_of_its_own(f"{database_name}_fleet") as name:
        assert migrate_all() == []
        yield name


@pytest.fixture
def superuser(fleet_database: str) -> Iterator[Any]:
    with superuser_connection(fleet_database) as connection:
        yield connection


class ResettableDojo:
    """A dojo that can be reset to the state after its creation."""

    def __init__(self, scope: TenantScope) -> None:
        self.scope = scope
        with platform_scope():
            self._tenant = Tenant.objects.get(pk=scope.tenant_id)
            self._domain = Domain.objects.get(tenant=scope.tenant_id)
        with superuser_connection(connections["default"].settings_dict["NAME"]) as superuser:
            self._facts = self._read(superuser)

    def reset(self, superuser: Any) -> None:
        """Undo what the migrations of this module did, or build the schema again if that is not enough."""
        if superuser.execute("SELECT to_regnamespace(%s)", [self.scope.schema_name]).fetchone()[0]:
            self._undo(superuser)
        if self._read(superuser) != self._facts:
            schema = sql.Identifier(self.scope.schema_name)
            superuser.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(schema))
            ddl.build_schema(self.scope.schema_name, self.scope.tenant_id)
        self._tenant.save()
        self._domain.save()

    def _undo(self, superuser: Any) -> None:
        for statement in (
            "DROP TABLE IF EXISTS {}.students_visit",
            "ALTER TABLE {}.students_student DROP COLUMN IF EXISTS nickname",
            "DELETE FROM {}.django_migrations WHERE name LIKE '9%'",
        ):
            superuser.execute(sql.SQL(statement).format(sql.Identifier(self.scope.schema_name)))

    def _read(self, superuser: Any) -> Any:
        schema = self.scope.schema_name
        if superuser.execute("SELECT to_regnamespace(%s)", [schema]).fetchone()[0] is None:
            return None
        migrations = sql.SQL("SELECT app, name FROM {}").format(sql.Identifier(schema, "django_migrations"))
        return schema_facts(superuser, schema, self.scope.tenant_id), set(
            superuser.execute(migrations).fetchall()
        )


SLUGS = ("ichi", "ni", "san", "shi")


@pytest.fixture(scope="module")
def fleet(fleet_database: str) -> Iterator[list[ResettableDojo]]:
    """Four dojos of the present version, in the order of their creation."""
    yield [ResettableDojo(create_dojo(slug)) for slug in SLUGS]
    connections.close_all()


@pytest.fixture
def dojos(fleet: list[ResettableDojo], superuser: Any) -> Iterator[dict[str, TenantScope]]:
    """The four dojos by slug, all of the present version and without records of migrations."""
    yield {dojo.scope.slug: dojo.scope for dojo in fleet}
    connections.close_all()
    superuser.execute("DELETE FROM tenants_pendingjob; DELETE FROM tenants_tenantmigration")
    with platform_scope():
        for dojo in fleet:
            dojo.reset(superuser)


@pytest.fixture
def add_migrations(tmp_path: Path, dojos: Any) -> Iterator[Callable[..., Any]]:
    """Return a function that adds migrations to this process: name → operation."""
    with ExitStack() as stack:

        def add(**migrations: str) -> None:
            future_migrations.write_future(tmp_path, migrations)
            stack.enter_context(future_migrations.in_the_future(tmp_path))

        yield add


def run(options: Options = QUICK) -> Report:
    with platform_scope():
        return migrate_fleet(options)


def command(*args: str, **options: Any) -> str:
    out = StringIO()
    with platform_scope():
        call_command("migrate_fleet", *args, stdout=out, stderr=StringIO(), **options)
    return out.getvalue()


def states() -> dict[str, str]:
    with platform_scope():
        return dict(TenantMigration.objects.values_list("tenant__slug", "state"))


def versions() -> dict[str, str]:
    with platform_scope():
        return dict(Tenant.objects.values_list("slug", "schema_version"))


def reasons(report: Report) -> dict[str, str]:
    return {outcome.outdated.tenant.slug: outcome.reason for outcome in report.failed}


def table(dojo: TenantScope, name: str = "students_student") -> sql.Identifier:
    return sql.Identifier(dojo.schema_name, name)


def break_schema(superuser: Any, dojo: TenantScope) -> None:
    """Add a column with the name of the one that a migration adds."""
    superuser.execute(sql.SQL("ALTER TABLE {} ADD nickname integer").format(table(dojo)))


def repair_schema(superuser: Any, dojo: TenantScope) -> None:
    superuser.execute(sql.SQL("ALTER TABLE {} DROP nickname").format(table(dojo)))


def test_outdated_dojos_are_migrated(dojos: dict[str, TenantScope], add_migrations: Any) -> None:
    add_migrations(nickname=future_migrations.ADD_NICKNAME)
    report = run()
    assert (report.behind, report.migrated, report.is_good) == (4, 4, True)
    assert set(versions().values()) == {history().version(history().all_keys)}
    assert set(states().values()) == {"done"}


def test_a_run_without_outdated_dojos_changes_nothing(dojos: dict[str, TenantScope]) -> None:
    assert (run().behind, states()) == (0, {})
    assert command().startswith("Every dojo is up to date.")


def test_a_migrated_schema_equals_a_built_schema(
    dojos: dict[str, TenantScope], add_migrations: Any, superuser: Any
) -> None:
    """New columns, constraints, indexes, policies and grants are equal, names included."""
    add_migrations(
        nickname=future_migrations.ADD_NICKNAME,
        visits=future_migrations.ADD_VISITS,
        index=future_migrations.INDEX_NICKNAME,
    )
    assert run().is_good
    built_id = uuid7()
    with platform_scope():
        ddl.build_schema("t_built", built_id)
    try:
        expected = schema_facts(superuser, "t_built", built_id)
        for dojo in dojos.values():
            assert schema_facts(superuser, dojo.schema_name, dojo.tenant_id) == expected
    finally:
        superuser.execute("DROP SCHEMA t_built CASCADE")


def test_dojos_of_different_versions_get_the_same_version(
    dojos: dict[str, TenantScope], add_migrations: Any, superuser: Any
) -> None:
    older = history().plan[:-2]
    old = rebuild(superuser, dojos["ni"], older)
    add_migrations(nickname=future_migrations.ADD_NICKNAME, visits=future_migrations.ADD_VISITS)
    report = run()
    assert (report.behind, report.migrated) == (4, 4)
    assert len(set(versions().values())) == 1
    found = schema_facts(superuser, old.schema_name, old.tenant_id)
    same = schema_facts(superuser, dojos["ichi"].schema_name, dojos["ichi"].tenant_id)
    assert found["constraints"] == same["constraints"]
    assert found["indexes"] == same["indexes"]
    assert found["policies"] == same["policies"]
    assert found["grants"] == same["grants"]


def rebuild(superuser: Any, dojo: TenantScope, plan: Any) -> TenantScope:
    """Build the dojo's schema again at an earlier version of the code."""
    blueprint = blueprint_at(frozenset(plan))
    superuser.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(dojo.schema_name)))
    with platform_scope():
        ddl.build_schema(dojo.schema_name, dojo.tenant_id, blueprint)
        Tenant.objects.filter(pk=dojo.tenant_id).update(schema_version=blueprint.version)
    return dojo


def test_a_dojo_that_cannot_be_migrated_does_not_stop_the_others(
    dojos: dict[str, TenantScope], add_migrations: Any, superuser: Any
) -> None:
    break_schema(superuser, dojos["san"])
    before = versions()["san"]
    add_migrations(nickname=future_migrations.ADD_NICKNAME, visits=future_migrations.ADD_VISITS)
    report = run()
    assert (report.migrated, report.left, report.is_good) == (3, 0, False)
    assert list(reasons(report)) == ["san"]
    assert 'column "nickname" of relation "students_student" already exists' in reasons(report)["san"]
    assert versions()["san"] == before
    assert states() == {"ichi": "done", "ni": "done", "san": "failed", "shi": "done"}
    repair_schema(superuser, dojos["san"])
    assert run().is_good
    assert set(states().values()) == {"done"}


def test_the_migration_of_a_dojo_is_atomic(
    dojos: dict[str, TenantScope], add_migrations: Any, superuser: Any
) -> None:
    break_schema(superuser, dojos["san"])
    before = schema_facts(superuser, dojos["san"].schema_name, dojos["san"].tenant_id)
    add_migrations(visits=future_migrations.ADD_VISITS, nickname=future_migrations.ADD_NICKNAME)
    run()
    assert schema_facts(superuser, dojos["san"].schema_name, dojos["san"].tenant_id) == before


def test_a_failed_canary_is_followed_by_another(
    dojos: dict[str, TenantScope], add_migrations: Any, superuser: Any
) -> None:
    break_schema(superuser, dojos["ichi"])
    add_migrations(nickname=future_migrations.ADD_NICKNAME)
    report = run(Options(workers=1, canaries=2))
    assert (report.migrated, list(reasons(report)), report.stopped) == (3, ["ichi"], "")


def test_the_run_stops_if_the_canaries_fail(
    dojos: dict[str, TenantScope], add_migrations: Any, superuser: Any
) -> None:
    for dojo in dojos.values():
        break_schema(superuser, dojo)
    add_migrations(nickname=future_migrations.ADD_NICKNAME)
    report = run(Options(workers=1, canaries=2))
    assert (report.migrated, list(reasons(report)), report.left) == (0, ["ichi", "ni"], 2)
    assert "2 canaries failed" in report.stopped
    assert states() == {"ichi": "failed", "ni": "failed", "san": "pending", "shi": "pending"}


def test_a_dojo_that_failed_in_an_earlier_run_is_no_canary(
    dojos: dict[str, TenantScope], add_migrations: Any, superuser: Any
) -> None:
    for slug in ("ichi", "ni"):
        break_schema(superuser, dojos[slug])
    add_migrations(nickname=future_migrations.ADD_NICKNAME)
    assert run(Options(workers=1, canaries=2)).stopped
    report = run(Options(workers=1, canaries=2))
    assert (report.migrated, list(reasons(report)), report.stopped) == (2, ["ichi", "ni"], "")


def lock_students(superuser: Any, dojo: TenantScope) -> None:
    """Lock the students as a reading request does: their table cannot be changed until the ROLLBACK."""
    superuser.execute("BEGIN")
    superuser.execute(sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(table(dojo)))


def test_a_lock_timeout_is_retried(
    dojos: dict[str, TenantScope], add_migrations: Any, superuser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_migrations(nickname=future_migrations.ADD_NICKNAME)
    lock_students(superuser, dojos["ni"])

    def unlock(attempt: int) -> float:
        superuser.execute("ROLLBACK")
        return 0.0

    monkeypatch.setattr(thread_pool, "pause", unlock)
    report = run()
    assert (report.tried_again, report.is_good) == (1, True)
    with platform_scope():
        assert TenantMigration.objects.get(tenant__slug="ni").attempts == 2


def test_a_lock_that_is_never_released_is_reported(
    dojos: dict[str, TenantScope], add_migrations: Any, superuser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_migrations(nickname=future_migrations.ADD_NICKNAME)
    lock_students(superuser, dojos["ni"])
    monkeypatch.setattr(thread_pool, "FIRST_PAUSE", 0.01)
    report = run()
    superuser.execute("ROLLBACK")
    assert (report.migrated, list(reasons(report))) == (3, ["ni"])
    assert "canceling statement due to lock timeout" in reasons(report)["ni"]
    assert report.failed[0].attempts == QUICK.limits.attempts


def test_pauses_double_up_to_the_longest() -> None:
    """With their random part, which is at most half, no pause is more than four times the one before."""
    pauses = [thread_pool.pause(attempt) for attempt in range(1, 9)]
    assert all(pauses[n] * 4 >= pauses[n + 1] for n in range(7))
    assert thread_pool.LONGEST_PAUSE / 2 <= pauses[-1] <= thread_pool.LONGEST_PAUSE


def test_a_run_corrects_the_row_that_a_killed_run_left_outdated(
    dojos: dict[str, TenantScope], add_migrations: Any, superuser: Any
) -> None:
    """The run was killed between the commit in the dojo and the commit in `public`."""
    before = versions()["ichi"]
    add_migrations(nickname=future_migrations.ADD_NICKNAME)
    assert run().is_good
    with platform_scope():
        Tenant.objects.filter(slug="ichi").update(schema_version=before)
        TenantMigration.objects.filter(tenant__slug="ichi").update(state="running")
    found = schema_facts(superuser, dojos["ichi"].schema_name, dojos["ichi"].tenant_id)
    report = run()
    assert (report.behind, report.migrated) == (1, 1)
    assert schema_facts(superuser, dojos["ichi"].schema_name, dojos["ichi"].tenant_id) == found
    assert len(set(versions().values())) == 1
    assert states()["ichi"] == "done"


def test_a_second_run_is_refused(dojos: dict[str, TenantScope], add_migrations: Any) -> None:
    add_migrations(nickname=future_migrations.ADD_NICKNAME)
    with runner_lock(wait=False):
        with pytest.raises(MigrationAlreadyRunning):
            run()
        with pytest.raises(CommandError, match="Another run"):
            command()
    assert states() == {}
    assert run().is_good


def test_a_migration_that_fails_in_the_rehearsal_reaches_no_dojo(
    dojos: dict[str, TenantScope], add_migrations: Any
) -> None:
    add_migrations(broken="migrations.RunSQL('ALTER TABLE students_student ADD nickname no_such_type')")
    with pytest.raises(DatabaseError, match="no_such_type"):
        run()
    assert states() == dict.fromkeys(dojos, "pending")


def test_a_migration_with_an_unsealed_table_reaches_no_dojo(
    dojos: dict[str, TenantScope], add_migrations: Any
) -> None:
    add_migrations(bare="migrations.RunSQL('CREATE TABLE students_bare (id uuid PRIMARY KEY)')")
    with pytest.raises(RuntimeError, match="students_bare lacks"):
        run()
    assert states() == dict.fromkeys(dojos, "pending")


def test_a_migration_with_python_runs_in_each_dojo(
    dojos: dict[str, TenantScope], add_migrations: Any, superuser: Any
) -> None:
    fill = (
        "migrations.RunPython(lambda apps, editor: apps.get_model('students', 'Student')._base_manager.using("
    )
    add_migrations(
        nickname=future_migrations.ADD_NICKNAME,
        fill=fill + "editor.connection.alias).update(nickname='Sensei'))",
    )
    assert run().is_good


def test_contracting_migrations_run_only_on_request(
    dojos: dict[str, TenantScope], add_migrations: Any, superuser: Any
) -> None:
    add_migrations(nickname=future_migrations.ADD_NICKNAME, drop_nickname=future_migrations.DROP_NICKNAME)
    assert run().is_good
    assert columns(superuser, dojos["ichi"]) == {"nickname"}
    assert request_me("ichi") == (401, None)
    report = run(Options(contract=True))
    assert (report.behind, report.migrated) == (4, 4)
    assert columns(superuser, dojos["ichi"]) == set()
    assert request_me("ichi") == (401, None)
    assert run().behind == 0


def columns(superuser: Any, dojo: TenantScope) -> set[str]:
    found = superuser.execute(
        "SELECT column_name FROM information_schema.columns "
        "WHERE table_schema = %s AND column_name = 'nickname'",
        [dojo.schema_name],
    ).fetchall()
    return {name for (name,) in found}


def request_me(slug: str) -> tuple[int, str | None]:
    """Send a request to a dojo's host; return the status and Retry-After."""
    host_resolver.cache_clear()
    answer = Caller(f"{slug}.localhost").get("/me")
    if answer.status_code == 503:
        assert answer.json()["error"]["code"] == "service_unavailable"
    return answer.status_code, answer.headers.get("Retry-After")


def test_a_dojo_too_far_behind_is_not_served_until_it_is_migrated(
    dojos: dict[str, TenantScope], add_migrations: Any
) -> None:
    assert request_me("ichi") == (401, None)
    add_migrations(nickname=future_migrations.ADD_NICKNAME)
    assert request_me("ichi") == (503, "5")
    assert run().is_good
    assert request_me("ichi") == (401, None)


def test_processes_serve_a_dojo_soon_after_its_migration(
    dojos: dict[str, TenantScope], add_migrations: Any
) -> None:
    add_migrations(nickname=future_migrations.ADD_NICKNAME)
    assert request_me("ichi") == (503, "5")
    run()
    # The epoch is read twice a second; the cache is not cleared here.
    until = time.monotonic() + 30
    while Caller("ichi.localhost").get("/me").status_code != 401:
        assert time.monotonic() < until
        time.sleep(0.05)


def test_the_previous_release_serves_a_migrated_dojo(dojos: dict[str, TenantScope], tmp_path: Path) -> None:
    future_migrations.write_future(tmp_path, {"nickname": future_migrations.ADD_NICKNAME})
    with future_migrations.in_the_future(tmp_path):
        assert run().is_good
    assert "9001_nickname" in versions()["ichi"]
    assert request_me("ichi") == (401, None)
    assert run().behind == 0


def test_jobs_of_a_dojo_too_far_behind_are_postponed(
    dojos: dict[str, TenantScope], add_migrations: Any
) -> None:
    job_queue.enqueue(dojos["ichi"].tenant_id, "tests.nothing", now=NOW)
    add_migrations(nickname=future_migrations.ADD_NICKNAME)
    assert job_queue.run_next_job(now=NOW) is False
    with platform_scope():
        assert PendingJob.objects.get().next_at == NOW + job_queue.OUTDATED_SCHEMA_DELAY
        assert PendingJob.objects.get().attempts == 0


def test_all_dojos_too_far_behind_are_postponed_by_one_statement(
    dojos: dict[str, TenantScope], add_migrations: Any, superuser: Any
) -> None:
    """A worker of a newer release must not read the whole fleet, row by row, for each job that it looks for."""
    for dojo in dojos.values():
        job_queue.enqueue(dojo.tenant_id, "tests.nothing", now=NOW)
    add_migrations(nickname=future_migrations.ADD_NICKNAME)
    with CaptureQueriesContext(connections["default"]) as statements:
        assert job_queue.run_next_job(now=NOW) is False
    assert len([s for s in statements if "tenants_pendingjob" in s["sql"]]) == 3
    with platform_scope():
        assert {row.next_at for row in PendingJob.objects.all()} == {NOW + job_queue.OUTDATED_SCHEMA_DELAY}


def test_a_run_advances_the_routing_epoch_for_a_killed_run(
    dojos: dict[str, TenantScope], add_migrations: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The earlier run was killed before its last step, which advances the epoch."""
    add_migrations(nickname=future_migrations.ADD_NICKNAME)
    with monkeypatch.context() as patch:
        patch.setattr(migration_status, "refresh_routing", lambda: None)
        assert run().is_good
    with platform_scope():
        before = RoutingEpoch.objects.get().value
    assert run().behind == 0
    with platform_scope():
        assert RoutingEpoch.objects.get().value > before


def test_a_foreign_key_can_be_removed(
    dojos: dict[str, TenantScope], add_migrations: Any, superuser: Any
) -> None:
    """Django drops a foreign key with two commands in one string; a pipeline takes one command at a time."""
    add_migrations(drop_on=future_migrations.DROP_FOREIGN_KEY)
    assert run(replace(QUICK, contract=True)).is_good
    found = schema_facts(superuser, dojos["ichi"].schema_name, dojos["ichi"].tenant_id)
    assert not [row for row in found["columns"] if row[:2] == ("students_studentnote", "student_id")]


def test_a_dojo_that_is_purged_during_the_run_is_no_failure(
    dojos: dict[str, TenantScope], add_migrations: Any, superuser: Any
) -> None:
    add_migrations(nickname=future_migrations.ADD_NICKNAME)

    class PurgeOnStart:
        def on_start(self, behind: int) -> None:
            superuser.execute(
                sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(dojos["shi"].schema_name))
            )
            for name in ("tenants_tenantmigration", "tenants_domain"):
                superuser.execute(f"DELETE FROM {name} WHERE tenant_id = %s", [dojos["shi"].tenant_id])
            superuser.execute("DELETE FROM tenants_tenant WHERE slug = 'shi'")

        def on_outcome(self, outcome: Any) -> None: ...

    with platform_scope():
        report = migrate_fleet(QUICK, PurgeOnStart())
    assert (report.migrated, report.gone, report.is_good) == (3, 1, True)


def test_a_dojo_that_is_purged_before_it_is_recorded_is_left_out(
    dojos: dict[str, TenantScope], add_migrations: Any, superuser: Any
) -> None:
    add_migrations(nickname=future_migrations.ADD_NICKNAME)
    with platform_scope():
        found = migration_status.outdated_tenants(history().required)
        superuser.execute("DELETE FROM tenants_domain WHERE tenant_id = %s", [dojos["shi"].tenant_id])
        superuser.execute("DELETE FROM tenants_tenant WHERE slug = 'shi'")
        migration_status.mark_pending(found, "a version")
    assert states() == dict.fromkeys(["ichi", "ni", "san"], "pending")


def test_a_plan_shows_the_statements_and_changes_nothing(
    dojos: dict[str, TenantScope], add_migrations: Any, superuser: Any
) -> None:
    before = schema_facts(superuser, dojos["ichi"].schema_name, dojos["ichi"].tenant_id)
    add_migrations(nickname=future_migrations.ADD_NICKNAME)
    text = command(plan=True)
    assert "public: up to date" in text
    assert f"4 dojos at {versions()['ichi']}" in text
    assert 'ALTER TABLE "students_student" ADD COLUMN "nickname" varchar(40) NULL;' in text
    assert schema_facts(superuser, dojos["ichi"].schema_name, dojos["ichi"].tenant_id) == before
    assert states() == {}
    plan = orjson.loads(command(plan=True, json=True))
    assert [(group["dojos"], len(group["migrations"])) for group in plan["groups"]] == [(4, 1)]


def test_the_command_prints_a_report_and_exits_with_an_error(
    dojos: dict[str, TenantScope], add_migrations: Any, superuser: Any
) -> None:
    break_schema(superuser, dojos["san"])
    add_migrations(nickname=future_migrations.ADD_NICKNAME)
    out = StringIO()
    with platform_scope(), pytest.raises(SystemExit) as exit_:
        call_command("migrate_fleet", json=True, stdout=out, stderr=StringIO())
    report = orjson.loads(out.getvalue())
    assert exit_.value.code == 1
    assert (report["behind"], report["migrated"], report["left"]) == (4, 3, 0)
    assert [(one["slug"], one["tries"]) for one in report["failed"]] == [("san", 1)]
    text = command(go_on=True)
    assert "0 of 1 dojos migrated" in text
    assert "san (1): ProgrammingError: column" in text
