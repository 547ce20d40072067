"""The command lines of web, worker and beat. docker-compose.yml runs the same ones."""

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tatami.embedded.child_process import Program
from tatami.embedded.data_folder import ROOT

HOST = "127.0.0.1"


@dataclass(frozen=True)
class ApplicationPrograms:
    """The data folder and the environment of the programs, and the port of the web process."""

    data: Path
    environment: Mapping[str, str]
    port: int

    def programs(self) -> list[Program]:
        """Return web, worker and beat, in the order in which they start."""
        return [self.web(), self.worker(), self.beat()]

    def prepare(self) -> Program:
        """Return the command that migrates, and creates the superadmin and the demo dojos. It runs first, and exits."""
        return self._program("prepare", str(ROOT / "manage.py"), "prepare")

    def web(self) -> Program:
        """Return Granian. It writes to our standard output directly, because it logs a line for each request."""
        return self._program(
            "web",
            *("-m", "granian", "--interface", "wsgi", "config.wsgi:application"),
            *("--host", HOST, "--port", str(self.port), "--no-ws", "--no-access-log"),
            *("--workers", self.environment.get("TATAMI_WEB_WORKERS") or "2"),
            *("--blocking-threads", self.environment.get("TATAMI_WEB_THREADS") or "512"),
            *("--respawn-failed-workers", "--respawn-interval", "0.5"),
            *("--workers-kill-timeout", "10", "--log-level", "error"),
            extra={"TATAMI_WEB_CONNECTIONS": "16", **self._metrics("web", 0)},
        )

    def worker(self) -> Program:
        """Return the Celery worker: two processes that fetch one task at a time, so a long one delays no other."""
        return self._celery(
            "worker",
            *("--pool", "prefork", "--concurrency", "2", "--prefetch-multiplier", "1"),
            # Nothing reads its events, and sending them would block it while Valkey is unavailable.
            *("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "INFO"),
            extra=self._metrics("worker", 1),
        )

    def beat(self) -> Program:
        """Return Celery's scheduler. It stores the times of its last runs in the data folder."""
        (self.data / "beat").mkdir(mode=0o700, exist_ok=True)
        schedule = self.data / "beat" / "schedule"
        return self._celery("beat", "--schedule", str(schedule), "--pidfile=", "--loglevel", "INFO")

    def _metrics(self, name: str, port_offset: int) -> dict[str, str]:
        """Return the variables for Prometheus: a port for this program, and a folder that is emptied at its start."""
        port = int(self.environment.get("TATAMI_METRICS_PORT") or 0)
        if not port:
            return {}
        folder = self.data / "metrics" / name
        shutil.rmtree(folder, ignore_errors=True)
        return {"TATAMI_METRICS_PORT": str(port + port_offset), "PROMETHEUS_MULTIPROC_DIR": str(folder)}

    def _celery(self, name: str, *arguments: str, extra: Mapping[str, str] | None = None) -> Program:
        # Celery warns root because of pickled tasks. Our settings accept only JSON.
        quiet = ("-W", "ignore:You're running the worker with superuser privileges")
        command = (*quiet, "-m", "celery", "-A", "config.celery", "--quiet", name, *arguments)
        return self._program(name, *command, log=self.data / "logs" / f"{name}.log", extra=extra)

    def _program(
        self, name: str, *arguments: str, log: Path | None = None, extra: Mapping[str, str] | None = None
    ) -> Program:
        return Program(
            name=name,
            command=[sys.executable, *arguments],
            environment={**self.environment, **(extra or {})},
            folder=ROOT,
            log=log,
            pipe_output=log is not None,
        )
