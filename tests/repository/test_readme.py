"""README and docs say what is so: their commands, links and routes exist."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.urls import Resolver404, resolve

from config.demo.accounts import DEMO_PASSWORD
from config.demo.dojos import SEISHIN, TORA
from tatami.api.permissions import rule_of
from tenant_apps.ranks.criteria import KINDS
from tenant_apps.ranks.definition import parse_definition
from tenant_apps.ranks.presets import presets
from tests.repository.test_deployment_files import variables_that_the_code_reads

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
SHELL = re.compile(r"```sh\n(.*?)```", re.DOTALL)
AN_ID = "01a2059c-65f7-73c5-a90b-a941438fecd2"


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def anchors(page: Path) -> set[str]:
    """The names by which the headings of a page are linked to."""
    headings = re.findall(r"^#+ (.+)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def calls() -> Iterator[tuple[str, str, str]]:
    """Every request in the README's commands, as (kind of host, method, path)."""
    for block in SHELL.findall(README):
        for line in re.sub(r"\\\n\s*", " ", block).split("\n"):
            if "kita()" in line:
                continue
            said = re.search(r"\bkita (/\S+)", line) or re.search(
                r"curl .*?(?:\$URL|localhost:8000)(/\S+)", line
            )
            if said:
                on_platform = "curl" in line and "Host:" not in line
                path = re.sub(r"\$\w+", AN_ID, said[1].rstrip(")"))
                yield "platform" if on_platform else "tenant", "POST" if "-d " in line else "GET", path


def pages() -> list[str]:
    return [str(page.relative_to(ROOT)) for page in PAGES]


@pytest.mark.parametrize("name", pages())
def test_every_link_leads_somewhere(name: str) -> None:
    page = ROOT / name
    for link in LINK.findall(text_of(page)):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


@pytest.mark.parametrize("name", pages())
def test_every_make_target_exists(name: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", text_of(ROOT / "Makefile"), re.MULTILINE))
    named = set(re.findall(r"(?:`|^|… )make ([a-z-]+)", text_of(ROOT / name), re.MULTILINE))
    assert named <= targets


def test_the_readme_names_the_two_commands() -> None:
    first_screen = README.partition("## The walk")[0]
    assert "make run" in first_screen
    assert "make test" in first_screen
    assert "curl" in first_screen


def test_every_route_of_the_walk_exists_and_is_open_to_somebody() -> None:
    found = list(calls())
    assert len(found) >= 15
    for host, method, path in found:
        try:
            route = resolve(path, urlconf=f"config.urls_{host}")
        except Resolver404:
            pytest.fail(f"{method} {path} does not exist on the {host} host")
        assert rule_of(route.view_name, method) is not None, (method, path)


def test_the_demo_dojos_are_as_the_readme_says() -> None:
    for page in (README, text_of(ROOT / "docs" / "quickstart.md")):
        assert DEMO_PASSWORD in page
    assert f"Host: {SEISHIN.slug}.localhost" in README
    for dojo in (SEISHIN, TORA):
        assert f"http://{dojo.slug}.localhost:8000" in text_of(ROOT / "docs" / "quickstart.md")


def test_the_rank_of_the_walk_is_the_one_it_names() -> None:
    definition = presets()["aikikai"]
    place = re.search(r"\['ranks'\]\[(\d+)\]", README)
    assert place is not None
    assert definition.ranks[int(place[1])].name == "1st dan"


def test_every_variable_in_the_operations_page_is_read_and_every_one_read_is_there() -> None:
    table = text_of(ROOT / "docs" / "operations.md").partition("## Environment")[2].partition("\n## ")[0]
    named = {
        variable
        for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
        for variable in re.findall(r"`([A-Z_]+)`", row)
    }
    read = {name for name in variables_that_the_code_reads() if not name.endswith("_FILE")}
    # Not for operators: what programs of ours tell each other.
    internal = {"ADMIN_DATABASE_URL", "DJANGO_SETTINGS_MODULE", "PATH", "TATAMI_EPHEMERAL", "XDG_RUNTIME_DIR"}
    assert named == read - internal


def test_every_kind_of_criterion_is_explained() -> None:
    page = text_of(ROOT / "docs" / "rank-rules.md")
    kinds = page.partition("## Kinds of criteria")[2].partition("\n## ")[0]
    explained = dict(re.findall(r"^### `(\w+)`\n(.+?)(?=\n### |\Z)", kinds, re.MULTILINE | re.DOTALL))
    assert set(explained) == set(KINDS)
    for name, kind in KINDS.items():
        for parameter in kind.parameters:
            assert f"`{parameter}`" in explained[name], (name, parameter)


def test_the_example_of_the_rank_rules_is_a_sound_document() -> None:
    page = text_of(ROOT / "docs" / "rank-rules.md")
    example = re.search(r"## An example\n```json\n(.*?)```", page, re.DOTALL)
    assert example is not None
    definition = parse_definition(json.loads(example[1]))
    assert [rank.code for rank in definition.ranks] == ["1-kyu", "1-dan", "2-dan"]


def test_every_dependency_is_accounted_for() -> None:
    page = text_of(ROOT / "docs" / "decisions" / "dependencies.md")
    for lock in ("requirements.in", "requirements-dev.in"):
        for line in text_of(ROOT / lock).split("\n"):
            name = re.match(r"[A-Za-z][A-Za-z0-9-]*", line)
            if name:
                assert re.search(rf"[|,] {re.escape(name[0])}\b", page), name[0]
