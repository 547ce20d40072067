"""The program of `make test-image` reads a Dockerfile and a .dockerignore as Docker does. It runs ours for minutes."""

import sys
from pathlib import Path, PurePosixPath

import pytest

from deploy.image_steps import Build, Container, build_stages, copy_context, is_ignored, parse_dockerfile

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = """\
# syntax=docker/dockerfile:1
FROM python:3.13-slim AS build
ARG GREETING=hello
ENV PATH=/opt/tools/bin:$PATH
# a comment between the lines of
RUN mkdir -p /opt/tools/bin && echo "$GREETING" > /opt/tools/text \\
    && printf '#!/bin/sh\\necho ran\\n' > /opt/tools/bin/greet && chmod +x /opt/tools/bin/greet
RUN cd /opt/t*ls && greet > said

FROM python:3.13-slim
RUN groupadd --gid 10001 app && install -d -o app -g app -m 0700 /data
WORKDIR /app
COPY --from=build /opt/tools /opt/tools
COPY one.txt folder ./
COPY folder ./copied
USER 10001:10001
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s CMD ["python", "-c", "print('http://127.0.0.1:8000/healthz')"]
CMD ["cat", "/opt/tools/text"]
"""


@pytest.fixture
def build(tmp_path: Path) -> Build:
    made = Build(tmp_path, sys.executable)
    (made.context / "folder").mkdir(parents=True)
    (made.context / "one.txt").write_text("1")
    (made.context / "folder" / "two.txt").write_text("2")
    (tmp_path / "home").mkdir()
    made.write_shims()
    return made


def text(container: Container, path: str) -> str:
    return container.path(path).read_text().strip()


def test_stages_run_in_folders_of_their_own(build: Build) -> None:
    image = build_stages(build, DOCKERFILE)
    assert text(image, "/opt/tools/text") == "hello"
    assert text(image, "/opt/tools/said") == "ran"
    assert (text(image, "one.txt"), text(image, "two.txt"), text(image, "copied/two.txt")) == ("1", "2", "2")
    assert image.path("/data").stat().st_mode & 0o777 == 0o700
    assert "GREETING" not in image.environment, "another stage's"
    assert image.command == ["cat", "/opt/tools/text"]
    assert image.health[-1] == "print('http://127.0.0.1:8000/healthz')"
    assert image.user == "10001:10001"


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("ADD one.txt ./", "does not know the instruction ADD"),
        ("COPY --chown=1:1 one.txt ./", "does not know COPY --chown"),
        ("COPY missing.txt ./", "not in the build context"),
        ("RUN exit 3", "failed with 3"),
        ("USER root", "two numbers"),
        ("USER 0:0", "two numbers"),
        ("VOLUME /nowhere", "cannot write"),
    ],
)
def test_a_step_that_fails_or_is_unknown_ends_the_build(build: Build, step: str, message: str) -> None:
    with pytest.raises(SystemExit, match=message):
        build_stages(build, f"FROM python:3.13-slim\n{step}\n")


def test_paths_of_the_system_stay(build: Build) -> None:
    container = Container(build, Path("/stage"), {})
    for given, mapped in {
        "cp /usr/bin/env /opt/x/bin": "cp /usr/bin/env /stage/opt/x/bin",
        "A=/app:/app/platform": "A=/stage/app:/stage/app/platform",
        "./deploy ../a b/c lib/python3*/site-packages": "./deploy ../a b/c lib/python3*/site-packages",
        "http://127.0.0.1:8000/healthz https://example.org/x": "http://127.0.0.1:8000/healthz https://example.org/x",
        "--shell /usr/sbin/nologin --home /nonexistent": "--shell /usr/sbin/nologin --home /nonexistent",
    }.items():
        assert container.mapped(given) == mapped


@pytest.mark.parametrize(
    ("path", "ignored"),
    [
        ("manage.py", False),
        ("platform/config/settings.py", False),
        ("deploy/init.sh", False),
        ("deploy/secrets/jwt_secret", True),
        ("deploy/certificates/tls.key", True),
        (".env", True),
        ("tests/conftest.py", True),
        ("docker-compose.yml", True),
        ("platform/config/__pycache__/settings.cpython-313.pyc", True),
        ("tenant_apps/desk/static/desk/packages/zxing-reader.wasm", True),
        ("tenant_apps/desk/static/desk/desk.css", False),
    ],
)
def test_our_dockerignore_lets_in_what_the_image_needs(path: str, ignored: bool) -> None:
    patterns = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert is_ignored(PurePosixPath(path), patterns) is ignored


def test_the_context_has_the_files_that_are_not_ignored(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for name in ("keep/a.py", "keep/secret/key", "keep/__pycache__/a.pyc", "other.txt"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(name)
    (source / ".dockerignore").write_text("# comment\n*\n!keep\nkeep/secret\n**/__pycache__\n")
    assert copy_context(source, tmp_path / "target") == 1
    assert [path.name for path in (tmp_path / "target").rglob("*") if path.is_file()] == ["a.py"]


def test_every_instruction_of_our_dockerfile_is_known() -> None:
    stages = parse_dockerfile((ROOT / "Dockerfile").read_text(encoding="utf-8"))
    assert [stage.name for stage in stages] == ["build", "browser-packages", "2"]
    known = {"ARG", "RUN", "COPY", "ENV", "WORKDIR", "USER", "VOLUME", "EXPOSE", "HEALTHCHECK", "CMD"}
    assert {instruction for stage in stages for instruction, _ in stage.steps} <= known
