"""Migrating all dojos, in a database of their own: the versions that these reach are not there yet."""

import time
from collections.abc import Callable, Iterator
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

from shared_apps.tenants import schemas, turns
from shared_apps.tenants.blueprint import blueprint_at
from shared_apps.tenants.fleet import retries, rows
from shared_apps.tenants.fleet.replay import Patience
from shared_apps.tenants.fleet.runner import AnotherRunner, Options, Report, migrate_fleet, only_runner
from shared_apps.tenants.fleet.versions import history
from shared_apps.tenants.models import PendingJob, RoutingEpoch, Tenant, TenantMigration
from shared_apps.tenants.provisioning import migrate_all
from tatami.ids import uuid7
from tatami.tenancy.middleware import host_resolver
from tatami.tenancy.scope import TenantScope, platform_scope
from tests.support.catalogue import facts
from tests.support.clients import Caller
from tests.support.committed_dojos import make_dojo, superuser_of
from tests.support.now import NOW
from tests.tenants import future
from tests.tenants.future import database_of_its_own

QUICK = Options(workers=2, canaries=1, patience=Patience(lock_timeout=0.5, attempts=3))


@pytest.fixture(scope="module")
def fleet_database(django_db_setup: None, django_db_blocker: Any, database_name: str) -> Iterator[str]:
    """A database without dojos, which this module uses in place of the session's."""
    with django_db_blocker.unblock(), database_of_its_own(f"{database_name}_fleet") as name:
        assert migrate_all() == []
        yield name


@pytest.fixture
def superuser(fleet_database: str) -> Iterator[Any]:
    with superuser_of(fleet_database) as connection:
        yield connection


@pytest.fixture
def dojos(fleet_database: str, superuser: Any, django_db_blocker: Any) -> Iterator[dict[str, TenantScope]]:
    """Four dojos of the present version, by slug, in the order in which they were made."""
    with django_db_blocker.unblock():
        try:
            yield {slug: make_dojo(slug) for slug in ("ichi", "ni", "san", "shi")}
        finally:
            connections.close_all()
            for (schema,) in superuser.execute("SELECT schema_name FROM tenants_tenant").fetchall():
                superuser.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))
            superuser.execute("TRUNCATE tenants_tenant CASCADE")


@pytest.fixture
def later(tmp_path: Path, dojos: Any) -> Iterator[Callable[..., Any]]:
    """Let this process be of a later version, with these migrations: name → operation."""
    entered = []

    def be_later(**migrations: str) -> None:
        future.write_future(tmp_path, migrations)
        entered.append(future.in_the_future(tmp_path))
        entered[-1].__enter__()

    yield be_later
    for context in entered:
        context.__exit__(None, None, None)


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
    return {outcome.dojo.tenant.slug: outcome.reason for outcome in report.failed}


def table(dojo: TenantScope, name: str = "students_student") -> sql.Identifier:
    return sql.Identifier(dojo.schema_name, name)


def poison(superuser: Any, dojo: TenantScope) -> None:
    """Put something where a later migration puts its column."""
    superuser.execute(sql.SQL("ALTER TABLE {} ADD nickname integer").format(table(dojo)))


def heal(superuser: Any, dojo: TenantScope) -> None:
    superuser.execute(sql.SQL("ALTER TABLE {} DROP nickname").format(table(dojo)))


def test_whoever_is_behind_is_migrated(dojos: dict[str, TenantScope], later: Any) -> None:
    later(nickname=future.ADD_NICKNAME)
    report = run()
    assert (report.behind, report.migrated, report.is_good) == (4, 4, True)
    assert set(versions().values()) == {history().version(history().whole)}
    assert set(states().values()) == {"done"}


def test_when_nobody_is_behind_nothing_happens(dojos: dict[str, TenantScope]) -> None:
    assert (run().behind, states()) == (0, {})
    assert command().startswith("Every dojo is up to date.")


