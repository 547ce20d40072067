"""`manage.py restore`: restore a backup of the whole installation."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from config.backups import BackupFailed, check_backup, restore_backup
from shared_apps.tenants.management.command import OnCallCommand


class Command(OnCallCommand):
    help = """\
Restore a backup (a folder that `manage.py backup` has written) into the database of OWNER_DATABASE_URL and the file
storage. Stop web, worker and beat before. Run `manage.py migrate_fleet` afterwards, then `manage.py tenant_check`.

A damaged backup, one of a later version, and a database that has tables are refused. --replace drops all of them."""
    example = """\
  manage.py restore /backups/2026-11-29T023000Z
  manage.py restore /backups/2026-11-29T023000Z --replace
  manage.py restore /backups/2026-11-29T023000Z --check
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("backup", type=Path, metavar="BACKUP")
        parser.add_argument("--replace", action="store_true", help="drop everything in the database first")
        parser.add_argument("--check", action="store_true", help="only check whether the backup is intact")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["check"]:
                check_backup(options["backup"])
                self.stdout.write("The backup is intact.")
                return
            restore_backup(options["backup"], replace=options["replace"])
        except (BackupFailed, OSError) as error:
            raise CommandError(str(error)) from None
        self.stdout.write("Restored. Now run migrate_fleet, and then tenant_check.")
