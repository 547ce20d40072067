"""README, quickstart and walkthrough: commands, routes and demo logins are those of the code."""

import re
from collections.abc import Iterator

import pytest
from django.urls import Resolver404, resolve

from demo.dojos import DEMO_PASSWORD, SEISHIN, TORA
from tatami.api.permissions import rule_of
from tenant_apps.ranks.presets import presets
from tests.repository.pages import read, section

README = read("README.md")
WALKTHROUGH = read("docs/walkthrough.md")
SHELL = re.compile(r"```sh\n(.*?)```", re.DOTALL)
AN_ID = "01a2059c-65f7-73c5-a90b-a941438fecd2"


def requests() -> Iterator[tuple[str, str, str]]:
    """Yield every request of the shell commands as (kind of host, method, path)."""
    for block in SHELL.findall(README + WALKTHROUGH):
        for line in re.sub(r"\\\n\s*", " ", block).split("\n"):
            if "kita()" in line:
                continue
            found = re.search(r"\bkita (/\S+)", line) or re.search(
                r"curl .*?(?:\$URL|localhost:8000)(/\S+)", line
            )
            if found:
                on_platform = "curl" in line and "Host:" not in line
                path = re.sub(r"\$\w+", AN_ID, found[1].rstrip(")"))
                yield "platform" if on_platform else "tenant", "POST" if "-d " in line else "GET", path


def test_the_first_screen_of_the_readme_has_the_two_commands_and_a_request() -> None:
    first_screen = README.partition("## Features")[0]
    assert len(first_screen.splitlines()) <= 30
    for text in ("make run", "make test", "curl", "Python 3.11"):
        assert text in first_screen


def test_the_feature_list_of_the_readme_has_at_most_twenty_lines() -> None:
    lines = [line for line in section(README, "Features").splitlines() if line.startswith(("-", "**"))]
    assert 10 <= len(lines) <= 20


def test_every_request_of_the_walkthrough_has_a_route_that_a_role_may_use() -> None:
    found = list(requests())
    assert len(found) >= 15
    for host, method, path in found:
        try:
            route = resolve(path, urlconf=f"config.urls_{host}")
        except Resolver404:
            pytest.fail(f"{method} {path} does not exist on the {host} host")
        assert rule_of(route.view_name, method) is not None, (method, path)


def test_the_demo_logins_are_those_of_the_code() -> None:
    quickstart = read("docs/quickstart.md")
    for page in (README, quickstart):
        assert DEMO_PASSWORD in page
    assert f"Host: {SEISHIN.slug}.localhost" in README
    for dojo in (SEISHIN, TORA):
        assert f"http://{dojo.slug}.localhost:8000" in quickstart


def test_the_rank_of_the_walkthrough_is_the_first_dan() -> None:
    place = re.search(r"\['ranks'\]\[(\d+)\]", WALKTHROUGH)
    assert place is not None
    assert presets()["aikikai"].ranks[int(place[1])].name == "1st dan"