def test_a_dojo_that_was_migrated_is_one_that_was_built(
    dojos: dict[str, TenantScope], later: Any, superuser: Any
) -> None:
    """Columns, constraints, indexes, policies and grants of what is new, down to their names."""
    later(nickname=future.ADD_NICKNAME, visits=future.ADD_VISITS, index=future.INDEX_NICKNAME)
    assert run().is_good
    built = uuid7()
    with platform_scope():
        schemas.build_schema("t_built", built)
    try:
        wanted = facts(superuser, "t_built", built)
        for dojo in dojos.values():
            assert facts(superuser, dojo.schema_name, dojo.tenant_id) == wanted
    finally:
        superuser.execute("DROP SCHEMA t_built CASCADE")


def test_dojos_of_several_versions_are_brought_to_the_same(
    dojos: dict[str, TenantScope], later: Any, superuser: Any
) -> None:
    older = history().plan[:-2]
    old = remade(superuser, dojos["ni"], older)
    later(nickname=future.ADD_NICKNAME, visits=future.ADD_VISITS)
    report = run()
    assert (report.behind, report.migrated) == (4, 4)
    assert len(set(versions().values())) == 1
    found = facts(superuser, old.schema_name, old.tenant_id)
    same = facts(superuser, dojos["ichi"].schema_name, dojos["ichi"].tenant_id)
    assert found["constraints"] == same["constraints"]
    assert found["indexes"] == same["indexes"]
    assert found["policies"] == same["policies"]
    assert found["grants"] == same["grants"]


def remade(superuser: Any, dojo: TenantScope, plan: Any) -> TenantScope:
    """Build the dojo's schema again, as an earlier version of the code did."""
    blueprint = blueprint_at(frozenset(plan))
    superuser.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(dojo.schema_name)))
    with platform_scope():
        schemas.build_schema(dojo.schema_name, dojo.tenant_id, blueprint)
        Tenant.objects.filter(pk=dojo.tenant_id).update(schema_version=blueprint.version)
    return dojo


def test_a_poisoned_dojo_stops_only_itself(dojos: dict[str, TenantScope], later: Any, superuser: Any) -> None:
    poison(superuser, dojos["san"])
    before = versions()["san"]
    later(nickname=future.ADD_NICKNAME, visits=future.ADD_VISITS)
    report = run()
    assert (report.migrated, report.left, report.is_good) == (3, 0, False)
    assert list(reasons(report)) == ["san"]
    assert 'column "nickname" of relation "students_student" already exists' in reasons(report)["san"]
    assert versions()["san"] == before
    assert states() == {"ichi": "done", "ni": "done", "san": "failed", "shi": "done"}
    heal(superuser, dojos["san"])
    assert run().is_good
    assert set(states().values()) == {"done"}


def test_a_dojo_is_migrated_whole_or_not_at_all(
    dojos: dict[str, TenantScope], later: Any, superuser: Any
) -> None:
    poison(superuser, dojos["san"])
    before = facts(superuser, dojos["san"].schema_name, dojos["san"].tenant_id)
    later(visits=future.ADD_VISITS, nickname=future.ADD_NICKNAME)
    run()
    assert facts(superuser, dojos["san"].schema_name, dojos["san"].tenant_id) == before


def test_a_poisoned_canary_is_followed_by_another(
    dojos: dict[str, TenantScope], later: Any, superuser: Any
) -> None:
    poison(superuser, dojos["ichi"])
    later(nickname=future.ADD_NICKNAME)
    report = run(Options(workers=1, canaries=2))
    assert (report.migrated, list(reasons(report)), report.stopped) == (3, ["ichi"], "")


def test_when_the_canaries_fail_the_others_are_left_alone(
    dojos: dict[str, TenantScope], later: Any, superuser: Any
) -> None:
    for dojo in dojos.values():
        poison(superuser, dojo)
    later(nickname=future.ADD_NICKNAME)
    report = run(Options(workers=1, canaries=2))
    assert (report.migrated, list(reasons(report)), report.left) == (0, ["ichi", "ni"], 2)
    assert "2 canaries failed" in report.stopped
    assert states() == {"ichi": "failed", "ni": "failed", "san": "pending", "shi": "pending"}


