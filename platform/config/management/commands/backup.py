"""`manage.py backup`: back up the database and the files, once or every day."""

from datetime import UTC, time
from pathlib import Path
from threading import Event
from typing import Any, Final

import structlog
from django.core.management.base import CommandError, CommandParser

from config.backups import (
    BackupFailed,
    create_backup,
    delete_old_backups,
    next_backup_at,
    serve_backup_metrics,
)
from shared_apps.tenants.management.command import OnCallCommand, at_least
from tatami import clock

RETRY_SECONDS: Final = 600
logger: Final = structlog.get_logger(__name__)


class Command(OnCallCommand):
    help = """\
Back up the database and the file storage of the whole installation into a folder of its own below FOLDER, and delete
backups that are too old. The application keeps serving. Secrets are not part of it: keep JWT_SECRET elsewhere.

With --daily-at it runs until it is stopped: a backup each day at that time, and at once if the last one was missed. A
backup that fails is logged and tried again after ten minutes; the backups that exist are kept. With
TATAMI_METRICS_PORT it tells Prometheus when the last backup was made."""
    example = """\
  manage.py backup /backups
  manage.py backup /backups --keep-days 30 --daily-at 02:30
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, metavar="FOLDER")
        parser.add_argument(
            "--keep-days", type=at_least(1), default=14, metavar="N", help="default: %(default)s"
        )
        parser.add_argument(
            "--daily-at", type=time.fromisoformat, metavar="HH:MM", help="run, and back up at this time (UTC)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        folder, keep_days = options["folder"], options["keep_days"]
        if options["daily_at"] is None:
            try:
                self.stdout.write(str(_back_up(folder, keep_days)))
            except (BackupFailed, OSError) as error:
                raise CommandError(str(error)) from None
            return
        serve_backup_metrics(folder)
        while True:
            due = next_backup_at(folder, options["daily_at"], now=clock.now())
            _wait((due - clock.now()).total_seconds())
            try:
                made = _back_up(folder, keep_days)
            except (BackupFailed, OSError) as error:
                logger.error("backup_failed", reason=str(error))  # noqa: TRY400
                _wait(RETRY_SECONDS)
            else:
                logger.info("backup_made", folder=str(made))


def _back_up(folder: Path, keep_days: int) -> Path:
    made = create_backup(folder, now=clock.now().astimezone(UTC))
    delete_old_backups(folder, keep_days=keep_days, now=clock.now())
    return made.folder


def _wait(seconds: float) -> None:
    Event().wait(max(seconds, 0))
