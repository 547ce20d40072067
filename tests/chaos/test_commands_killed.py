"""Done-point 2 of the issue, for the commands: killed, or left without their PostgreSQL, at any point of their work.

What they made is whole, or gone after the sweeper; running them again does the rest.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Final

import pytest

from shared_apps.tenants.exports.reading import Archive
from tests.chaos.installation import SERVES, Ended, Installation, Visitor, ended
from tests.support.catalogue import facts
from tests.tenants import future

ROUNDS: Final = 20
DOJOS: Final = 40
VICTIMS: Final = ("the command", "PostgreSQL")
LONGEST_AWAY_SECONDS: Final = 1.5

Say = Callable[[str], None]


class Striker:
    """Strikes while a command is at its work: not while Python starts, which nobody would notice."""

    def __init__(self, site: Installation, rng: Random, victim: str) -> None:
        self._site, self._rng, self._victim = site, rng, victim
        self._begins = self._ends = 0.0

    def rehearse(self, *command: str, idle: Sequence[str] = ("tenant_list",), **environment: str) -> None:
        """Take the time of the command when nobody strikes, and of one that starts as it does and has no work."""
        self._ends = self._seconds(*command, **environment)
        self._begins = self._seconds(*idle, **environment)

    def strike(self, *command: str, **environment: str) -> Ended:
        """Run the command and strike; return how it ended. Whoever was killed is there again."""
        process = self._site.start(*command, **environment)
        time.sleep(self._rng.uniform(0.8 * self._begins, 1.05 * self._ends))
        if self._victim == "the command":
            process.kill()
            return ended(process)
        self._site.kill(self._victim, self._rng)
        time.sleep(self._rng.uniform(0.0, LONGEST_AWAY_SECONDS))
        self._site.revive()
        done = ended(process)
        assert "Traceback" not in done.told, done.told
        return done

    def _seconds(self, *command: str, **environment: str) -> float:
        began = time.monotonic()
        done = self._site.run(*command, **environment)
        assert done.code == 0, done.told
        return time.monotonic() - began


@pytest.fixture(params=VICTIMS)
def striker(installation: Installation, rng: Random, request: pytest.FixtureRequest) -> Striker:
    return Striker(installation, rng, request.param)


def test_tenant_create(installation: Installation, striker: Striker, say: Say) -> None:
    def command(slug: str) -> list[str]:
        return ["tenant_create", slug, "--name", slug, "--admin", "head@example.com", "--json"]

    striker.rehearse(*command("model"))
    _, model_id, model_schema = installation.dojos()["model"]
    with installation.superuser() as superuser:
        model = facts(superuser, model_schema, model_id)
    outcomes: Counter[str] = Counter()
    for number in range(ROUNDS):
        slug = f"dojo-{number}"
        outcomes[made_in_the_end(installation, striker, slug, command(slug))] += 1
        _, tenant_id, schema = installation.dojos()[slug]
        with installation.superuser() as superuser:
            assert facts(superuser, schema, tenant_id) == model
        installation.checked()
    said(say, outcomes)


def test_tenant_restore(installation: Installation, striker: Striker, tmp_path: Path, say: Say) -> None:
    archive = tmp_path / "seishin.zip"
    assert installation.run("tenant_export", "seishin", "--output", str(archive)).code == 0

    def command(slug: str) -> list[str]:
        return ["tenant_restore", str(archive), "--slug", slug, "--json"]

    striker.rehearse(*command("model"))
    model = counts(installation, "model")
    outcomes: Counter[str] = Counter()
    for number in range(ROUNDS):
        slug = f"copy-{number}"
        outcomes[made_in_the_end(installation, striker, slug, command(slug))] += 1
        assert counts(installation, slug) == model
        installation.checked()
    said(say, outcomes)


def test_tenant_export(installation: Installation, striker: Striker, tmp_path: Path, say: Say) -> None:
    def command(name: str) -> list[str]:
        return ["tenant_export", "seishin", "--output", str(tmp_path / name), "--json"]

    striker.rehearse(*command("model.zip"))
    outcomes: Counter[str] = Counter()
    for number in range(ROUNDS):
        archive = tmp_path / f"{number}.zip"
        done = striker.strike(*command(archive.name))
        is_there = archive.exists()
        assert is_there or done.code != 0
        again = installation.run(*command(archive.name))
        assert (again.code == 0) != is_there, again.told
        with archive.open("rb") as file:
            Archive(file).verify(lambda _: None)
        outcomes["whole" if is_there else "gone"] += 1
        assert not list(tmp_path.glob(f"{number}.zip?*")), "something was left beside it"
        installation.checked()
    said(say, outcomes)


def test_migrate_fleet(installation: Installation, striker: Striker, tmp_path: Path, say: Say) -> None:
    token = installation.token()
    for number in range(DOJOS):
        body = {"name": "Dojo", "slug": f"dojo-{number}", "admin": {"email": "head@example.com"}}
        assert installation.ask("POST", "localhost", "/tenants", body, token)[0] == 201
    command = ["migrate_fleet", "--wait", "--json", "--workers", "1"]
    versions = later_versions(tmp_path, ROUNDS + 1)
    striker.rehearse(*command, idle=command, **next(versions))
    outcomes: Counter[str] = Counter()
    for version in versions:
        visitor = Visitor(installation, ["dojo-0"])
        with visitor.knocking():
            done = striker.strike(*command, **version)
        assert set(visitor.answers("dojo-0")) == {SERVES}
        states = installation.rows("SELECT DISTINCT schema_version FROM tenants_tenant")
        again = installation.run(*command, **version)
        assert again.code == 0, again.told
        assert (again.document["failed"], again.document["left"]) == ([], 0)
        outlived = done.code == 0 and done.document["tried_again"]
        outcomes["outlived" if outlived else "in the middle" if len(states) > 1 else "at the ends"] += 1
        installation.checked(**version)
    say(", ".join(f"{number} {outcome}" for outcome, number in sorted(outcomes.items())))
    assert outcomes["in the middle"] or outcomes["outlived"], "the blows came all too early, or too late"


def later_versions(folder: Path, number: int) -> Iterator[dict[str, str]]:
    """Yield what puts a process into the next version, and the next: each brings one column more."""
    columns: dict[str, str] = {}
    for one in range(number):
        columns[f"nickname_{one}"] = future.ADD_NICKNAME.replace("'nickname'", f"'nickname_{one}'")
        (folder / str(one)).mkdir()
        future.write_future(folder / str(one), columns)
        yield future.variables(folder / str(one))


def made_in_the_end(site: Installation, striker: Striker, slug: str, command: list[str]) -> str:
    """Strike while a dojo is made, and make it again. Return what the blow left: "whole", and serving, or "gone"."""
    visitor = Visitor(site, [slug])
    with visitor.knocking():
        done = striker.strike(*command)
        site.swept()
    assert site.strange_schemas() == []
    left = site.dojos()
    if slug in left:
        assert left[slug][0] == "active"
        visitor.assert_served(slug)
    else:
        assert done.code != 0, f"{slug} was promised"
        visitor.assert_never_served(slug)
    again = site.run(*command)
    assert (again.code != 0) == (slug in left), again.told
    return "whole" if slug in left else "gone"


def counts(site: Installation, slug: str) -> dict[str, int]:
    """Return how many rows each table of a dojo has."""
    _, _, schema = site.dojos()[slug]
    with site.superuser() as superuser:
        tables = superuser.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [schema])
        found = {}
        for (table,) in tables.fetchall():
            (found[table],) = superuser.execute(f'SELECT count(*) FROM "{schema}"."{table}"').fetchone() or (
                0,
            )
    return found


def said(say: Say, outcomes: Counter[str]) -> None:
    say(", ".join(f"{number} {outcome}" for outcome, number in sorted(outcomes.items())))
    assert set(outcomes) == {"whole", "gone"}, "the blows came all too early, or too late"
