"""The processes that serve Tatami, as command lines: the same ones that docker-compose.yml runs."""

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tatami.embedded.child import Program
from tatami.embedded.environment import ROOT

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Application:
    """Where the programs run, with which environment, and on which port the web process listens."""

    data: Path
    environment: Mapping[str, str]
    port: int

    def programs(self) -> list[Program]:
        """Return web, worker and beat, in the order of their start."""
        return [self.web(), self.worker(), self.beat()]

    def prepare(self) -> Program:
        """Migrations, the superadmin and the demo dojos: it ends by itself, before anything serves."""
        return self._program("prepare", str(ROOT / "manage.py"), "prepare")

    def web(self) -> Program:
        """Granian. Its output goes straight to ours: a line for each request takes no detour."""
        return self._program(
            "web",
            *("-m", "granian", "--interface", "wsgi", "config.wsgi:application"),
            *("--host", HOST, "--port", str(self.port), "--no-ws", "--no-access-log"),
            *("--workers", self.environment.get("TATAMI_WEB_WORKERS") or "2"),
            *("--blocking-threads", self.environment.get("TATAMI_WEB_THREADS") or "8"),
            *("--workers-kill-timeout", "10", "--log-level", "error"),
            # Only here: a pool does not survive the fork of Celery's workers.
            more={"TATAMI_POOL": "1", **self._metrics("web", 0)},
        )

    def worker(self) -> Program:
        """Celery: two processes that take one task at a time, so that a batch holds up nothing behind it."""
        return self._celery(
            "worker",
            *("--pool", "prefork", "--concurrency", "2", "--prefetch-multiplier", "1"),
            # Nobody reads its events, and sending them would hold it up while Valkey is away.
            *("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "INFO"),
            more=self._metrics("worker", 1),
        )

    def beat(self) -> Program:
        """Celery's clock. What it last did is kept in the data folder."""
        (self.data / "beat").mkdir(mode=0o700, exist_ok=True)
        schedule = self.data / "beat" / "schedule"
        return self._celery("beat", "--schedule", str(schedule), "--pidfile=", "--loglevel", "INFO")

    def _metrics(self, name: str, place: int) -> dict[str, str]:
        """Return where a program tells Prometheus of itself: a port of its own, and a folder that starts empty."""
        port = int(self.environment.get("TATAMI_METRICS_PORT") or 0)
        if not port:
            return {}
        folder = self.data / "metrics" / name
        shutil.rmtree(folder, ignore_errors=True)
        return {"TATAMI_METRICS_PORT": str(port + place), "PROMETHEUS_MULTIPROC_DIR": str(folder)}

    def _celery(self, name: str, *arguments: str, more: Mapping[str, str] | None = None) -> Program:
        # Its tasks are JSON by the settings, which is what the warning to root is about.
        quiet = ("-W", "ignore:You're running the worker with superuser privileges")
        command = (*quiet, "-m", "celery", "-A", "config.celery", "--quiet", name, *arguments)
        return self._program(name, *command, log=self.data / "logs" / f"{name}.log", more=more)

    def _program(
        self, name: str, *arguments: str, log: Path | None = None, more: Mapping[str, str] | None = None
    ) -> Program:
        return Program(
            name=name,
            command=[sys.executable, *arguments],
            environment={**self.environment, **(more or {})},
            folder=ROOT,
            log=log,
            piped=log is not None,
        )
