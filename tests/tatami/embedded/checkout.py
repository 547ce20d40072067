"""A checkout with the real servers and supervisor, and an application of a few lines instead of ours.

The tests start its commands as processes and assert on their output. It needs no Django.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

import tatami.embedded

SET_BY_MAKE_TEST = (
    *("DATABASE_URL", "OWNER_DATABASE_URL", "ADMIN_DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL"),
    *("JWT_SECRET", "TATAMI_DATA", "TATAMI_EPHEMERAL", "TATAMI_SUPERADMIN_PASSWORD", "PORT"),
)

MANAGE = """
import os, psycopg
with psycopg.connect(os.environ["OWNER_DATABASE_URL"]) as connection:
    connection.execute("CREATE TABLE IF NOT EXISTS public.starts (at timestamptz DEFAULT now())")
    connection.execute("INSERT INTO public.starts DEFAULT VALUES")
    print("starts:", connection.execute("SELECT count(*) FROM public.starts").fetchone()[0], flush=True)
"""
WSGI = """
import os, psycopg
def application(environ, start_response):
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        login = connection.execute("SELECT current_user").fetchone()[0]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [login.encode()]
"""
CELERY = """
import os
from celery import Celery
app = Celery("demo", broker=os.environ["CELERY_BROKER_URL"])
"""
SETTINGS = "SECRET_KEY = 'for the demonstration only'\nUSE_TZ = True\n"


@dataclass
class Checkout:
    """A folder that looks like our checkout, with methods to run commands in it."""

    root: Path
    started: list["subprocess.Popen[str]"] = field(default_factory=list)

    @classmethod
    def make(cls, root: Path) -> "Checkout":
        """Create the folder: our code for the servers, and the small application."""
        kernel = root / "platform" / "tatami"
        shutil.copytree(Path(tatami.embedded.__file__).parent, kernel / "embedded")
        (kernel / "__init__.py").touch()
        config = root / "platform" / "config"
        config.mkdir()
        (config / "__init__.py").touch()
        (root / "manage.py").write_text(MANAGE)
        (config / "wsgi.py").write_text(WSGI)
        (config / "celery.py").write_text(CELERY)
        (config / "settings.py").write_text(SETTINGS)
        return cls(root)

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.root / ".tatami"

    def start(self, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        """Start `python -m tatami.embedded …` with pipes for its input and output."""
        inherited = {name: value for name, value in os.environ.items() if name not in SET_BY_MAKE_TEST}
        process = subprocess.Popen(
            [sys.executable, "-m", "tatami.embedded", *arguments],
            cwd=self.root,
            env={**inherited, "PYTHONPATH": str(self.root / "platform"), **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.started.append(process)
        return process

    def finish(self, *arguments: str, **environment: str) -> tuple[int, str]:
        """Run until it exits; return the exit code and the output."""
        process = self.start(*arguments, **environment)
        output, _ = process.communicate(timeout=120)
        return process.returncode, output

    @contextmanager
    def servers(self, **environment: str) -> Iterator[dict[str, str]]:
        """Run the servers until the end of the block; yield the environment of a command."""
        wait = "import json, os, sys; print(json.dumps(dict(os.environ)), flush=True); sys.stdin.read()"
        process = self.start("exec", "--", sys.executable, "-c", wait, **environment)
        assert process.stdout
        line = process.stdout.readline()
        assert line.startswith("{"), line + process.stdout.read()
        yield json.loads(line)
        process.communicate(timeout=120)
        assert process.returncode == 0

    def record(self) -> dict[str, Any]:
        """Return the supervisor's record of its processes."""
        content: dict[str, Any] = json.loads((self.data / "running.json").read_text())
        return content

    def processes(self) -> list[psutil.Process]:
        """Return every process whose working directory is in this checkout."""
        return [process for process in psutil.process_iter() if _works_below(process, self.root)]

    def end(self) -> None:
        """Stop everything, whatever the result of the test."""
        for process in self.started:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.communicate(timeout=120)
            for pipe in (process.stdin, process.stdout):
                if pipe:
                    pipe.close()


def _works_below(process: psutil.Process, root: Path) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and process.cwd().startswith(str(root))
    except psutil.Error:
        return False


def eventually(true: Callable[[], bool], within: float = 60.0) -> bool:
    """Wait until `true` returns True; return whether it did in time."""
    deadline = time.monotonic() + within
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
