"""All tracked text is plain: no archaic or gendered words, no names that the glossary has replaced.

A hit can be a person's own text or a federation's: such places are listed in `ALLOWED`, each with its reason.
"""

import re
import subprocess
from collections.abc import Iterator
from functools import cache

import pytest

from tests.repository.pages import ROOT

WORDS = re.compile(
    r"\b(whoever|whom|nobody|somebody|he|his|him|she|her|hers|himself|herself)\b", re.IGNORECASE
)
# Written with hyphens, so that a tool that renames identifiers leaves this list alone.
_REPLACED = (
    "by-halves give-notice speaks-for in-person reach-of take-turns lines-of-students "
    "Postman Verdict Panel Described mailroom pupil crew"
)
OLD_NAMES = re.compile(
    r"\b(" + "|".join(name.replace("-", "[_ ]") for name in _REPLACED.split()) + r"|Reach\.[A-Z]+)\b"
)
OLD_MODULES = {
    "tenant_apps/attendance": "gathering wanted judging selection recording nonces keeping answers refusals "
    "expectations own_data",
    "tenant_apps/promotions": "halving choosing papers printing fact_rows visit_rows showing own_data",
    "tenant_apps/students": "roll notices lines_of_students answers judging writing own_data",
    "tenant_apps/ranks": "matching parsed spans rules definition_form definition_meaning definition_places "
    "definition_faults last_test",
    "tenant_apps/notifications": "addressing letters writing outcomes waking own_data",
    "shared_apps/tenants": "turns rounds crew deeds tables directory making states replay rules showing writing",
    "platform/tatami": "frame gate narrowing translation answers rules work",
    "tests": "pupil desk crowd mailroom meanwhile things world",
}
ALLOWED: dict[str, tuple[str, str]] = {
    "LICENSE": (r"", "the text of the licence"),
    "tests/repository/test_plain_language.py": (r"", "the lists of this test"),
    "shared_apps/tenants/models.py": (r"nobody", "a reserved host name"),
    "shared_apps/tenants/tasks.py": (r"take_turns", "the name of a task, stored by the broker"),
    "tatami/embedded": (r"nobody", "the name of an operating system account"),
    "tests/tatami/embedded": (r"nobody", "the name of an operating system account"),
    "tests/tatami/postgresql/test_pooler.py": (r"nobody", "the name of an operating system account"),
    "docs/decisions/0010-embedded-servers.md": (r"nobody", "the name of an operating system account"),
}
"""Path prefix (also without `platform/`) → words that are allowed there, and why. No pattern allows all words."""
BINARY = (".ttf", ".otf", ".png", ".jpg", ".ico", ".woff2", ".zip", ".gz", ".mo")


@cache
def tracked_files() -> tuple[str, ...]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("this is not a git checkout")
    return tuple(
        name
        for name in listed.stdout.split("\0")
        if name
        and not name.endswith(BINARY)
        and not name.startswith("requirements")
        and (ROOT / name).is_file()
    )


def allowed(name: str, word: str) -> bool:
    path = name.removeprefix("platform/")
    return any(
        path.startswith(prefix) and re.fullmatch(words or ".*", word)
        for prefix, (words, _) in ALLOWED.items()
    )


def hits(pattern: re.Pattern[str]) -> Iterator[str]:
    for name in tracked_files():
        for number, line in enumerate((ROOT / name).read_text("utf-8", errors="ignore").splitlines(), 1):
            for found in pattern.finditer(line):
                if not allowed(name, found[0]):
                    yield f"{name}:{number}: {found[0]}"


def test_no_archaic_or_gendered_words() -> None:
    assert not list(hits(WORDS)), "write `they`, `no one`, `a person who …`"


def test_no_replaced_names() -> None:
    assert not list(hits(OLD_NAMES)), "docs/glossary.md has the present names"


@pytest.mark.parametrize("folder", OLD_MODULES)
def test_no_module_has_a_replaced_name(folder: str) -> None:
    old = set(OLD_MODULES[folder].split())
    modules = [
        name for name in tracked_files() if name.startswith(f"{folder}/") and "/migrations/" not in name
    ]
    found = [name for name in modules if name.rpartition("/")[2].removesuffix(".py") in old]
    assert not found
