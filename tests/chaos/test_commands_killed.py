"""Commands are killed, or lose their PostgreSQL, at any point.

What a command creates is complete, or gone after `sweep`. Running the command again completes the work.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Final

import pytest

from shared_apps.tenants.exports.archive import ArchiveReader
from tests.chaos.installation import SERVED, CommandResult, Installation, Poller, wait_for_result
from tests.support.catalogue import schema_facts
from tests.tenants import future_migrations

ROUNDS: Final = 20
DOJOS: Final = 40
VICTIMS: Final = ("the command", "PostgreSQL")
LONGEST_AWAY_SECONDS: Final = 1.5

Report = Callable[[str], None]


class TimedKill:
    """Kills a process while a command works: not while Python starts, when nothing can be lost."""

    def __init__(self, site: Installation, rng: Random, victim: str) -> None:
        self._site, self._rng, self._victim = site, rng, victim
        self._begins = self._ends = 0.0

    def measure(self, *command: str, idle: Sequence[str] = ("tenant_list",), **environment: str) -> None:
        """Measure the command without a kill, and a command that starts alike and does nothing."""
        self._ends = self._seconds(*command, **environment)
        self._begins = self._seconds(*idle, **environment)

    def kill_next(self, *command: str, **environment: str) -> CommandResult:
        """Run the command and kill the victim; return the command's result. The victim has been restarted."""
        process = self._site.start(*command, **environment)
        time.sleep(self._rng.uniform(0.8 * self._begins, 1.05 * self._ends))
        if self._victim == "the command":
            process.kill()
            return wait_for_result(process)
        self._site.kill(self._victim, self._rng)
        time.sleep(self._rng.uniform(0.0, LONGEST_AWAY_SECONDS))
        self._site.restart_dead()
        done = wait_for_result(process)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def _seconds(self, *command: str, **environment: str) -> float:
        began = time.monotonic()
        done = self._site.run(*command, **environment)
        assert done.code == 0, done.stderr
        return time.monotonic() - began


@pytest.fixture(params=VICTIMS)
def timed_kill(installation: Installation, rng: Random, request: pytest.FixtureRequest) -> TimedKill:
    return TimedKill(installation, rng, request.param)


def test_tenant_create(installation: Installation, timed_kill: TimedKill, report: Report) -> None:
    def command(slug: str) -> list[str]:
        return ["tenant_create", slug, "--name", slug, "--admin", "head@example.com", "--json"]

    timed_kill.measure(*command("model"))
    _, model_id, model_schema = installation.dojos()["model"]
    with installation.superuser() as superuser:
        model = schema_facts(superuser, model_schema, model_id)
    outcomes: Counter[str] = Counter()
    for number in range(ROUNDS):
        slug = f"dojo-{number}"
        outcomes[create_with_kill(installation, timed_kill, slug, command(slug))] += 1
        _, tenant_id, schema = installation.dojos()[slug]
        with installation.superuser() as superuser:
            assert schema_facts(superuser, schema, tenant_id) == model
        installation.check_all_dojos()
    report_outcomes(report, outcomes)


def test_tenant_restore(
    installation: Installation, timed_kill: TimedKill, tmp_path: Path, report: Report
) -> None:
    archive = tmp_path / "seishin.zip"
    assert installation.run("tenant_export", "seishin", "--output", str(archive)).code == 0

    def command(slug: str) -> list[str]:
        return ["tenant_restore", str(archive), "--slug", slug, "--json"]

    timed_kill.measure(*command("model"))
    model = counts(installation, "model")
    outcomes: Counter[str] = Counter()
    for number in range(ROUNDS):
        slug = f"copy-{number}"
        outcomes[create_with_kill(installation, timed_kill, slug, command(slug))] += 1
        assert counts(installation, slug) == model
        installation.check_all_dojos()
    report_outcomes(report, outcomes)


