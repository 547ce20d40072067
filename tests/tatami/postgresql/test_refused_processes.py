"""Web and worker, as real processes, do not start with a login that they must not have."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from django.conf import settings

from tatami.embedded.programs import ApplicationPrograms
from tests.support.live_server import free_port, login_urls
from tests.support.pgbouncer import MISSING, installed, running_pgbouncer

pytestmark = pytest.mark.slow

LONG: Final = 120
"""Seconds after which a process that goes on has failed the test."""


@pytest.fixture
def owner_behind_a_pooler(django_db_setup: None, database_name: str) -> Iterator[dict[str, str]]:
    """The variables of a process whose owner login goes through a real PgBouncer."""
    program = installed()
    if program is None:
        pytest.skip(MISSING)
    owner = {**settings.DATABASES["owner"], "NAME": database_name}
    with running_pgbouncer(
        program, server=os.environ["ADMIN_DATABASE_URL"], logins={owner["USER"]: owner["PASSWORD"]}
    ) as pooler:
        yield login_urls(database_name) | {"OWNER_DATABASE_URL": patient(pooler.url(owner))}


@pytest.fixture
def app_login_that_owns(django_db_setup: None, database_name: str) -> dict[str, str]:
    """The variables of a process whose app login is the owner login."""
    urls = login_urls(database_name)
    return urls | {"DATABASE_URL": patient(urls["OWNER_DATABASE_URL"])}


def patient(url: str) -> str:
    """Return a URL at which a slow machine has time to connect: without a connection, a process checks later."""
    return f"{url}{'&' if '?' in url else '?'}connect_timeout={LONG}"


@pytest.mark.parametrize("name", ["web", "worker"])
@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ("owner_behind_a_pooler", "OWNER_DATABASE_URL leads to a pooler"),
        ("app_login_that_owns", "DATABASE_URL needs a login that owns nothing"),
    ],
)
def test_a_process_with_a_login_that_it_must_not_have_ends(
    request: pytest.FixtureRequest, tmp_path: Path, name: str, variables: str, message: str
) -> None:
    inherited = {key: value for key, value in os.environ.items() if key != "ADMIN_DATABASE_URL"}
    given: dict[str, str] = request.getfixturevalue(variables)
    environment = {**inherited, **given, "TATAMI_WEB_WORKERS": "1", "TATAMI_METRICS_PORT": "0"}
    programs: dict[str, Any] = {
        one.name: one for one in ApplicationPrograms(tmp_path, environment, free_port()).programs()
    }
    # On a slow machine Granian would start the refused worker again and again, and never serve.
    command = [part for part in programs[name].command if part != "--respawn-failed-workers"]
    ended = subprocess.run(
        command,
        cwd=programs[name].folder,
        env=programs[name].environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LONG,
        check=False,
    )
    assert ended.returncode > 0, ended.stdout
    assert message in ended.stdout
