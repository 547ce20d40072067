"""`make sbom` lists exactly the packages of the lock."""

import json
import re
import subprocess
from typing import Any

import pytest

from tests.repository.pages import ROOT, read

pytestmark = pytest.mark.slow

PACKAGE = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)


@pytest.fixture(scope="module")
def document() -> Any:
    """The document, from the command."""
    done = subprocess.run(["make", "--silent", "sbom"], cwd=ROOT, capture_output=True, check=True)
    return json.loads(done.stdout)


def test_it_lists_the_packages_of_the_lock(document: Any) -> None:
    locked = set(PACKAGE.findall(read("requirements.txt")))
    assert len(locked) > 20
    assert {(one["name"], one["version"]) for one in document["components"]} == locked


def test_each_package_has_the_hashes_of_the_lock(document: Any) -> None:
    assert document["bomFormat"] == "CycloneDX"
    for component in document["components"]:
        assert component["purl"] == f"pkg:pypi/{component['name'].lower()}@{component['version']}"
        (distribution,) = component["externalReferences"]
        assert distribution["hashes"]
