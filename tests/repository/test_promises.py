"""SECURITY.md names each promise with its tests: the files exist, and pytest finds tests in them."""

import ast
import re

import pytest

from tests.repository.pages import ROOT, read, section

ROW = re.compile(r"^\| (?!promise|---)(?P<promise>[^|]+) \| (?P<tests>[^|]+) \|$", re.MULTILINE)
TABLE = section(read("SECURITY.md"), "Promises and their tests")
PROMISES = {row["promise"]: re.findall(r"`([^`]+)`", row["tests"]) for row in ROW.finditer(TABLE)}


def names_of_tests(path: str) -> list[str]:
    """Return the names of the tests of a file, as pytest finds them."""
    tree = ast.parse(read(path))
    return [
        node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]


def test_there_are_promises() -> None:
    assert len(PROMISES) > 20


@pytest.mark.parametrize("promise", PROMISES)
def test_a_promise_has_tests(promise: str) -> None:
    paths = PROMISES[promise]
    assert paths
    for path in paths:
        assert re.fullmatch(r"tests/(\w+/)+test_\w+\.py", path), "pytest collects no such file"
        assert (ROOT / path).exists(), path
        assert names_of_tests(path), f"{path} has no test"