def test_tenant_export(
    installation: Installation, timed_kill: TimedKill, tmp_path: Path, report: Report
) -> None:
    def command(name: str) -> list[str]:
        return ["tenant_export", "seishin", "--output", str(tmp_path / name), "--json"]

    timed_kill.measure(*command("model.zip"))
    outcomes: Counter[str] = Counter()
    for number in range(ROUNDS):
        archive = tmp_path / f"{number}.zip"
        done = timed_kill.kill_next(*command(archive.name))
        is_there = archive.exists()
        assert is_there or done.code != 0
        again = installation.run(*command(archive.name))
        assert (again.code == 0) != is_there, again.stderr
        with archive.open("rb") as file:
            ArchiveReader(file).verify(lambda _: None)
        outcomes["whole" if is_there else "gone"] += 1
        assert not list(tmp_path.glob(f"{number}.zip?*")), "a temporary file remained"
        installation.check_all_dojos()
    report_outcomes(report, outcomes)


def test_migrate_fleet(
    installation: Installation, timed_kill: TimedKill, tmp_path: Path, report: Report
) -> None:
    token = installation.token()
    for number in range(DOJOS):
        body = {"name": "Dojo", "slug": f"dojo-{number}", "admin": {"email": "head@example.com"}}
        assert installation.send_request("POST", "localhost", "/tenants", body, token)[0] == 201
    command = ["migrate_fleet", "--wait", "--json", "--workers", "1"]
    versions = later_versions(tmp_path, ROUNDS + 1)
    timed_kill.measure(*command, idle=command, **next(versions))
    outcomes: Counter[str] = Counter()
    for version in versions:
        poller = Poller(installation, ["dojo-0"])
        with poller.polling():
            done = timed_kill.kill_next(*command, **version)
        assert set(poller.answers("dojo-0")) == {SERVED}
        states = installation.rows("SELECT DISTINCT schema_version FROM tenants_tenant")
        again = installation.run(*command, **version)
        assert again.code == 0, again.stderr
        assert (again.document["failed"], again.document["left"]) == ([], 0)
        survived = done.code == 0 and done.document["tried_again"]
        outcomes["survived" if survived else "in the middle" if len(states) > 1 else "at the ends"] += 1
        installation.check_all_dojos(**version)
    report(", ".join(f"{number} {outcome}" for outcome, number in sorted(outcomes.items())))
    assert outcomes["in the middle"] or outcomes["survived"], "all kills came too early or too late"


def later_versions(folder: Path, number: int) -> Iterator[dict[str, str]]:
    """Yield the variables that put a process into the next versions of the code. Each version adds a column."""
    columns: dict[str, str] = {}
    for one in range(number):
        columns[f"nickname_{one}"] = future_migrations.ADD_NICKNAME.replace("'nickname'", f"'nickname_{one}'")
        (folder / str(one)).mkdir()
        future_migrations.write_future(folder / str(one), columns)
        yield future_migrations.variables(folder / str(one))


def create_with_kill(site: Installation, timed_kill: TimedKill, slug: str, command: list[str]) -> str:
    """Kill while a dojo is created, then create it again. Return what the kill left: "whole" (and served) or "gone"."""
    poller = Poller(site, [slug])
    with poller.polling():
        done = timed_kill.kill_next(*command)
        site.sweep_until_clear()
    assert site.unknown_schemas() == []
    left = site.dojos()
    if slug in left:
        assert left[slug][0] == "active"
        poller.assert_served(slug)
    else:
        assert done.code != 0, f"{slug} was reported as created"
        poller.assert_never_served(slug)
    again = site.run(*command)
    assert (again.code != 0) == (slug in left), again.stderr
    return "whole" if slug in left else "gone"


def counts(site: Installation, slug: str) -> dict[str, int]:
    """Return the number of rows of each table of a dojo."""
    _, _, schema = site.dojos()[slug]
    with site.superuser() as superuser:
        tables = superuser.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [schema])
        found = {}
        for (table,) in tables.fetchall():
            (found[table],) = superuser.execute(f'SELECT count(*) FROM "{schema}"."{table}"').fetchone() or (
                0,
            )
    return found


def report_outcomes(report: Report, outcomes: Counter[str]) -> None:
    report(", ".join(f"{number} {outcome}" for outcome, number in sorted(outcomes.items())))
    assert set(outcomes) == {"whole", "gone"}, "all kills came too early or too late"
