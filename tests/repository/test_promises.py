"""SECURITY.md names each promise with its tests: the files exist, pytest finds tests in them, and the mark behind a
file says which command runs them.
"""

import ast
import re

import pytest

from tests.repository.pages import ROOT, read, section

ROW = re.compile(r"^\| (?!promise|---)(?P<promise>[^|]+) \| (?P<tests>[^|]+) \|$", re.MULTILINE)
TABLE = section(read("SECURITY.md"), "Promises and their tests")
NAMED = re.compile(r"`(?P<path>[^`]+)`(?: \((?P<mark>\w+)\))?")
PROMISES = {
    row["promise"]: [(one["path"], one["mark"]) for one in NAMED.finditer(row["tests"])]
    for row in ROW.finditer(TABLE)
}


def names_of_tests(path: str) -> list[str]:
    """Return the names of the tests of a file, as pytest finds them."""
    tree = ast.parse(read(path))
    return [
        node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]


def mark_of(path: str) -> str | None:
    """Return the command that a reader needs, as the table writes it: none for what `make test` runs as a whole."""
    if path.startswith("tests/chaos/"):
        return "chaos"  # `tests/chaos/conftest.py` marks all of them
    marks = {
        node.attr
        for node in ast.walk(ast.parse(read(path)))
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "pytest.mark"
    }
    assert not marks & {"chaos", "volume", "clients", "screenshots"}, "the table has no word for this mark"
    return "all" if "slow" in marks else None


def test_there_are_promises() -> None:
    assert len(PROMISES) > 20


@pytest.mark.parametrize("promise", PROMISES)
def test_a_promise_has_tests(promise: str) -> None:
    files = PROMISES[promise]
    assert files
    for path, mark in files:
        assert re.fullmatch(r"tests/(\w+/)+test_\w+\.py", path), "pytest collects no such file"
        assert (ROOT / path).exists(), path
        assert names_of_tests(path), f"{path} has no test"
        assert mark == mark_of(path), f"{path} runs with another command than SECURITY.md says"


def test_the_words_about_the_commands_are_those_of_the_makefile() -> None:
    makefile, text = read("Makefile"), " ".join(TABLE.split())
    assert "Those with (all)" in text
    assert "`make test-all`, which CI runs" in text
    assert "make test-all" in read(".ci/run")
    assert re.search(r"^QUICK = .*not slow and not chaos", makefile, re.MULTILINE)
