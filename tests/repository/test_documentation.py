"""The documentation names only what exists: links, files, make targets, variables, criteria, dependencies."""

import json
import re

import pytest

from tenant_apps.ranks.criteria import KINDS
from tenant_apps.ranks.definition import parse_definition
from tests.repository.pages import PAGE_NAMES, ROOT, anchors, read, section
from tests.repository.test_deployment_files import variables_that_the_code_reads

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE_BLOCK = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
PATH = re.compile(
    r"`((?:[\w.-]+/)*[\w.-]+\.(?:py|md|yml|toml|txt|in)"  # a file
    r"|(?:platform|shared_apps|tenant_apps|tests|docs|deploy|benchmarks|tatami|config)/[\w./-]*)`"  # or a path of ours
)
CREATED_LATER = ("deploy/secrets/",)
"""Folders that a command creates, and that are not in the repository."""

every_page = pytest.mark.parametrize("name", PAGE_NAMES)


def exists(path: str) -> bool:
    """Return whether a path, or a bare file name, exists in the repository."""
    if any((ROOT / folder / path).exists() for folder in ("", "platform")):
        return True
    return "/" not in path and any(
        list((ROOT / folder).rglob(path))
        for folder in ("platform", "shared_apps", "tenant_apps", "tests", "docs", "deploy")
    )


@every_page
def test_every_link_has_a_target(name: str) -> None:
    page = ROOT / name
    for link in LINK.findall(read(name)):
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


@every_page
def test_every_file_that_a_page_names_exists(name: str) -> None:
    text = CODE_BLOCK.sub("", read(name))
    missing = [path for path in PATH.findall(text) if not path.startswith(CREATED_LATER) and not exists(path)]
    assert not missing


@every_page
def test_every_make_target_exists(name: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    named = set(re.findall(r"(?:`|^|… )make ([a-z-]+)", read(name), re.MULTILINE))
    assert named <= targets


def test_the_index_links_to_every_page() -> None:
    linked = set(LINK.findall(read("docs/README.md")))
    pages = {name.removeprefix("docs/") for name in PAGE_NAMES if name.startswith("docs/")} - {"README.md"}
    assert pages <= linked


def test_the_glossary_is_sorted_and_has_every_term_once() -> None:
    rows = re.findall(r"^\| (.+?) \| .+ \|$", read("docs/glossary.md").partition("## Conventions")[0], re.M)
    terms = [term.lower() for term in rows if term not in {"term", "---"}]
    assert len(terms) > 100
    assert terms == sorted(set(terms))


def test_the_operations_page_lists_exactly_the_variables_that_the_code_reads() -> None:
    table = section(read("docs/operations.md"), "Environment")
    named = {
        variable
        for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
        for variable in re.findall(r"`([A-Z_]+)`", row)
    }
    used = {name for name in variables_that_the_code_reads() if not name.endswith("_FILE")}
    # Our own programs set these; operators do not.
    internal = {"ADMIN_DATABASE_URL", "DJANGO_SETTINGS_MODULE", "PATH", "TATAMI_EPHEMERAL", "XDG_RUNTIME_DIR"}
    assert named == used - internal


def test_the_rank_rules_explain_every_criterion_with_its_parameters() -> None:
    kinds = section(read("docs/rank-rules.md"), "Kinds of criteria")
    explained = dict(re.findall(r"^### `(\w+)`\n(.+?)(?=\n### |\Z)", kinds, re.MULTILINE | re.DOTALL))
    assert set(explained) == set(KINDS)
    for name, kind in KINDS.items():
        for parameter in kind.parameters:
            assert f"`{parameter}`" in explained[name], (name, parameter)


def test_the_example_of_the_rank_rules_is_valid() -> None:
    example = re.search(r"## An example\n```json\n(.*?)```", read("docs/rank-rules.md"), re.DOTALL)
    assert example is not None
    definition = parse_definition(json.loads(example[1]))
    assert [rank.code for rank in definition.ranks] == ["1-kyu", "1-dan", "2-dan"]


@pytest.mark.parametrize("convention", [f"C{number}" for number in range(1, 8)])
def test_the_conventions_that_code_refers_to_are_defined(convention: str) -> None:
    for page in ("docs/glossary.md", "docs/rank-rules.md"):
        assert f"| {convention} | " in read(page)


def test_every_dependency_is_explained() -> None:
    page = read("docs/decisions/dependencies.md")
    for requirements in ("requirements.in", "requirements-dev.in"):
        for line in read(requirements).split("\n"):
            name = re.match(r"[A-Za-z][A-Za-z0-9-]*", line)
            if name:
                assert re.search(rf"[|,] {re.escape(name[0])}\b", page), name[0]