def test_a_dojo_that_failed_before_is_no_canary(
    dojos: dict[str, TenantScope], later: Any, superuser: Any
) -> None:
    for slug in ("ichi", "ni"):
        poison(superuser, dojos[slug])
    later(nickname=future.ADD_NICKNAME)
    assert run(Options(workers=1, canaries=2)).stopped
    report = run(Options(workers=1, canaries=2))
    assert (report.migrated, list(reasons(report)), report.stopped) == (2, ["ichi", "ni"], "")


def lock(superuser: Any, dojo: TenantScope) -> None:
    """Have a request read the students: nobody can change their table until the ROLLBACK."""
    superuser.execute("BEGIN")
    superuser.execute(sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(table(dojo)))


def test_a_lock_that_is_not_to_be_had_is_tried_again(
    dojos: dict[str, TenantScope], later: Any, superuser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    later(nickname=future.ADD_NICKNAME)
    lock(superuser, dojos["ni"])

    def let_go(attempt: int) -> float:
        superuser.execute("ROLLBACK")
        return 0.0

    monkeypatch.setattr(retries, "pause", let_go)
    report = run()
    assert (report.tried_again, report.is_good) == (1, True)
    with platform_scope():
        assert TenantMigration.objects.get(tenant__slug="ni").attempts == 2


def test_a_lock_that_is_never_to_be_had_is_reported(
    dojos: dict[str, TenantScope], later: Any, superuser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    later(nickname=future.ADD_NICKNAME)
    lock(superuser, dojos["ni"])
    monkeypatch.setattr(retries, "FIRST_PAUSE", 0.01)
    report = run()
    superuser.execute("ROLLBACK")
    assert (report.migrated, list(reasons(report))) == (3, ["ni"])
    assert "canceling statement due to lock timeout" in reasons(report)["ni"]
    assert report.failed[0].tries == QUICK.patience.attempts


def test_pauses_grow_and_differ() -> None:
    pauses = [retries.pause(attempt) for attempt in range(1, 9)]
    assert all(pauses[n] * 4 >= pauses[n + 1] for n in range(7))
    assert retries.LONGEST_PAUSE / 2 <= pauses[-1] <= retries.LONGEST_PAUSE


def test_what_a_killed_run_did_not_write_down_is_found(
    dojos: dict[str, TenantScope], later: Any, superuser: Any
) -> None:
    """Killed between the dojo's commit and the platform's; and before the dojo's."""
    before = versions()["ichi"]
    later(nickname=future.ADD_NICKNAME)
    assert run().is_good
    with platform_scope():
        Tenant.objects.filter(slug="ichi").update(schema_version=before)
        TenantMigration.objects.filter(tenant__slug="ichi").update(state="running")
    found = facts(superuser, dojos["ichi"].schema_name, dojos["ichi"].tenant_id)
    report = run()
    assert (report.behind, report.migrated) == (1, 1)
    assert facts(superuser, dojos["ichi"].schema_name, dojos["ichi"].tenant_id) == found
    assert len(set(versions().values())) == 1
    assert states()["ichi"] == "done"


def test_a_second_runner_says_so(dojos: dict[str, TenantScope], later: Any) -> None:
    later(nickname=future.ADD_NICKNAME)
    with only_runner(wait=False):
        with pytest.raises(AnotherRunner):
            run()
        with pytest.raises(CommandError, match="Another run"):
            command()
    assert states() == {}
    assert run().is_good


def test_what_cannot_be_rehearsed_reaches_no_dojo(dojos: dict[str, TenantScope], later: Any) -> None:
    later(broken="migrations.RunSQL('ALTER TABLE students_student ADD nickname no_such_type')")
    with pytest.raises(DatabaseError, match="no_such_type"):
        run()
    assert states() == dict.fromkeys(dojos, "pending")


def test_a_table_without_a_seal_reaches_no_dojo(dojos: dict[str, TenantScope], later: Any) -> None:
    later(bare="migrations.RunSQL('CREATE TABLE students_bare (id uuid PRIMARY KEY)')")
    with pytest.raises(RuntimeError, match="students_bare lacks"):
        run()
    assert states() == dict.fromkeys(dojos, "pending")


def test_what_cannot_be_written_down_runs_in_each_dojo(
    dojos: dict[str, TenantScope], later: Any, superuser: Any
) -> None:
    fill = (
        "migrations.RunPython(lambda apps, editor: apps.get_model('students', 'Student')._base_manager.using("
    )
    later(nickname=future.ADD_NICKNAME, fill=fill + "editor.connection.alias).update(nickname='Sensei'))")
    assert run().is_good


def test_what_contracts_waits_until_it_is_asked_for(
    dojos: dict[str, TenantScope], later: Any, superuser: Any
) -> None:
    later(nickname=future.ADD_NICKNAME, drop_nickname=future.DROP_NICKNAME)
    assert run().is_good
    assert columns(superuser, dojos["ichi"]) == {"nickname"}
    assert knock("ichi") == (401, None)
    report = run(Options(contract=True))
    assert (report.behind, report.migrated) == (4, 4)
    assert columns(superuser, dojos["ichi"]) == set()
    assert knock("ichi") == (401, None)
    assert run().behind == 0


def columns(superuser: Any, dojo: TenantScope) -> set[str]:
    found = superuser.execute(
        "SELECT column_name FROM information_schema.columns "
        "WHERE table_schema = %s AND column_name = 'nickname'",
        [dojo.schema_name],
    ).fetchall()
    return {name for (name,) in found}


def knock(slug: str) -> tuple[int, str | None]:
    """Ask for something at a dojo's host; return status and Retry-After."""
    host_resolver.cache_clear()
    answer = Caller(f"{slug}.localhost").get("/me")
    if answer.status_code == 503:
        assert answer.json()["error"]["code"] == "service_unavailable"
    return answer.status_code, answer.headers.get("Retry-After")


def test_a_dojo_too_far_behind_is_not_served_until_it_is_migrated(
    dojos: dict[str, TenantScope], later: Any
) -> None:
    assert knock("ichi") == (401, None)
    later(nickname=future.ADD_NICKNAME)
    assert knock("ichi") == (503, "5")
    assert run().is_good
    assert knock("ichi") == (401, None)


def test_processes_learn_that_a_dojo_is_migrated(dojos: dict[str, TenantScope], later: Any) -> None:
    later(nickname=future.ADD_NICKNAME)
    assert knock("ichi") == (503, "5")
    run()
    time.sleep(0.6)  # the epoch is read twice a second
    assert Caller("ichi.localhost").get("/me").status_code == 401


def test_the_code_before_serves_a_dojo_that_was_migrated(
    dojos: dict[str, TenantScope], tmp_path: Path
) -> None:
    future.write_future(tmp_path, {"nickname": future.ADD_NICKNAME})
    with future.in_the_future(tmp_path):
        assert run().is_good
    assert "9001_nickname" in versions()["ichi"]
    assert knock("ichi") == (401, None)
    assert run().behind == 0


def test_a_dojo_too_far_behind_gets_no_turns(dojos: dict[str, TenantScope], later: Any) -> None:
    turns.request_turn(dojos["ichi"].tenant_id, "tests.nothing", now=NOW)
    later(nickname=future.ADD_NICKNAME)
    assert turns.take_turn(now=NOW) is False
    with platform_scope():
        assert PendingJob.objects.get().next_at == NOW + turns.UNTIL_MIGRATED
        assert PendingJob.objects.get().attempts == 0


def test_all_that_are_too_far_behind_wait_by_one_statement(
    dojos: dict[str, TenantScope], later: Any, superuser: Any
) -> None:
    """A worker of a later version must not go through the whole fleet, row by row, for each turn it looks for."""
    for dojo in dojos.values():
        turns.request_turn(dojo.tenant_id, "tests.nothing", now=NOW)
    later(nickname=future.ADD_NICKNAME)
    with CaptureQueriesContext(connections["default"]) as statements:
        assert turns.take_turn(now=NOW) is False
    assert len([s for s in statements if "tenants_pendingjob" in s["sql"]]) == 3
    with platform_scope():
        assert {row.next_at for row in PendingJob.objects.all()} == {NOW + turns.UNTIL_MIGRATED}


def test_what_a_run_did_not_tell_the_processes_is_told_by_the_next(
    dojos: dict[str, TenantScope], later: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was killed when it had only that left to do."""
    later(nickname=future.ADD_NICKNAME)
    with monkeypatch.context() as killed:
        killed.setattr(rows, "let_processes_look_again", lambda: None)
        assert run().is_good
    with platform_scope():
        before = RoutingEpoch.objects.get().value
    assert run().behind == 0
    with platform_scope():
        assert RoutingEpoch.objects.get().value > before


def test_a_foreign_key_is_taken_away(dojos: dict[str, TenantScope], later: Any, superuser: Any) -> None:
    """Django drops one with two commands in a statement; a pipeline takes one at a time."""
    later(drop_on=future.DROP_FOREIGN_KEY)
    assert run(replace(QUICK, contract=True)).is_good
    found = facts(superuser, dojos["ichi"].schema_name, dojos["ichi"].tenant_id)
    assert not [row for row in found["columns"] if row[:2] == ("students_studentnote", "student_id")]


def test_a_dojo_that_was_purged_meanwhile_is_no_failure(
    dojos: dict[str, TenantScope], later: Any, superuser: Any
) -> None:
    later(nickname=future.ADD_NICKNAME)

    class Purging:
        def begins(self, behind: int) -> None:
            superuser.execute(
                sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(dojos["shi"].schema_name))
            )
            for name in ("tenants_tenantmigration", "tenants_domain"):
                superuser.execute(f"DELETE FROM {name} WHERE tenant_id = %s", [dojos["shi"].tenant_id])
            superuser.execute("DELETE FROM tenants_tenant WHERE slug = 'shi'")

        def ended(self, outcome: Any) -> None: ...

    with platform_scope():
        report = migrate_fleet(QUICK, Purging())
    assert (report.migrated, report.gone, report.is_good) == (3, 1, True)


def test_a_dojo_that_is_purged_before_the_plan_is_written_is_left_out(
    dojos: dict[str, TenantScope], later: Any, superuser: Any
) -> None:
    later(nickname=future.ADD_NICKNAME)
    with platform_scope():
        found = rows.behind(history().needed)
        superuser.execute("DELETE FROM tenants_domain WHERE tenant_id = %s", [dojos["shi"].tenant_id])
        superuser.execute("DELETE FROM tenants_tenant WHERE slug = 'shi'")
        rows.plan(found, "a version")
    assert states() == dict.fromkeys(["ichi", "ni", "san"], "pending")


def test_a_plan_says_what_would_be_done_and_does_not_do_it(
    dojos: dict[str, TenantScope], later: Any, superuser: Any
) -> None:
    before = facts(superuser, dojos["ichi"].schema_name, dojos["ichi"].tenant_id)
    later(nickname=future.ADD_NICKNAME)
    text = command(plan=True)
    assert "public: up to date" in text
    assert f"4 dojos at {versions()['ichi']}" in text
    assert 'ALTER TABLE "students_student" ADD COLUMN "nickname" varchar(40) NULL;' in text
    assert facts(superuser, dojos["ichi"].schema_name, dojos["ichi"].tenant_id) == before
    assert states() == {}
    plan = orjson.loads(command(plan=True, json=True))
    assert [(group["dojos"], len(group["migrations"])) for group in plan["groups"]] == [(4, 1)]


def test_the_command_reports_and_exits(dojos: dict[str, TenantScope], later: Any, superuser: Any) -> None:
    poison(superuser, dojos["san"])
    later(nickname=future.ADD_NICKNAME)
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
