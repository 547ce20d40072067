"""The steps of a Dockerfile, run without a container: each stage in a folder that takes the place of `/`.

Of the paths in the steps, those that a system does not have anyway begin in that folder. The programs of this machine
take the place of the base image's; what only root may do is left out.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

SYSTEM = ("bin", "dev", "etc", "lib", "lib64", "nonexistent", "proc", "sbin", "sys", "usr")
"""First parts of paths that are left as they are."""
PASSED_ON = re.compile(
    r"(PIP_|NPM_CONFIG_|NODE_|SSL_|HTTPS?_PROXY|NO_PROXY|REQUESTS_CA_BUNDLE)", re.IGNORECASE
)
"""Variables of this environment that the steps see: how to reach the package indexes."""
SHIMS = {
    "groupadd": 'echo "    left out, for root only: groupadd $*"',
    "useradd": 'echo "    left out, for root only: useradd $*"',
    # `install` without the owner and the group.
    "install": 'for word in "$@"; do shift; case "$word" in -o|-g) skip=1;; *) '
    '[ -n "$skip" ] || set -- "$@" "$word"; skip=;; esac; done; exec /usr/bin/install "$@"',
}


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


# --- the Dockerfile and the build context --------------------------------------------------------------------------


@dataclass
class Stage:
    """A stage of the Dockerfile: its image, its name, and its instructions."""

    image: str
    name: str
    steps: list[tuple[str, str]] = field(default_factory=list)


def parse_dockerfile(text: str) -> list[Stage]:
    """Return the stages of a Dockerfile. Raises `SystemExit` at an instruction before the first FROM."""
    lines = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ").splitlines()
    stages: list[Stage] = []
    for line in filter(None, map(str.strip, lines)):
        instruction, _, rest = line.partition(" ")
        instruction, rest = (
            instruction.upper(),
            " ".join(rest.split()) if instruction != "RUN" else rest.strip(),
        )
        if instruction == "FROM":
            image, _, name = rest.partition(" AS ")
            stages.append(Stage(image, name or str(len(stages))))
        elif not stages:
            raise SystemExit(f"{instruction} stands before FROM.")
        else:
            stages[-1].steps.append((instruction, rest))
    return stages


def is_ignored(path: PurePosixPath, patterns: Sequence[str]) -> bool:
    """Return whether the lines of a .dockerignore leave a file out of the build context. The last match decides."""
    names = [str(path), *(str(parent) for parent in path.parents if str(parent) != ".")]
    ignored = False
    for line in patterns:
        pattern = line.strip().removeprefix("!").strip("/")
        if not pattern or line.startswith("#"):
            continue
        parts = (
            re.escape(part).replace(r"\*", "[^/]*").replace(r"\?", "[^/]") for part in pattern.split("/")
        )
        regex = "/".join(parts).replace("[^/]*[^/]*/", "(?:.*/)?")
        if any(re.fullmatch(regex, name) for name in names):
            ignored = not line.startswith("!")
    return ignored


def copy_context(source: Path, target: Path) -> int:
    """Copy the build context as .dockerignore describes it; return the number of files."""
    patterns = (source / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = 0
    for folder, folders, names in os.walk(source):
        here = Path(folder)
        folders[:] = [name for name in folders if name not in {".git", ".venv", ".tatami", "node_modules"}]
        for name in names:
            path = (here / name).relative_to(source)
            if not is_ignored(PurePosixPath(path), patterns):
                (target / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source / path, target / path)
                copied += 1
    return copied


# --- running the steps ---------------------------------------------------------------------------------------------


@dataclass
class Build:
    """The folders of a build: the context, and one for each stage."""

    work: Path
    python: str
    stages: dict[str, "Container"] = field(default_factory=dict)

    @property
    def context(self) -> Path:
        return self.work / "context"

    def base_environment(self) -> dict[str, str]:
        """Return what a step sees beside the ENV of its stage."""
        path = f"{self.work / 'shims'}:{os.environ.get('PATH', os.defpath)}"
        passed_on = {name: value for name, value in os.environ.items() if PASSED_ON.match(name)}
        return {**passed_on, "PATH": path, "HOME": str(self.work / "home"), "LANG": "C.UTF-8"}

    def write_shims(self) -> None:
        """Write the programs that differ from those of the base images."""
        (self.work / "shims").mkdir()
        for name, script in {**SHIMS, "python": f'exec {shlex.quote(self.python)} "$@"'}.items():
            path = self.work / "shims" / name
            path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
            path.chmod(0o755)


@dataclass
class Container:
    """A stage while its steps run: the folder in the place of `/`, the environment and the working directory."""

    build: Build
    root: Path
    environment: dict[str, str]
    workdir: str = "/"
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)
    user: str = "root"

    def mapped(self, text: str) -> str:
        """Return a text in which the paths of this stage begin in its folder."""
        return re.sub(rf"(?<![\w./*~)}}-])/(?!(?:{'|'.join(SYSTEM)})\b)(?=[A-Za-z])", f"{self.root}/", text)

    def path(self, text: str) -> Path:
        """Return where a path of this stage is, absolute or below the working directory."""
        return self.root / str(PurePosixPath(self.workdir) / text).lstrip("/")

    def step(self, instruction: str, rest: str) -> None:
        """Do what an instruction says. Raises `SystemExit` if it fails, or is one that this program does not know."""
        instructions: dict[str, Callable[[str], None]] = {
            "RUN": lambda command: self.run(["/bin/sh", "-c", self.mapped(command)]),
            "COPY": lambda words: self.copy(shlex.split(words)),
            "ENV": self.set_variables,
            "ARG": self.set_variables,  # the default: no build argument is given
            "WORKDIR": self.enter,
            "USER": self.set_user,
            "VOLUME": self.check_volumes,
            "EXPOSE": lambda _port: None,
            "HEALTHCHECK": lambda words: setattr(self, "health", json.loads(words.partition("CMD ")[2])),
            "CMD": lambda words: setattr(self, "command", json.loads(words)),
        }
        if instruction not in instructions:
            raise SystemExit(f"deploy/image_steps.py does not know the instruction {instruction}.")
        instructions[instruction](rest)

    def set_variables(self, rest: str) -> None:
        """Set the variables of ENV, in which only `$PATH` may refer to another."""
        for name, value in re.findall(r"(\w+)=(\S+)", rest):
            self.environment[name] = self.mapped(value).replace("$PATH", self.environment["PATH"])

    def enter(self, folder: str) -> None:
        """Make a folder the working directory."""
        self.workdir = folder
        self.path(".").mkdir(parents=True, exist_ok=True)

    def set_user(self, user: str) -> None:
        """Note the user. Raises `SystemExit` if it is root, or a name, which Kubernetes cannot check."""
        if not re.fullmatch(r"[1-9]\d*:[1-9]\d*", user):
            raise SystemExit(f"USER {user}: this must be two numbers, and not root's.")
        self.user = user

    def check_volumes(self, rest: str) -> None:
        """Raise `SystemExit` if the user of the image cannot write to its volumes."""
        for folder in rest.split():
            if not os.access(self.path(folder), os.W_OK):
                raise SystemExit(f"VOLUME {folder}: the user of the image cannot write there.")

    def run(self, command: Sequence[str], **variables: str) -> None:
        """Run a command of a step, and show the end of its output if it fails. Raises `SystemExit`."""
        began = time.monotonic()
        done = subprocess.run(
            command,
            cwd=self.path("."),
            env={**self.environment, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        notes = [line for line in done.stdout.splitlines() if "left out" in line]
        if done.returncode:
            raise SystemExit(f"It failed with {done.returncode}:\n{done.stdout[-4000:]}")
        say("\n".join([*notes, f"    done in {time.monotonic() - began:.1f} s"]))

    def copy(self, words: list[str]) -> None:
        """Copy files and folders from the context or from another stage."""
        options, words = (
            [word for word in words if word.startswith("--")],
            [word for word in words if not word.startswith("--")],
        )
        origin = self.build.context
        for option in options:
            name, _, value = option.partition("=")
            if name != "--from":
                raise SystemExit(f"deploy/image_steps.py does not know COPY {name}.")
            if value not in self.build.stages:
                say(f"    left out: there is no stage {value}")
                return
            origin = self.build.stages[value].root
        *sources, target = words
        to = self.path(target)
        for source in sources:
            found = origin / source.lstrip("/")
            if found.is_dir():
                shutil.copytree(found, to, symlinks=True, dirs_exist_ok=True)
            elif found.is_file():
                is_folder = target.endswith("/") or len(sources) > 1
                place = to / found.name if is_folder else to
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(found, place)
            else:
                raise SystemExit(f"COPY: {source} is not in the build context.")


def build_stages(build: Build, dockerfile: str) -> Container:
    """Run all stages; return the last."""
    container: Container | None = None
    for stage in parse_dockerfile(dockerfile):
        say(f"FROM {stage.image}  as the stage {stage.name}")
        if stage.image.startswith("node:") and not shutil.which("npm"):
            say("    left out: there is no npm on this machine")
            continue
        root = build.work / "stages" / stage.name
        for folder in ("tmp", "run"):
            (root / folder).mkdir(parents=True)
        container = Container(build, root, build.base_environment())
        build.stages[stage.name] = container
        for instruction, rest in stage.steps:
            say(f"  {instruction} {rest[:150]}")
            container.step(instruction, rest)
    if container is None:
        raise SystemExit("The Dockerfile has no stage.")
    return container
